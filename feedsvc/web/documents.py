"""Feed files held in memory, each coding with its ETag and its headers made once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from feedsvc.publish.keeping import keeping
from feedsvc.publish.packing import IDENTITY, PACKERS, strong_tag
from feedsvc.web.conditional import http_date
from feedsvc.web.door import SECURITY_HEADERS, Headers
from feedsvc.web.names import FeedName

# Browsers' readers on other sites fetch feeds too, and may look at the headers that save traffic.
CORS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Link, Last-Modified, Retry-After"),
]

LARGE = 256 << 10
"""Files from this size on are read and packed in a thread: others must not wait for them."""

OPENED = frozenset({"rss", "atom"})
"""Formats that browsers show as source text under their own media types."""

OPENED_TYPE = b"text/xml; charset=utf-8"
"""What a browser's window is sent them as (RFC 7303 §4.1): only so it takes their stylesheet."""

# A document needs its stylesheet and nothing else, even if what it quotes got out of its quotes.
_POLICY = (
    b"default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'"
)
_SECURITY: Headers = [
    (name, _POLICY if name == b"content-security-policy" else value)
    for name, value in SECURITY_HEADERS
]

Stamp = tuple[int, int, int]
"""Size, mtime in nanoseconds and inode: another file if any of them differs."""


class Packed:
    """A document's bytes in one content coding, made when they are first asked for."""

    __slots__ = ("_source", "body", "coding", "counted")

    def __init__(self, source: bytes, coding: str) -> None:
        self._source = source
        self.coding = coding
        self.body: bytes | None = None
        """None until it is packed."""
        self.counted = False
        """Whether Memory knows what the body takes."""

    def pack(self) -> bytes:
        """Return the body; any thread may call it, twice does no harm."""
        body = self.body
        if body is None:
            self.body = body = PACKERS[self.coding](self._source)
        return body


class Variant:
    """A document in one content coding under one media type, with the headers of its two answers."""

    __slots__ = ("_common", "body", "etag", "found", "packed", "unchanged", "wire")

    def __init__(self, packed: Packed, *, digest: bytes, common: Headers) -> None:
        self.etag = strong_tag(digest, packed.coding)
        self.packed = packed
        self._common: Headers = [(b"etag", self.etag.encode()), *common]
        # RFC 9110 §15.4.5: what a cache needs to bring its copy up to date, and nothing about a
        # body that is not there.
        self.unchanged: Headers = [pair for pair in self._common if pair[0] in _WITH_304]
        self.wire: tuple[bytes, bytes] = (b"", wired(self.unchanged))
        """The headers of 200 and of 304 as HTTP/1.1 writes them, the blank line included."""
        self.body: bytes | None = None
        """None until it is packed."""
        self.found: Headers = []
        """Goes with 200, once there is a body."""

    def pack(self) -> None:
        """Make body and headers of 200; any thread may call it, twice does no harm."""
        body, coding = self.packed.pack(), self.packed.coding
        coded = [] if coding == IDENTITY else [(b"content-encoding", coding.encode())]
        self.found = [(b"content-length", b"%d" % len(body)), *coded, *self._common]
        self.wire = (wired(self.found), self.wire[1])
        self.body = body


_WITH_304 = {
    b"etag",
    b"cache-control",
    b"vary",
    b"last-modified",
    b"link",
    b"access-control-allow-origin",
    b"access-control-expose-headers",
}


def wired(headers: Headers) -> bytes:
    """Return headers as HTTP/1.1 writes them, the blank line after them included."""
    return b"".join(b"%s: %s\r\n" % pair for pair in headers) + b"\r\n"


class Document:
    """One feed file as it was at ``stamp``; its codings are packed when they are first asked for."""

    __slots__ = (
        "_common",
        "_made",
        "_opened",
        "_packed",
        "body",
        "digest",
        "modified",
        "name",
        "opens",
        "path",
        "size",
        "stamp",
    )

    def __init__(
        self,
        name: str,
        path: str,
        body: bytes,
        *,
        stamp: Stamp,
        modified: datetime,
        common: Headers,
        opens: bool = False,
    ) -> None:
        """Hold ``body``; ``opens`` if a browser's window is sent it under another media type."""
        self.name = name
        self.path = path
        self.body = body
        self.stamp = stamp
        self.modified = modified
        self.digest = sha256(body).digest()
        self.size = len(body)
        """Bytes it takes in memory, as far as Memory has counted them."""
        self.opens = opens
        self._common = common
        self._packed: dict[str, Packed] = {}
        self._made: dict[str, Variant] = {}
        self._opened: dict[str, Variant] = {}

    @property
    def large(self) -> bool:
        """Whether packing it would keep others waiting."""
        return len(self.body) >= LARGE

    def variant(self, coding: str) -> Variant:
        """Return one coding, perhaps without its body."""
        made = self._made.get(coding)
        if made is None:
            made = Variant(self._source(coding), digest=self.digest, common=self._common)
            self._made[coding] = made
        return made

    def opened(self, coding: str) -> Variant:
        """Return one coding as a browser's window shows it: the same bytes under OPENED_TYPE.

        Its ETag is another one. RFC 9110 §8.8.1 wants a strong validator unique among all
        representations of a resource, and browsers rely on it: asked to open what a page has
        fetched before, Chromium sends the tag it has and shows what it has, under the type it
        has, if the answer is 304.
        """
        made = self._opened.get(coding)
        if made is None:
            digest = sha256(self.digest + OPENED_TYPE).digest()
            common = [(n, OPENED_TYPE if n == b"content-type" else v) for n, v in self._common]
            made = Variant(self._source(coding), digest=digest, common=common)
            self._opened[coding] = made
        return made

    def _source(self, coding: str) -> Packed:
        return self._packed.setdefault(coding, Packed(self.body, coding))


class Memory:
    """Documents that were asked for lately, at most ``budget`` bytes of them."""

    def __init__(
        self,
        *,
        link: str,
        max_age: int,
        hubs: tuple[str, ...] = (),
        budget: int = 64 << 20,
        now: Callable[[], datetime],
    ) -> None:
        """``link`` + name is a document's own URL, ``max_age`` in seconds.

        ``hubs`` are the WebSub hubs that are told when a public feed changes.
        """
        self._link = link
        self._max_age = max_age
        self._hubs = hubs
        self._budget = budget
        self._now = now
        self.held: OrderedDict[str, Document] = OrderedDict()
        """By name, what was asked for last at the end."""
        self.size = 0
        """Bytes held."""

    def keep(self, name: str, document: Document | None) -> None:
        """Hold ``document`` in place of what was held under that name."""
        self.forget(name)
        if document is None:
            return
        self.held[name] = document
        self.size += document.size
        self._shrink()

    def grown(self, document: Document, variant: Variant) -> None:
        """Count what a coding that was packed has added."""
        packed = variant.packed
        if packed.body is None or packed.counted or self.held.get(document.name) is not document:
            return
        packed.counted = True
        if packed.body is not document.body:
            document.size += len(packed.body)
            self.size += len(packed.body)
            self._shrink()

    def forget(self, name: str) -> None:
        """Hold nothing under that name."""
        if held := self.held.pop(name, None):
            self.size -= held.size

    def _shrink(self) -> None:
        while self.size > self._budget:
            self.forget(next(iter(self.held)))

    def document(
        self, name: FeedName, body: bytes, *, written: datetime, path: str = "", stamp: Stamp
    ) -> Document:
        """Return a document with its headers; changes nothing, so any thread may call."""
        held = self.held.get(name.path)
        if held is not None and held.body == body:
            modified = held.modified  # touched or written again: Last-Modified follows the bytes
        else:
            # RFC 9110 §8.8.2.1: never later than the answer's own date.
            modified = min(written.replace(microsecond=0), self._now())
        common = self._headers(name, modified)
        opens = name.format in OPENED
        return Document(
            name.path, path, body, stamp=stamp, modified=modified, common=common, opens=opens
        )

    def _headers(self, name: FeedName, modified: datetime) -> Headers:
        plain = name.media_type.partition(";")[0]
        links = [f'<{self._link}{name.path}>; rel="self"; type="{plain}"']
        if name.pushed:
            links += [f'<{hub}>; rel="hub"' for hub in self._hubs]
        cached = keeping(archive=name.archive, private=name.private, max_age=self._max_age)
        unlisted = [(b"x-robots-tag", b"noindex")] if name.private else []
        vary = b"Accept-Encoding, Sec-Fetch-Dest" if name.format in OPENED else b"Accept-Encoding"
        return [
            (b"content-type", name.media_type.encode()),
            (b"cache-control", cached.encode()),
            (b"last-modified", http_date(modified).encode()),
            (b"vary", vary),
            (b"link", ", ".join(links).encode("ascii", "ignore")),
            *unlisted,
            *CORS,
            *_SECURITY,
        ]


class Shelf(Protocol):
    """Where documents are served from: a folder, or an object store."""

    memory: Memory

    def current(self, name: str) -> Document | None:
        """Return what is held if it is current, at once; None if that takes more."""
        ...

    async def find(self, name: FeedName) -> Document | None:
        """Return a document as it is now, None if there is none.

        Where that cannot be found out, what is held; raise OSError if nothing is.
        """
        ...
