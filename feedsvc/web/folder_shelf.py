"""Documents from a folder, which is asked at every request: about 2 µs."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import anyio
import anyio.to_thread

from feedsvc.web.documents import LARGE, Document, Memory, Stamp
from feedsvc.web.names import FeedName


class FolderShelf:
    """The feeds folder, of which ``memory`` holds what was asked for lately.

    Every look asks the file system for the file's stamp, so that a document written by another
    process is served from the next request on, and a name without a file takes no memory.
    """

    def __init__(self, path: Callable[[str], Path], memory: Memory) -> None:
        """Serve ``path(name)``."""
        self.memory = memory
        self._held = memory.held
        self._path = path
        self._loading = anyio.Lock()

    def current(self, name: str) -> Document | None:
        """Return what is held if the file still is the same; only asks the file system."""
        held = self._held.get(name)
        if held is None:
            return None
        try:
            found = os.lstat(held.path)
        except OSError:
            return None
        if held.stamp != (found.st_size, found.st_mtime_ns, found.st_ino):
            return None
        self._held.move_to_end(name)
        return held

    def look(self, name: str) -> tuple[Document | None, Stamp | None]:
        """Return what is held and the file's stamp now, None if there is no such file.

        If the stamps agree the document is current. Raises OSError if the file system does
        not answer and nothing is held.
        """
        held = self._held.get(name)
        try:
            found = os.lstat(held.path if held else self._path(name))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            self.memory.forget(name)
            return None, None
        except OSError:
            if held is None:
                raise
            return held, held.stamp
        if not stat.S_ISREG(found.st_mode):
            return None, None
        if held is not None:
            self._held.move_to_end(name)
        return held, (found.st_size, found.st_mtime_ns, found.st_ino)

    def read(self, name: FeedName) -> Document | None:
        """Read the file, None if it is gone; changes nothing, so any thread may call."""
        path = self._path(name.path)
        try:
            body, stamp = _read(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        written = datetime.fromtimestamp(stamp[1] // 1_000_000_000, UTC)
        return self.memory.document(name, body, written=written, path=str(path), stamp=stamp)

    async def find(self, name: FeedName) -> Document | None:
        """Return a document as it is now, None if there is none.

        The last good one where the disk is in trouble; raise OSError if nothing is held.
        """
        held, stamp = self.look(name.path)
        if stamp is None or (held is not None and held.stamp == stamp):
            return held
        try:
            if stamp[0] >= LARGE:
                return await self._read_large(name)
            document = self.read(name)
        except OSError:
            # No file descriptors left, a disk in trouble: the last good document beats none.
            if held is None:
                raise
            return held
        self.memory.keep(name.path, document)
        return document

    async def _read_large(self, name: FeedName) -> Document | None:
        # In a thread: others must not wait for it.
        async with self._loading:
            held, stamp = self.look(name.path)
            if stamp is None or (held is not None and held.stamp == stamp):
                return held  # somebody else read it while this request waited
            document = await anyio.to_thread.run_sync(self.read, name)
            self.memory.keep(name.path, document)
            return document


def _read(path: Path) -> tuple[bytes, Stamp]:
    # A link or a FIFO under a feed's name is not a feed, and must not block the server.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        return file.read(), (found.st_size, found.st_mtime_ns, found.st_ino)
