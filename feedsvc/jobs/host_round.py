"""What is due at one host, some of it at a time: the unit of capturing in a fleet."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from feedsvc.capture.visit import MAX_HOLD
from feedsvc.errors import DatabaseAway, FeedsvcError
from feedsvc.jobs.archive import Result
from feedsvc.jobs.capture import capturing
from feedsvc.jobs.crew import Crew
from feedsvc.jobs.helper import WORTH, Helper
from feedsvc.jobs.recheck import looking
from feedsvc.jobs.record import record
from feedsvc.jobs.rounds import GRACE, Round, Work
from feedsvc.jobs.texts import Texts
from feedsvc.model import Attempt, CaptureJob, Kind, Outcome, Purpose, Run, Task
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store
from feedsvc.text import without_tokens

MOST = 20
"""Originals that one round claims."""
LONGEST = 60.0
"""Seconds after which a round begins nothing more: what it claimed goes back."""
RECORD_EVERY = 5.0
"""Seconds for which what ended may wait for more to be recorded with it."""
PATIENCE = 60.0
"""Seconds for which a database is waited for that is away when something is to be recorded."""
TELL_EVERY = 5.0
"""Seconds between two notes of a process that it captured."""
_PAUSE = 0.5
_TOLD_AS = {Purpose.CAPTURE: "capture", Purpose.LOOK: "recheck"}


def work_host(runtime: Runtime, host: str, *, stop: threading.Event | None = None) -> bool:
    """Capture up to MOST originals that are due at a host, else look at as many.

    Returns whether more is due. Then the host's next task is queued in the transaction that
    records the last of them. What ``stop`` leaves undone is handed back. Raises OutOfSpace,
    ConfigurationError, and Temporary if the database stayed away.
    """
    stop = stop or threading.Event()
    for purpose in purposes(runtime):
        done = HostRound(runtime, host, purpose, stop)
        done.work()
        if done.found:
            return done.has_more
    return False


def purposes(runtime: Runtime) -> list[Purpose]:
    """Return what originals are visited for, the most urgent first."""
    schedule = runtime.settings.schedule
    captures = [] if schedule.capture.off else [Purpose.CAPTURE]
    looking = runtime.settings.archive.recheck_after and not schedule.recheck.off
    return [*captures, *([Purpose.LOOK] if looking else [])]


class HostRound(Round):
    """Works on what one claim of a host's due originals gives, and records it in few pieces."""

    def __init__(
        self, runtime: Runtime, host: str, purpose: Purpose, stop: threading.Event
    ) -> None:
        # The name may change once others gave this worker up; what is claimed keeps the old one.
        lease = runtime.worker
        if lease is None:
            raise ValueError("only a worker of a fleet works on hosts: its name is the lease")
        super().__init__(runtime, purpose, "", lease, None, MOST, stop)
        self.host = host
        self.found = False
        """Whether there was anything to do."""
        self.has_more = False
        self._began = runtime.now()
        self._output = runtime.shared.get("output", Output)

    def work(self) -> None:
        """Claim, work, record."""
        runtime = self.runtime
        # The guard proves itself before anything is claimed.
        _ = runtime.capture_tools
        try:
            if jobs := self._claim_some():
                self.found = True
                self._work_on(jobs)
        except FeedsvcError as error:
            said = f"{type(error).__name__}: {without_tokens(str(error))}"
            with suppress(FeedsvcError), runtime.database.transaction() as store:
                store.put_run(
                    Run(_TOLD_AS[self.purpose], self._began, runtime.now(), ok=False, error=said)
                )
            raise

    def _claim_some(self) -> list[CaptureJob]:
        """Claim what is due; where nobody heard whether that was committed, hand it back."""
        try:
            return self._turn([], wanted=MOST, busy=Counter())
        except DatabaseAway:
            # At a host one task works at a time, so that what this worker holds there is that.
            with suppress(FeedsvcError):
                self._patiently(self._release_host, seconds=float("inf"))
            raise

    def _release_host(self) -> None:
        with self.runtime.database.transaction() as store:
            store.release_captures(self.lease, host=self.host)

    def _work_on(self, jobs: Sequence[CaptureJob]) -> None:
        most = self._settings.per_host
        crew = Crew(self._means(), threads=min(most, len(jobs)), per_host=most)
        try:
            crew.add(jobs)
            ended = self._gather(crew)
            self._patiently(lambda: self._conclude(ended))
        finally:
            crew.close()
            self._hand_back(crew.ended(wait=0))

    def _means(self) -> Work:
        """Return what works on an original, with the processes that all rounds here share."""
        runtime, shared = self.runtime, self.runtime.shared
        texts = shared.get("texts", Texts)
        if self.purpose is Purpose.LOOK:
            return looking(runtime, self.stop, texts=texts)
        helper = None
        if self._output.total >= WORTH and (os.cpu_count() or 1) > 1:
            helper = shared.get("helper", lambda: Helper(runtime.archive))
        return capturing(runtime, self.stop, texts=texts, helper=helper)

    def _gather(self, crew: Crew[Result]) -> list[tuple[CaptureJob, Result]]:
        """Wait until everything has ended; record some of it on the way, return the rest."""
        began = recorded = time.monotonic()
        patience: float | None = None
        ended: list[tuple[CaptureJob, Result]] = []
        while not crew.idle:
            now = time.monotonic()
            if self.stop.is_set():
                crew.drop()
                patience = patience or now + GRACE
                if now > patience:
                    self.runtime.cut_connections()
            elif now > began + LONGEST or self._is_held():
                crew.drop()
            if ended and now > recorded + RECORD_EVERY:
                some, ended, recorded = ended, [], now
                self._patiently(lambda some=some: self._turn(some, wanted=0, busy=Counter()))  # type: ignore[misc]  # mypy cannot infer a lambda's default
            news = crew.ended(wait=_PAUSE)
            if any(result.fatal for _, result in news):
                # Whatever is begun now would end like that.
                crew.drop()
            ended += news
        return ended

    def _is_held(self) -> bool:
        """Tell whether the host wants a pause that is too long to wait for."""
        return self.runtime.capture_tools.politeness.held(f"http://{self.host}/") > MAX_HOLD

    def _conclude(self, ended: Sequence[tuple[CaptureJob, Result]]) -> None:
        """Record what ended last, hand back what was not begun, and queue what is still due."""
        ended = [(job, result) for job, result in ended if result.attempt is not None]
        left = self._unrecorded - {job.article_id for job, _ in ended}
        with self.runtime.database.transaction() as store:
            now = self.runtime.now()
            written = record(store, ended, after=self._settings.recheck_after, now=now)
            if left:
                store.release_captures(self.lease, sorted(left))
            self.has_more = self._look_for_more(store, now)
            if self.has_more:
                store.wanted.add(Task(Kind.HOST, self.host))
            attempts = (*self.attempts, *written.attempts)
            if run := self._tell(attempts, now):
                store.put_run(run)
        self._unrecorded.clear()
        self._note(ended, written)

    def _tell(self, attempts: Sequence[Attempt], now: datetime) -> Run | None:
        job = _TOLD_AS[self.purpose]
        return self._output.add(job, attempts, began=self._began, now=now)

    def _look_for_more(self, store: Store, now: datetime) -> bool:
        if store.held_for(self.host) > MAX_HOLD:
            # The dispatcher comes back to it.
            return False
        return any(
            store.due_at_host(self.host, now=now, limit=1, purpose=purpose)
            for purpose in purposes(self.runtime)
        )

    def _hand_back(self, ended: Sequence[tuple[CaptureJob, Result]]) -> None:
        """Record what ended after all, hand back the rest, however long the database is away.

        Nobody else does it while this worker is alive, and until then it could do nothing else.
        """
        with suppress(FeedsvcError):
            self._patiently(lambda: self._turn(ended, wanted=0, busy=Counter()))
        with suppress(FeedsvcError):
            self._patiently(self._release, seconds=float("inf"))

    def _release(self) -> None:
        if self._unrecorded:
            with self.runtime.database.transaction() as store:
                store.release_captures(self.lease, sorted(self._unrecorded))

    def _patiently(self, write: Callable[[], object], *, seconds: float = PATIENCE) -> None:
        """Write, again and again if the database is away: what was fetched is not thrown away."""
        soon, end = time.monotonic() + GRACE, time.monotonic() + seconds
        while True:
            try:
                write()
            except DatabaseAway:
                if time.monotonic() > end or (self.stop.is_set() and time.monotonic() > soon):
                    raise
                time.sleep(_PAUSE)
            else:
                return

    def _pick(self, store: Store, wanted: int, busy: Counter[str]) -> list[str]:
        if store.held_for(self.host) > MAX_HOLD:
            return []
        return store.due_at_host(
            self.host, now=self.runtime.now(), limit=wanted, purpose=self.purpose
        )

    def _is_any_due(self, busy: Counter[str]) -> bool:
        return True

    def _longest(self) -> float:
        return LONGEST + self._settings.deadline


@dataclass
class Output:
    """What this process captured, told now and then: all workers write the same row."""

    total: int = 0
    _sums: dict[str, Counter[str]] = field(default_factory=dict)
    _since: dict[str, datetime] = field(default_factory=dict)
    _told: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self, job: str, attempts: Sequence[Attempt], *, began: datetime, now: datetime
    ) -> Run | None:
        """Add what a round did; return what is to be told of the job if it is time to."""
        with self._lock:
            self.total += len(attempts)
            sums = self._sums.setdefault(job, Counter())
            since = self._since.setdefault(job, began)
            sums["attempts"] += len(attempts)
            sums["size"] += sum(one.size for one in attempts)
            if job == "capture":
                good = {Outcome.VERIFIED, Outcome.PARTIAL}
                sums["archived"] += sum(one.outcome in good for one in attempts)
            else:
                sums.update(str(one.outcome) for one in attempts)
            if time.monotonic() < self._told + TELL_EVERY:
                return None
            self._told = time.monotonic()
            seconds = round((now - since).total_seconds(), 3)
            del self._sums[job], self._since[job]
            return Run(job, since, now, ok=True, summary={**sums, "seconds": seconds})

    def close(self) -> None:
        """End; what was not told yet stands in the attempts."""
