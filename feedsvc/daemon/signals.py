"""Signals as events: stop once asked, stop at once when asked again, reload."""

from __future__ import annotations

import os
import queue
import signal
import time
from types import FrameType, TracebackType
from typing import Any

AGAIN_SECONDS = 1.0
"""A second signal sooner than this is the first one, passed on by a shell or by make."""


class Signals:
    """A context in which SIGTERM and SIGINT set ``stopping`` and SIGHUP asks for a reload.

    A second SIGTERM or SIGINT ends the process at once: whatever is half done is safe, because
    nothing counts before it is recorded.
    """

    def __init__(self) -> None:
        self.stopping = False
        self._first = 0.0
        # A handler may interrupt any line of this very thread, so it must not take a lock that
        # the thread may hold: an Event would, a SimpleQueue does not.
        self._wakes: queue.SimpleQueue[bool] = queue.SimpleQueue()
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
        self._wakes.put(False)

    def wait(self, seconds: float) -> bool:
        """Wait for a signal, at most that long; True if a reload was asked for."""
        asked = False
        try:
            asked = self._wakes.get(timeout=seconds)
            while True:
                asked |= self._wakes.get_nowait()
        except queue.Empty:
            return asked

    def _asked_to_stop(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.stopping and now - self._first >= AGAIN_SECONDS:
            os._exit(128 + number)
        if not self.stopping:
            self.stopping, self._first = True, now
        self._wakes.put(False)

    def _asked_to_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._wakes.put(True)
