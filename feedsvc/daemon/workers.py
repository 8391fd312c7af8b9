"""Several processes that answer on the same sockets, and the one that looks after them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from feedsvc.daemon.notify import READY, STOPPING, WATCHDOG, notify, watchdog_seconds
from feedsvc.daemon.signals import Signals
from feedsvc.logs import logger

_TICK_SECONDS = 1.0
_STOP_SECONDS = 10.0
YOUNG_SECONDS = 10.0

log = logger(__name__)


def serve_with_workers(
    root: Path, sockets: Sequence[socket.socket], *, count: int, options: Sequence[str] = ()
) -> int:
    """Serve a site from ``count`` processes until a signal comes; return the exit code.

    They inherit ``sockets``, which listen already, so that the kernel hands each connection to
    one that is free, and none is lost while one is replaced. ``options`` are the command line's
    own, such as `--quiet`.
    """
    numbers = ",".join(str(each.fileno()) for each in sockets)
    command = [sys.executable, "-m", "feedsvc", "serve", "--root", str(root), *options]
    command += ["--sockets", numbers]
    crew = Crew(command, tuple(each.fileno() for each in sockets))
    with Signals() as signals:
        try:
            for _ in range(count):
                crew.start()
            log.info("service.ready", workers=count, pid=os.getpid())
            notify(READY)
            code = attend(crew, signals)
        finally:
            notify(STOPPING)
            crew.stop()
    return code


def attend(crew: Crew, signals: Signals, *, young: float = YOUNG_SECONDS) -> int:
    """Pass signals on and replace who dies; return the exit code.

    Who ends before it is ``young`` seconds old would end again: that ends all.
    """
    watchdog = watchdog_seconds()
    tick = min(_TICK_SECONDS, watchdog / 3) if watchdog else _TICK_SECONDS
    while True:
        reload = signals.wait(tick)
        if signals.stopping:
            return 0
        if reload:
            crew.send(signal.SIGHUP)
        for worker, age in crew.ended():
            log.error("worker.ended", pid=worker.pid, code=worker.returncode)
            if age < young:
                return worker.returncode if worker.returncode > 0 else 1
            crew.start()
        notify(WATCHDOG)


class Crew:
    """The processes and when each was started."""

    def __init__(self, command: Sequence[str], numbers: tuple[int, ...] = ()) -> None:
        """``numbers`` are the file descriptors that each inherits."""
        self._command = list(command)
        self._numbers = numbers
        self._workers: dict[subprocess.Popen[bytes], float] = {}

    def start(self) -> None:
        """Start one more. Its stdin is a pipe from here: when that ends, we are no more."""
        # A supervisor hears from us, not from each of them.
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
        }
        worker = subprocess.Popen(  # noqa: S603 - this very program, with options of our own
            self._command, stdin=subprocess.PIPE, pass_fds=self._numbers, env=environment
        )
        self._workers[worker] = time.monotonic()

    @property
    def pids(self) -> list[int]:
        """Process ids, in no order."""
        return [worker.pid for worker in self._workers]

    def ended(self) -> list[tuple[subprocess.Popen[bytes], float]]:
        """Return those that have ended since, each with its age in seconds, and forget them."""
        now = time.monotonic()
        gone = [worker for worker in self._workers if worker.poll() is not None]
        for worker in gone:
            _close(worker)
        return [(worker, now - self._workers.pop(worker)) for worker in gone]

    def send(self, number: int) -> None:
        """Send all of them a signal."""
        for worker in self._workers:
            worker.send_signal(number)

    def stop(self) -> None:
        """End all of them; those that do not end in time are killed."""
        self.send(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for worker in self._workers:
            try:
                worker.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            _close(worker)
        self._workers.clear()


def _close(worker: subprocess.Popen[bytes]) -> None:
    if worker.stdin is not None:
        worker.stdin.close()


def inherited(numbers: str) -> list[socket.socket]:
    """Return the sockets a parent handed over; ValueError for what are none."""
    try:
        return [_taken(int(number)) for number in numbers.split(",")]
    except OSError as error:
        raise ValueError(f"{numbers!r} are no sockets: {error.strerror}") from error


def _taken(number: int) -> socket.socket:
    found = socket.socket(fileno=number)
    found.setblocking(False)
    return found


def end_with_parent() -> None:
    """Stop this process in good order when the one that started it is no more."""

    def watch() -> None:
        while os.read(0, 1):
            continue
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="feedsvc-parent", daemon=True).start()
