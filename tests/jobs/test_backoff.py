from __future__ import annotations

from datetime import timedelta

import pytest

from feedsvc.jobs.backoff import wait_before_next
from feedsvc.model import Outcome


def wait(outcome: Outcome, attempts: int = 0, **kwargs: object) -> timedelta:
    options = {"status": None, "retry_after": None, "article_id": "a"} | kwargs
    found = wait_before_next(outcome, attempts=attempts, **options)  # type: ignore[arg-type]  # given by name
    assert found is not None
    return found


@pytest.mark.parametrize("outcome", [Outcome.VERIFIED, Outcome.PARTIAL])
def test_what_is_archived_is_not_tried_again(outcome: Outcome) -> None:
    assert (
        wait_before_next(outcome, status=200, attempts=3, retry_after=None, article_id="a") is None
    )


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.MISMATCH, Outcome.REFUSED])
def test_waits_grow_but_never_become_for_ever(outcome: Outcome) -> None:
    waits = [wait(outcome, attempts) for attempts in (0, 2, 5, 50, 5000)]
    assert waits[0] < waits[1] < waits[2] or waits[2] >= timedelta(hours=19)
    assert timedelta(hours=19) <= waits[-1] <= timedelta(days=7)


def test_failures_are_tried_again_within_a_day() -> None:
    assert wait(Outcome.FAILED, 5000) <= timedelta(hours=24)


@pytest.mark.parametrize("status", [404, 410, 451])
def test_what_is_gone_is_slower_but_not_forgotten(status: int) -> None:
    assert wait(Outcome.MISMATCH, status=status) > wait(Outcome.MISMATCH)
    assert wait(Outcome.MISMATCH, 5000, status=status) <= timedelta(days=30)


def test_a_servers_wish_is_never_undercut() -> None:
    assert wait(Outcome.FAILED, retry_after=7200.0) >= timedelta(hours=2)
    assert wait(Outcome.FAILED, retry_after=1.0) > timedelta(minutes=3)


def test_what_failed_together_is_not_tried_again_together() -> None:
    assert len({wait(Outcome.FAILED, article_id=str(number)) for number in range(50)}) == 50
    assert wait(Outcome.FAILED) == wait(Outcome.FAILED)
