"""Bytes by key, whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import IO, Protocol

from feedsvc.errors import ConfigurationError, NotFound, OutOfSpace

_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_TEMPORARY = ".tmp-"
_YOUNG = 2.0
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class BlobStore(Protocol):
    """A flat space of keys such as `2026/11/….warc.gz`; segments are letters, digits, `._-`."""

    def put(self, key: str, data: bytes) -> None:
        """Store all of data or nothing; replaces."""
        ...

    def open(self, key: str) -> IO[bytes]:
        """Open for reading; raise NotFound if there is none."""
        ...

    def stored(self, prefix: str = "") -> Iterator[str]:
        """Yield keys in order."""
        ...

    def size(self, key: str) -> int:
        """Return bytes; raise NotFound if there is none."""
        ...

    def delete(self, key: str) -> None:
        """Remove; nothing happens if there is none."""
        ...


class DiskBlobs:
    """Blobs as files below one folder, durable once a call returns.

    Files are written under a temporary name in the same folder, fsynced, renamed, and the
    folder fsynced: a crash leaves a leftover of ours, never half a file under its name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Return where a key's bytes are kept; ValueError for a key that could leave the folder."""
        segments = key.split("/")
        if not all(_SEGMENT.fullmatch(segment) for segment in segments):
            raise ValueError(f"{key!r} is not a key")
        return self.folder.joinpath(*segments)

    def put(self, key: str, data: bytes) -> None:
        """Store all of data or nothing; replaces. Raises OutOfSpace."""
        with self.writing(key) as file:
            file.write(data)

    @contextmanager
    def writing(self, key: str) -> Iterator[BufferedRandom]:
        """Open a file (read and write) that gets its name only if the block ends well."""
        path = self.path(key)
        with _explained(path):
            _make_folder(path.parent)
            temporary = path.parent / f"{_TEMPORARY}{secrets.token_hex(8)}"
            file = temporary.open("x+b")
            # Whoever sweeps takes what nobody locks: its writer is dead.
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            with _explained(path):
                with file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
                _sync_folder(path.parent)
        except BaseException:
            with suppress(FileNotFoundError):
                temporary.unlink()
            raise

    def open(self, key: str) -> BufferedReader:
        """Open for reading; raise NotFound if there is none."""
        try:
            return self.path(key).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NotFound(f"{self.path(key)} is missing") from error

    def stored(self, prefix: str = "") -> Iterator[str]:
        """Yield what lies in the folder under names that begin so, in order; nothing unfinished."""
        for path in sorted(self._files(self.folder)):
            key = path.relative_to(self.folder).as_posix()
            if key.startswith(prefix):
                yield key

    def _files(self, folder: Path) -> Iterator[Path]:
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(_TEMPORARY) or entry.name == ".gitkeep":
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from self._files(Path(entry.path))
                else:
                    yield Path(entry.path)

    def size(self, key: str) -> int:
        """Return bytes; raise NotFound if there is none."""
        try:
            return self.path(key).stat().st_size
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(f"{self.path(key)} is missing") from error

    def delete(self, key: str) -> None:
        """Remove; nothing happens if there is none."""
        path = self.path(key)
        with suppress(FileNotFoundError):
            path.unlink()
            _sync_folder(path.parent)

    def free(self) -> int:
        """Return the bytes free on the disk."""
        folder = self.folder
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def sweep(self, *, age: float = _YOUNG) -> int:
        """Remove what crashed writers left behind; return how many. Keeps those of living ones.

        ``age``: seconds for which a file is left alone; 0 for who knows that nobody else writes.
        """
        return sum(_swept(path, age=age) for path in self.folder.rglob(f"{_TEMPORARY}*"))


def _swept(leftover: Path, *, age: float) -> bool:
    """Remove an unfinished file if its writer is dead; tell whether it was removed."""
    with suppress(FileNotFoundError, BlockingIOError), leftover.open("rb") as file:
        # Between making a file and locking it there is a moment; an old one is past that.
        if time.time() - os.fstat(file.fileno()).st_mtime < age:
            return False
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        leftover.unlink()
        return True
    return False


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, each entry fsynced."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o755)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OutOfSpace(
                f"{path}: {error.strerror}; free some space, what was there is kept"
            ) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise ConfigurationError(
                f"{path}: {error.strerror}; give feedsvc write permission there"
            ) from error
        raise
