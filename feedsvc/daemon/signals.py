"""Signals as events: stop once asked, stop at once when asked again, reload."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Signals:
    """A context in which SIGTERM and SIGINT set ``stop`` and SIGHUP asks for a reload.

    A second SIGTERM or SIGINT ends the process at once: whatever is half done is safe, because
    nothing counts before it is recorded.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._wake = threading.Event()
        self._reload = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._asked_to_stop)
        self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._asked_to_reload)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wake(self) -> None:
        """End the present wait."""
        self._wake.set()

    def wait(self, seconds: float) -> bool:
        """Wait for a signal, at most that long; True if a reload was asked for."""
        self._wake.wait(seconds)
        self._wake.clear()
        asked, self._reload = self._reload, False
        return asked

    def _asked_to_stop(self, number: int, _frame: FrameType | None) -> None:
        if self.stop.is_set():
            os._exit(128 + number)
        self.stop.set()
        self._wake.set()

    def _asked_to_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload = True
        self._wake.set()
