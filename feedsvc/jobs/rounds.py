"""One round over the queue: threads that work on originals, and one that claims and writes rows."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from feedsvc.errors import FeedsvcError, NotFound, OutOfSpace
from feedsvc.jobs.archive import Result
from feedsvc.jobs.crew import Crew
from feedsvc.jobs.record import FAILING, Recorded, record
from feedsvc.jobs.sort import find_article
from feedsvc.logs import logger
from feedsvc.model import Attempt, CaptureJob, Outcome, Progress, Purpose
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store

GRACE = 3.0
"""Seconds in which work under way may end by itself once a stop is asked for."""
AHEAD = 3
"""Rows claimed for each one under way, so that many of them go into one transaction."""
_LOOKS = 8
_MARGIN = timedelta(minutes=2)

TOLD = frozenset({Outcome.CHANGED, Outcome.REDIRECTED, Outcome.BLOCKED, Outcome.MISSING})
"""Outcomes of looks that a log tells."""

_FAILED = {Purpose.CAPTURE: "capture.failed", Purpose.LOOK: "look.failed"}

log = logger(__name__)


Work = Callable[[CaptureJob], Result]
"""What is done with an original; never raises."""


def make_due(
    runtime: Runtime,
    *,
    article: str | None,
    everything: bool,
    purpose: Purpose,
    failed: bool = False,
) -> str | None:
    """Make what a person asked for due now; return the one article's id if it is one.

    Raises NotFound for an unknown article, or one of which there is nothing to do.
    """
    if article is None and not everything and not failed:
        return None
    with runtime.database.transaction() as store:
        if failed:
            store.make_failed_due(now=runtime.now(), purpose=purpose)
            return None
        if article is None:
            store.make_due(None, now=runtime.now(), purpose=purpose)
            return None
        found = find_article(store, article)
        if not store.make_due(found.id, now=runtime.now(), purpose=purpose):
            raise NotFound(_NOTHING[purpose].format(found.seed))
        return found.id


_NOTHING = {
    Purpose.CAPTURE: "{} names no original URL, or it is being captured right now: "
    "add an `Original url:` line, or look at `feedsvc status`",
    Purpose.LOOK: "the original of {} is not archived yet, or being looked at right now: "
    "`feedsvc capture` archives it, `feedsvc status` tells more",
}


@dataclass
class Round:
    """Works on what is due until nothing is; this thread alone claims and writes rows."""

    runtime: Runtime
    purpose: Purpose
    verb: str
    """What progress calls it."""
    lease: str
    only: str | None
    limit: int | None
    stop: threading.Event
    attempts: list[Attempt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._settings = self.runtime.settings.archive
        self._claimed = 0
        self._unrecorded: set[str] = set()
        self._failed = 0
        self._size = 0

    def run(
        self, working: Callable[[int], AbstractContextManager[Work]], progress: Progress
    ) -> None:
        """Work until nothing is due that may be claimed now.

        ``working`` yields what is done, for about so many originals; nothing is due: not called.
        """
        with self.runtime.database.reading() as store:
            total = store.count_due(now=self.runtime.now(), purpose=self.purpose)
        if not total:
            return
        self._check_space()
        # The guard proves itself before the first fetch, in this thread.
        _ = self.runtime.capture_tools
        total = 1 if self.only else min(total, self.limit or total)
        with working(total) as work:
            crew = Crew(
                work,
                threads=min(self._settings.concurrency, total),
                per_host=self._settings.per_host,
            )
            try:
                self._loop(crew, progress, total)
            finally:
                crew.close()
                self._hand_back(crew.ended(wait=0))

    def _loop(self, crew: Crew[Result], progress: Progress, total: int) -> None:
        patience: float | None = None
        ended: list[tuple[CaptureJob, Result]] = []
        while True:
            if self.stop.is_set():
                crew.drop()
                self._turn(ended, wanted=0, busy=Counter())
                patience = patience or time.monotonic() + GRACE
                if time.monotonic() > patience:
                    # A silent server holds a thread for as long as the timeouts allow.
                    self.runtime.cut_connections()
            else:
                crew.add(self._turn(ended, wanted=self._wanted(crew), busy=crew.hosts()))
            progress(self.verb, len(self.attempts), total, self._detail(crew))
            if crew.idle:
                return
            ended = crew.ended(wait=0.5)

    def _detail(self, crew: Crew[Result]) -> str:
        return f"{self._failed} failed, {self._size / 1e6:.1f} MB, {crew.flying} in flight"

    def _check_space(self) -> None:
        free = self.runtime.archive.free()
        if free is not None and free < self._settings.min_free:
            raise OutOfSpace(
                f"{free / 1e6:.0f} MB are free at {self.runtime.archive.place()}, and captures stop "
                f"below archive.min_free ({self._settings.min_free / 1e6:.0f} MB); free some space"
            )

    def _wanted(self, crew: Crew[Result]) -> int:
        """Return how many rows to claim: some ahead, so that threads never wait for rows."""
        if crew.waiting >= self._settings.concurrency:
            return 0
        room = (1 + AHEAD) * self._settings.concurrency - crew.waiting - crew.flying
        if self.limit is not None:
            room = min(room, self.limit - self._claimed)
        return 0 if self.only is not None and self._claimed else max(room, 0)

    def _turn(
        self, ended: Sequence[tuple[CaptureJob, Result]], *, wanted: int, busy: Counter[str]
    ) -> list[CaptureJob]:
        """Record what ended and claim what comes next, in one transaction; return the claimed."""
        ended = [(job, result) for job, result in ended if result.attempt is not None]
        if not ended and not (wanted and self._is_any_due(busy)):
            return []
        if wanted:
            self._check_space()
        jobs: list[CaptureJob] = []
        with self.runtime.database.transaction() as store:
            written = record(
                store, ended, after=self._settings.recheck_after, now=self.runtime.now()
            )
            if wanted and not any(result.fatal for _, result in ended):
                jobs = self._claim(store, wanted, busy)
        self._claimed += len(jobs)
        self._unrecorded.update(job.article_id for job in jobs)
        self._unrecorded.difference_update(job.article_id for job, _ in ended)
        self._note(ended, written)
        return jobs

    def _is_any_due(self, busy: Counter[str]) -> bool:
        """Tell whether there is something to claim, without asking for the right to write."""
        with self.runtime.database.reading() as store:
            return bool(self._pick(store, 1, busy))

    def _claim(self, store: Store, wanted: int, busy: Counter[str]) -> list[CaptureJob]:
        """Lease rows, sparing hosts that are busy."""
        now = self.runtime.now()
        picked = self._pick(store, wanted, busy)
        until = now + timedelta(seconds=self._longest()) + _MARGIN
        return store.claim_captures(
            picked,
            now=now,
            lease=self.lease,
            until=until,
            purpose=self.purpose,
            worker=None if self.runtime.worker is None else self.lease,
        )

    def _longest(self) -> float:
        """Return in how many seconds everything that is claimed now has ended."""
        # Whoever waits longest is behind AHEAD others.
        return (2 + AHEAD) * self._settings.deadline

    def _pick(self, store: Store, wanted: int, busy: Counter[str]) -> list[str]:
        """Return what is due, the longest due first, at most so many ahead for each host."""
        if self.only is not None:
            return [self.only]
        busy, most = busy.copy(), (1 + AHEAD) * self._settings.per_host
        picked: dict[str, None] = {}
        for _ in range(_LOOKS):
            full = {host for host, count in busy.items() if count >= most}
            due = store.due_captures(
                now=self.runtime.now(),
                limit=wanted * 2,
                purpose=self.purpose,
                without_hosts=full,
            )
            for article_id, host in due:
                if len(picked) < wanted and busy[host] < most and article_id not in picked:
                    picked[article_id] = None
                    busy[host] += 1
            if len(picked) == wanted or len(due) < wanted * 2:
                break
        return list(picked)

    def _note(self, ended: Sequence[tuple[CaptureJob, Result]], written: Recorded) -> None:
        """Remove bytes that no row points to; log and count what ended."""
        self._remove(written.orphans)
        for attempt in written.attempts:
            self.attempts.append(attempt)
            self._size += attempt.size
            if attempt.article_id in written.lost:
                log.info(
                    "attempt.dropped",
                    url=attempt.url,
                    reason="somebody else took it over meanwhile",
                )
            elif attempt.outcome in FAILING:
                self._failed += 1
                log.warning(
                    _FAILED[self.purpose],
                    url=attempt.url,
                    outcome=str(attempt.outcome),
                    cause=attempt.cause,
                    next_try=attempt.next_at,
                )
            elif attempt.outcome in TOLD:
                log.info(
                    "original.seen",
                    url=attempt.url,
                    outcome=str(attempt.outcome),
                    cause=attempt.cause,
                )
        if failure := next((one.fatal for _, one in ended if one.fatal), None):
            raise failure

    def _remove(self, keys: Sequence[str]) -> None:
        """Remove bytes, unless they are recorded after all: by a commit nobody heard of."""
        if not keys:
            return
        with self.runtime.database.reading() as store:
            unknown = [key for key in keys if not store.has_key(key)]
        for key in unknown:
            self.runtime.archive.delete(key)

    def _hand_back(self, ended: Sequence[tuple[CaptureJob, Result]]) -> None:
        """Record what ended after all, hand back the rest."""
        with suppress(FeedsvcError):
            self._turn(ended, wanted=0, busy=Counter())
        if self._unrecorded:
            with suppress(FeedsvcError), self.runtime.database.transaction() as store:
                store.release_captures(self.lease, sorted(self._unrecorded))
