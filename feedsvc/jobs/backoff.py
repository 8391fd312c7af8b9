"""When to try a capture again. Pure: the same attempt always gets the same answer."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from feedsvc.model import Outcome

GONE = frozenset({404, 410, 451})
"""RFC 9110 §15.5: most likely so for good; asked again less often, never forgotten."""

_SCHEDULES = {
    # outcome: first wait, longest wait
    Outcome.FAILED: (timedelta(minutes=5), timedelta(hours=24)),
    Outcome.MISMATCH: (timedelta(hours=1), timedelta(hours=24)),
    Outcome.REFUSED: (timedelta(hours=6), timedelta(days=7)),
}
_GONE_SCHEDULE = (timedelta(hours=24), timedelta(days=30))
_JITTER = 0.2


def wait_before_next(
    outcome: Outcome,
    *,
    status: int | None,
    attempts: int,
    retry_after: float | None,
    article_id: str,
    cut_off: bool = False,
) -> timedelta | None:
    """Return how long to wait, doubling with every attempt, or None if it found something out.

    ``attempts`` counts those before this one. The wait is spread by up to a fifth, by the
    article's id, so that what failed together is not tried again together; a server's
    Retry-After (seconds, a week at most where it is read) is never undercut.
    """
    if outcome not in _SCHEDULES and not cut_off:
        return None
    schedule = _SCHEDULES[Outcome.FAILED if cut_off else outcome]
    first, longest = _GONE_SCHEDULE if status in GONE else schedule
    wait: timedelta = min(first * 2 ** min(attempts, 20), longest)
    wait *= 1 - _JITTER * fraction(f"{article_id}:{attempts}")
    if retry_after is not None:
        wait = max(wait, timedelta(seconds=retry_after))
    return wait


def fraction(key: str) -> float:
    """Return a number from 0 up to 1 that is always the same for a key."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) / 2**32
