"""What Procrastinate runs: our tasks, and the two ticks that keep a fleet going."""

from __future__ import annotations

import asyncio

from procrastinate import App
from procrastinate.psycopg_connector import PsycopgConnector
from procrastinate.worker import Worker

from feedsvc.fleet.manager import FencedManager
from feedsvc.fleet.schedule import due_by_schedule
from feedsvc.fleet.tasks import Tasks
from feedsvc.jobs.dispatch import dispatch_due
from feedsvc.jobs.takeover import take_over
from feedsvc.model import Kind
from feedsvc.runtime import Runtime
from feedsvc.storage.database import Database
from feedsvc.storage.postgresql import postgresql_arguments
from feedsvc.storage.task_queue import CONTROL, QUEUES, task_name

DISPATCH_SECONDS = 2
_POLL_SECONDS = 1.0
_CONNECTIONS = 3
_NOT_LIBPQ = {"options", "prepare_threshold"}


def make_connector(database: Database, *, silent: float) -> PsycopgConnector:
    """Return the way to the database that all workers of this process share; not open yet."""
    url = database.url
    # Its options are among the arguments, together with ours.
    query = {name: value for name, value in url.query.items() if name not in _NOT_LIBPQ}
    address = url.set(drivername="postgresql", query=query)
    return PsycopgConnector(
        conninfo=address.render_as_string(hide_password=False),
        kwargs=postgresql_arguments(url, silent=silent),
        min_size=1,
        max_size=_CONNECTIONS,
        timeout=10.0,
        reconnect_timeout=1.0,
    )


def make_worker(
    connector: PsycopgConnector,
    tasks: Tasks,
    runtime: Runtime,
    *,
    queue: str,
    concurrency: int,
) -> tuple[Worker, FencedManager]:
    """Return what works at one queue, with slots of its own that no other queue can fill."""

    def ended(kind: str) -> None:
        # While seeds are loaded nothing is published: what waits for the end of it need not wait
        # for the next tick.
        if kind in {Kind.LOAD, Kind.FIND}:
            asyncio.get_running_loop().run_in_executor(None, tasks.look, dispatch_due)

    app = App(connector=connector)
    manager = app.job_manager = FencedManager(connector, ended=ended)
    for kind in Kind:
        if QUEUES[kind] == queue:
            _add_task(app, tasks, kind)
    if queue == CONTROL:
        _add_ticks(app, tasks, runtime)
    fleet = runtime.settings.fleet
    worker = manager.worker = Worker(
        app,
        queues=[queue],
        name=queue,
        concurrency=concurrency,
        fetch_job_polling_interval=_POLL_SECONDS,
        abort_job_polling_interval=3600.0,
        delete_jobs="successful",
        install_signal_handlers=False,
        update_heartbeat_interval=fleet.heartbeat,
        stalled_worker_timeout=fleet.stalled,
    )
    return worker, manager


def _add_task(app: App, tasks: Tasks, kind: Kind) -> None:
    def perform(key: str = "", names: list[str] | None = None) -> None:
        tasks.perform(kind, key, names or ())

    app.task(name=task_name(kind), queue=QUEUES[kind])(perform)


def _add_ticks(app: App, tasks: Tasks, runtime: Runtime) -> None:
    """Add what comes again and again.

    Neither has a lock: one that was killed in the middle must not keep the next from running.
    Two at once are kept apart where it matters, by the database.
    """

    def dispatch(timestamp: int) -> None:
        tasks.tick("dispatch", lambda runtime: dispatch_due(runtime, also=(due_by_schedule,)))

    def reap(timestamp: int) -> None:
        tasks.tick("reap", take_over)

    every = min(30, max(1, round(runtime.settings.fleet.heartbeat)))
    for function, name, seconds in (
        (dispatch, "dispatch", DISPATCH_SECONDS),
        (reap, "reap", every),
    ):
        ticking = app.task(name=f"control.{name}", queue=CONTROL, queueing_lock=name)(function)
        # croniter's sixth field is the second.
        app.periodic(cron=f"* * * * * */{seconds}")(ticking)
