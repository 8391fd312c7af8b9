"""Captures to write as WARC, and reading what was written with other tools."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import brotli
import zstandard
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

from feedsvc.capture.exchange import Exchange, Headers
from feedsvc.capture.warc import WarcWritten, check_warc, write_warc
from feedsvc.capture.warc_check import WarcCheck
from feedsvc.model import Judgement, Payload, Verdict

NOW = datetime(2024, 5, 31, 12, 0, tzinfo=UTC)
GOOD = Judgement(Verdict.VERIFIED, 0.98, evidence="49 of 50 passages found")
PAGE = b"<html><p>" + b"A page that has something to say. " * 20


@dataclass
class Captured:
    page: list[Exchange]
    requisites: list[Exchange] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    url: str = "http://example.org/"
    final_url: str = "http://example.org/"
    seconds: float = 0.25


def sha1(data: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


def exchange(
    url: str = "http://example.org/",
    data: bytes = PAGE,
    *,
    headers: Headers = (("Content-Type", "text/html"),),
    status: int = 200,
    reason: str = "OK",
    protocol: str = "http/1.1",
    truncated: str | None = None,
    remembered: bool = False,
    body: IO[bytes] | None = None,
) -> Exchange:
    return Exchange(
        url=url,
        method="GET",
        request_headers=(("Host", "example.org"), ("User-Agent", "feedsvc-test/1")),
        status=status,
        reason=reason,
        headers=headers,
        protocol=protocol,
        ip="192.0.2.7",
        body=body or io.BytesIO(data),
        size=len(data),
        sha1=sha1(data),
        started=NOW - timedelta(seconds=5, microseconds=17),
        seconds=0.1,
        truncated=truncated,
        remembered=remembered,
    )


def written(
    capture: Captured,
    *,
    known: Mapping[str, Payload] | None = None,
    judgement: Judgement = GOOD,
    snapshot_id: str = "s1",
) -> tuple[bytes, WarcWritten]:
    file = io.BytesIO()
    result = write_warc(
        capture,
        file,
        snapshot_id=snapshot_id,
        known=known or {},
        judgement=judgement,
        software="feedsvc/0.1.0",
        now=NOW,
        robots="respect",
    )
    return file.getvalue(), result


def checked(data: bytes) -> WarcCheck:
    return check_warc(io.BytesIO(data))


def records(data: bytes) -> list[Any]:
    """Every record as warcio reads it, its block in `.block`."""
    out = []
    for record in ArchiveIterator(io.BytesIO(data), check_digests="raise"):
        block = record.raw_stream.read()
        out.append(
            SimpleNamespace(
                kind=record.rec_type,
                http=record.http_headers,
                headers=record.rec_headers,
                get=record.rec_headers.get_header,
                block=block,
            )
        )
    return out


def passes_warcio_check(path: Path, data: bytes) -> bool:
    path.write_bytes(data)
    return bool(Checker(SimpleNamespace(inputs=[str(path)], verbose=False)).process_all() == 0)


def zoo() -> Captured:
    """One capture with every shape of answer."""
    brotlied, zstded = brotli.compress(PAGE * 3), zstandard.compress(PAGE * 3)
    gzipped = gzip.compress(PAGE * 3)
    kind = ("Content-Type", "text/css")
    return Captured(
        page=[
            exchange("http://example.org/a", b"moved", status=301, reason="Moved Permanently"),
            exchange("https://example.org/b", headers=(("Transfer-Encoding", "chunked"),)),
        ],
        requisites=[
            exchange(
                "http://example.org/gz", gzipped, headers=(kind, ("Content-Encoding", "gzip"))
            ),
            exchange("http://example.org/br", brotlied, headers=(kind, ("Content-Encoding", "br"))),
            exchange("http://example.org/zs", zstded, headers=(kind, ("Content-Encoding", "zstd"))),
            exchange("http://example.org/h2", PAGE * 2, protocol="h2", reason=""),
            exchange("http://example.org/again", PAGE * 2),
            exchange("http://example.org/cut", PAGE[:300], truncated="length"),
            exchange("http://example.org/none", b"", status=204, reason="No Content"),
            exchange("http://example.org/old", PAGE * 4, protocol="http/1.0", remembered=True),
            exchange(
                "http://example.org/img",
                bytes(range(256)) * 9,
                headers=(("Content-Type", "image/png"),),
            ),
        ],
        missing=[("http://example.org/gone", "the server answered 404")],
    )
