"""Laws of a fleet's schedules: one tick, one task; a beat that nobody's lateness shifts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from feedsvc.fleet.schedule import due_tick
from feedsvc.settings import Schedule

pytestmark = pytest.mark.fleet

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
EVERY_90 = Schedule("90s", seconds=90)
AT_FOUR = Schedule("0 4 * * *", cron="0 4 * * *")


def after(**by: float) -> datetime:
    return NOON + timedelta(**by)


@pytest.mark.parametrize(
    ("schedule", "last", "now", "tick"),
    [
        pytest.param(EVERY_90, None, NOON, NOON, id="first-of-all"),
        pytest.param(EVERY_90, NOON, after(seconds=89.9), None, id="too-early"),
        pytest.param(EVERY_90, NOON, after(seconds=90), after(seconds=90), id="in-time"),
        pytest.param(EVERY_90, NOON, after(seconds=95), after(seconds=90), id="late-but-in-beat"),
        pytest.param(EVERY_90, NOON, after(seconds=910), after(seconds=900), id="one-for-many"),
        pytest.param(EVERY_90, after(days=2), NOON, NOON, id="noted-by-a-wrong-clock"),
        pytest.param(EVERY_90, after(seconds=1), NOON, None, id="a-moment-ahead"),
        pytest.param(AT_FOUR, NOON, after(hours=15.9), None, id="cron-too-early"),
        pytest.param(AT_FOUR, NOON, after(hours=16), after(hours=16), id="cron-in-time"),
        pytest.param(AT_FOUR, NOON, after(days=3), after(days=3), id="cron-once-after-a-rest"),
        pytest.param(AT_FOUR, after(hours=16), after(hours=16.1), None, id="cron-once"),
    ],
)
def test_a_tick_is_due(
    schedule: Schedule, last: datetime | None, now: datetime, tick: datetime | None
) -> None:
    assert due_tick(schedule, last, now=now) == tick
