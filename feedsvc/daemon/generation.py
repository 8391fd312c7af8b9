"""Everything of the service that is made anew when the settings change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime

from feedsvc.daemon.pusher import Pusher
from feedsvc.daemon.timetable import Timetable
from feedsvc.daemon.watch import Watcher
from feedsvc.daemon.work import Work
from feedsvc.errors import ConfigurationError
from feedsvc.jobs.agreement import warn_of_disagreement
from feedsvc.jobs.identity import confirm_fleet
from feedsvc.logs import logger
from feedsvc.runtime import Runtime, open_runtime
from feedsvc.settings import Settings

log = logger(__name__)


class Generation:
    """One runtime and what works with it, from one reading of the settings to the next."""

    def __init__(self, settings: Settings, *, working: bool) -> None:
        """Open the site; raises what open_runtime raises. Nothing runs before ``start``.

        Raises ConfigurationError where a fleet works, or where it is not this site's fleet.
        """
        if working and settings.fleet.enabled:
            raise ConfigurationError(
                "fleet.enabled is true, and in a fleet `feedsvc worker` works: start that, on as "
                "many machines as you like, and `feedsvc serve` for the web; or write "
                "fleet.enabled = false if this process is to do everything alone"
            )
        self.settings = settings
        with ExitStack() as opening:
            self.runtime: Runtime = opening.enter_context(open_runtime(settings))
            if settings.fleet.enabled:
                confirm_fleet(self.runtime)
                warn_of_disagreement(self.runtime)
            self._closing = opening.pop_all()
        self._timetable: Timetable | None = None
        self._watcher: Watcher | None = None
        self._work: Work | None = None
        self._pusher: Pusher | None = None
        if working:
            self._prepare(settings)

    def _prepare(self, settings: Settings) -> None:
        def later(name: str, function: Callable[[], None], seconds: float) -> None:
            timetable.soon(name, function, seconds=seconds)

        work = Work(self.runtime, later=later)
        schedule = settings.schedule
        timetable = Timetable(
            {
                "ingest": (schedule.ingest, work.ingest),
                "capture": (schedule.capture, work.capture),
                "publish": (schedule.publish, work.publish),
                "recheck": (schedule.recheck, work.recheck),
                "verify": (schedule.verify, work.verify),
            },
            last={job: self._last_run(job) for job in ("recheck", "verify")},
        )
        folders = {
            path: settings.root / path
            for path in settings.seeds.paths
            # Nobody tells of changes in a bucket: schedule.ingest finds them.
            if not path.startswith("s3://")
        }
        self._work, self._timetable = work, timetable
        self._watcher = None if schedule.ingest.off else Watcher(folders, work.ingest)
        if settings.websub.hubs or settings.websub.enabled:
            self._pusher = Pusher(work.push, news=self.runtime.push_news)

    def _last_run(self, job: str) -> datetime | None:
        with self.runtime.database.reading() as store:
            return store.last_run(job)

    def start(self, *, then: Callable[[], None]) -> None:
        """Load and publish at once, then call ``then`` and begin to capture, watch and tick."""
        work, timetable = self._work, self._timetable
        if work is None or timetable is None:
            then()
            return

        def first() -> None:
            work.first()
            then()
            work.index()
            work.capture()

        timetable.start()
        timetable.soon("first", first)
        if self._pusher is not None:
            self._pusher.start()
        if self._watcher is not None:
            self._watcher.start()

    def is_alive(self) -> bool:
        """Tell whether the scheduler lives."""
        return self._timetable is None or self._timetable.is_alive()

    def clock_was_set_back(self) -> None:
        """Count every interval from now on."""
        if self._timetable is not None:
            log.warning("clock.set_back", remedy="schedules begin again")
            self._timetable.begin_again()

    def stop(self) -> None:
        """Start nothing more; captures hand back what they hold."""
        if self._work is not None:
            self._work.stop.set()
        if self._timetable is not None:
            self._timetable.stop()
        if self._watcher is not None:
            self._watcher.stop()
        if self._pusher is not None:
            self._pusher.stop()

    def finish(self, *, seconds: float) -> bool:
        """Wait for what runs and close the site; False if something still runs after that time."""
        if self._work is not None and not self._work.finish(seconds=seconds):
            return False
        self._closing.close()
        return True

    def retire(self, *, seconds: float) -> None:
        """Stop, and close as soon as the last job has ended, without waiting here."""
        self.stop()
        threading.Thread(
            target=lambda: self.finish(seconds=seconds), name="feedsvc-retire", daemon=True
        ).start()
