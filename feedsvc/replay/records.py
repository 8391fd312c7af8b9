"""The records of a WARC file: where each stands, and its payload as a stream.

Reading goes on behind a damaged place, and what is known of a damaged record is kept: an address
that was captured and is lost must not look as if it had never been captured.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import IO

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from feedsvc.replay.digests import PayloadDigest

MAX_HEAD = 1 << 20
MAX_RECORDS = 100_000
"""Records of one file that are looked at; a page has a few hundred."""
MAX_DAMAGE = 100
"""Damaged places after which the rest of a file is given up."""
_STEP = 1 << 18
_GZIP = b"\x1f\x8b\x08"
_WARC = b"WARC/1."
_FRONT = 16 << 10
"""Unpacked bytes of a damaged record in which its header is looked for."""
_INDEXED = (
    WarcRecordType.response
    | WarcRecordType.revisit
    | WarcRecordType.resource
    | WarcRecordType.request
)
_LOOKED_AT = frozenset(
    {
        "content-encoding",
        "content-type",
        "etag",
        "last-modified",
        "location",
        "transfer-encoding",
    }
)
MAX_VALUE = 8192
_SIP = 64
_ERRORS = (OSError, ValueError, RuntimeError, EOFError)


class Unreadable(Exception):
    """A record's payload cannot be read as it was recorded; the message says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a captured response without its payload."""

    url: str
    offset: int
    """Where its gzip member begins in the file."""
    record_id: str
    captured: datetime | None
    status: int
    headers: tuple[tuple[str, str], ...]
    """Those that are looked at: type, codings, Location and validators, names in lower case."""
    size: int
    """Bytes of its payload, codings and all; 0 for a revisit."""
    digest: str
    """WARC-Payload-Digest, empty if there is none."""
    revisit: bool = False
    truncated: str = ""
    """WARC-Truncated: why the capture ends early."""
    damage: str = ""
    """Empty, or what is wrong with the bytes at rest."""

    def header(self, name: str) -> str:
        """Return a header's values, empty if there is none; ``name`` is in lower case."""
        return ", ".join(value for key, value in self.headers if key == name)


@dataclass(frozen=True, slots=True)
class Damage:
    """A place in a file where no record could be made out."""

    offset: int


def read_records(file: IO[bytes]) -> Iterator[Record | Damage]:
    """Yield the responses of a seekable file, each payload held against its digest."""
    others: set[str] = set()
    held: list[Record] = []
    for found in _walk(file):
        if isinstance(found, _Request):
            if found.method not in {"", "GET"}:
                others.add(found.answered_by)
        elif isinstance(found, Record):
            held.append(found)
        else:
            yield found
    # A request stands behind its response: what answered OPTIONS or POST is known at the end.
    yield from (one for one in held if one.record_id not in others)


def open_payload(file: IO[bytes], record: Record) -> Iterator[bytes]:
    """Yield a response's payload in pieces, as it was captured; the file is closed at the end.

    Raises Unreadable, before the first piece or in the middle.
    """
    with closing(file):
        file.seek(record.offset)
        left = record.size
        try:
            for warc in ArchiveIterator(file, parse_http=True, max_header_len=MAX_HEAD):
                if (warc.record_id or "") != record.record_id:
                    continue  # one gzip member may hold several
                while left > 0 and (chunk := warc.reader.read(min(left, _STEP))):
                    left -= len(chunk)
                    yield chunk
                break
        except _ERRORS as error:
            raise Unreadable(f"its bytes cannot be unpacked: {error}") from error
        if left:
            raise Unreadable("its bytes end too early")


@dataclass(frozen=True, slots=True)
class _Request:
    answered_by: str
    method: str


def _walk(file: IO[bytes]) -> Iterator[Record | Damage | _Request]:
    """Read record by record, and begin again behind what cannot be read."""
    file.seek(0)
    mark = _WARC if file.read(len(_WARC)) == _WARC else _GZIP
    place: int | None = 0
    lost: int | None = None
    for _ in range(MAX_DAMAGE):
        last = None
        whole = True
        try:
            for record in _whole(file, place or 0):
                if lost is not None:
                    yield Damage(lost)
                    lost = None
                last = record.stream_pos
                yield (found := _read(record))
                whole = isinstance(found, _Request) or not found.damage
            return
        except _ERRORS:
            pass
        if last is None:
            yield _salvaged(file, place or 0, mark) or Damage(place or 0)
            last, whole, lost = place or 0, False, None
        place = _next_record(file, last + 1, mark)
        lost = last if whole else None
        if place is None:
            break
    if lost is not None or place is not None:
        yield Damage(place or lost or 0)


def _whole(file: IO[bytes], place: int) -> Iterator[WarcRecord]:
    """Yield the records from a place on; raise what fastwarc raises where one cannot be read."""
    file.seek(place)
    records = ArchiveIterator(
        file, record_types=_INDEXED, parse_http=False, max_header_len=MAX_HEAD
    )
    return itertools.islice(records, MAX_RECORDS)


def _read(warc: WarcRecord) -> Record | _Request:
    """Read a record to its end."""
    headers = warc.headers
    try:
        if warc.is_http and warc.content_length:
            warc.parse_http(max_header_len=MAX_HEAD)
        if warc.record_type == WarcRecordType.request:
            return _Request(
                headers.get("WARC-Concurrent-To") or "",
                (warc.http_headers.status_line or "").partition(" ")[0].upper(),
            )
    except _ERRORS as error:
        return replace(_described(warc, ()), damage=f"its HTTP header cannot be read: {error}")
    record = _described(warc, _kept(warc))
    if record.revisit:
        return record
    size, damage = _checked(warc, record.digest)
    if not damage and warc.is_http and not record.status:
        damage = "it is no HTTP response"
    return replace(record, size=size, damage=damage)


def _described(warc: WarcRecord, headers: tuple[tuple[str, str], ...]) -> Record:
    own = warc.headers
    moment = warc.record_date
    status = warc.http_headers.status_code if warc.is_http_parsed else None
    return Record(
        url=(own.get("WARC-Target-URI") or "").strip("<>"),
        offset=warc.stream_pos,
        record_id=warc.record_id or "",
        captured=moment.astimezone(UTC) if moment else None,
        status=(status or 0) if warc.is_http else 200,
        headers=headers,
        size=0,
        digest=own.get("WARC-Payload-Digest") or "",
        revisit=warc.record_type == WarcRecordType.revisit,
        truncated=own.get("WARC-Truncated") or "",
    )


def _kept(warc: WarcRecord) -> tuple[tuple[str, str], ...]:
    """Return the headers replay looks at; a resource is its payload, and its type the record's."""
    if not warc.is_http:
        return (("content-type", warc.headers.get("Content-Type") or ""),)
    if not warc.is_http_parsed:
        return ()
    pairs = ((name.lower(), value[:MAX_VALUE]) for name, value in warc.http_headers.items())
    return tuple(pair for pair in pairs if pair[0] in _LOOKED_AT)


def _checked(warc: WarcRecord, digest: str) -> tuple[int, str]:
    """Read a payload; return its bytes and what is wrong with it."""
    expected = warc.content_length
    seen = PayloadDigest(digest)
    try:
        while chunk := warc.reader.read(_STEP):
            seen.update(chunk)
    except _ERRORS as error:
        return expected, f"its bytes cannot be unpacked: {error}"
    if seen.size < expected:
        return expected, "the file ends in the middle of it"
    return expected, "" if seen.fits else "its bytes do not fit their digest"


def _salvaged(file: IO[bytes], place: int, mark: bytes) -> Record | None:
    """Return what the header of a damaged record tells, if as much as that can be read."""
    head = _front(file, place, mark).partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    fields = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
    }
    url = fields.get("warc-target-uri", "").strip("<>")
    if not url or fields.get("warc-type") not in {"response", "revisit", "resource"}:
        return None
    return Record(
        url=url,
        offset=place,
        record_id=fields.get("warc-record-id", ""),
        captured=None,
        status=0,
        headers=(),
        size=0,
        digest=fields.get("warc-payload-digest", ""),
        damage="its bytes cannot be unpacked",
    )


def _front(file: IO[bytes], place: int, mark: bytes) -> bytes:
    """Return the first bytes of a record, as many as can be unpacked."""
    file.seek(place)
    data = file.read(_FRONT)
    if mark != _GZIP:
        return data
    inflate, front = zlib.decompressobj(31), b""
    try:
        # Little by little: what comes out before the damage counts.
        for start in range(0, len(data), _SIP):
            front += inflate.decompress(data[start : start + _SIP], _FRONT)
            if len(front) >= _FRONT:
                break
    except zlib.error:
        pass
    return front


def _next_record(file: IO[bytes], start: int, mark: bytes) -> int | None:
    """Return where the next thing that looks like a record begins, None if nowhere."""
    place, kept = start, b""
    while True:
        file.seek(place)
        read = file.read(_STEP)
        if not read:
            return None
        data, base = kept + read, place - len(kept)
        found = data.find(mark)
        while found >= 0:
            if _front(file, base + found, mark).startswith(_WARC):
                return base + found
            found = data.find(mark, found + 1)
        kept = data[1 - len(mark) :]
        place += len(read)
