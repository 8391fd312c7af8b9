"""A capture that was not made by the queue, judged and put at rest as a snapshot of an article."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from feedsvc.capture.page import Capture
from feedsvc.jobs.archive import payloads_at_rest, snapshot_id
from feedsvc.jobs.keep import Order, keep
from feedsvc.model import Article, Payload, Snapshot, Verdict
from feedsvc.runtime import SOFTWARE, Runtime
from feedsvc.storage.store import Store


@dataclass(frozen=True, slots=True)
class Attached:
    """A snapshot at rest that still has to be recorded."""

    snapshot: Snapshot
    payloads: tuple[Payload, ...]

    @property
    def counts(self) -> bool:
        """True if it shows the article."""
        return self.snapshot.judgement.verdict is not Verdict.MISMATCH

    def record(self, store: Store) -> None:
        """Make it one of the article's snapshots."""
        store.add_snapshot(self.snapshot, self.payloads if self.counts else ())
        if self.counts:
            store.mark_articles_dirty([self.snapshot.article_id])


def attach(
    runtime: Runtime,
    article: Article,
    capture: Capture,
    *,
    robots: str,
    provenance: Iterable[tuple[str, str]] = (),
) -> Attached:
    """Judge a capture against an article, write it and read it back; the rows are the caller's.

    The caller holds ARCHIVE_LOCK until they are written, and deletes the bytes if they are not to be.
    Raises CaptureFailed if what was written cannot be read, and OutOfSpace.
    """
    exchanges = [*capture.page, *capture.requisites]
    known = payloads_at_rest(runtime, {one.sha1 for one in exchanges})
    id_ = snapshot_id(capture.started, os.urandom(10))
    order = Order(
        snapshot_id=id_,
        key=f"{capture.started:%Y/%m}/{id_}.warc.gz",
        title=article.title,
        text=article.text,
        url=capture.url,
        final_url=capture.final_url,
        status=capture.status,
        seconds=capture.seconds,
        content_type=capture.content_type,
        body=capture.body,
        page=capture.page,
        requisites=capture.requisites,
        missing=capture.missing,
        known=known,
        robots=robots,
        software=SOFTWARE,
        now=runtime.now(),
        provenance=tuple(provenance),
    )
    kept = keep(order, runtime.archive)
    snapshot = Snapshot(
        id=id_,
        article_id=article.id,
        url=article.url or capture.url,
        final_url=capture.final_url,
        captured=capture.started,
        status=capture.status,
        judgement=kept.judgement,
        key=order.key,
        size=kept.size,
        sha256=kept.sha256,
        records=kept.records,
        requisites=len(capture.requisites),
        missing=len(capture.missing),
        refers=tuple(sorted({one.snapshot_id for one in known.values()})),
    )
    return Attached(snapshot, kept.payloads)
