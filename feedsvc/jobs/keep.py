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

from feedsvc.capture.browser_view import Rendered, is_worth_a_browser, resources, thumbnail
from feedsvc.capture.exchange import Exchange
from feedsvc.capture.judge import judge
from feedsvc.capture.portrait import as_image, as_thumbnail, named_images, portraits
from feedsvc.capture.warc import Unchanged, check_warc, may_be_shared, write_warc
from feedsvc.errors import CaptureFailed
from feedsvc.model import Image, Judgement, Payload, Verdict
from feedsvc.references import resolve
from feedsvc.storage.blobs import BlobStore

MAX_PORTABLE = 8 << 20
"""Bytes of an order that may travel; a larger one is carried out where it is."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """What an unchanged page is a repetition of; it is not judged anew."""

    snapshot_id: str
    judgement: Judgement
    unchanged: Unchanged


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
    image: str | None = None
    """Address of the article's picture, where its seed names one."""
    repeats: Repeat | None = None
    """Set if the page was found as it is at rest already."""
    rendered: Rendered | None = None
    """What a browser showed of the page; ``body`` is then its markup."""
    browser: str = "never"
    """archive.browser, where one can be asked before this is kept."""

    @property
    def is_cut_off(self) -> bool:
        """True if the page's connection broke or was too slow: another try may get all of it."""
        return self.page[-1].truncated in BROKEN


BROKEN = frozenset({"disconnect", "time"})
"""Words of WARC-Truncated after which another try may get more."""
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
    image: Image | None = None
    thumbnail: Image | None = None


class Unseen(Exception):
    """The article is not to be seen in the page, and a browser may show more; nothing was kept."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement)
        self.judgement = judgement


def keep(order: Order, archive: BlobStore) -> Kept:
    """Judge a capture, write it and read it back; the same order leaves the same bytes.

    Raises CaptureFailed if what was written cannot be read, Unseen if a browser is to be asked
    first, and what `BlobStore.writing` raises.
    """
    judgement = order.repeats.judgement if order.repeats else _judged(order)
    if is_worth_a_browser(order.browser, judgement, order.body, status=order.status):
        raise Unseen(judgement)
    rendered, url = order.rendered, order.final_url
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
            provenance=(*order.provenance, ("browser", rendered.browser if rendered else "")),
            unchanged=order.repeats.unchanged if order.repeats else None,
            resources=resources(rendered, url) if rendered else (),
        )
        size, sha256 = _checked(file)
    image = next(filter(None, map(as_image, _portraits(order))), None)
    return Kept(
        judgement,
        written.records,
        written.payloads,
        size,
        sha256,
        image=image,
        thumbnail=(thumbnail(rendered, url) if rendered else None) or as_thumbnail(image),
    )


def _judged(order: Order) -> Judgement:
    judgement = judge(
        order.title,
        order.text,
        order.body,
        content_type=order.content_type,
        status=order.status,
        url=order.url,
        final_url=order.final_url,
        visible=order.rendered.text if order.rendered else None,
    )
    return of_a_part(judgement, order.page[-1].truncated)


def _portraits(order: Order) -> list[Exchange]:
    """Return what was captured of the article's picture: as its seed names it, else its page."""
    own = resolve(order.image, base=order.final_url) if order.image else None
    named = named_images(order.body, url=order.final_url, content_type=order.content_type)
    return list(portraits([*([own] if own else []), *named], order.requisites))


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
    # Of a payload that is at rest nothing travels, but a picture is looked at.
    looked_at = {id(one) for one in _portraits(order)}
    needed = {
        id(one): one.size
        for one in exchanges
        if id(one) in looked_at or not _becomes_revisit(one, order)
    }
    if len(order.body) + sum(needed.values()) > MAX_PORTABLE:
        return None

    def packed(one: Exchange) -> Exchange:
        return _in_memory(one, order) if id(one) in needed else replace(one, body=BytesIO())

    return replace(
        order,
        page=[packed(one) for one in order.page],
        requisites=[packed(one) for one in order.requisites],
    )


def _becomes_revisit(exchange: Exchange, order: Order) -> bool:
    """Tell whether the payload is at rest, so that its bytes are not needed."""
    return exchange.sha1 in order.known and may_be_shared(exchange)


def _in_memory(exchange: Exchange, order: Order) -> Exchange:
    exchange.body.seek(0)
    data = exchange.body.read()
    exchange.body.seek(0)
    # The very same object travels once.
    return replace(exchange, body=BytesIO(order.body if data == order.body else data))


def of_a_part(judgement: Judgement, truncated: str | None) -> Judgement:
    """Say that only a part of the page was judged; what was cut off is never the whole article."""
    if truncated is None:
        return judgement
    partial = truncated in BROKEN and judgement.verdict is Verdict.VERIFIED
    return replace(
        judgement,
        verdict=Verdict.PARTIAL if partial else judgement.verdict,
        evidence=f"{_CUT[truncated]}; {judgement.evidence}",
    )
