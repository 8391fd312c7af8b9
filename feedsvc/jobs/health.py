"""The answer to: is it healthy?"""

from __future__ import annotations

from feedsvc.model import Status
from feedsvc.runtime import Runtime, absent_seeds

SHOWN_FAILURES = 200
SHOWN_WARNINGS = 50


def status(runtime: Runtime) -> Status:
    """Return what is stored, due and failed, and why. Reads only."""
    with runtime.database.reading() as store:
        counts = store.counts()
        return Status(
            articles=counts.articles,
            withdrawn=counts.withdrawn,
            revisions=counts.revisions,
            topics=store.topic_counts(),
            snapshots=counts.snapshots,
            archived=counts.archived,
            due=store.count_due(now=runtime.now()),
            in_flight=counts.in_flight,
            dirty=counts.dirty,
            seeds=counts.seeds,
            problems=[*store.seed_problems(), *store.seed_warnings(SHOWN_WARNINGS)],
            failures=store.failed_captures(SHOWN_FAILURES),
            runs=store.runs(),
            archive_size=counts.archive_size,
            database_size=runtime.database.size(),
            disk_free=runtime.archive.free(),
            schema=runtime.database.schema(),
            absent=absent_seeds(runtime.settings),
        )
