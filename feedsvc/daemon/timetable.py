"""When jobs run: APScheduler in UTC, nothing stored, nothing run twice at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from feedsvc.settings import Schedule

HEARTBEAT_SECONDS = 5.0
OVERDUE_SECONDS = 60.0
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class Timetable:
    """Runs functions by their schedules in threads until it is stopped."""

    def __init__(
        self,
        jobs: Mapping[str, tuple[Schedule, Callable[[], None]]],
        *,
        last: Mapping[str, datetime | None] = MappingProxyType({}),
    ) -> None:
        """``last``: when jobs last ran whose interval outlives this process; None: never."""
        # It would warn of every tick that finds a long capture still at work.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._jobs = {name: job for name, job in jobs.items() if not job[0].off}
        self._last = last
        self._beat = time.monotonic()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(len(self._jobs) + 3)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Begin; the first run of each job comes an interval after its last one, else after now."""
        self._scheduler.start()
        self._schedule()

    def _schedule(self) -> None:
        beat = IntervalTrigger(seconds=int(HEARTBEAT_SECONDS), timezone=UTC)
        self._scheduler.add_job(self._alive, beat, id="heartbeat", replace_existing=True)
        for name, (schedule, function) in self._jobs.items():
            first: dict[str, Any] = {}
            if name in self._last and schedule.seconds is not None:
                now = datetime.now(UTC)
                first["next_run_time"] = first_due(schedule.seconds, self._last[name], now=now)
            self._scheduler.add_job(
                function, trigger(schedule), id=name, replace_existing=True, **first
            )

    def begin_again(self) -> None:
        """Count every interval from now on: after the clock was set back, they would never end."""
        self._schedule()

    def soon(self, name: str, function: Callable[[], None], *, seconds: float = 0.0) -> None:
        """Run a function once, that many seconds from now; asked twice before, it runs once."""
        when = datetime.now(UTC) + timedelta(seconds=seconds)
        self._scheduler.add_job(function, "date", run_date=when, id=name, replace_existing=True)

    def is_alive(self) -> bool:
        """Tell whether the scheduler's thread runs and its heart beats."""
        thread = self._scheduler._thread
        late = time.monotonic() - self._beat > 4 * HEARTBEAT_SECONDS
        return bool(thread is not None and thread.is_alive() and not late)

    def stop(self) -> None:
        """Start no more jobs; those that run are not waited for."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _alive(self) -> None:
        self._beat = time.monotonic()


def first_due(seconds: float, last: datetime | None, *, now: datetime) -> datetime:
    """Return when a job is due first that runs every so many seconds and last ran then.

    One that is overdue waits a minute, for the feeds come first.
    """
    interval, soonest = timedelta(seconds=seconds), now + timedelta(seconds=OVERDUE_SECONDS)
    if last is None:
        return soonest
    # A last run in the future was written by a clock that went wrong.
    return max(soonest, min(last, now) + interval)


def trigger(schedule: Schedule) -> Any:
    """Return APScheduler's trigger for a schedule that is not off."""
    if schedule.cron is None:
        seconds = schedule.seconds or 0.0
        return IntervalTrigger(seconds=max(1, round(seconds)), timezone=UTC)
    minute, hour, day, month, weekday = schedule.cron.split()
    fields = {"minute": minute, "hour": hour, "month": month, "timezone": UTC}
    if day == "*" or weekday == "*":
        return CronTrigger(day=day, day_of_week=_weekdays(weekday), **fields)
    # crontab(5): if both are restricted, either is enough.
    return OrTrigger(
        [CronTrigger(day=day, **fields), CronTrigger(day_of_week=_weekdays(weekday), **fields)]
    )


def _weekdays(field: str) -> str:
    """Write a cron field of week days by name: APScheduler counts them from Monday."""
    if field == "*":
        return field
    found: set[int] = set()
    for part in field.split(","):
        days, _, step = part.partition("/")
        first, _, last = ("0-6" if days == "*" else days).partition("-")
        low = _weekday(first)
        high = _weekday(last) if last else (6 if step else low)
        found.update(day % 7 for day in range(low, high + 1, int(step or 1)))
    return ",".join(_DAYS[day] for day in sorted(found))


def _weekday(text: str) -> int:
    return _DAYS.index(text) if text in _DAYS else int(text)
