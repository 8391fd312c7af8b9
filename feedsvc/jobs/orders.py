"""What judging and writing a capture takes, and the row that becomes of it: one place for both."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from feedsvc.capture.browser import BrowserCapture
from feedsvc.capture.page import Capture
from feedsvc.capture.warc import may_be_shared
from feedsvc.errors import NotFound
from feedsvc.jobs.keep import Kept, Order, Repeat
from feedsvc.model import Payload, Snapshot
from feedsvc.runtime import Runtime
from feedsvc.storage.blobs import DiskBlobs
from feedsvc.tools import SOFTWARE


class Subject(Protocol):
    """What a page is judged by."""

    @property
    def title(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def image(self) -> str | None: ...


def order_for(
    runtime: Runtime,
    subject: Subject,
    capture: Capture,
    *,
    robots: str,
    provenance: Iterable[tuple[str, str]] = (),
    repeats: Repeat | None = None,
    browser: str = "never",
) -> Order:
    """Gather what judging and writing a capture takes, under a new id."""
    id_ = snapshot_id(capture.started, os.urandom(10))
    exchanges = [*capture.page, *capture.requisites]
    return Order(
        snapshot_id=id_,
        key=f"{capture.started:%Y/%m}/{id_}.warc.gz",
        title=subject.title,
        text=subject.text,
        url=capture.url,
        final_url=capture.final_url,
        status=capture.status,
        seconds=capture.seconds,
        content_type=capture.content_type,
        body=capture.body,
        page=capture.page,
        requisites=capture.requisites,
        missing=capture.missing,
        known=payloads_at_rest(runtime, {one.sha1 for one in exchanges if may_be_shared(one)}),
        robots=robots,
        software=SOFTWARE,
        now=runtime.now(),
        provenance=tuple(provenance),
        image=subject.image,
        repeats=repeats,
        rendered=capture.rendered if isinstance(capture, BrowserCapture) else None,
        browser=browser,
    )


def snapshot_of(
    order: Order, kept: Kept, *, article_id: str, url: str, captured: datetime
) -> Snapshot:
    """Return the snapshot that an order became; ``url`` is the address of the article's original."""
    refers = {one.snapshot_id for one in order.known.values()}
    if order.repeats is not None:
        refers |= {order.repeats.snapshot_id, order.repeats.unchanged.payload.snapshot_id}
    return Snapshot(
        id=order.snapshot_id,
        article_id=article_id,
        url=url,
        final_url=order.final_url,
        captured=captured,
        status=order.status,
        judgement=kept.judgement,
        key=order.key,
        size=kept.size,
        sha256=kept.sha256,
        records=kept.records,
        requisites=len(order.requisites),
        missing=len(order.missing),
        refers=tuple(sorted(refers)),
        repeats=order.repeats.snapshot_id if order.repeats else None,
        image=kept.image,
        thumbnail=kept.thumbnail,
    )


def payloads_at_rest(runtime: Runtime, digests: set[str]) -> dict[str, Payload]:
    """Return payloads at rest that a revisit record may point to: their files are still there."""
    with runtime.database.glance() as store:
        if not isinstance(runtime.archive, DiskBlobs):
            # Nobody moves objects by hand, and each look costs a request: what the database says
            # holds, until `verify` finds otherwise.
            return store.known_payloads(digests)
        placed = store.placed_payloads(digests)
    places = {(key, size) for _, key, size in placed}
    whole = {key for key, size in places if _is_at_rest(runtime, key, size)}
    return {one.digest: one for one, key, _ in placed if key in whole}


def _is_at_rest(runtime: Runtime, key: str, size: int) -> bool:
    try:
        return runtime.archive.size(key) == size
    except NotFound:
        return False


def snapshot_id(moment: datetime, randomness: bytes) -> str:
    """Return a UUIDv7 (RFC 9562 §5.7): ids sort by time, and two never meet."""
    milliseconds = int(moment.timestamp() * 1000) & ((1 << 48) - 1)
    value = (milliseconds << 80) | int.from_bytes(randomness[:10])
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return str(uuid.UUID(int=value))
