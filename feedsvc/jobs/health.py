"""The answer to: is it healthy?"""

from __future__ import annotations

from dataclasses import replace

from feedsvc.jobs.fleet_state import StoreProbe, fleet_state
from feedsvc.jobs.push_state import push_status
from feedsvc.model import CaptureState, Purpose, SpoiltSnapshot, Status
from feedsvc.publish.notices import failing_since
from feedsvc.runtime import Runtime, absent_seeds
from feedsvc.storage.store import Store

SHOWN_FAILURES = 200
SHOWN_WARNINGS = 50
SHOWN_DAMAGE = 20
DATED = 20
"""Failures of a kind of which it is found out since when."""
_ATTEMPTS = 1000
"""Of one original, as many as may have failed in a row."""


def status(runtime: Runtime, probe: StoreProbe | None = None) -> Status:
    """Return what is stored, due and failed, and why. Reads only.

    ``probe``: what remembers whether the stores of a fleet answer, for who asks often.
    """
    in_fleet = runtime.queue is not None
    stores = (probe or StoreProbe(runtime)).states() if in_fleet else ()
    with runtime.database.reading() as store:
        counts = store.rough_counts()
        damaged = store.damaged_snapshots(limit=SHOWN_FAILURES)
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
            failures=_dated(store, store.failed_captures(SHOWN_FAILURES)),
            runs=store.runs(),
            archive_size=counts.archive_size,
            database_size=runtime.database.size(),
            disk_free=runtime.archive.free(),
            schema=runtime.database.schema(),
            originals=store.count_originals(),
            looks_due=_looks_due(runtime, store),
            troubled=_dated(store, store.troubled_looks(SHOWN_FAILURES)),
            push=push_status(runtime, store),
            absent=absent_seeds(runtime.settings),
            damaged=len(damaged),
            spoilt=[
                SpoiltSnapshot(one.id, one.article_id, one.url, one.damaged)
                for one in damaged[:SHOWN_DAMAGE]
            ],
            unindexed=store.unindexed_count(),
            is_estimate=counts.is_estimate,
            fleet=fleet_state(runtime, store, stores),
        )


def _dated(store: Store, states: list[CaptureState]) -> list[CaptureState]:
    """Return states, the first of them with the moment since when they fail."""
    dated = [
        replace(one, since=failing_since(store.attempts_at(one.article_id, limit=_ATTEMPTS)))
        for one in states[:DATED]
    ]
    return [*dated, *states[DATED:]]


def _looks_due(runtime: Runtime, store: Store) -> int:
    if not runtime.settings.archive.recheck_after:
        return 0
    return store.count_due(now=runtime.now(), purpose=Purpose.LOOK)
