"""Snapshots to look at in tests: exchanges made by hand, written by the code that writes captures."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import brotli
import zstandard

from feedsvc.capture.exchange import Exchange
from feedsvc.capture.warc import write_warc
from feedsvc.model import Judgement, Payload, Verdict

NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)
VERIFIED = Judgement(Verdict.VERIFIED, 1.0, None, "")
HTML = "text/html; charset=utf-8"


def packed(coding: str, body: bytes) -> bytes:
    """Return a body in a content coding."""
    if coding == "gzip":
        return gzip.compress(body, mtime=0)
    if coding == "deflate":
        return zlib.compress(body)
    if coding == "br":
        return bytes(brotli.compress(body))
    return zstandard.compress(body) if coding == "zstd" else body


def exchange(
    url: str,
    body: bytes | str = b"",
    kind: str = HTML,
    *,
    status: int = 200,
    headers: tuple[tuple[str, str], ...] = (),
    coding: str = "",
    started: datetime = NOON,
    truncated: str | None = None,
) -> Exchange:
    """Return an exchange as the client would have brought it home."""
    body = packed(coding, body.encode() if isinstance(body, str) else body)
    own: tuple[tuple[str, str], ...] = (("Content-Type", kind),) if kind else ()
    own += (("Content-Encoding", coding),) if coding else ()
    return Exchange(
        url=url,
        method="GET",
        request_headers=(("Host", "example.org"),),
        status=status,
        reason="OK",
        headers=own + headers,
        protocol="http/1.1",
        ip="192.0.2.1",
        body=io.BytesIO(body),
        size=len(body),
        sha1="sha1:"
        + base64.b32encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode(),
        started=started,
        seconds=0.1,
        truncated=truncated,
    )


def moved(url: str, to: str) -> Exchange:
    """Return a redirect."""
    return exchange(url, b"moved", "text/plain", status=301, headers=(("Location", to),))


@dataclass
class Taken:
    """A capture: the hops of the page, and what it needs."""

    page: list[Exchange]
    requisites: list[Exchange] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 1.0

    @property
    def url(self) -> str:
        return self.page[0].url

    @property
    def final_url(self) -> str:
        return self.page[-1].url


def warc(
    *page: Exchange,
    requisites: tuple[Exchange, ...] = (),
    known: Mapping[str, Payload] | None = None,
    snapshot_id: str = "one",
) -> tuple[bytes, tuple[Payload, ...]]:
    """Return a WARC file of a capture, and the payloads others may refer to."""
    file = io.BytesIO()
    written = write_warc(
        Taken(list(page), list(requisites)),
        file,
        snapshot_id=snapshot_id,
        known=known or {},
        judgement=VERIFIED,
        software="test",
        now=NOON,
    )
    return file.getvalue(), written.payloads
