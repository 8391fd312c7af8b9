"""Laws of schedules: cron as crontab(5) means it, in UTC, and functions that run."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.daemon.timetable import OVERDUE_SECONDS, Timetable, first_due, trigger
from feedsvc.settings import Schedule, parse_schedule

SUNDAY = datetime(2026, 3, 1, tzinfo=UTC)


def fires(text: str, *, after: datetime, times: int = 1) -> list[datetime]:
    found: list[datetime] = []
    rule, last = trigger(parse_schedule(text)), None
    now = after
    for _ in range(times):
        last = rule.get_next_fire_time(last, now)
        found.append(last)
        now = last + timedelta(seconds=1)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 4 * * *", SUNDAY.replace(hour=4, minute=30)),
        ("0 0 * * 1", SUNDAY + timedelta(days=1)),
        ("0 0 * * mon", SUNDAY + timedelta(days=1)),
        ("0 12 * * 0", SUNDAY.replace(hour=12)),
        ("0 12 * * 7", SUNDAY.replace(hour=12)),
        ("0 0 * * 6", SUNDAY + timedelta(days=6)),
        ("0 0 * * 5-7", SUNDAY),
        ("0 0 15 * 2", SUNDAY + timedelta(days=2)),
        ("*/20 * * * *", SUNDAY),
        ("0 0 1 apr *", datetime(2026, 4, 1, tzinfo=UTC)),
    ],
)
def test_a_cron_line_fires_when_cron_would(text: str, expected: datetime) -> None:
    assert fires(text, after=SUNDAY) == [expected]


@given(st.integers(0, 7))
def test_a_day_of_the_week_is_counted_from_sunday(day: int) -> None:
    for found in fires(f"0 0 * * {day}", after=SUNDAY, times=3):
        assert found.isoweekday() % 7 == day % 7


def test_nothing_is_local_time_so_no_hour_comes_twice() -> None:
    found = fires("30 2 * * *", after=datetime(2026, 10, 24, tzinfo=UTC), times=4)
    assert {later - sooner for sooner, later in pairwise(found)} == {timedelta(days=1)}


def test_jobs_run_by_schedule_and_once_when_asked() -> None:
    ticked, asked = threading.Event(), threading.Event()
    table = Timetable(
        {
            "tick": (Schedule("1s", seconds=1), ticked.set),
            "never": (Schedule("off"), lambda: pytest.fail("it is off")),
        }
    )
    table.start()
    try:
        table.soon("now", asked.set)
        assert asked.wait(10)
        assert ticked.wait(10)
        assert table.is_alive()
        ticked.clear()
        table.begin_again()
        assert ticked.wait(10)
    finally:
        table.stop()
    assert not table.is_alive()


DAY = 86400.0


@pytest.mark.parametrize(
    ("last", "seconds"),
    [
        pytest.param(timedelta(hours=20), 4 * 3600, id="ran 20 hours ago"),
        pytest.param(timedelta(days=3), OVERDUE_SECONDS, id="overdue"),
        pytest.param(None, OVERDUE_SECONDS, id="never ran"),
        pytest.param(timedelta(days=-400), DAY, id="ran in the future"),
    ],
)
def test_a_daily_job_is_due_a_day_after_its_last_run_not_after_each_start(
    last: timedelta | None, seconds: float
) -> None:
    found = first_due(DAY, None if last is None else SUNDAY - last, now=SUNDAY)
    assert found == SUNDAY + timedelta(seconds=seconds)


def test_a_timetable_begins_where_the_last_run_left_off() -> None:
    last = datetime.now(UTC) - timedelta(hours=23)
    table = Timetable(
        {name: (Schedule("1d", seconds=DAY), lambda: None) for name in ("verify", "other")},
        last={"verify": last},
    )
    table.start()
    try:
        due = {job.id: job.next_run_time for job in table._scheduler.get_jobs()}
    finally:
        table.stop()
    assert due["verify"] == last + timedelta(days=1)
    assert due["other"] > last + timedelta(days=1, hours=22)
