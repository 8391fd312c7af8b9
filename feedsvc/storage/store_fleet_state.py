"""What a fleet tells of itself: ticks, tallies by the minute, tasks that ended badly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, and_, delete, func, select, text

from feedsvc.model.captures import Outcome
from feedsvc.model.fleet_state import Connections, FailedTask, Pace, Tally
from feedsvc.storage.dialect import inserting, upsert
from feedsvc.storage.fleet_tables import failed_tasks, host_places, tallies
from feedsvc.storage.store_feeds import FILES_CHANGED
from feedsvc.storage.tables import attempts, captures, facts

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEPT = timedelta(hours=2)
"""How long minutes are kept one by one."""
SAMPLE = 20_000
"""As many of the last attempts are looked at to tell how fast it goes."""
LONGEST_CAUSE = 1000
_LOOKS = {
    str(one)
    for one in Outcome
    if one
    not in {
        Outcome.VERIFIED,
        Outcome.PARTIAL,
        Outcome.MISMATCH,
        Outcome.FAILED,
        Outcome.REFUSED,
    }
}


class FleetStateStore:
    """Facts about a fleet that no single worker knows."""

    connection: Connection

    def note_tick(self, name: str, now: datetime) -> None:
        """Remember when something that comes again and again was last done."""
        row = {"name": f"fleet.{name}", "value": now.astimezone(UTC).isoformat()}
        upsert(self.connection, facts, [row])

    def tick(self, name: str) -> datetime | None:
        """Return when that was last done."""
        query = select(facts.c.value).where(facts.c.name == f"fleet.{name}")
        value = self.connection.scalar(query)
        return None if value is None else datetime.fromisoformat(value)

    def tally(self, what: Tally, number: int, *, worker: str, now: datetime) -> None:
        """Count something as done."""
        if not number:
            return
        minute = now.astimezone(UTC).replace(second=0, microsecond=0)
        row = {"what": str(what), "minute": minute, "worker": worker, "number": number}
        statement = inserting(self.connection, tallies).values(row)
        self.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["what", "minute", "worker"],
                set_={"number": tallies.c.number + statement.excluded.number},
            )
        )

    def fold_tallies(self, now: datetime) -> None:
        """Add up minutes that are long past, so that rows stay few."""
        past = and_(tallies.c.minute > EPOCH, tallies.c.minute < now - KEPT)
        removed = self.connection.execute(
            delete(tallies).where(past).returning(tallies.c.what, tallies.c.number)
        )
        sums: dict[str, int] = {}
        for row in removed:
            sums[row.what] = sums.get(row.what, 0) + row.number
        for what, number in sorted(sums.items()):
            self.tally(Tally(what), number, worker="", now=EPOCH)

    def totals(self) -> Mapping[str, int]:
        """Return how much of everything was ever counted."""
        rows = self.connection.execute(
            select(tallies.c.what, func.sum(tallies.c.number)).group_by(tallies.c.what)
        )
        found = {what: int(number) for what, number in rows}
        return {str(what): found.get(what, 0) for what in Tally}

    def paces(self, now: datetime) -> list[Pace]:
        """Return how much was done in the last minute and in the last hour.

        Attempts are looked through from the last one backwards, and not without end.
        """
        return [*self._attempted(now), *self._tallied(now)]

    def _attempted(self, now: datetime) -> list[Pace]:
        last = (
            select(attempts.c.outcome, attempts.c.article_id, attempts.c.started)
            .order_by(attempts.c.id.desc())
            .limit(SAMPLE)
            .subquery()
        )
        minute, hour = now - timedelta(minutes=1), now - timedelta(hours=1)
        rows = self.connection.execute(
            select(
                last.c.outcome,
                func.count().filter(last.c.started > minute).label("minute"),
                func.count().filter(last.c.started > hour).label("hour"),
                func.min(last.c.started).label("first"),
                func.count().label("seen"),
            ).group_by(last.c.outcome)
        ).all()
        scale = 1.0
        if sum(row.seen for row in rows) == SAMPLE:
            began = max(min(row.first for row in rows), hour)
            scale = 3600 / max((now - began).total_seconds(), 1.0)
        looks = [row for row in rows if row.outcome in _LOOKS]
        others = [row for row in rows if row.outcome not in _LOOKS]
        return [
            Pace(
                what, sum(row.minute for row in some), round(scale * sum(row.hour for row in some))
            )
            for what, some in (("captures", others), ("looks", looks))
        ]

    def _tallied(self, now: datetime) -> list[Pace]:
        this = now.astimezone(UTC).replace(second=0, microsecond=0)
        # The minute that has only begun tells less than the one before it.
        rows = self.connection.execute(
            select(tallies.c.what, tallies.c.minute, func.sum(tallies.c.number).label("number"))
            .where(tallies.c.minute > this - timedelta(hours=1))
            .group_by(tallies.c.what, tallies.c.minute)
        ).all()
        return [
            Pace(
                str(what),
                sum(
                    int(row.number)
                    for row in rows
                    if row.what == what and row.minute >= this - timedelta(minutes=1)
                ),
                sum(int(row.number) for row in rows if row.what == what),
            )
            for what in (Tally.SEEDS, Tally.PUBLICATIONS)
        ]

    def note_failed_task(self, kind: str, key: str, *, cause: str, now: datetime) -> None:
        """Remember that a task ended badly, and why."""
        row = {
            "kind": str(kind),
            "key": key,
            "since": now,
            "tried": now,
            "times": 1,
            "cause": cause.replace("\x00", "")[:LONGEST_CAUSE],
        }
        statement = inserting(self.connection, failed_tasks).values(row)
        self.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["kind", "key"],
                set_={
                    "tried": statement.excluded.tried,
                    "cause": statement.excluded.cause,
                    "times": failed_tasks.c.times + 1,
                },
            )
        )

    def failed_tasks(self, limit: int) -> list[FailedTask]:
        """Return tasks that ended badly the last time, the last one first."""
        rows = self.connection.execute(
            select(failed_tasks)
            .order_by(failed_tasks.c.tried.desc(), failed_tasks.c.kind, failed_tasks.c.key)
            .limit(limit)
        )
        return [FailedTask(**row._asdict()) for row in rows]

    def count_failed_tasks(self) -> int:
        """Return how many tasks ended badly the last time."""
        return self.connection.scalar(select(func.count()).select_from(failed_tasks)) or 0

    def held_by(self, workers: Sequence[str]) -> Mapping[str, int]:
        """Return how many captures and places at hosts each of some workers holds."""
        held = dict.fromkeys(workers, 0)
        for column in (captures.c.lease, host_places.c.holder):
            rows = self.connection.execute(
                select(column, func.count()).where(column.in_(workers)).group_by(column)
            )
            for worker, number in rows:
                held[worker] += number
        return held

    def connections(self) -> Connections:
        """Return who of ours is connected to the server, and how many it takes in all."""
        rows = self.connection.execute(
            _CONNECTIONS, {"channel": f'LISTEN "{FILES_CHANGED}"%'}
        ).all()
        total, most = self.connection.execute(_ROOM).one()
        return Connections(
            {row.program: row.number for row in rows},
            sum(row.followers for row in rows),
            total,
            most,
        )


_CONNECTIONS = text("""
    SELECT application_name AS program, count(*) AS number,
        count(*) FILTER (WHERE query LIKE :channel) AS followers
    FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'feedsvc%'
    GROUP BY application_name ORDER BY application_name
""")
_ROOM = text("""
    SELECT count(*), current_setting('max_connections')::int
    FROM pg_stat_activity WHERE backend_type = 'client backend'
""")
