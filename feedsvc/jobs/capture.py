"""Archive what is due: claim, fetch, judge, write, check, record."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from feedsvc.errors import FeedsvcError, NotFound, OutOfSpace
from feedsvc.jobs.archive import Result, capture_one
from feedsvc.jobs.crew import Crew
from feedsvc.jobs.helper import WORTH, Helper
from feedsvc.jobs.recover import holding_lease, recover
from feedsvc.jobs.running import recorded, silent
from feedsvc.jobs.sort import find_article
from feedsvc.logs import logger
from feedsvc.model import (
    Attempt,
    CaptureJob,
    CaptureReport,
    Outcome,
    Progress,
)
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store
from feedsvc.storage.store_captures import GOOD

GRACE = 3.0
"""Seconds in which captures under way may end by themselves once a stop is asked for."""
KEPT_MISMATCHES = 3
"""Snapshots of an article that do not count: the last ones are kept for inspection."""
AHEAD = 3
"""Captures claimed for each one under way, so that many rows go into one transaction."""
_LOOKS = 8
_MARGIN = timedelta(minutes=2)

log = logger(__name__)


def capture_due(
    runtime: Runtime,
    *,
    article: str | None = None,
    everything: bool = False,
    limit: int | None = None,
    progress: Progress = silent,
    stop: threading.Event | None = None,
) -> CaptureReport:
    """Archive the originals that are due, several at a time, and return how each attempt ended.

    ``article`` (id, seed or URL) or ``everything`` makes those due now. When ``stop`` is set,
    what is in flight is handed back. Raises OutOfSpace before the disk is full, NotFound for an
    unknown article or one without an original.
    """
    began = time.monotonic()
    with recorded(runtime, "capture") as run, holding_lease(runtime) as lease:
        recover(runtime)
        only = _make_due(runtime, article=article, everything=everything)
        captures = _Captures(runtime, lease, only, limit=limit, stop=stop or threading.Event())
        captures.run(progress)
        report = CaptureReport(
            attempts=tuple(captures.attempts),
            seconds=time.monotonic() - began,
            size=sum(one.size for one in captures.attempts),
        )
        run.note(report)
        run.summary |= {"archived": report.archived, "attempts": len(report.attempts)}
    return report


def _make_due(runtime: Runtime, *, article: str | None, everything: bool) -> str | None:
    """Make what a person asked for due now; return the one article's id if it is one."""
    if article is None and not everything:
        return None
    with runtime.database.transaction() as store:
        if article is None:
            store.make_due(None, now=runtime.now())
            return None
        found = find_article(store, article)
        if not store.make_due(found.id, now=runtime.now()):
            raise NotFound(
                f"{found.seed} names no original URL, or it is being captured right now: "
                "add an `Original url:` line, or look at `feedsvc status`"
            )
        return found.id


@dataclass
class _Captures:
    """One run: threads that fetch, and one thread, this one, that claims and writes rows."""

    runtime: Runtime
    lease: str
    only: str | None
    limit: int | None
    stop: threading.Event
    attempts: list[Attempt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._settings = self.runtime.settings.archive
        self._claimed = 0
        self._failed = 0
        self._size = 0

    def run(self, progress: Progress) -> None:
        """Capture until nothing is due that may be claimed now."""
        with self.runtime.database.reading() as store:
            total = store.count_due(now=self.runtime.now())
        if not total:
            return
        self._check_space()
        # The guard proves itself before the first fetch, in this thread.
        _ = self.runtime.capture_tools
        total = 1 if self.only else min(total, self.limit or total)
        with _helper(self.runtime, total) as helper:
            crew = Crew(
                lambda job: self._capture(job, helper),
                threads=min(self._settings.concurrency, total),
                per_host=self._settings.per_host,
            )
            try:
                self._loop(crew, progress, total)
            finally:
                crew.close()
                self._hand_back(crew.ended(wait=0))

    def _capture(self, job: CaptureJob, helper: Helper | None) -> Result:
        tools = self.runtime.capture_tools
        return capture_one(self.runtime, tools, job, self.stop, helper=helper)

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
            progress("capturing", len(self.attempts), total, self._detail(crew))
            if crew.idle:
                return
            ended = crew.ended(wait=0.5)

    def _detail(self, crew: Crew[Result]) -> str:
        return f"{self._failed} failed, {self._size / 1e6:.1f} MB, {crew.flying} in flight"

    def _check_space(self) -> None:
        free = self.runtime.archive.free()
        if free < self._settings.min_free:
            raise OutOfSpace(
                f"{free / 1e6:.0f} MB are free at {self.runtime.archive.folder}, and captures stop "
                f"below archive.min_free ({self._settings.min_free / 1e6:.0f} MB); free some space"
            )

    def _wanted(self, crew: Crew[Result]) -> int:
        """Return how many captures to claim: some ahead, so that threads never wait for rows."""
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
            orphans = _record(store, ended)
            if wanted and not any(result.fatal for _, result in ended):
                jobs = self._claim(store, wanted, busy)
        self._claimed += len(jobs)
        self._note(ended, orphans)
        return jobs

    def _is_any_due(self, busy: Counter[str]) -> bool:
        """Tell whether there is something to claim, without asking for the right to write."""
        with self.runtime.database.reading() as store:
            return bool(self._pick(store, 1, busy))

    def _claim(self, store: Store, wanted: int, busy: Counter[str]) -> list[CaptureJob]:
        """Lease captures, sparing hosts that are busy."""
        now = self.runtime.now()
        picked = self._pick(store, wanted, busy)
        # Whoever waits longest is behind AHEAD others.
        until = now + timedelta(seconds=(2 + AHEAD) * self._settings.deadline) + _MARGIN
        return store.claim_captures(picked, now=now, lease=self.lease, until=until)

    def _pick(self, store: Store, wanted: int, busy: Counter[str]) -> list[str]:
        """Return what is due, the longest due first, at most so many ahead for each host."""
        if self.only is not None:
            return [self.only]
        busy, most = busy.copy(), (1 + AHEAD) * self._settings.per_host
        picked: dict[str, None] = {}
        for _ in range(_LOOKS):
            full = {host for host, count in busy.items() if count >= most}
            due = store.due_captures(now=self.runtime.now(), limit=wanted * 2, without_hosts=full)
            for article_id, host in due:
                if len(picked) < wanted and busy[host] < most and article_id not in picked:
                    picked[article_id] = None
                    busy[host] += 1
            if len(picked) == wanted or len(due) < wanted * 2:
                break
        return list(picked)

    def _note(self, ended: Sequence[tuple[CaptureJob, Result]], orphans: Iterable[str]) -> None:
        """Remove bytes that no row points to; log and count what ended."""
        for key in orphans:
            self.runtime.archive.delete(key)
        for job, result in ended:
            attempt = result.attempt
            assert attempt is not None  # noqa: S101 - `_turn` filters
            self.attempts.append(attempt)
            self._size += attempt.size
            if attempt.outcome not in GOOD:
                self._failed += 1
                log.warning(
                    "capture.failed",
                    url=job.url,
                    outcome=str(attempt.outcome),
                    cause=attempt.cause,
                    next_try=attempt.next_at,
                )
        if failure := next((one.fatal for _, one in ended if one.fatal), None):
            raise failure

    def _hand_back(self, ended: Sequence[tuple[CaptureJob, Result]]) -> None:
        """Record what ended after all, hand back the rest."""
        with suppress(FeedsvcError):
            self._turn(ended, wanted=0, busy=Counter())
        with suppress(FeedsvcError), self.runtime.database.transaction() as store:
            store.release_captures(self.lease)


def _helper(runtime: Runtime, total: int) -> AbstractContextManager[Helper | None]:
    """Start a helper process if that pays."""
    if total < WORTH or (os.cpu_count() or 1) < 2:
        return nullcontext()
    return closing(Helper(runtime.archive))


def _record(store: Store, ended: Sequence[tuple[CaptureJob, Result]]) -> list[str]:
    """Record results under their leases; return the keys of bytes that are to go."""
    if not ended:
        return []
    held = store.finish_captures(
        [(job, result.attempt) for job, result in ended if result.attempt is not None]
    )
    kept = [
        (result, result.snapshot)
        for job, result in ended
        if result.snapshot is not None and job.article_id in held
    ]
    store.add_snapshots(
        (snapshot, result.payloads if result.counts else ()) for result, snapshot in kept
    )
    if good := [snapshot.article_id for result, snapshot in kept if result.counts]:
        store.mark_articles_dirty(good)
    old = [
        snapshot
        for result, mismatch in kept
        if not result.counts
        for snapshot in store.mismatches(mismatch.article_id)[KEPT_MISMATCHES:]
    ]
    store.drop_snapshots([one.id for one in old])
    lost = (
        result.snapshot.key
        for job, result in ended
        if result.snapshot is not None and job.article_id not in held
    )
    return [*lost, *(one.key for one in old)]


def outcomes(report: CaptureReport) -> dict[Outcome, int]:
    """Return how many attempts ended in which way."""
    return {one: report.count(one) for one in Outcome if report.count(one)}
