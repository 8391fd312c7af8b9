"""Where a new seed goes: a file of its own, in a folder of its host, never over another one."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from feedsvc.errors import ConfigurationError

MAX_NAME = 80
"""Characters of a file's name, and bytes up to three times as many."""
_WORDS = re.compile(r"[^\W_]+")
_HOST = re.compile(r"[^a-z0-9.-]+")
_SETTLED = 2.0
"""Seconds a written file seems to have lain there: it is whole from the first moment on."""


def seed_name(url: str, title: str) -> str:
    """Return the name of a new seed inside its folder: `example.org/storm-closes-harbour`.

    Letters of any alphabet, digits and hyphens only; no suffix.
    """
    host = _HOST.sub("-", (urlsplit(url).hostname or "unknown").lower()).strip(".-") or "unknown"
    words = _WORDS.findall(unicodedata.normalize("NFC", title).casefold())
    slug = ""
    for word in words:
        longer = f"{slug}-{word}" if slug else word
        if len(longer) > MAX_NAME or len(longer.encode()) > 2 * MAX_NAME:
            break
        slug = longer
    return f"{host[:100]}/{slug or hashlib.sha256(url.encode()).hexdigest()[:16]}"


def write_new(folder: Path, name: str, text: str | bytes, *, suffix: str = ".md") -> str:
    """Write a seed below a folder under the first name that is free; return it, with its suffix.

    Text is written as UTF-8. The file appears whole. Raises ConfigurationError where it may not be written.
    """
    with _hidden(folder, name, text) as hidden:
        return _linked(hidden, folder, name, suffix)


def write(folder: Path, name: str, data: bytes, *, replaces: bool) -> bool:
    """Write a seed below a folder under its own name, whole; False if that name is not free.

    ``replaces`` takes it whatever lies there. Raises ConfigurationError where it may not be written.
    """
    with _hidden(folder, name, data) as hidden:
        if replaces:
            hidden.replace(folder / name)
            return True
        try:
            os.link(hidden, folder / name)
        except FileExistsError:
            return False
        return True


def remove(folder: Path, name: str) -> None:
    """Delete a seed below a folder; nothing happens if there is none. Raises ConfigurationError."""
    inside = folder / name.rpartition("/")[0]
    with _permitted(inside):
        _refuse_links(folder, name)
        with suppress(FileNotFoundError, NotADirectoryError):
            (folder / name).unlink()


@contextmanager
def _hidden(folder: Path, name: str, text: str | bytes) -> Iterator[Path]:
    """Write under a name that is no seed's, so that nobody reads it before it has its own."""
    inside = folder / name.rpartition("/")[0]
    with _permitted(inside):
        _refuse_links(folder, name)
        inside.mkdir(parents=True, exist_ok=True)
        hidden = inside / f".{os.getpid()}-{secrets.token_hex(8)}.part"
        try:
            with hidden.open("wb") as file:
                file.write(text.encode() if isinstance(text, str) else text)
                file.flush()
                os.fsync(file.fileno())
            before = time.time() - _SETTLED
            os.utime(hidden, (before, before))
            yield hidden
        finally:
            with suppress(FileNotFoundError):
                hidden.unlink()


@contextmanager
def _permitted(inside: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise ConfigurationError(
            f"{inside}: {error.strerror}; give feedsvc write permission there"
        ) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ConfigurationError(
            f"{inside}: {error.strerror}; what lies there is in the way of the new seed"
        ) from error


def _refuse_links(folder: Path, name: str) -> None:
    inside = folder
    for part in name.split("/")[:-1]:
        inside /= part
        if inside.is_symlink():
            raise ConfigurationError(f"{inside} is a symbolic link; put a folder in its place")


def _linked(hidden: Path, folder: Path, name: str, suffix: str) -> str:
    number = 1
    while True:
        free = f"{name}{suffix}" if number == 1 else f"{name}-{number}{suffix}"
        try:
            os.link(hidden, folder / free)
        except FileExistsError:
            number += 1
            continue
        return free
