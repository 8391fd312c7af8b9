"""What takes long to find out, and is asked for often."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from feedsvc.errors import FeedsvcError

_TIMES = 10.0
_LONGEST_KEPT = 60.0

T = TypeVar("T")


class Remembered(Generic[T]):
    """What takes long to find out, kept for ten times as long as it took, so that it costs little.

    While somebody finds it out anew, others get what is known; only the first have to wait.
    """

    def __init__(self, find: Callable[[], T], *, clock: Callable[[], float]) -> None:
        self._find = find
        self._clock = clock
        self._known: tuple[T, float] | None = None
        self._finding = threading.Lock()

    def get(self) -> T:
        """Return how things stand, or stood a moment ago."""
        known = self._known
        if known is not None and self._clock() < known[1]:
            return known[0]
        if not self._finding.acquire(blocking=known is None):
            assert known is not None  # noqa: S101 - else it had waited
            return known[0]
        try:
            if self._known is not known and self._known is not None:
                return self._known[0]
            began = self._clock()
            found = self._find()
            now = self._clock()
            self._known = (found, now + min(_TIMES * (now - began), _LONGEST_KEPT))
            return found
        finally:
            self._finding.release()


class Refreshed(Generic[T]):
    """What may take very long to find out, found out by a thread: nobody waits beyond ``patience``.

    Kept for ten times as long as it took; what takes less than ``least`` seconds is found out
    each time.
    """

    def __init__(
        self, find: Callable[[], T], *, clock: Callable[[], float], patience: float, least: float
    ) -> None:
        self._find = find
        self._clock = clock
        self._patience = patience
        self._least = least
        self._known: tuple[T, float] | None = None
        self._error: FeedsvcError | None = None
        self._finder: threading.Thread | None = None
        self._lock = threading.Lock()

    def get(self) -> T | None:
        """Return how things stand or last stood; None: nobody knows yet. Raises what `find` does."""
        with self._lock:
            if self._known is not None and self._clock() < self._known[1]:
                return self._known[0]
            if self._finder is None or not self._finder.is_alive():
                self._finder = threading.Thread(target=self._run, daemon=True)
                self._finder.start()
            finder = self._finder
        finder.join(self._patience)
        if self._error is not None:
            raise self._error
        return None if self._known is None else self._known[0]

    def _run(self) -> None:
        began = self._clock()
        try:
            found = self._find()
        except FeedsvcError as error:
            self._error = error
            return
        now = self._clock()
        took = now - began
        self._known = (found, now + (_TIMES * took if took >= self._least else 0.0))
        self._error = None
