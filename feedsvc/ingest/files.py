"""Seed files: found without being read, read without being tricked.

Nothing here follows a symbolic link below the configured folder, waits on a FIFO, or reads more
than it was told to.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from feedsvc.errors import NotFound, SeedBusy, SeedRejected, Temporary
from feedsvc.ingest.seed import SEED_FORMATS
from feedsvc.model import FileStamp

_SUFFIXES = tuple(SEED_FORMATS)
_UNUSUAL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO must not wait for its writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_STAMP = FileStamp(0, 0, 0)
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.ESTALE})


@dataclass(frozen=True, slots=True)
class FoundSeed:
    """A file with a seed's name.

    ``problem`` says why it cannot be read at all; such a file's ``name`` is made printable.
    A folder that cannot be listed or is a symbolic link is found too, with a problem and
    ``relative`` ending in a slash.
    """

    name: str
    """The configured folder, a slash and ``relative``."""
    relative: str
    stamp: FileStamp
    problem: SeedRejected | None = None


def scan(folder: Path, *, name: str) -> Iterator[FoundSeed]:
    """Yield every seed below a folder, in no particular order; no file is opened.

    Hidden names and what editors leave behind are passed over, symbolic links to folders are
    not entered but are problems. Raises NotFound if the folder itself is not there or cannot be listed.
    """
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            entries = os.scandir(folder / inside if inside else folder)
        except OSError as error:
            if not inside:
                raise NotFound(
                    f"{folder}: the seeds folder cannot be listed ({error.strerror}). "
                    "Create it, mount its disk, or change seeds.paths"
                ) from error
            yield _unlistable(name, inside, error)
            continue
        with entries:
            for entry in entries:
                kind = _kind(entry)
                if kind is _Kind.FOLDER:
                    waiting.append(f"{inside}{entry.name}/")
                elif kind is not None and (
                    found := _found(entry, f"{inside}{entry.name}{kind.value}", name)
                ):
                    yield found


def look(folder: Path, relative: str, *, name: str) -> FoundSeed | None:
    """Return the seed at one path as `scan` would find it, None if it would not."""
    *parents, last = relative.removesuffix("/").split("/")
    is_seed = last.lower().endswith(_SUFFIXES)
    if not last or _is_leftover(last) or (is_seed and relative.endswith("/")):
        return None
    if any(part in {"", ".", ".."} or part.startswith(".") for part in parents):
        return None
    inside = folder
    try:
        for part in parents:
            inside /= part
            if not stat.S_ISDIR(inside.lstat().st_mode):
                return None
        status = (inside / last).lstat()
        linked = not is_seed and stat.S_ISLNK(status.st_mode) and (inside / last).is_dir()
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None
    if not is_seed:
        return _judged(status, f"{relative.removesuffix('/')}/", name) if linked else None
    return None if stat.S_ISDIR(status.st_mode) else _judged(status, relative, name)


def found_object(relative: str, stamp: FileStamp, *, name: str) -> FoundSeed | None:
    """Return a seed that is no file but an object of that key, None for what is no seed."""
    *parents, last = relative.split("/")
    if not last.lower().endswith(_SUFFIXES) or _is_leftover(last):
        return None
    if any(part.startswith(".") for part in parents):
        return None
    if _UNUSUAL.search(relative):
        return FoundSeed(_printable(f"{name}/{relative}"), relative, stamp, _bad_name(relative))
    return FoundSeed(f"{name}/{relative}", relative, stamp)


def hidden_objects(inside: str, *, name: str) -> FoundSeed:
    """Return what is said of a part of a bucket in which a key keeps the others from being listed."""
    problem = SeedRejected(
        "it cannot be listed: a key in it has an empty segment, a segment '.' or '..', or a "
        "control character",
        remedy="Rename that object; until then nothing beside it is loaded or withdrawn",
    )
    relative = f"{inside}/" if inside else "/"
    return FoundSeed(_printable(f"{name}/{inside}".rstrip("/") + "/"), relative, _NO_STAMP, problem)


def read(folder: Path, seed: FoundSeed, *, limit: int) -> tuple[bytes, FileStamp]:
    """Return a seed's bytes and the stamp of the file they came from.

    Raises SeedRejected for a file that is no regular one, is larger than ``limit`` bytes, may
    not be read or lies outside the folder; SeedBusy for one that changes meanwhile or is gone.
    """
    if seed.problem is not None:
        raise seed.problem
    with ExitStack() as stack:
        try:
            handle = _open(folder, seed.relative, stack)
            before = os.fstat(handle)
            if problem := _irregular(before.st_mode):
                raise problem
            if before.st_size > limit:
                raise too_large(before.st_size, limit)
            content = _read_all(handle, min(limit, before.st_size) + 1)
            after = os.fstat(handle)
        except OSError as error:
            raise _unreadable(seed, error) from error
    stamp = _stamp(before)
    if len(content) != before.st_size or _stamp(after) != stamp:
        raise SeedBusy(f"{seed.name}: it changed while it was read; it is read again next time")
    return content, stamp


def _open(folder: Path, relative: str, stack: ExitStack) -> int:
    """Open a file one component at a time, so that no link is followed on the way."""
    parts = relative.split("/")
    if any(part in {"", ".", ".."} or "\0" in part for part in parts):
        raise SeedRejected(
            "its path leads outside the seeds folder", remedy="Move the file into the folder"
        )
    handle = os.open(folder, _FOLDER)
    stack.callback(os.close, handle)
    for part in parts[:-1]:
        handle = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
        stack.callback(os.close, handle)
    handle = os.open(parts[-1], _FILE, dir_fd=handle)
    stack.callback(os.close, handle)
    return handle


def _read_all(handle: int, size: int) -> bytes:
    content = os.read(handle, size)
    if len(content) == size or not content:
        return content
    chunks = [content]
    while chunk := os.read(handle, size - sum(map(len, chunks))):
        chunks.append(chunk)
    return b"".join(chunks)


class _Kind(Enum):
    """What a folder's entry is; the value is what its name ends with in addition."""

    SEED = ""
    LINKED_FOLDER = "/"
    FOLDER = "folder"


def _kind(entry: os.DirEntry[str]) -> _Kind | None:
    """Return what an entry is, None if it is nothing of ours."""
    is_folder = entry.is_dir(follow_symlinks=False)
    if entry.name.endswith(_SUFFIXES) or entry.name.lower().endswith(_SUFFIXES):
        if _is_leftover(entry.name):
            return None
        return _Kind.FOLDER if is_folder else _Kind.SEED
    if entry.name[0] == ".":
        return None
    if is_folder:
        return _Kind.FOLDER
    return _Kind.LINKED_FOLDER if entry.is_symlink() and Path(entry).is_dir() else None


def _found(entry: os.DirEntry[str], relative: str, name: str) -> FoundSeed | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None  # gone since the folder was listed
    except OSError as error:
        problem = SeedRejected(f"it cannot be looked at: {error.strerror}", remedy="Check the disk")
        return FoundSeed(_printable(f"{name}/{relative}"), relative, _NO_STAMP, problem)
    return _judged(status, relative, name)


def _judged(status: os.stat_result, relative: str, name: str) -> FoundSeed:
    stamp = _stamp(status)
    # Most names by far are ASCII, which can be told from str alone.
    if _UNUSUAL.search(relative):
        return FoundSeed(_printable(f"{name}/{relative}"), relative, stamp, _bad_name(relative))
    problem = None if stat.S_ISREG(status.st_mode) else _irregular(status.st_mode)
    if relative.endswith("/"):
        problem = _linked_folder()
    return FoundSeed(f"{name}/{relative}", relative, stamp, problem)


def _stamp(status: os.stat_result) -> FileStamp:
    return FileStamp(status.st_size, status.st_mtime_ns, status.st_ino)


def _is_leftover(name: str) -> bool:
    """Tell what editors, office programs and downloads leave lying about."""
    return name.startswith((".", "~$")) or name.endswith(("~", ".swp", ".tmp", ".part", "#"))


def _bad_name(relative: str) -> SeedRejected:
    surrogates = any("\ud800" <= character <= "\udfff" for character in relative)
    return SeedRejected(
        "its name is not UTF-8" if surrogates else "its name holds control characters",
        remedy="Rename the file",
    )


def _printable(name: str) -> str:
    """Return a name that can be stored and shown: strange bytes and controls as escapes."""
    raw = os.fsencode(name).decode("utf-8", "backslashreplace")
    return _UNUSUAL.sub(lambda found: f"\\x{ord(found[0]):02x}", raw)


def _irregular(mode: int) -> SeedRejected | None:
    if stat.S_ISREG(mode):
        return None
    kinds = (
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISDIR, "a folder"),
    )
    kind = next((kind for test, kind in kinds if test(mode)), "a special file")
    return SeedRejected(f"it is {kind}, not a file", remedy="Put the file itself in its place")


def _linked_folder() -> SeedRejected:
    return SeedRejected(
        "it is a symbolic link to a folder, and links are not followed",
        remedy="Put the folder itself in its place, or name it in seeds.paths",
    )


def too_large(size: int, limit: int) -> SeedRejected:
    """Return what is said of a seed that is too large to be read."""
    return SeedRejected(
        f"it is {size:,} bytes large; at most {limit:,} are read", remedy="Split the article"
    )


def _unlistable(name: str, inside: str, error: OSError) -> FoundSeed:
    problem = SeedRejected(
        f"the folder cannot be listed: {error.strerror}",
        remedy="Give feedsvc the right to read and enter it",
    )
    return FoundSeed(_printable(f"{name}/{inside}"), inside, _NO_STAMP, problem)


def _unreadable(seed: FoundSeed, error: OSError) -> Exception:
    """Translate an operating system's error into what to do about it."""
    if error.errno in {errno.ENOENT, errno.ENODEV}:
        return SeedBusy(f"{seed.name}: it went away before it could be read")
    if error.errno in _EXHAUSTED:
        return Temporary(f"{seed.name}: {error.strerror}; it is read again next time")
    if error.errno in {errno.ELOOP, errno.EMLINK, errno.ENOTDIR}:
        return SeedRejected(
            "it is a symbolic link, or below one", remedy="Put the file itself in its place"
        )
    if error.errno == errno.ENXIO:
        return SeedRejected("it is a socket or a device, not a file", remedy="Remove it")
    if error.errno in {errno.EACCES, errno.EPERM}:
        return SeedRejected(
            "it may not be read", remedy="Give feedsvc the right to read it (chmod a+r)"
        )
    return SeedRejected(
        f"it cannot be read: {error.strerror}", remedy="Check the file and the disk"
    )
