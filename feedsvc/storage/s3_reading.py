"""An object read like a file: a seekable one, whose reads are few and bounded requests."""

from __future__ import annotations

import io
from collections.abc import Callable

from feedsvc.storage.s3_access import StoredObject

FIRST = 128 << 10
"""Bytes of the first request: most records of a page are shorter, and half of all snapshots."""
LARGEST = 4 << 20
"""Bytes of a request once reading goes on and on; so much of an object is in memory at most."""
_GROWTH = 4

Fetch = Callable[[int, int, str], tuple[StoredObject, bytes]]
"""(start, length, etag) → the object, and those of its bytes."""


class ObjectFile(io.RawIOBase):
    """Bytes of an object from anywhere in it. Each request that goes on from the last is larger."""

    def __init__(self, fetch: Fetch, *, at: int = 0) -> None:
        """Ask for the bytes at ``at``. Raises NotFound."""
        super().__init__()
        self._fetch = fetch
        self._position = at
        self._start = at
        self._length = FIRST
        found, self._window = fetch(at, FIRST, "")
        self._size, self._etag = found.size, found.etag

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def seekable(self) -> bool:
        """Any place is as near as any other."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place; nothing is asked for it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the place."""
        return self._position

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # what BufferedReader hands in
        """Fill a buffer as far as what was fetched last goes, or what is fetched now."""
        if self._position >= self._size or not len(buffer):
            return 0
        inside = self._position - self._start
        if not 0 <= inside < len(self._window):
            self._go_on()
            inside = 0
        part = self._window[inside : inside + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def _go_on(self) -> None:
        follows = self._position == self._start + len(self._window)
        self._length = min(self._length * _GROWTH, LARGEST) if follows else FIRST
        _, self._window = self._fetch(self._position, self._length, self._etag)
        self._start = self._position
        if not self._window:
            raise EOFError("the object ended before its end")
