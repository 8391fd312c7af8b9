"""A capture that was not made by the queue, judged and put at rest as a snapshot of an article."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from feedsvc.capture.page import Capture
from feedsvc.jobs.keep import keep
from feedsvc.jobs.orders import order_for, snapshot_of
from feedsvc.model import Article, Payload, Snapshot, Verdict
from feedsvc.runtime import Runtime
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
    source: str | None = None,
) -> Attached:
    """Judge a capture against an article, write it and read it back; the rows are the caller's.

    ``source`` is its address at another archive, if it was had from one over the network.

    The caller holds ARCHIVE_LOCK until they are written, and deletes the bytes if they are not to be.
    Raises CaptureFailed if what was written cannot be read, and OutOfSpace.
    """
    order = order_for(runtime, article, capture, robots=robots, provenance=provenance)
    kept = keep(order, runtime.archive)
    url = article.url or capture.url
    snapshot = snapshot_of(order, kept, article_id=article.id, url=url, captured=capture.started)
    return Attached(replace(snapshot, source=source), kept.payloads)
