"""The worker process: starts, attends to signals and the watchdog, ends in time."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Collection

from feedsvc.daemon.notify import READY, STOPPING, WATCHDOG, notify, watchdog_seconds
from feedsvc.daemon.service import STOP_SECONDS
from feedsvc.daemon.signals import Signals
from feedsvc.errors import ConfigurationError
from feedsvc.fleet.engine import Engine
from feedsvc.fleet.tasks import Tasks
from feedsvc.jobs.agreement import configuration
from feedsvc.jobs.identity import join_fleet
from feedsvc.jobs.presence import Presence
from feedsvc.logs import logger
from feedsvc.rules import EditWatch
from feedsvc.runtime import Runtime, open_runtime, require_fleet
from feedsvc.settings import Settings
from feedsvc.storage.task_queue import CONTROL, FEEDS, HOSTS

SLOTS = {CONTROL: 2, FEEDS: 2}
QUEUES = (CONTROL, FEEDS, HOSTS)
_TICK_SECONDS = 5.0
_LEAVE_SECONDS = 1.5

log = logger(__name__)


class FleetWorker:
    """One process of a fleet, in the foreground."""

    def __init__(
        self,
        settings: Settings,
        *,
        concurrency: int | None = None,
        queues: Collection[str] = QUEUES,
        ready: Callable[[Runtime], None] = lambda _: None,
    ) -> None:
        """``queues``: what it takes tasks from; `control` is always among them.

        ``ready`` is called once it takes tasks. Raises ConfigurationError for settings with which
        no fleet can work.
        """
        fleet = settings.fleet
        require_fleet(settings)
        if fleet.stalled < 2 * fleet.heartbeat:
            raise ConfigurationError(
                f"fleet.stalled is {fleet.stalled:g} s, less than two heartbeats of "
                f"{fleet.heartbeat:g} s: one that comes late would look like a death; write at "
                f"least {2 * fleet.heartbeat:g} s, better three heartbeats"
            )
        if unknown := sorted(set(queues) - set(QUEUES)):
            raise ConfigurationError(
                f"there is no queue {unknown[0]!r}; there are {', '.join(QUEUES)}"
            )
        slots = {**SLOTS, HOSTS: concurrency or fleet.concurrency}
        self._settings = settings
        self._slots = {name: slots[name] for name in QUEUES if name in {CONTROL, *queues}}
        self._ready = ready
        self._stop = threading.Event()

    def run(self) -> int:
        """Run until a signal; return the exit code. Raises what opening the site raises."""
        with Signals() as signals, open_runtime(self._settings) as runtime:
            join_fleet(runtime)
            edits = EditWatch(runtime.root)
            engine = Engine(runtime, Tasks(runtime, stop=self._stop), slots=self._slots)
            presence = Presence(
                runtime, numbers=lambda: engine.numbers, config=configuration(runtime)
            )
            worker = presence.enter()
            try:
                presence.start()
                engine.start()
                log.info("worker.ready", worker=worker, pid=os.getpid(), **self._slots)
                notify(READY)
                self._ready(runtime)
                self._attend(signals, engine, presence, edits)
            finally:
                self._end(engine, presence)
        return 0

    def _attend(
        self, signals: Signals, engine: Engine, presence: Presence, edits: EditWatch
    ) -> None:
        watchdog = watchdog_seconds()
        tick = min(_TICK_SECONDS, watchdog / 3) if watchdog else _TICK_SECONDS
        while not signals.stopping:
            if signals.wait(tick):
                log.info("settings.not_reloaded", remedy="restart this worker to use new settings")
            for name in edits.edited():
                log.warning(
                    "config.edited",
                    file=name,
                    reason="this worker goes on with what it started with",
                    remedy="stop every worker, change every machine, then start the workers again",
                )
            if presence.refused is not None:
                raise presence.refused
            if engine.is_alive():
                notify(WATCHDOG)
            else:
                log.critical("engine.late", remedy="a supervisor should restart this worker")

    def _end(self, engine: Engine, presence: Presence) -> None:
        """Hand back what is in flight within STOP_SECONDS, whoever still works at it."""
        notify(STOPPING)
        log.info("worker.stopping")
        deadline = time.monotonic() + STOP_SECONDS - _LEAVE_SECONDS
        self._stop.set()
        engine.stop()
        presence.stopping()
        ended = engine.finish(seconds=max(0.1, deadline - time.monotonic()))
        presence.leave()
        if not ended:
            # Nothing counts before it is recorded, so what is cut off here is done again.
            log.warning("worker.cut_off", reason=f"a task still ran after {STOP_SECONDS:g} s")
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
        log.info("worker.stopped")
