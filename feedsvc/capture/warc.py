"""A capture as one WARC 1.1 file, and the check of such a file.

A page has dozens of records, and most are a few lines (a revisit, a request). They are written
here and not by a library: it takes a quarter of warcio's time, and the gzip level is ours to choose.
What other tools make of the result is tested with warcio and fastwarc.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import IO, Protocol

from feedsvc.capture.exchange import Exchange
from feedsvc.capture.warc_check import WarcCheck, check_warc
from feedsvc.capture.warc_http import request_head, response_head
from feedsvc.capture.warc_member import LEVEL, STORED, Member
from feedsvc.model import Judgement, Payload
from feedsvc.text import single_line

__all__ = [
    "IDENTICAL",
    "MIN_REVISIT",
    "NOT_MODIFIED",
    "Captured",
    "Resource",
    "Unchanged",
    "WarcCheck",
    "WarcWritten",
    "check_warc",
    "may_be_shared",
    "write_warc",
]

MIN_REVISIT = 256
"""Bytes of a payload below which a revisit record would save nothing."""
_NAMESPACE = uuid.UUID("5d0be0f4-90d8-5a3c-9d9c-0b1c8d1f8b6e")
IDENTICAL = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
"""Profile of a revisit whose payload is the same, byte for byte (WARC 1.1 §6.7.2)."""
NOT_MODIFIED = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"
"""Profile of a revisit whose server answered 304 (WARC 1.1 §6.7.3)."""
_WARC_11 = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"
_PACKED_CODINGS = frozenset({"gzip", "x-gzip", "br", "zstd", "deflate"})
_PACKED_TYPES = frozenset(
    {
        "application/epub+zip",
        "application/font-woff",
        "application/font-woff2",
        "application/gzip",
        "application/pdf",
        "application/x-7z-compressed",
        "application/x-gzip",
        "application/zip",
    }
)
_UNPACKED_IMAGES = frozenset(
    {"image/svg+xml", "image/bmp", "image/x-ms-bmp", "image/x-icon", "image/vnd.microsoft.icon"}
)

_STEP = 1 << 18
_END = b"\r\n\r\n"
_BREAK = re.compile(r"[\r\n\0]+")

Fields = Iterable[tuple[str, str]]


class Captured(Protocol):
    """What is written of a capture."""

    @property
    def url(self) -> str: ...
    @property
    def final_url(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def page(self) -> Sequence[Exchange]:
        """Every hop; the last one is the page itself. Never empty."""
        ...

    @property
    def requisites(self) -> Sequence[Exchange]: ...
    @property
    def missing(self) -> Sequence[tuple[str, str]]: ...


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A page that was found as it is at rest already."""

    payload: Payload
    """What it was compared with."""
    profile: str
    """IDENTICAL or NOT_MODIFIED."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Bytes that no server sent, such as what a browser showed of a page (WARC 1.1 §6.4)."""

    url: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class WarcWritten:
    """What was written."""

    records: int
    payloads: tuple[Payload, ...]
    """New ones, which a revisit record may point to once the file is at rest."""


def write_warc(
    capture: Captured,
    file: IO[bytes],
    *,
    snapshot_id: str,
    known: Mapping[str, Payload],
    judgement: Judgement,
    software: str,
    now: datetime,
    robots: str = "",
    provenance: Fields = (),
    unchanged: Unchanged | None = None,
    resources: Sequence[Resource] = (),
) -> WarcWritten:
    """Write a capture as records of WARC 1.1, each a gzip member; the same input, the same bytes.

    ``known`` maps payload digests to payloads at rest: they become revisit records (§6.7.2).
    ``robots`` is the policy that was followed, for the warcinfo record; ``provenance`` are more
    fields of the metadata record: where a capture that others made comes from. ``unchanged`` makes
    a revisit record of the page, whatever its size; ``resources`` go with it. Bodies are streamed.
    """
    if not capture.page:
        raise ValueError("a capture without a page has nothing to write")
    writer = _Writer(file, snapshot_id=snapshot_id, known=known)
    info = _info(capture, snapshot_id=snapshot_id, software=software, robots=robots)
    writer.fields("warcinfo", info, date=now, headers=[("WARC-Filename", f"{snapshot_id}.warc.gz")])
    for exchange in capture.page[:-1]:
        writer.exchange(exchange)
    page_id = writer.exchange(capture.page[-1], unchanged=unchanged)
    for exchange in capture.requisites:
        writer.exchange(exchange)
    for resource in resources:
        writer.resource(resource, date=capture.page[-1].started, page_id=page_id)
    about = [("WARC-Target-URI", capture.page[-1].url), ("WARC-Concurrent-To", page_id)]
    fields = [*_verdict(capture, judgement), *provenance, ("records", str(writer.records + 1))]
    writer.fields("metadata", fields, date=now, headers=about)
    return WarcWritten(records=writer.records, payloads=tuple(writer.payloads))


class _Writer:
    """Writes records one after the other and remembers what a later one may refer to."""

    def __init__(self, file: IO[bytes], *, snapshot_id: str, known: Mapping[str, Payload]) -> None:
        self._file = file
        self._snapshot_id = snapshot_id
        self._known = known
        self._own: dict[str, Payload] = {}
        self._ids = 0
        self.records = 0

    @property
    def payloads(self) -> Iterable[Payload]:
        """What this file holds and others may refer to."""
        return self._own.values()

    def fields(self, kind: str, fields: Fields, *, date: datetime, headers: Fields) -> None:
        """Add a record of application/warc-fields."""
        lines = (f"{name}: {single_line(value)}\r\n" for name, value in fields if value)
        block = "".join(lines).encode("utf-8")
        common = [
            ("WARC-Type", kind),
            ("WARC-Record-ID", self._next_id()),
            ("WARC-Date", _date(date)),
        ]
        self._add(
            [*common, *headers], content_type="application/warc-fields", head=block, level=LEVEL
        )

    def exchange(self, exchange: Exchange, *, unchanged: Unchanged | None = None) -> str:
        """Add the response, or a revisit, and its request; return the former's record id."""
        record_id = self._next_id()
        if unchanged is None and (original := self._original(exchange)) is not None:
            unchanged = Unchanged(original, IDENTICAL)
        if unchanged is None:
            self._response(exchange, record_id)
        else:
            self._revisit(exchange, record_id, unchanged)
        if not exchange.remembered:
            self._request(exchange, record_id)
        return record_id

    def resource(self, resource: Resource, *, date: datetime, page_id: str) -> None:
        """Add what belongs to a page without having been sent by a server."""
        headers = [
            ("WARC-Type", "resource"),
            ("WARC-Record-ID", self._next_id()),
            ("WARC-Target-URI", resource.url),
            ("WARC-Date", _date(date)),
            ("WARC-Concurrent-To", page_id),
        ]
        self._add(
            headers,
            content_type=resource.content_type,
            head=resource.data,
            level=STORED if _is_packed(resource.content_type) else LEVEL,
        )

    def _original(self, exchange: Exchange) -> Payload | None:
        if not may_be_shared(exchange):
            return None
        return self._known.get(exchange.sha1) or self._own.get(exchange.sha1)

    def _response(self, exchange: Exchange, record_id: str) -> None:
        headers = [
            *_common("response", exchange, record_id),
            ("WARC-Payload-Digest", exchange.sha1),
        ]
        if exchange.truncated:
            headers.append(("WARC-Truncated", exchange.truncated))
        self._add(
            headers,
            content_type="application/http; msgtype=response",
            head=response_head(exchange),
            body=exchange.body,
            level=_level(exchange),
        )
        exchange.body.seek(0)
        if may_be_shared(exchange):
            self._own[exchange.sha1] = Payload(
                digest=exchange.sha1,
                size=exchange.size,
                url=exchange.url,
                date=_date(exchange.started),
                record_id=record_id,
                snapshot_id=self._snapshot_id,
            )

    def _revisit(self, exchange: Exchange, record_id: str, unchanged: Unchanged) -> None:
        original = unchanged.payload
        headers = [
            *_common("revisit", exchange, record_id),
            ("WARC-Payload-Digest", original.digest),
            ("WARC-Profile", unchanged.profile),
            ("WARC-Refers-To", original.record_id),
            ("WARC-Refers-To-Target-URI", original.url),
            ("WARC-Refers-To-Date", original.date),
        ]
        self._add(
            headers,
            content_type="application/http; msgtype=response",
            head=response_head(exchange),
            level=LEVEL,
        )

    def _request(self, exchange: Exchange, response_id: str) -> None:
        headers = [
            *_common("request", exchange, self._next_id()),
            ("WARC-Concurrent-To", response_id),
        ]
        self._add(
            headers,
            content_type="application/http; msgtype=request",
            head=request_head(exchange) + exchange.request_body,
            level=LEVEL,
        )

    def _add(
        self,
        headers: Fields,
        *,
        content_type: str,
        head: bytes,
        level: int,
        body: IO[bytes] | None = None,
    ) -> None:
        """Write a record as one gzip member; its block is ``head`` and what is in ``body``."""
        length, digest = len(head), hashlib.sha1(head, usedforsecurity=False)
        for chunk in _chunks(body):
            length += len(chunk)
            digest.update(chunk)
        fields = [
            *headers,
            ("WARC-Block-Digest", "sha1:" + base64.b32encode(digest.digest()).decode("ascii")),
            ("Content-Type", content_type),
            ("Content-Length", str(length)),
        ]
        member = Member(self._file, level=level)
        member.write(_warc_head(fields) + head)
        for chunk in _chunks(body):
            member.write(chunk)
        member.write(_END)
        member.flush()
        self.records += 1

    def _next_id(self) -> str:
        """Return a record id that is the same whenever this snapshot is written."""
        self._ids += 1
        return f"<urn:uuid:{uuid.uuid5(_NAMESPACE, f'{self._snapshot_id}#{self._ids}')}>"


def _warc_head(fields: Sequence[tuple[str, str]]) -> bytes:
    """Return version and header lines, ending in the empty line (WARC 1.1 §4)."""
    lines = [f"{name}: {value}" for name, value in fields]
    text = "\r\n".join(("WARC/1.1", *lines))
    if _BREAK.search("".join(lines)):
        text = "\r\n".join(("WARC/1.1", *(_BREAK.sub(" ", line) for line in lines)))
    return text.encode("utf-8", "replace") + _END


def _chunks(body: IO[bytes] | None) -> Iterator[bytes]:
    """Yield what is in a file, from its beginning."""
    if body is None:
        return
    body.seek(0)
    while chunk := body.read(_STEP):
        yield chunk


def _common(kind: str, exchange: Exchange, record_id: str) -> Iterator[tuple[str, str]]:
    yield "WARC-Type", kind
    yield "WARC-Record-ID", record_id
    yield "WARC-Target-URI", exchange.url
    yield "WARC-Date", _date(exchange.started)
    if exchange.ip:
        yield "WARC-IP-Address", exchange.ip
    yield "WARC-Protocol", exchange.protocol


@lru_cache(maxsize=256)
def _date(moment: datetime) -> str:
    """Return a WARC-Date with microseconds (WARC 1.1 §5.4)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def may_be_shared(exchange: Exchange) -> bool:
    """Tell whether another record may stand for this payload: whole, and worth it."""
    return exchange.truncated is None and exchange.size >= MIN_REVISIT


def _level(exchange: Exchange) -> int:
    """Return the gzip level: what is compressed already is only stored."""
    codings = {
        part.strip().lower() for part in (exchange.header("content-encoding") or "").split(",")
    }
    if codings & _PACKED_CODINGS:
        return STORED
    return STORED if _is_packed(exchange.header("content-type") or "") else LEVEL


def _is_packed(content_type: str) -> bool:
    """Tell whether bytes of a type are compressed by themselves."""
    kind = content_type.partition(";")[0].strip().lower()
    family = kind.partition("/")[0]
    packed = kind in _PACKED_TYPES or family in {"video", "audio"}
    packed = packed or kind.startswith("font/woff")
    return packed or (family == "image" and kind not in _UNPACKED_IMAGES)


def _info(
    capture: Captured, *, snapshot_id: str, software: str, robots: str
) -> Iterator[tuple[str, str]]:
    """Yield the fields of warcinfo (WARC 1.1 §6.2)."""
    agents = (
        value for name, value in capture.page[0].request_headers if name.lower() == "user-agent"
    )
    yield "software", software
    yield "format", "WARC File Format 1.1"
    yield "conformsTo", _WARC_11
    yield "isPartOf", snapshot_id
    yield "robots", robots
    yield "http-header-user-agent", next(agents, "")


def _verdict(capture: Captured, judgement: Judgement) -> Iterator[tuple[str, str]]:
    """Yield the fields of the metadata record (WARC 1.1 §6.6): how it went, what is missing."""
    hops = len(capture.page) - 1
    yield "verdict", judgement.verdict.value
    yield "share", f"{judgement.share:.4f}"
    yield "likely", judgement.likely.value if judgement.likely else ""
    yield "evidence", judgement.evidence
    if hops:
        yield "via", capture.page[-2].url
        yield "hopsFromSeed", "R" * hops
    yield "seed", capture.url
    yield "fetchTimeMs", str(round(capture.seconds * 1000))
    for url, cause in capture.missing:
        yield "missing", f"{url} {cause}"
