"""Bytes by key, whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from feedsvc.errors import ConfigurationError, NotFound, OutOfSpace
from feedsvc.text import redacted

if TYPE_CHECKING:
    from feedsvc.storage.s3_access import S3Access

SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_TEMPORARY = ".tmp-"
_YOUNG = 2.0
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def checked_key(key: str) -> str:
    """Return a key; ValueError for one that no snapshot or feed has."""
    if not all(SEGMENT.fullmatch(segment) for segment in key.split("/")):
        raise ValueError(f"{key!r} is not a key")
    return key


class BlobStore(Protocol):
    """A flat space of keys such as `2026/11/….warc.gz`; segments are letters, digits, `._-`."""

    def put(self, key: str, data: bytes, *, attributes: Mapping[str, str] | None = None) -> None:
        """Store all of data or nothing; replaces. ``attributes``: header -> what a store says."""
        ...

    def writing(self, key: str) -> AbstractContextManager[BufferedRandom]:
        """Open a file to read and write, seekable, that is stored only if the block ends well.

        For keys that are never used again: a store may refuse to replace other bytes.
        """
        ...

    def open(self, key: str, *, at: int = 0) -> BufferedReader:
        """Open for reading, seekable, at a place; raise NotFound if there is none."""
        ...

    def stored(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        """Yield the keys that begin so and follow ``after``, in order."""
        ...

    def size(self, key: str) -> int:
        """Return bytes; raise NotFound if there is none."""
        ...

    def written(self, key: str) -> datetime:
        """Return when a key got its bytes, by the store's clock; raise NotFound if there is none."""
        ...

    def delete(self, key: str) -> None:
        """Remove; nothing happens if there is none."""
        ...

    def place(self, key: str = "") -> str:
        """Return where a key's bytes are kept, to be told to a person: a path or an address."""
        ...

    def free(self) -> int | None:
        """Return the bytes that still fit; None where nobody can say."""
        ...

    def sweep(self, *, age: float = _YOUNG) -> int:
        """Remove what crashed writers left unfinished; return how many. Keeps what is younger."""
        ...

    def check(self) -> None:
        """Read, write, list and delete. Raises ConfigurationError or Temporary, with the remedy."""
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
        return self.folder.joinpath(*checked_key(key).split("/"))

    def put(self, key: str, data: bytes, *, attributes: Mapping[str, str] | None = None) -> None:
        """Store all of data or nothing; replaces. Raises OutOfSpace. A file has no attributes."""
        del attributes
        with self.writing(key) as file:
            file.write(data)

    @contextmanager
    def writing(self, key: str) -> Iterator[BufferedRandom]:
        """Open a file (read and write) that gets its name only if the block ends well."""
        path = self.path(key)
        with disk_errors(path):
            _make_folder(path.parent)
            temporary = path.parent / f"{_TEMPORARY}{secrets.token_hex(8)}"
            file = temporary.open("x+b")
            # Whoever sweeps takes what nobody locks: its writer is dead.
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            with disk_errors(path):
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

    def open(self, key: str, *, at: int = 0) -> BufferedReader:
        """Open for reading, at a place; raise NotFound if there is none."""
        try:
            file = self.path(key).open("rb")
            file.seek(at)
            return file
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NotFound(f"{self.path(key)} is missing") from error

    def stored(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        """Yield what lies in the folder under names that begin so and follow, in order."""
        begin = self.folder.joinpath(*prefix.split("/")[:-1])
        keys = (path.relative_to(self.folder).as_posix() for path in self._files(begin))
        yield from sorted(key for key in keys if key.startswith(prefix) and key > after)

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

    def written(self, key: str) -> datetime:
        """Return when the file was written; raise NotFound if there is none."""
        try:
            return datetime.fromtimestamp(self.path(key).stat().st_mtime, UTC)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(f"{self.path(key)} is missing") from error

    def place(self, key: str = "") -> str:
        """Return the path of the folder, or of a file in it."""
        return str(self.path(key) if key else self.folder)

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

    def check(self) -> None:
        """Write, list, read and delete a small file. Raises ConfigurationError or OutOfSpace."""
        key = f"check-{secrets.token_hex(8)}"
        try:
            self.put(key, b"feedsvc")
            with self.open(key) as file:
                file.read()
        finally:
            with suppress(OSError):
                self.delete(key)


def open_blobs(address: str, *, root: Path, access: S3Access) -> BlobStore:
    """Return what keeps bytes at an address: a folder below ``root``, or s3://bucket/prefix.

    Raises ConfigurationError.
    """
    if "://" not in address:
        return DiskBlobs(root / address)
    from feedsvc.storage.s3 import Bucket
    from feedsvc.storage.s3_access import parse_address
    from feedsvc.storage.s3_blobs import S3Blobs

    try:
        bucket, prefix = parse_address(address)
    except ValueError as error:
        raise ConfigurationError(f"{redacted(address)}: {error}") from None
    return S3Blobs(Bucket(bucket, prefix, access))


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
def disk_errors(path: Path) -> Iterator[None]:
    """Raise what a person can act on: OutOfSpace or ConfigurationError."""
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
