"""A fetched page judged and put at rest: all of it work for a processor, done in either process.

The same function runs in a thread of the capture run and in its helper process (`helper`), so
this module imports no network and no database.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from io import BufferedRandom, BytesIO

from feedsvc.capture.exchange import Exchange
from feedsvc.capture.judge import judge
from feedsvc.capture.warc import check_warc, may_be_shared, write_warc
from feedsvc.errors import CaptureFailed
from feedsvc.model import Judgement, Payload, Verdict
from feedsvc.storage.blobs import DiskBlobs

MAX_PORTABLE = 8 << 20
"""Bytes of an order that may travel; a larger one is carried out where it is."""


@dataclass(frozen=True, slots=True)
class Order:
    """A capture to judge and to write, and everything that needs to be known for it."""

    snapshot_id: str
    key: str
    title: str
    text: str
    """Title and text of the article."""
    url: str
    final_url: str
    status: int
    seconds: float
    content_type: str
    body: bytes = field(repr=False)
    """The page, content codings undone, capped."""
    page: list[Exchange]
    requisites: list[Exchange]
    missing: list[tuple[str, str]]
    known: Mapping[str, Payload]
    """Payloads at rest, by digest."""
    robots: str
    software: str
    now: datetime
    provenance: tuple[tuple[str, str], ...] = ()
    """Where a capture that others made comes from."""

    @property
    def is_cut_off(self) -> bool:
        """True if the page's connection broke or was too slow: another try may get all of it."""
        return self.page[-1].truncated in {"disconnect", "time"}


_CUT = {
    "disconnect": "cut off: the connection broke before the page's end",
    "time": "cut off: the page did not come to its end in time",
    "length": "cut at the largest size a page may have",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """What is at rest now."""

    judgement: Judgement
    records: int
    payloads: tuple[Payload, ...]
    size: int
    sha256: str


def keep(order: Order, archive: DiskBlobs) -> Kept:
    """Judge a capture, write it and read it back; the same order leaves the same bytes.

    Raises CaptureFailed if what was written cannot be read, and what `DiskBlobs.writing` raises.
    """
    judgement = judge(
        order.title,
        order.text,
        order.body,
        content_type=order.content_type,
        status=order.status,
        url=order.url,
        final_url=order.final_url,
    )
    judgement = _of_a_part(judgement, order)
    with archive.writing(order.key) as file:
        written = write_warc(
            order,
            file,
            snapshot_id=order.snapshot_id,
            known=order.known,
            judgement=judgement,
            software=order.software,
            now=order.now,
            robots=order.robots,
            provenance=order.provenance,
        )
        size, sha256 = _checked(file)
    return Kept(judgement, written.records, written.payloads, size, sha256)


def _checked(file: BufferedRandom) -> tuple[int, str]:
    """Read back what was written; return its size and SHA-256."""
    file.seek(0)
    found = check_warc(file)
    if found.problems:
        raise CaptureFailed(f"the snapshot could not be read back: {found.problems[0]}")
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    return file.seek(0, os.SEEK_END), digest


def portable(order: Order) -> Order | None:
    """Return the order with its bodies in memory, so that it can travel; None if it is too large."""
    exchanges = [*order.page, *order.requisites]
    needed = [one.size for one in exchanges if not _becomes_revisit(one, order)]
    if len(order.body) + sum(needed) > MAX_PORTABLE:
        return None
    return replace(
        order,
        page=[_in_memory(one, order) for one in order.page],
        requisites=[_in_memory(one, order) for one in order.requisites],
    )


def _becomes_revisit(exchange: Exchange, order: Order) -> bool:
    """Tell whether the payload is at rest, so that its bytes are not needed."""
    return exchange.sha1 in order.known and may_be_shared(exchange)


def _in_memory(exchange: Exchange, order: Order) -> Exchange:
    if _becomes_revisit(exchange, order):
        return replace(exchange, body=BytesIO())
    exchange.body.seek(0)
    data = exchange.body.read()
    exchange.body.seek(0)
    # The very same object travels once.
    return replace(exchange, body=BytesIO(order.body if data == order.body else data))


def _of_a_part(judgement: Judgement, order: Order) -> Judgement:
    """Say that only a part of the page was judged; what was cut off is never the whole article."""
    truncated = order.page[-1].truncated
    if truncated is None:
        return judgement
    partial = order.is_cut_off and judgement.verdict is Verdict.VERIFIED
    return replace(
        judgement,
        verdict=Verdict.PARTIAL if partial else judgement.verdict,
        evidence=f"{_CUT[truncated]}; {judgement.evidence}",
    )
