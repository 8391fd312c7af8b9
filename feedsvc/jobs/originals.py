"""How an original is, from what was known and what a look saw; when the next look is due. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from feedsvc.model import (
    Judgement,
    Likely,
    Original,
    OriginalState,
    Outcome,
    Seen,
    Sighting,
    Verdict,
)

AGAIN = timedelta(days=1)
"""An original is gone if it is missing twice in a row, so far apart at least."""
GONE_STATUS = frozenset({404, 410})
BLOCKED_STATUS = frozenset({401, 402, 403, 451})
WALLS = frozenset({Likely.CHALLENGE, Likely.LOGIN, Likely.CONSENT})
OUTCOMES = {
    Seen.SAME: Outcome.ALIVE,
    Seen.CHANGED: Outcome.CHANGED,
    Seen.ELSEWHERE: Outcome.REDIRECTED,
    Seen.BLOCKED: Outcome.BLOCKED,
    Seen.MISSING: Outcome.MISSING,
}
"""How a look ends that saw this."""
_JITTER = 0.1

_STATES = {
    Seen.CHANGED: OriginalState.CHANGED,
    Seen.ELSEWHERE: OriginalState.REDIRECTED,
    Seen.BLOCKED: OriginalState.BLOCKED,
}


def after_sighting(
    before: Original | None, sighting: Sighting, *, article_id: str, now: datetime
) -> Original:
    """Return how an original is after a look that found something out.

    Missing once changes nothing but ``missed``; a change stays until something else is seen.
    """
    missed = None
    if sighting.seen is Seen.MISSING:
        missed = before.missed if before and before.missed else now
    state = _state(before, sighting, missed, now)
    anew = before is None or state is not before.state or sighting.seen is Seen.CHANGED
    return Original(
        article_id=article_id,
        state=state,
        since=now if before is None or anew else before.since,
        looked=now,
        status=sighting.status,
        cause=sighting.cause,
        final_url=sighting.final_url,
        missed=missed,
    )


def _state(
    before: Original | None, sighting: Sighting, missed: datetime | None, now: datetime
) -> OriginalState:
    if missed is not None:
        if now - missed >= AGAIN:
            return OriginalState.GONE
        return before.state if before else OriginalState.UNKNOWN
    if sighting.seen is Seen.SAME:
        changed = before is not None and before.state is OriginalState.CHANGED
        return OriginalState.CHANGED if changed else OriginalState.ALIVE
    return _STATES[sighting.seen]


def is_in_doubt(original: Original) -> bool:
    """Tell whether an original was missed, but not long enough to be gone."""
    return original.missed is not None and original.state is not OriginalState.GONE


def wait_before_look(step: int, *, after: Sequence[float], article_id: str) -> timedelta | None:
    """Return how long after the last look the next one is due; None if there is no schedule.

    ``after`` are the intervals in seconds, the last one repeats. A tenth more at most, by the
    article's id, keeps what was loaded at once from coming back at once.
    """
    if not after:
        return None
    interval = timedelta(seconds=after[min(max(step, 0), len(after) - 1)])
    return interval + interval * (_JITTER * _fraction(f"{article_id}:look:{step}"))


def wait_in_doubt(article_id: str) -> timedelta:
    """Return how long after it was missed an original is looked for again: a day, never less."""
    return AGAIN + AGAIN * (_JITTER * _fraction(f"{article_id}:missed"))


def sighting_without_text(status: int, judgement: Judgement) -> Seen | None:
    """Return what a page is that does not show the article; None: this look found out nothing.

    A page that is simply another one is `Seen.MISSING`: what stood there no longer does.
    """
    if status in BLOCKED_STATUS:
        return Seen.BLOCKED
    if status in GONE_STATUS:
        return Seen.MISSING
    if not 200 <= status < 300:
        return None
    if judgement.likely in WALLS:
        return Seen.BLOCKED
    if judgement.likely in {Likely.ERROR, Likely.EMPTY}:
        return None
    return Seen.MISSING if judgement.verdict is Verdict.MISMATCH else Seen.SAME


def _fraction(key: str) -> float:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) / 2**32
