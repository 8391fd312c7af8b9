"""What captures and looks found out, written to the database under their leases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from feedsvc.jobs.archive import Result
from feedsvc.jobs.originals import (
    AGAIN,
    OUTCOMES,
    after_sighting,
    is_in_doubt,
    wait_before_look,
    wait_in_doubt,
)
from feedsvc.model import (
    Attempt,
    CaptureJob,
    Following,
    Original,
    OriginalState,
    Outcome,
    Purpose,
    Snapshot,
)
from feedsvc.storage.store import Store

KEPT_MISMATCHES = 3
"""Snapshots of an article that do not count: the last ones are kept for inspection."""
FAILING = frozenset({Outcome.MISMATCH, Outcome.FAILED, Outcome.REFUSED})
"""Outcomes after which it is tried again."""
CHANGES = "changes"
GONE = "gone"
"""Channels of what happens to originals."""


@dataclass(frozen=True, slots=True)
class Settled:
    """One result, with what follows from it."""

    job: CaptureJob
    result: Result
    attempt: Attempt
    following: Following
    original: Original | None
    before: Original | None

    @property
    def kept(self) -> Snapshot | None:
        """The snapshot that was put at rest, if any."""
        return self.result.snapshot


def settle(
    job: CaptureJob,
    result: Result,
    before: Original | None,
    *,
    after: Sequence[float],
    now: datetime,
    is_archived: bool = False,
) -> Settled:
    """Decide how an original is and when it is looked at next. Pure.

    ``after`` are the intervals between looks in seconds; ``is_archived``: it has a snapshot that
    counts, from before.
    """
    attempt = result.attempt
    assert attempt is not None  # noqa: S101 - what was interrupted is not recorded
    original, sighting = None, result.sighting
    if sighting is not None:
        original = after_sighting(before, sighting, article_id=job.article_id, now=now)
    if is_archived and sighting is not None and result.done is Purpose.CAPTURE:
        # Captured again by hand, and found to be there no more: looks go on.
        result = replace(result, done=Purpose.LOOK)
        attempt = replace(attempt, outcome=OUTCOMES[sighting.seen])
    following = _following(job, result, attempt, original, after=after, now=now)
    if result.done is Purpose.LOOK or attempt.next_at is not None:
        attempt = replace(attempt, next_at=following.due)
    return Settled(job, result, attempt, following, original, before)


def _following(
    job: CaptureJob,
    result: Result,
    attempt: Attempt,
    original: Original | None,
    *,
    after: Sequence[float],
    now: datetime,
) -> Following:
    is_look = result.done is Purpose.LOOK
    if not (is_look and result.sighting is not None) and attempt.next_at is not None:
        # Neither archived nor seen: the same again.
        due = _after_the_doubt(attempt.next_at, original, job.article_id)
        return Following(result.done, job.step, due, job.attempts + 1)
    if original is not None and is_in_doubt(original) and after:
        due = now + wait_in_doubt(job.article_id)
        return Following(Purpose.LOOK, job.step, due, attempts=0)
    step = job.step + (1 if is_look else 0)
    wait = wait_before_look(step, after=after, article_id=job.article_id)
    return Following(Purpose.LOOK, step, None if wait is None else now + wait, attempts=0)


def _after_the_doubt(due: datetime, original: Original | None, article_id: str) -> datetime:
    """Return when to try again: not shortly before a day has passed since it was first missed."""
    if original is None or original.missed is None or not is_in_doubt(original):
        return due
    certain = original.missed + wait_in_doubt(article_id)
    return certain if certain - AGAIN / 2 < due < certain else due


def archived(job: CaptureJob, attempt: Attempt, *, after: Sequence[float]) -> Following:
    """Return what follows a capture that counts and was made by hand. Pure."""
    wait = wait_before_look(job.step, after=after, article_id=job.article_id)
    due = None if wait is None else attempt.started + wait
    return Following(Purpose.LOOK, job.step, due, attempts=0)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written."""

    attempts: tuple[Attempt, ...]
    """All of them, whether their leases held or not."""
    orphans: tuple[str, ...]
    """Keys of bytes that no row names."""
    lost: frozenset[str] = frozenset()
    """Articles that others had taken over: nothing of their attempts was written."""


def record(
    store: Store,
    ended: Sequence[tuple[CaptureJob, Result]],
    *,
    after: Sequence[float],
    now: datetime,
) -> Recorded:
    """Record results under their leases; of those that lost it nothing is."""
    if not ended:
        return Recorded((), ())
    before = store.originals({job.article_id for job, _ in ended})
    kept = _archived_before(store, ended)
    settled = [
        settle(
            job,
            result,
            before.get(job.article_id),
            after=after,
            now=now,
            is_archived=job.article_id in kept,
        )
        for job, result in ended
    ]
    held = store.finish_captures([(one.job, one.attempt, one.following) for one in settled])
    ours = [one for one in settled if one.job.article_id in held]
    _add(store, ours)
    store.put_originals([one.original for one in ours if one.original is not None])
    store.add_changes([one.result.change for one in ours if one.result.change is not None])
    _mark_dirty(store, ours)
    old = _old_mismatches(store, ours)
    lost = [one.kept.key for one in settled if one.kept and one.job.article_id not in held]
    attempts = tuple(one.attempt for one in settled)
    return Recorded(
        attempts,
        (*lost, *(one.key for one in old)),
        lost=frozenset(one.job.article_id for one in settled) - held,
    )


def _archived_before(store: Store, ended: Sequence[tuple[CaptureJob, Result]]) -> set[str]:
    """Return the articles that were captured in vain, and have a snapshot that counts all the same."""
    failed = [
        job.article_id
        for job, result in ended
        if result.done is Purpose.CAPTURE and not result.counts and result.sighting is not None
    ]
    return set(store.good_snapshots(failed)) if failed else set()


def _add(store: Store, ours: Sequence[Settled]) -> None:
    """Record snapshots, and the payloads that later ones may refer to."""
    store.add_snapshots(
        (one.kept, one.result.payloads if one.result.counts else ()) for one in ours if one.kept
    )
    store.add_payloads([payload for one in ours for payload in one.result.at_rest])


def _mark_dirty(store: Store, ours: Sequence[Settled]) -> None:
    """Mark the feeds that show something else now; a repeat shows nothing new."""
    fresh = [
        one.job.article_id
        for one in ours
        if one.kept is not None and one.result.counts and one.kept.repeats is None
    ]
    changed = [one.job.article_id for one in ours if one.result.change is not None]
    if fresh or changed:
        store.mark_articles_dirty(sorted({*fresh, *changed}))
    channels = {CHANGES: bool(changed), GONE: any(map(_crossed, ours))}
    if marked := [slug for slug, is_marked in channels.items() if is_marked]:
        store.mark_dirty(marked)


def _crossed(one: Settled) -> bool:
    """Tell whether an original is gone now and was not before, or the other way round."""
    if one.original is None:
        return False
    was = one.before is not None and one.before.state is OriginalState.GONE
    return was != (one.original.state is OriginalState.GONE)


def _old_mismatches(store: Store, ours: Sequence[Settled]) -> list[Snapshot]:
    """Forget snapshots that do not count, but for the last ones; return them."""
    old = [
        snapshot
        for one in ours
        if one.kept is not None and not one.result.counts
        for snapshot in store.mismatches(one.job.article_id)[KEPT_MISMATCHES:]
    ]
    store.drop_snapshots([one.id for one in old])
    return old
