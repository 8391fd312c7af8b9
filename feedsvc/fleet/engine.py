"""Procrastinate in a thread: one event loop, one worker for each queue, threads for the tasks."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from procrastinate.worker import Worker

from feedsvc.fleet.app import make_connector, make_worker
from feedsvc.fleet.manager import FencedManager
from feedsvc.fleet.tasks import Tasks
from feedsvc.logs import logger
from feedsvc.runtime import SILENT_SECONDS, Runtime

_BEAT_SECONDS = 1.0
_LATE_SECONDS = 20.0
_PAUSE_SECONDS = 2.0

log = logger(__name__)


class Engine:
    """Takes tasks from the queues and does them until it is stopped."""

    def __init__(self, runtime: Runtime, tasks: Tasks, *, slots: Mapping[str, int]) -> None:
        """``slots``: how many tasks of each queue are done at a time."""
        self._runtime = runtime
        self._tasks = tasks
        self._slots = slots
        self._stopping = threading.Event()
        self._beat = time.monotonic()
        self._pairs: list[tuple[Worker, FencedManager]] = []
        self._thread = threading.Thread(target=self._run, name="feedsvc-engine", daemon=True)
        logging.getLogger("procrastinate").setLevel(logging.WARNING)
        # That the database is away is said once, by the presence, and not at every attempt.
        logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
        for name in ("procrastinate.worker", "procrastinate.periodic"):
            logging.getLogger(name).addFilter(_is_news)

    @property
    def numbers(self) -> frozenset[int]:
        """What the queue's own table calls the workers of this process."""
        found = (worker.worker_id for worker, _ in self._pairs)
        return frozenset(number for number in found if number is not None)

    def start(self) -> None:
        """Begin to take tasks."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Tell whether the loop turns."""
        return self._thread.is_alive() and time.monotonic() - self._beat < _LATE_SECONDS

    def stop(self) -> None:
        """Take no more tasks; those under way are for their own to end."""
        self._stopping.set()
        for worker, manager in self._pairs:
            manager.stopping = True
            worker.stop()  # type: ignore[no-untyped-call]  # its author left it bare

    def finish(self, *, seconds: float) -> bool:
        """Wait until every task has ended; False if it takes longer than that."""
        self._thread.join(timeout=seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                asyncio.run(self._work())
            except Exception as error:  # noqa: BLE001 - whatever it is, the worker goes on
                if not self._stopping.is_set():
                    log.error("engine.failed", reason=f"{type(error).__name__}: {error}")
                    self._stopping.wait(_PAUSE_SECONDS)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        # The default is a handful of threads, whatever the slots.
        threads = ThreadPoolExecutor(sum(self._slots.values()) + 2, "feedsvc-task")
        loop.set_default_executor(threads)
        beating = asyncio.create_task(self._keep_beating())
        connector = make_connector(self._runtime.database, silent=SILENT_SECONDS)
        try:
            await connector.open_async()
            self._pairs = [
                make_worker(connector, self._tasks, self._runtime, queue=queue, concurrency=slots)
                for queue, slots in self._slots.items()
            ]
            if self._stopping.is_set():
                return
            running = [worker.run() for worker, _ in self._pairs]  # type: ignore[no-untyped-call]  # its author left it bare
            await asyncio.gather(*running)
        finally:
            beating.cancel()
            await connector.close_async()

    async def _keep_beating(self) -> None:
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(_BEAT_SECONDS)


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out what our own logs tell already: how a task ended, and that nobody is there."""
    return getattr(record, "action", "") not in {"job_error", "job_aborted"}
