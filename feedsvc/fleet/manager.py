"""Procrastinate's view of the queue, from a process that may be paused, cut off or given up."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import psycopg
from procrastinate import connector, exceptions, jobs
from procrastinate.manager import JobManager, NotificationCallback
from procrastinate.worker import Worker

from feedsvc.logs import logger

T = TypeVar("T")
_SHORTEST, _LONGEST = 0.2, 3.0
_SETTLE_SECONDS = 10.0
_AWAY = (exceptions.ConnectorException, psycopg.OperationalError)

log = logger(__name__)


class FencedManager(JobManager):
    """The jobs of one Procrastinate worker: the database may go away and come back.

    Without this a lost connection ends the worker and all it is at. A job is ended only by the
    worker that has it: not by one that was given up meanwhile. A job that was handed out while
    the connection broke, so that nobody heard of it, is queued again.
    """

    def __init__(
        self, connector: connector.BaseConnector, *, ended: Callable[[str], None] = lambda _: None
    ) -> None:
        """``ended`` is called with the kind of each task that ended well and left the queue."""
        super().__init__(connector)
        self._ended = ended
        self.worker: Worker | None = None
        """Whose jobs these are."""
        self.stopping = False
        self._held: set[int] = set()
        self._unsure = False
        self._settled = time.monotonic()
        self._registering = asyncio.Lock()

    async def register_worker(self) -> int:
        """Enter the worker into the queue's table, as soon as the database is there."""
        return await self._insist(super().register_worker)

    async def prune_stalled_workers(self, seconds_since_heartbeat: float) -> list[int]:
        """Leave silent workers to the takeover, which queues their tasks again."""
        return []

    async def unregister_worker(self, worker_id: int) -> None:
        """Leave the queue's table, if the database is there."""
        try:
            await super().unregister_worker(worker_id)
        except _AWAY as error:
            log.debug("queue.away", reason=str(error))

    async def update_heartbeat(self, worker_id: int) -> None:
        """Say that the worker lives, if the database is there; begin anew if it was given up."""
        try:
            rows = await self.connector.execute_query_all_async(query=_BEAT, worker=worker_id)
        except _AWAY as error:
            log.debug("queue.away", reason=str(error))
            return
        if not rows:
            await self._begin_again(worker_id)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> jobs.Job | None:
        """Take a job; None if there is none or the database is away."""
        try:
            if self._unsure or time.monotonic() - self._settled > _SETTLE_SECONDS:
                await self._query(_QUEUE_UNHEARD, worker=worker_id, held=sorted(self._held))
                self._unsure, self._settled = False, time.monotonic()
            job = await super().fetch_job(queues, worker_id)
        except _AWAY as error:
            await self._refused(error, worker_id)
            return None
        if job is not None and job.id is not None:
            self._held.add(job.id)
        return job

    async def _refused(self, error: Exception, worker_id: int) -> None:
        self._unsure = True
        if isinstance(error.__cause__, psycopg.errors.ForeignKeyViolation):
            await self._begin_again(worker_id)
            return
        log.debug("queue.away", reason=str(error.__cause__ or error))
        await asyncio.sleep(_SHORTEST)

    async def _begin_again(self, worker_id: int) -> None:
        """Go on as a new worker, once, which ends none of the jobs of the old one."""
        async with self._registering:
            if self.worker is not None and self.worker.worker_id == worker_id:
                self.worker.worker_id = await self.register_worker()

    async def finish_job(self, job: jobs.Job, status: jobs.Status, delete_job: bool) -> None:
        """Remove a job that ended, unless it is somebody else's by now.

        What it was told of stands in our own tables, and so does why it failed.
        """
        kind, _, key = (job.queueing_lock or "").partition(":")
        well = status is jobs.Status.SUCCEEDED
        values = {"id": job.id, "worker": job.worker_id, "kind": kind if well else "", "key": key}
        await self._insist(lambda: self._query(_FINISH, **values))
        if job.id is not None:
            self._held.discard(job.id)
        if well:
            self._ended(kind)

    async def defer_periodic_job(
        self, job: jobs.Job, periodic_id: str, defer_timestamp: int
    ) -> int | None:
        """Queue a periodic job, if the database is there and nobody else did."""
        try:
            return await super().defer_periodic_job(job, periodic_id, defer_timestamp)
        except exceptions.AlreadyEnqueued:
            raise
        except _AWAY as error:
            log.debug("queue.away", reason=str(error))
            return None

    async def list_jobs_to_abort_async(self, queue: str | None = None) -> Iterable[int]:
        """Return nothing: no task of ours is aborted by the queue."""
        return []

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Hear of new jobs, again after every loss of the connection."""
        while True:
            try:
                await super().listen_for_jobs(on_notification=on_notification, queues=queues)
            except _AWAY as error:
                log.debug("queue.away", reason=str(error))
            await asyncio.sleep(1.0)

    async def retry_job(
        self,
        job: jobs.Job,
        retry_at: datetime.datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Refuse: what is due later stands in our own tables, and is queued then."""
        raise NotImplementedError("tasks are not retried by the queue")

    async def _query(self, query: Any, **values: Any) -> None:
        await self.connector.execute_query_async(query, **values)

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until the database is there; the process may end meanwhile."""
        pause = _SHORTEST
        while True:
            try:
                return await call()
            except _AWAY as error:
                if self.stopping:
                    raise
                log.debug("queue.away", reason=str(error.__cause__ or error))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST)


_BEAT = """
    UPDATE procrastinate_workers SET last_heartbeat = clock_timestamp()
    WHERE id = %(worker)s RETURNING id
"""
# A task of the same key that could not begin before this one ended is told of now.
_FINISH = """
    WITH ended AS (
        DELETE FROM procrastinate_jobs
        WHERE id = %(id)s AND status = 'doing' AND worker_id = %(worker)s
        RETURNING queueing_lock, queue_name
    ), forgotten AS (
        DELETE FROM failed_tasks WHERE kind = %(kind)s AND key = %(key)s
    )
    SELECT pg_notify(
        'procrastinate_queue_v1#' || ended.queue_name, '{"type": "job_inserted", "job_id": 0}'
    ) FROM ended WHERE EXISTS (
        SELECT FROM procrastinate_jobs waiting
        WHERE waiting.queueing_lock = ended.queueing_lock AND waiting.status = 'todo'
    )
"""
_QUEUE_UNHEARD = """
    WITH dropped AS (
        DELETE FROM procrastinate_jobs unheard
        WHERE worker_id = %(worker)s AND status = 'doing' AND id <> ALL(%(held)s::bigint[])
        AND (task_name NOT LIKE 'feedsvc.%%' OR EXISTS (
            SELECT FROM procrastinate_jobs twin
            WHERE twin.queueing_lock = unheard.queueing_lock AND twin.status = 'todo'
        )) RETURNING id
    )
    UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL
    WHERE worker_id = %(worker)s AND status = 'doing' AND id <> ALL(%(held)s::bigint[])
    AND id NOT IN (SELECT id FROM dropped)
"""
