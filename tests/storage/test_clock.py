"""Laws of the clock: it is the database's, whatever this machine believes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from feedsvc.runtime import utc_now
from feedsvc.storage.clock import DatabaseClock
from feedsvc.storage.database import Database, database_url
from tests.fleet.cluster import eventually

HOUR = timedelta(hours=1)
NEAR = timedelta(seconds=30)


class Ticks:
    """A monotonic clock that moves only when told."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def opened(postgresql: str) -> Iterator[Database]:
    with closing(Database(database_url(postgresql, root=Path()))) as database:
        yield database


@pytest.mark.parametrize("wrong", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_a_clock_an_hour_wrong_does_not_matter_and_is_told(
    opened: Database, wrong: timedelta
) -> None:
    clock = DatabaseClock(opened, wall=lambda: utc_now() + wrong)
    assert abs(clock() - utc_now()) < NEAR
    assert abs(clock.skew - wrong.total_seconds()) < NEAR.total_seconds()


def test_time_passes_between_two_questions_as_the_monotonic_clock_says(opened: Database) -> None:
    ticks = Ticks()
    clock = DatabaseClock(opened, wall=utc_now, ticks=ticks)
    before = clock()
    ticks.seconds += 45
    assert clock() - before == timedelta(seconds=45)


def test_a_small_correction_never_lets_it_go_back(opened: Database) -> None:
    ticks = Ticks()
    clock = DatabaseClock(opened, wall=utc_now, ticks=ticks)
    clock.ask()
    ticks.seconds += 0.5
    ahead = clock()
    ticks.seconds -= 0.2
    assert clock() == ahead


def test_a_clock_that_was_set_is_followed(opened: Database) -> None:
    ticks = Ticks()
    clock = DatabaseClock(opened, wall=utc_now, ticks=ticks)
    ticks.seconds += 50
    wrong = clock()
    clock.ask()
    assert clock() < wrong - timedelta(seconds=10)


def test_after_a_minute_the_database_is_asked_again_and_nobody_waits_for_it(
    opened: Database,
) -> None:
    ticks = Ticks()
    clock = DatabaseClock(opened, wall=utc_now, ticks=ticks)
    # This machine slept for a time that its counter counts and the database does not.
    ticks.seconds += 3600
    assert clock() > utc_now() + HOUR - NEAR
    eventually(lambda: abs(clock() - utc_now()) < NEAR, what="the right time")
