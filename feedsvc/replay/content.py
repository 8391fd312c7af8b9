"""What an address gave when it was captured: found in a snapshot, its payload as a stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain

from feedsvc.codings import BadCoding, codings, undone
from feedsvc.replay.index import Index, Shelf, redirect_of
from feedsvc.replay.records import Record, Unreadable, open_payload

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,200})?\r?\n")
_LONGEST_LINE = 300
_NOT_MODIFIED = 304
DOM, VIEW = "urn:dom:", "urn:view:"
"""What stands before a page's address in the names of its final markup and its screenshot."""


@dataclass(frozen=True, slots=True)
class Found:
    """A captured response."""

    url: str
    """Its own address, where redirects led to."""
    record: Record
    source: Record
    """Holds the payload: the record itself, or the one a revisit refers to."""
    key: str
    """The snapshot file that holds the source."""

    @property
    def is_not_modified(self) -> bool:
        """True if the server only said that it had not changed (WARC 1.1 §6.7.3)."""
        return self.record.revisit and self.record.status == _NOT_MODIFIED

    @property
    def media_type(self) -> str:
        """The Content-Type it was captured with."""
        return self.record.header("content-type")

    @property
    def size(self) -> int | None:
        """Bytes of its payload as captured, None if only reading it can tell."""
        return None if _is_chunked(self.source) else self.source.size


@dataclass(frozen=True, slots=True)
class Missing:
    """An address of which nothing can be shown."""

    url: str
    reason: str
    """One sentence."""
    damaged: bool = False
    """True: it was captured, or may have been, and its bytes at rest are damaged."""


class Contents:
    """Looks addresses up in snapshots; every damage is an answer, none an exception."""

    def __init__(self, shelf: Shelf, *, resolve: Callable[[str], str | None]) -> None:
        """Read through ``shelf``; ``resolve(digest)`` names the file that holds a payload."""
        self._shelf = shelf
        self._resolve = resolve

    def look(
        self, key: str, url: str, *, follow: bool, behind: str | None = None
    ) -> Found | Missing:
        """Return what an address gave in the snapshot kept under ``key``, redirects followed or not.

        ``behind`` is the key of the snapshot that this one repeats: what stands there was not
        captured again, because the page was unchanged.
        """
        found = self._look(key, url, follow=follow, behind=behind)
        if isinstance(found, Found) and found.is_not_modified:
            return self._unmodified(found, behind)
        if isinstance(found, Found) or found.damaged or behind is None:
            return found
        return self._look(behind, url, follow=follow)

    def _look(
        self, key: str, url: str, *, follow: bool, behind: str | None = None
    ) -> Found | Missing:
        try:
            index = self._shelf.index(key)
        except Unreadable as error:
            return Missing(url, f"This snapshot is damaged: {error}.", damaged=True)
        record = index.follow(url) if follow else index.find(url)
        if record is None:
            return _not_there(index, url)
        if follow and (target := redirect_of(record)):
            return Missing(target, f"It led to {target}, which was not captured.")
        if record.damage:
            return Missing(url, f"It was captured, but is damaged: {record.damage}.", damaged=True)
        drawn = index.find(DOM + record.url) if follow else None
        if drawn is not None and not drawn.damage:
            # Scripts do not run here: what they made of the page is what it showed.
            return Found(record.url, drawn, drawn, key)
        if not record.revisit:
            return Found(record.url, record, record, key)
        return self._revisited(key, index, record, behind)

    def _revisited(
        self, key: str, index: Index, record: Record, behind: str | None
    ) -> Found | Missing:
        """Find the payload a revisit record refers to, here or in another snapshot (WARC 1.1 §6.7)."""
        if (source := index.of_digest(record.digest)) is not None:
            return Found(record.url, record, source, key)
        for other in (self._resolve(record.digest), behind):
            if other is None or other == key:
                continue
            with suppress(Unreadable):
                source = self._shelf.index(other).of_digest(record.digest)
            if source is not None:
                return Found(record.url, record, source, other)
        reason = "It was the same as in an earlier snapshot, which is damaged or no longer there."
        return Missing(record.url, reason, damaged=True)

    def _unmodified(self, found: Found, behind: str | None) -> Found | Missing:
        """Return what a server meant that only said it had not changed: its own words lack the type."""
        there: Found | Missing = found
        if behind is not None:
            there = self._look(behind, found.url, follow=False)
        if isinstance(there, Missing):
            return there
        said = there.source if there is found else there.record
        record = replace(said, url=found.url, captured=found.record.captured)
        return replace(there, url=found.url, record=record)

    def raw(self, found: Found) -> Iterator[bytes]:
        """Yield the payload as it was captured, content codings and all; raise Unreadable."""
        file = self._shelf.open(found.key, at=found.source.offset)
        pieces = open_payload(file, found.source)
        return _unchunked(pieces) if _is_chunked(found.source) else pieces

    def decoded(self, found: Found, *, limit: int) -> Iterator[bytes]:
        """Yield the payload with its codings undone, about ``limit`` bytes of it at most.

        Raises Unreadable, also in the middle.
        """
        pieces = self.raw(found)
        try:
            names = codings([found.record.header("content-encoding")])
            body = _Pieces(pieces)
            yield from undone(body, names, limit=limit)
        except BadCoding as error:
            raise Unreadable(f"{error}") from error
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    def content(self, found: Found, *, limit: int) -> tuple[bytes, bool]:
        """Return the payload with its codings undone, and whether there was more than ``limit``.

        Raises Unreadable.
        """
        out = bytearray()
        for piece in self.decoded(found, limit=limit + 1):
            out += piece
            if len(out) > limit:
                break
        return bytes(out[:limit]), len(out) > limit


def _not_there(index: Index, url: str) -> Missing:
    if index.damaged or not index.count:
        reason = "It was not captured, or it stood in a part of this snapshot that is damaged."
        return Missing(url, reason, damaged=True)
    return Missing(url, "It was not captured.")


class _Pieces:
    """Pieces of a payload as something to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.rest = b""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most ``size``; none at the end."""
        data = self.rest or next(self._pieces, b"")
        self.rest = data[size:]
        return data[:size]

    def line(self, limit: int) -> bytes:
        """Return the next line with its end, cut off at about ``limit`` bytes."""
        line = b""
        while len(line) < limit and (data := self.rest or next(self._pieces, b"")):
            end = data.find(b"\n") + 1 or len(data)
            line += data[:end]
            self.rest = data[end:]
            if line.endswith(b"\n"):
                break
        return line


def _is_chunked(record: Record) -> bool:
    return "chunked" in record.header("transfer-encoding").lower()


def _unchunked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Undo the chunks of RFC 9112 §7.1; other tools kept them, or only the header that tells so."""
    body = _Pieces(pieces)
    line = body.line(_LONGEST_LINE)
    if not _CHUNK_SIZE.fullmatch(line):
        yield from chain([line, body.rest], pieces)
        return
    while (size := _CHUNK_SIZE.fullmatch(line)) and (left := int(size[1], 16)):
        while left and (piece := body.read(left)):
            yield piece
            left -= len(piece)
        body.line(_LONGEST_LINE)
        line = body.line(_LONGEST_LINE)
