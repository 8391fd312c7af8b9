from __future__ import annotations

import os
import signal
import threading
import time

from feedsvc.daemon.signals import Signals


def test_a_storm_of_signals_never_hangs_the_wait() -> None:
    with Signals() as signals:
        stop = threading.Event()

        def storm() -> None:
            while not stop.is_set():
                os.kill(os.getpid(), signal.SIGHUP)
                signals.wake()

        thread = threading.Thread(target=storm)
        thread.start()
        try:
            reloads = sum(signals.wait(0.01) for _ in range(500))
        finally:
            stop.set()
            thread.join()
        assert reloads
        # All of them are in: the next wait finds nothing more.
        signals.wait(0)
        began = time.monotonic()
        assert not signals.wait(0.05)
        assert time.monotonic() - began >= 0.04


def test_a_signal_to_stop_is_remembered() -> None:
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        signals.wait(1)
        assert signals.stopping
