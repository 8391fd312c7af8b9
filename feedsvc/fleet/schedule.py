"""The schedules of a fleet: every tick is one task, whoever looks first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from feedsvc.daemon.timetable import trigger
from feedsvc.model import Kind, Task
from feedsvc.runtime import Runtime
from feedsvc.settings import Schedule
from feedsvc.storage.store import Store

_RUN = {Kind.VERIFY: "verify"}
"""Jobs that are not due at once in a new fleet if they ran before."""


def due_by_schedule(runtime: Runtime, store: Store) -> Iterator[Task]:
    """Yield what is due by the settings' schedules, and note the tick in the same transaction.

    Only one dispatcher works at a time, and all go by the database's clock. Ticks that passed
    while nobody worked are made up for by one.
    """
    schedules = runtime.settings.schedule
    now = runtime.now()
    for kind, schedule in (
        (Kind.FIND, schedules.ingest),
        (Kind.ARRANGE, schedules.publish),
        (Kind.VERIFY, schedules.verify),
    ):
        if schedule.off:
            continue
        name = f"schedule.{kind}"
        last = store.tick(name)
        if last is None and kind in _RUN:
            last = store.last_run(_RUN[kind])
        tick = due_tick(schedule, last, now=now)
        if tick is not None:
            store.note_tick(name, tick)
            yield Task(kind)


def due_tick(schedule: Schedule, last: datetime | None, *, now: datetime) -> datetime | None:
    """Return the tick that is due, None if none is; ``last``: the one before it.

    The first of all is due at once. Intervals keep their beat, however late somebody looks.
    """
    if last is None or last > now + timedelta(days=1):
        # A tick that far ahead was noted by a clock that was wrong.
        return now
    if schedule.seconds is not None:
        interval = timedelta(seconds=max(1.0, schedule.seconds))
        passed = (now - last) // interval
        return last + passed * interval if passed >= 1 else None
    following = trigger(schedule).get_next_fire_time(None, last + timedelta(seconds=1))
    return now if following is not None and following <= now else None
