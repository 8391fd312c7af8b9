"""What the daemon does: the jobs, one after the other where one causes the next."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from feedsvc import jobs
from feedsvc.errors import FeedsvcError, OutOfSpace
from feedsvc.logs import logger
from feedsvc.runtime import Runtime
from feedsvc.settings import Schedule

PAUSE_SECONDS = 60.0
QUIET_SECONDS = 2.0
"""A new file is loaded once nobody has written to it for so long: its URL stands at its end."""
_BUSY_SECONDS = 1.0

log = logger(__name__)


class Work:
    """The jobs of one runtime; none of them ever raises, and none starts after ``stop``.

    A job whose schedule is off never runs here, whatever would cause it: only its command does it.
    """

    def __init__(
        self, runtime: Runtime, *, later: Callable[[str, Callable[[], None], float], None]
    ) -> None:
        """``later`` runs a named function that many seconds from now."""
        self.stop = threading.Event()
        self._runtime = runtime
        self._later = later
        self._paused: dict[str, float] = {}
        self._absent: tuple[str, ...] = ()
        self._running = 0
        self._alone: set[str] = set()
        self._change = threading.Condition()

    def first(self) -> None:
        """Load and publish before anything else: the first feed should answer at once."""
        self._load(None, quiet=0.0)
        self.publish()

    def ingest(self, names: Collection[str] | None = None, *, quiet: float = QUIET_SECONDS) -> None:
        """Load seeds (all of them, or the named ones), publish what that changed, and index it."""
        self._load(names, quiet=quiet)
        self.index()

    def _load(self, names: Collection[str] | None, *, quiet: float) -> None:
        report = self._attempt(
            "ingest", lambda: jobs.ingest_seeds(self._runtime, names=names, quiet=quiet)
        )
        if report is None:
            return
        if names is None:
            self._tell_absent(report.absent)
        if report.busy:
            self._later("ingest-again", lambda: self.ingest(names), _BUSY_SECONDS)
        if report.new or report.modified or report.moved or report.withdrawn or report.returned:
            self.publish()
        if (report.new or report.returned) and not self._is_off("capture"):
            self._later("capture-now", self.capture, 0.0)

    def _tell_absent(self, folders: tuple[str, ...]) -> None:
        """Log which seed folders are missing, whenever that changes."""
        before, self._absent = self._absent, folders
        if folders and folders != before:
            log.warning(
                "seeds.absent",
                folders=list(folders),
                remedy="make them, mount their disk or correct seeds.paths",
            )

    def capture(self) -> None:
        """Archive what is due and publish what that changed."""
        report = self._attempt(
            "capture", lambda: jobs.capture_due(self._runtime, stop=self.stop), alone=True
        )
        if report is not None and report.archived:
            self.publish()

    def recheck(self) -> None:
        """Look again at originals that are due for it and publish what that changed."""
        report = self._attempt(
            "recheck", lambda: jobs.recheck_due(self._runtime, stop=self.stop), alone=True
        )
        if report is not None and report.attempts:
            self.publish()

    def publish(self) -> None:
        """Write the feeds that changed."""
        self._attempt("publish", lambda: jobs.publish_feeds(self._runtime))

    def index(self) -> None:
        """Let searches find articles as they are."""
        self._attempt(
            "index", lambda: jobs.index_articles(self._runtime, stop=self.stop), alone=True
        )

    def push(self) -> bool:
        """Tell hubs and subscribers what changed; False if the job itself failed."""

        def call() -> bool:
            jobs.push_due(self._runtime, stop=self.stop)
            return True

        return self._attempt("push", call, alone=True) is not None

    def verify(self) -> None:
        """Check every stored byte; damage is logged as an error."""
        report = self._attempt("verify", lambda: jobs.verify(self._runtime), alone=True)
        for one in report.damage if report is not None else ():
            log.error(
                "verify.damage",
                what=one.what,
                name=one.name,
                problem=one.problem,
                remedy=one.remedy,
            )

    def finish(self, *, seconds: float) -> bool:
        """Start nothing more and wait for what runs; False if it takes longer than that."""
        self.stop.set()
        with self._change:
            return self._change.wait_for(lambda: self._running == 0, timeout=seconds)

    def _attempt(self, job: str, call: Callable[[], Any], *, alone: bool = False) -> Any:
        """Run a job; log why it failed. The next tick tries it again, a full disk a bit later."""
        if self.stop.is_set() or self._is_off(job) or self._paused.get(job, 0) > time.monotonic():
            return None
        with self._counted(job, alone=alone) as ours:
            if not ours:
                return None
            try:
                return call()
            except FeedsvcError as error:
                log.error("job.failed", job=job, reason=str(error), exc_info=None)
                if isinstance(error, OutOfSpace):
                    self._pause(job)
            except OSError as error:
                log.error("job.failed", job=job, reason=str(error), exc_info=error)
                if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                    self._pause(job)
            except Exception as error:
                log.error(
                    "job.failed", job=job, reason=f"{type(error).__name__}: {error}", exc_info=error
                )
        return None

    def _is_off(self, job: str) -> bool:
        # Pushes have no schedule: they follow what was published.
        schedule: Schedule | None = getattr(self._runtime.settings.schedule, job, None)
        return schedule is not None and schedule.off

    @contextmanager
    def _counted(self, job: str, *, alone: bool) -> Iterator[bool]:
        """Count what runs; a job that is to be alone gives way to itself."""
        with self._change:
            ours = not (alone and job in self._alone)
            if ours:
                self._running += 1
                self._alone |= {job} if alone else set()
        try:
            yield ours
        finally:
            if ours:
                with self._change:
                    self._running -= 1
                    self._alone.discard(job)
                    self._change.notify_all()

    def _pause(self, job: str) -> None:
        self._paused[job] = time.monotonic() + PAUSE_SECONDS
        log.warning("job.paused", job=job, seconds=PAUSE_SECONDS, reason="no space left")
