"""The workers of a fleet: who works, as each last said of itself."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Float, bindparam, delete, select, text, update

from feedsvc.model import Busy, Kind, Worker
from feedsvc.storage.advisory import lock_until_commit, try_lock_until_commit
from feedsvc.storage.dialect import upsert
from feedsvc.storage.fleet_tables import failed_tasks, workers


class FleetStore:
    """The `workers` table, and the locks of a fleet that end with a transaction."""

    connection: Connection

    def try_alone(self, name: str, *, silent: float | None = None) -> bool:
        """Take a fleet's lock until the end of this transaction; False if another has it.

        ``silent``: the server ends this transaction after so many seconds without a statement,
        as when this process was paused, so that the lock is free again.
        """
        if not try_lock_until_commit(self.connection, name):
            return False
        if silent is not None:
            milliseconds = round(silent * 1000)
            self.connection.execute(
                text(f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}")
            )
        return True

    def hold_entrance(self) -> None:
        """Wait until nobody else enters a worker, and keep others from it until the commit."""
        lock_until_commit(self.connection, "workers")

    def put_worker(self, worker: Worker, *, numbers: Collection[int] = ()) -> None:
        """Enter a worker that starts. ``numbers``: what the queue calls it."""
        row = {
            "id": worker.id,
            "host": worker.host,
            "pid": worker.pid,
            "release": worker.release,
            "started": worker.started,
            "seen": worker.seen,
            "skew": worker.skew,
            "stopping": int(worker.stopping),
            "numbers": _joined(numbers),
            "config": json.dumps(dict(worker.config), sort_keys=True),
        }
        upsert(self.connection, workers, [row])

    def see_worker(
        self, id_: str, *, now: datetime, skew: float, stopping: bool, numbers: Collection[int]
    ) -> bool:
        """Note that a worker is alive; False if it was given up meanwhile, and nothing is noted."""
        return bool(
            self.connection.execute(
                update(workers)
                .where(workers.c.id == id_, workers.c.lost.is_(None))
                .values(seen=now, skew=skew, stopping=int(stopping), numbers=_joined(numbers))
            ).rowcount
        )

    def workers(self) -> list[Worker]:
        """Return the workers that are not given up, the oldest first, each with what it is at."""
        rows = self.connection.execute(
            select(workers)
            .where(workers.c.lost.is_(None))
            .order_by(workers.c.started, workers.c.id)
        ).all()
        busy = self._busy()
        return [
            _worker(row, [one for number in _numbers(row) for one in busy.get(number, ())])
            for row in rows
        ]

    def living_workers(self, *, since: datetime) -> list[Worker]:
        """Return workers seen since then and not given up, the oldest first, without their tasks."""
        rows = self.connection.execute(
            select(workers)
            .where(workers.c.lost.is_(None), workers.c.seen >= since)
            .order_by(workers.c.started, workers.c.id)
        )
        return [_worker(row, ()) for row in rows]

    def is_alive(self, id_: str, *, since: datetime) -> bool:
        """Tell whether a worker was seen since then and not given up."""
        query = select(workers.c.id).where(
            workers.c.id == id_, workers.c.lost.is_(None), workers.c.seen >= since
        )
        return self.connection.scalar(query) is not None

    def lost_workers(self) -> list[tuple[Worker, datetime]]:
        """Return those given up within the last day, each with when that was, the last first."""
        rows = self.connection.execute(
            select(workers).where(workers.c.lost.is_not(None)).order_by(workers.c.lost.desc())
        )
        return [(_worker(row, ()), row.lost) for row in rows]

    def _busy(self) -> Mapping[int, list[Busy]]:
        """Return what is under way, by what the queue calls who is at it."""
        if self.connection.dialect.name == "sqlite" or not self.connection.scalar(_IS_QUEUE):
            return {}
        found: dict[int, list[Busy]] = {}
        for row in self.connection.execute(_UNDER_WAY):
            kind, _, key = row.queueing_lock.partition(":")
            found.setdefault(row.worker_id, []).append(Busy(Kind(kind), key, row.since))
        return found

    def wait_at_most(self, seconds: float) -> None:
        """Wait no longer for a row that others hold, in this transaction: Temporary then."""
        self.connection.execute(text(f"SET LOCAL lock_timeout = {round(seconds * 1000)}"))

    def end_silent_sessions(self, *, seconds: float) -> int:
        """End transactions of ours that hold others up and said nothing for so long; how many.

        The server's own timeout for that does not count where a network fails in the middle of
        several statements that were sent at once.
        """
        return len(self.connection.execute(_END_SILENT, {"seconds": seconds}).all())

    def silent_workers(self, *, before: datetime) -> list[str]:
        """Return those last seen before then and not given up; whoever looks too skips them."""
        rows = self.connection.scalars(
            select(workers.c.id)
            .where(workers.c.seen < before, workers.c.lost.is_(None))
            .order_by(workers.c.id)
            .with_for_update(skip_locked=True)
        )
        return list(rows)

    def lose_workers(self, ids: Sequence[str], *, now: datetime) -> None:
        """Give workers up: whoever of them still lives learns it when it next speaks."""
        self.connection.execute(update(workers).where(workers.c.id.in_(ids)).values(lost=now))

    def remove_worker(self, id_: str) -> None:
        """Forget a worker that ended in good order."""
        self.connection.execute(delete(workers).where(workers.c.id == id_))

    def forget_old_failures(self, *, before: datetime) -> None:
        """Forget tasks that failed and were not tried again since then."""
        self.connection.execute(delete(failed_tasks).where(failed_tasks.c.tried < before))

    def remove_lost_workers(self, *, before: datetime) -> int:
        """Forget those given up before then; return how many."""
        return self.connection.execute(delete(workers).where(workers.c.lost < before)).rowcount


def _worker(row: Any, busy: Sequence[Busy]) -> Worker:
    fields = ("id", "host", "pid", "release", "started", "seen", "skew")
    values = {name: getattr(row, name) for name in fields}
    config = json.loads(row.config)
    return Worker(**values, stopping=bool(row.stopping), busy=tuple(busy), config=config)


def _numbers(row: Any) -> list[int]:
    return [int(number) for number in row.numbers.split(",") if number]


def _joined(numbers: Collection[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


_IS_QUEUE = text("SELECT to_regclass('procrastinate_jobs') IS NOT NULL")
_UNDER_WAY = text("""
    SELECT worker_id, queueing_lock, since FROM (
        SELECT j.worker_id, j.queueing_lock,
            (SELECT max(e.at) FROM procrastinate_events e
             WHERE e.job_id = j.id AND e.type = 'started') AS since
        FROM procrastinate_jobs j
        WHERE j.status = 'doing' AND j.worker_id IS NOT NULL AND j.lock IS NOT NULL
            AND j.task_name LIKE 'feedsvc.%'
    ) AS jobs WHERE since IS NOT NULL ORDER BY since, queueing_lock
""")


_END_SILENT = text("""
SELECT pg_terminate_backend(holder.pid) FROM pg_stat_activity AS holder
WHERE holder.datname = current_database() AND holder.usename = current_user
  AND holder.application_name LIKE 'feedsvc%' AND holder.state = 'idle in transaction'
  AND holder.state_change < clock_timestamp() - make_interval(secs => :seconds)
  AND holder.pid IN (
    SELECT unnest(pg_blocking_pids(waiting.pid)) FROM pg_stat_activity AS waiting
    WHERE waiting.datname = current_database() AND waiting.wait_event_type = 'Lock'
  )
""").bindparams(bindparam("seconds", type_=Float))
