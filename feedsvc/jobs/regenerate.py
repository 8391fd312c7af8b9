"""Regenerate everything once from what is stored and what lies in the seeds folders."""

from __future__ import annotations

import time

from feedsvc.jobs.ingest import ingest_seeds
from feedsvc.jobs.publish import arrange, mark_everything, publishing, write_dirty
from feedsvc.jobs.running import recorded, silent
from feedsvc.model import CaptureReport, Progress, RebuildReport
from feedsvc.runtime import Runtime


def rebuild(
    runtime: Runtime,
    *,
    topic: str | None = None,
    capture: bool = False,
    progress: Progress = silent,
) -> RebuildReport:
    """Load seeds, sort what other rules sorted, and write every feed (or one topic's) again.

    Touches the network only with ``capture``. Files whose bytes are the same stay untouched.
    Raises NotFound for an unknown topic.
    """
    began = time.monotonic()
    ingest = ingest_seeds(runtime, progress=progress)
    captures = _capture(runtime, progress) if capture else None
    with publishing(runtime), recorded(runtime, "rebuild") as run:
        arrange(runtime, progress=progress)
        mark_everything(runtime, topic)
        published = write_dirty(runtime, progress=progress)
        with runtime.database.reading() as store:
            articles = store.counts().articles
        report = RebuildReport(
            articles=articles,
            topics=published.topics,
            written=published.written,
            unchanged=published.unchanged,
            removed=published.removed,
            seconds=time.monotonic() - began,
            ingest=ingest,
            capture=captures,
        )
        run.note(report)
    return report


def _capture(runtime: Runtime, progress: Progress) -> CaptureReport:
    # The network's libraries cost a third of a second, which a rebuild without them saves.
    from feedsvc.jobs.capture import capture_due

    return capture_due(runtime, progress=progress)
