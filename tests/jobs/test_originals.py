"""Laws of the states of originals, for every history of looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.jobs.archive import Result
from feedsvc.jobs.originals import (
    AGAIN,
    after_sighting,
    is_in_doubt,
    sighting_without_text,
    wait_before_look,
)
from feedsvc.jobs.record import settle
from feedsvc.model import (
    Attempt,
    CaptureJob,
    Judgement,
    Likely,
    Original,
    OriginalState,
    Outcome,
    Purpose,
    Seen,
    Sighting,
    Verdict,
)

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
AFTER = (86400.0, 7 * 86400.0, 30 * 86400.0)
STATES = {
    Seen.CHANGED: OriginalState.CHANGED,
    Seen.ELSEWHERE: OriginalState.REDIRECTED,
    Seen.BLOCKED: OriginalState.BLOCKED,
}

waits = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=4))
histories = st.lists(st.tuples(waits, st.sampled_from(Seen)), min_size=1, max_size=20)


def lived(history: list[tuple[timedelta, Seen]]) -> list[Original]:
    """Return how an original is after each look of a history."""
    states: list[Original] = []
    now, before = NOW, None
    for wait, seen in history:
        now += wait
        before = after_sighting(before, Sighting(seen), article_id="a", now=now)
        states.append(before)
    return states


@given(histories)
def test_gone_means_missing_in_a_row_for_a_day_at_least(
    history: list[tuple[timedelta, Seen]],
) -> None:
    first: datetime | None = None
    now = NOW
    for (wait, seen), state in zip(history, lived(history), strict=True):
        now += wait
        first = (first or now) if seen is Seen.MISSING else None
        assert state.missed == first
        assert (state.state is OriginalState.GONE) == (first is not None and now - first >= AGAIN)


@given(histories)
def test_what_is_seen_is_the_state_and_the_first_miss_changes_none(
    history: list[tuple[timedelta, Seen]],
) -> None:
    before: Original | None = None
    for (_, seen), state in zip(history, lived(history), strict=True):
        if seen in STATES:
            assert state.state is STATES[seen]
        elif seen is Seen.SAME:
            was_changed = before is not None and before.state is OriginalState.CHANGED
            expected = OriginalState.CHANGED if was_changed else OriginalState.ALIVE
            assert state.state is expected
        elif is_in_doubt(state):
            assert state.state is (before.state if before else OriginalState.UNKNOWN)
        before = state


@given(histories)
def test_a_state_dates_from_when_it_was_first_seen(
    history: list[tuple[timedelta, Seen]],
) -> None:
    before: Original | None = None
    for (_, seen), state in zip(history, lived(history), strict=True):
        fresh = before is None or state.state is not before.state or seen is Seen.CHANGED
        assert state.since == (state.looked if fresh or before is None else before.since)
        before = state


@given(
    step=st.integers(0, 50),
    after=st.lists(st.floats(1, 1e8), min_size=1, max_size=8).map(sorted),
    article=st.uuids().map(str),
)
def test_a_wait_is_the_interval_and_a_tenth_more_at_most(
    step: int, after: list[float], article: str
) -> None:
    wait = wait_before_look(step, after=after, article_id=article)
    interval = timedelta(seconds=after[min(step, len(after) - 1)])
    assert wait is not None
    assert interval <= wait <= interval * 1.1 + timedelta(microseconds=1)
    assert wait == wait_before_look(step, after=after, article_id=article)
    assert wait_before_look(step, after=(), article_id=article) is None


def job(purpose: Purpose, *, step: int = 2, attempts: int = 0) -> CaptureJob:
    return CaptureJob(
        article_id="a",
        url="http://example.org/a",
        attempts=attempts,
        lease="x",
        lease_until=NOW,
        title="",
        text="",
        purpose=purpose,
        step=step,
    )


def attempt(outcome: Outcome, *, next_at: datetime | None = None) -> Attempt:
    return Attempt("a", "http://example.org/a", NOW, 0.1, outcome, "", next_at=next_at)


@given(purpose=st.sampled_from(Purpose), seen=st.none() | st.sampled_from(Seen))
def test_a_look_is_always_followed_by_another(purpose: Purpose, seen: Seen | None) -> None:
    failed = seen is None or (purpose is Purpose.CAPTURE and seen is not Seen.SAME)
    tried = attempt(Outcome.FAILED, next_at=NOW + timedelta(hours=1) if failed else None)
    sighting = Sighting(seen) if seen else None
    result = Result(tried, done=purpose, sighting=sighting)
    done = settle(job(purpose), result, None, after=AFTER, now=NOW)
    following = done.following
    assert following.due is not None
    assert following.due > NOW
    assert (following.attempts > 0) == failed
    if failed:
        assert (following.purpose, following.step) == (purpose, 2)
    elif seen is Seen.MISSING:
        assert following.step == 2
        assert AGAIN <= following.due - NOW <= AGAIN * 1.1
    else:
        assert following.purpose is Purpose.LOOK
        assert following.step == (3 if purpose is Purpose.LOOK else 2)


def test_trouble_is_no_sighting_so_that_a_row_of_misses_goes_on() -> None:
    missed = after_sighting(None, Sighting(Seen.MISSING), article_id="a", now=NOW)
    result = Result(attempt(Outcome.FAILED, next_at=NOW), done=Purpose.LOOK)
    assert settle(job(Purpose.LOOK), result, missed, after=AFTER, now=NOW).original is None


@pytest.mark.parametrize(
    ("status", "likely", "expected"),
    [
        (404, Likely.NOT_FOUND, Seen.MISSING),
        (410, Likely.ERROR, Seen.MISSING),
        (401, None, Seen.BLOCKED),
        (402, None, Seen.BLOCKED),
        (403, Likely.CHALLENGE, Seen.BLOCKED),
        (451, None, Seen.BLOCKED),
        (400, None, None),
        (500, Likely.ERROR, None),
        (503, Likely.CHALLENGE, None),
        (200, Likely.CHALLENGE, Seen.BLOCKED),
        (200, Likely.LOGIN, Seen.BLOCKED),
        (200, Likely.CONSENT, Seen.BLOCKED),
        (200, Likely.NOT_FOUND, Seen.MISSING),
        (200, Likely.OTHER, Seen.MISSING),
        (200, Likely.NOT_HTML, Seen.MISSING),
        (200, Likely.EMPTY, None),
        (200, Likely.ERROR, None),
    ],
)
def test_a_page_without_the_article_tells_what_it_is(
    status: int, likely: Likely | None, expected: Seen | None
) -> None:
    judgement = Judgement(Verdict.MISMATCH, 0.0, likely)
    assert sighting_without_text(status, judgement) is expected
