"""Feed files held in memory, each coding with its ETag and its headers made once."""

from __future__ import annotations

import gzip
import os
import stat
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from feedsvc.publish import MEDIA_TYPES
from feedsvc.web.conditional import http_date
from feedsvc.web.door import SECURITY_HEADERS, Headers

# Browsers' readers on other sites fetch feeds too, and may look at the headers that save traffic.
CORS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"etag, link"),
]

Stamp = tuple[int, int, int]
"""Size, mtime in nanoseconds and inode: another file if any of them differs."""


@dataclass(frozen=True, slots=True)
class Representation:
    """A document in one content coding, with the headers of its two answers."""

    body: bytes
    etag: str
    found: Headers
    """Goes with 200."""
    unchanged: Headers
    """Goes with 304."""


@dataclass(frozen=True, slots=True)
class Document:
    """One feed file as it was at ``stamp``."""

    path: str
    stamp: Stamp
    modified: datetime
    digest: bytes
    identity: Representation
    gzip: Representation

    @property
    def size(self) -> int:
        """Bytes it takes in memory."""
        return len(self.identity.body) + len(self.gzip.body)


class Documents:
    """The feeds folder in memory: what was asked for lately, at most ``budget`` bytes of it.

    Every look asks the file system for the file's stamp (about 2 µs), so that a document
    written by another process is served from the next request on, and a name without a file
    takes no memory.
    """

    def __init__(
        self,
        path: Callable[[str], Path],
        *,
        link: str,
        max_age: int,
        budget: int = 64 << 20,
        now: Callable[[], datetime],
    ) -> None:
        """Serve ``path(name)``; ``link`` + name is a document's own URL, ``max_age`` in seconds."""
        self._path = path
        self._link = link
        self._max_age = max_age
        self._budget = budget
        self._now = now
        self._held: OrderedDict[str, Document] = OrderedDict()
        self.size = 0
        """Bytes held."""

    def look(self, name: str) -> tuple[Document | None, Stamp | None]:
        """Return what is held and the file's stamp now, None if there is no such file.

        If the stamps agree the document is current. Raises OSError if the file system does
        not answer and nothing is held.
        """
        held = self._held.get(name)
        try:
            found = os.lstat(held.path if held else self._path(name))
        except (FileNotFoundError, NotADirectoryError):
            self._forget(name)
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

    def read(self, name: str) -> Document | None:
        """Read and compress the file, None if it is gone; changes nothing, so any thread may call."""
        path = self._path(name)
        try:
            body, stamp = _read(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return self._document(name, str(path), body, stamp)

    def keep(self, name: str, document: Document | None) -> None:
        """Hold ``document`` in place of what was held under that name."""
        self._forget(name)
        if document is None:
            return
        self._held[name] = document
        self.size += document.size
        while self.size > self._budget:
            self._forget(next(iter(self._held)))

    def _forget(self, name: str) -> None:
        if held := self._held.pop(name, None):
            self.size -= held.size

    def _document(self, name: str, path: str, body: bytes, stamp: Stamp) -> Document:
        digest = sha256(body).digest()
        held = self._held.get(name)
        if held is not None and held.digest == digest:
            modified = held.modified  # touched or written again: Last-Modified follows the bytes
        else:
            # RFC 9110 §8.8.2.1: never later than the answer's own date.
            modified = min(datetime.fromtimestamp(stamp[1] // 1_000_000_000, UTC), self._now())
        shared = self._headers(name, modified)
        # mtime=0: the same bytes, and so the same ETag, after every restart.
        packed = gzip.compress(body, compresslevel=6, mtime=0)
        return Document(
            path=path,
            stamp=stamp,
            modified=modified,
            digest=digest,
            identity=_representation(body, shared, []),
            gzip=_representation(packed, shared, [(b"content-encoding", b"gzip")]),
        )

    def _headers(self, name: str, modified: datetime) -> Headers:
        media_type = MEDIA_TYPES[name.rpartition(".")[2]]
        plain = media_type.partition(";")[0]
        link = f'<{self._link}{name}>; rel="self"; type="{plain}"'
        return [
            (b"content-type", media_type.encode()),
            (b"cache-control", b"public, max-age=%d" % self._max_age),
            (b"last-modified", http_date(modified).encode()),
            (b"vary", b"Accept-Encoding"),
            (b"link", link.encode("ascii", "ignore")),
            *CORS,
            *SECURITY_HEADERS,
        ]


def _representation(body: bytes, shared: Headers, coding: Headers) -> Representation:
    etag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = [(b"etag", etag.encode()), *shared]
    return Representation(
        body=body,
        etag=etag,
        found=[(b"content-length", b"%d" % len(body)), *coding, *headers],
        # RFC 9110 §15.4.5: nothing about a body that is not there.
        unchanged=[pair for pair in headers if pair[0] != b"content-type"],
    )


def _read(path: Path) -> tuple[bytes, Stamp]:
    # A link or a FIFO under a feed's name is not a feed, and must not block the server.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        return file.read(), (found.st_size, found.st_mtime_ns, found.st_ino)
