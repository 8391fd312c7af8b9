"""The queue of tasks: Procrastinate's tables in the database that has everything else.

What is due stands in our own tables; a task only says where to look. So a task that is lost is
put again, and one that comes twice finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.sync_psycopg_connector import SyncPsycopgConnector
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from feedsvc.model import Kind, Queued, Task
from feedsvc.storage.queue_schema import ensure_queue_schema

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from feedsvc.storage.database import Database
    from feedsvc.storage.store import Store

CONTROL, FEEDS, HOSTS = "control", "feeds", "hosts"
QUEUES: Mapping[Kind, str] = MappingProxyType(
    {kind: HOSTS if kind is Kind.HOST else FEEDS for kind in Kind}
)
PRIORITIES: Mapping[Kind, int] = MappingProxyType(
    {Kind.PUBLISH: 10, Kind.ARRANGE: 10, Kind.LOAD: 5, Kind.FIND: 5, Kind.VERIFY: -10}
)
"""What a reader waits for comes before what may take its time."""
BATCH = 500
PAUSE_SECONDS = 60
"""For how long a task that failed is not put again."""
_LOOKS = 3


def task_name(kind: Kind) -> str:
    """Return what the queue calls tasks of a kind."""
    return f"feedsvc.{kind}"


class TaskQueue:
    """Puts tasks into the queue and counts what is there."""

    def __init__(self, *, stalled: float) -> None:
        """``stalled``: seconds after which a silent worker's tasks count as stalled."""
        self._stalled = stalled
        # Never opened: every statement runs on the connection of the caller's transaction.
        self._manager = JobManager(SyncPsycopgConnector())

    def ensure_schema(self, database: Database) -> None:
        """Create the queue's tables, or bring them up to date; many may try at once.

        Raises SchemaMismatch for tables of a newer release or of somebody else.
        """
        with database.transaction() as store:
            ensure_queue_schema(store.connection)

    def put(self, store: Store, tasks: Iterable[Task]) -> int:
        """Queue tasks in the store's transaction; return how many were not queued already.

        Left out as well are those that failed within the last minute. Best the last statement of
        a transaction: whoever puts the same task waits for its end.
        """
        # In one order everywhere, so that two transactions never wait for each other.
        wanted = {_lock(task): task for task in tasks}
        ordered = [wanted[lock] for lock in sorted(wanted)]
        return sum(
            self._put(store.connection, ordered[start : start + BATCH])
            for start in range(0, len(ordered), BATCH)
        )

    def _put(self, connection: Connection, tasks: Sequence[Task]) -> int:
        for _ in range(_LOOKS):
            missing = _not_there(connection, tasks)
            if self._defer(connection, missing):
                return len(missing)
        # Others put the same ones at this very moment: no batch gets through whole.
        return sum(self._defer(connection, [task]) for task in _not_there(connection, tasks))

    def _defer(self, connection: Connection, tasks: Sequence[Task]) -> bool:
        """Put tasks of which none is there; False if one is, and none was put."""
        if not tasks:
            return True
        try:
            with connection.begin_nested():
                raw = connection.connection.driver_connection
                self._manager.batch_defer_jobs([_job(task) for task in tasks], connection=raw)
        except AlreadyEnqueued:
            return False
        return True

    def counts(self, store: Store) -> list[Queued]:
        """Return what waits, runs, is stalled and has failed, of each kind that has any."""
        rows = store.connection.execute(_COUNTS, {"stalled": self._stalled}).mappings()
        kinds = {task_name(kind): kind for kind in Kind}
        return [
            Queued(kind=kinds[row["task_name"]], **{name: row[name] for name in _COUNTED})
            for row in rows
            if row["task_name"] in kinds
        ]

    def take_back(self, store: Store) -> int:
        """Queue again what silent workers were at; return how many tasks that were.

        A task that waits already is not queued twice. Safe for any number of callers at once.
        """
        connection, values = store.connection, {"stalled": self._stalled}
        dropped = connection.execute(_DROP_STALLED, values).rowcount
        # Whoever puts a twin at this very moment makes it fail; the next call drops the task.
        with suppress(IntegrityError), connection.begin_nested():
            dropped += connection.execute(_REQUEUE_STALLED, values).rowcount
        if dropped:
            for queue in (CONTROL, FEEDS, HOSTS):
                connection.execute(_WAKE, {"channel": f"procrastinate_queue_v1#{queue}"})
        connection.execute(_FORGET_SILENT, values)
        return dropped

    def hand_back(self, store: Store, numbers: Collection[int]) -> int:
        """Queue again what workers are at that end now; return how many tasks that were."""
        values = {"numbers": sorted(numbers)}
        with suppress(IntegrityError), store.connection.begin_nested():
            return store.connection.execute(_HAND_BACK, values).rowcount
        return 0

    def running(self, store: Store, kinds: Iterable[Kind]) -> bool:
        """Tell whether any task of these kinds waits or runs."""
        names = [task_name(kind) for kind in kinds]
        return bool(store.connection.scalar(_ANY, {"names": names}))


def _lock(task: Task) -> str:
    return f"{task.kind}:{task.key}"


def _job(task: Task) -> Job:
    arguments: dict[str, Any] = {"key": task.key}
    if task.names:
        arguments["names"] = list(task.names)
    return Job(
        id=None,
        queue=QUEUES[task.kind],
        lock=_lock(task),
        queueing_lock=_lock(task),
        task_name=task_name(task.kind),
        task_kwargs=arguments,
        priority=PRIORITIES.get(task.kind, 0),
    )


def _not_there(connection: Connection, tasks: Sequence[Task]) -> list[Task]:
    values = {
        "locks": [_lock(task) for task in tasks],
        "kinds": sorted({str(task.kind) for task in tasks}),
        "pause": PAUSE_SECONDS,
    }
    there = set(connection.scalars(_THERE, values))
    return [task for task in tasks if _lock(task) not in there]


_THERE = text("""
    SELECT queueing_lock FROM procrastinate_jobs
    WHERE status = 'todo' AND queueing_lock = ANY(:locks)
    UNION ALL
    SELECT kind || ':' || key FROM failed_tasks
    WHERE kind = ANY(:kinds) AND kind || ':' || key = ANY(:locks)
      AND tried > clock_timestamp() - make_interval(secs => :pause)
""")
_STALLED = """
    status = 'doing' AND NOT EXISTS (
        SELECT FROM procrastinate_workers w
        WHERE w.id = procrastinate_jobs.worker_id
          AND w.last_heartbeat >= clock_timestamp() - make_interval(secs => :stalled)
    )
"""
_COUNTED = ("waiting", "running", "stalled", "failed", "oldest")
# The oldest by number: looking up the time of every waiting task would take seconds.
_COUNTS = text(f"""
    WITH jobs AS (
        SELECT task_name,
            count(*) FILTER (WHERE status = 'todo') AS waiting,
            count(*) FILTER (WHERE status = 'doing') AS running,
            count(*) FILTER (WHERE {_STALLED}) AS stalled,
            min(id) FILTER (WHERE status = 'todo') AS first
        FROM procrastinate_jobs WHERE status IN ('todo', 'doing') GROUP BY task_name
    ), failed AS (
        SELECT 'feedsvc.' || kind AS task_name, count(*) AS failed FROM failed_tasks GROUP BY kind
    )
    SELECT task_name, coalesce(waiting, 0) AS waiting, coalesce(running, 0) AS running,
        coalesce(stalled, 0) AS stalled, coalesce(failed, 0) AS failed,
        (SELECT min(at) FROM procrastinate_events
         WHERE job_id = first AND type = 'deferred') AS oldest
    FROM jobs FULL JOIN failed USING (task_name) ORDER BY task_name
""")  # noqa: S608 - put together from constants
_SKIPPING = f"""
    SELECT id FROM procrastinate_jobs
    WHERE {_STALLED}
    FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - put together from constants
_DROP_STALLED = text(f"""
    DELETE FROM procrastinate_jobs WHERE id IN ({_SKIPPING}) AND (
        queueing_lock IS NULL OR task_name NOT LIKE 'feedsvc.%' OR EXISTS (
            SELECT FROM procrastinate_jobs twin
            WHERE twin.status = 'todo' AND twin.queueing_lock = procrastinate_jobs.queueing_lock
        )
    )
""")  # noqa: S608 - put together from constants
_REQUEUE_STALLED = text(f"""
    UPDATE procrastinate_jobs
    SET status = 'todo', worker_id = NULL, attempts = attempts + 1
    WHERE id IN ({_SKIPPING})
""")  # noqa: S608 - put together from constants
_WAKE = text("""SELECT pg_notify(:channel, '{"type": "job_inserted", "job_id": 0}')""")
_FORGET_SILENT = text("""
    DELETE FROM procrastinate_workers WHERE id IN (
        SELECT id FROM procrastinate_workers
        WHERE last_heartbeat < clock_timestamp() - make_interval(secs => :stalled)
        FOR UPDATE SKIP LOCKED
    )
""")
_HAND_BACK = text("""
    UPDATE procrastinate_jobs mine SET status = 'todo', worker_id = NULL, attempts = attempts + 1
    WHERE status = 'doing' AND worker_id = ANY(:numbers) AND task_name LIKE 'feedsvc.%'
    AND NOT EXISTS (
        SELECT FROM procrastinate_jobs twin
        WHERE twin.status = 'todo' AND twin.queueing_lock = mine.queueing_lock
    )
""")
_ANY = text("""
    SELECT EXISTS (
        SELECT FROM procrastinate_jobs
        WHERE status IN ('todo', 'doing') AND task_name = ANY(:names)
    )
""")
