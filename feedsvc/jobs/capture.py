"""Archive what is due: claim, fetch, judge, write, check, record."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from feedsvc.errors import FeedsvcError, NotFound, OutOfSpace
from feedsvc.jobs.archive import Result, capture_one
from feedsvc.jobs.recover import new_lease, recover
from feedsvc.jobs.running import recorded, silent
from feedsvc.jobs.sort import find_article
from feedsvc.logs import logger
from feedsvc.model import (
    Attempt,
    CaptureJob,
    CaptureReport,
    Outcome,
    Progress,
    Snapshot,
)
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store
from feedsvc.storage.store_captures import GOOD
from feedsvc.urls import host_of

GRACE = 3.0
"""Seconds in which captures under way may end by themselves once a stop is asked for."""
KEPT_MISMATCHES = 3
"""Snapshots of an article that do not count: the last ones are kept for inspection."""
_LOOK_AHEAD = 16
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
    with recorded(runtime, "capture") as run:
        recover(runtime)
        only = _make_due(runtime, article=article, everything=everything)
        captures = _Captures(runtime, only, limit=limit, stop=stop or threading.Event())
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
    """One run: a pool of threads that fetch, and one thread, this one, that writes rows."""

    runtime: Runtime
    only: str | None
    limit: int | None
    stop: threading.Event
    attempts: list[Attempt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._settings = self.runtime.settings.archive
        self._lease = new_lease()
        self._flying: dict[Future[Result], CaptureJob] = {}
        self._claimed = 0

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
        pool = ThreadPoolExecutor(self._settings.concurrency, thread_name_prefix="capture")
        try:
            self._loop(pool, progress, total)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            self._hand_back()

    def _loop(self, pool: ThreadPoolExecutor, progress: Progress, total: int) -> None:
        patience: float | None = None
        while True:
            if self.stop.is_set():
                patience = patience or time.monotonic() + GRACE
                if time.monotonic() > patience:
                    # A silent server holds a thread for as long as the timeouts allow.
                    self.runtime.cut_connections()
            else:
                for job in self._claim():
                    tools = self.runtime.capture_tools
                    future = pool.submit(capture_one, self.runtime, tools, job, self.stop)
                    self._flying[future] = job
            progress("capturing", len(self.attempts), total, self._detail())
            if not self._flying:
                return
            done, _ = wait(self._flying, timeout=0.5, return_when=FIRST_COMPLETED)
            self._record([(self._flying.pop(one), one.result()) for one in done])

    def _detail(self) -> str:
        failed = sum(one.outcome not in GOOD for one in self.attempts)
        size = sum(one.size for one in self.attempts)
        return f"{failed} failed, {size / 1e6:.1f} MB, {len(self._flying)} in flight"

    def _check_space(self) -> None:
        free = self.runtime.archive.free()
        if free < self._settings.min_free:
            raise OutOfSpace(
                f"{free / 1e6:.0f} MB are free at {self.runtime.archive.folder}, and captures stop "
                f"below archive.min_free ({self._settings.min_free / 1e6:.0f} MB); free some space"
            )

    def _claim(self) -> list[CaptureJob]:
        """Lease as many due captures as threads are free, sparing hosts that are busy."""
        room = self._settings.concurrency - len(self._flying)
        if self.limit is not None:
            room = min(room, self.limit - self._claimed)
        if room <= 0 or (self.only is not None and self._claimed):
            return []
        now = self.runtime.now()
        wanted = [self.only] if self.only is not None else self._pick(room)
        if not wanted:
            return []
        self._check_space()
        until = now + timedelta(seconds=2 * self._settings.deadline) + _MARGIN
        with self.runtime.database.transaction() as store:
            jobs = store.claim_captures(wanted, now=now, lease=self._lease, until=until)
        self._claimed += len(jobs)
        return jobs

    def _pick(self, room: int) -> list[str]:
        busy = Counter(host_of(job.url) for job in self._flying.values())
        full = {host for host, count in busy.items() if count >= self._settings.per_host}
        with self.runtime.database.reading() as store:
            due = store.due_captures(
                now=self.runtime.now(), limit=room * _LOOK_AHEAD, without_hosts=full
            )
        picked: list[str] = []
        for article_id, host in due:
            if len(picked) < room and busy[host] < self._settings.per_host:
                picked.append(article_id)
                busy[host] += 1
        return picked

    def _record(self, done: Iterable[tuple[CaptureJob, Result]]) -> None:
        """Record results in one transaction; then remove bytes that no row points to."""
        ended = [(job, result) for job, result in done if result.attempt is not None]
        if not ended:
            return
        orphans: list[str] = []
        with self.runtime.database.transaction() as store:
            good: list[str] = []
            for job, result in ended:
                orphans += _record_one(store, job, result)
                if result.snapshot is not None and result.counts:
                    good.append(job.article_id)
            if good:
                store.mark_articles_dirty(good)
        for key in orphans:
            self.runtime.archive.delete(key)
        for job, result in ended:
            assert result.attempt is not None  # noqa: S101 - filtered above
            self.attempts.append(result.attempt)
            if result.attempt.outcome not in GOOD:
                log.warning(
                    "capture.failed",
                    url=job.url,
                    outcome=str(result.attempt.outcome),
                    cause=result.attempt.cause,
                    next_try=result.attempt.next_at,
                )
        if failure := next((one.fatal for _, one in ended if one.fatal), None):
            raise failure

    def _hand_back(self) -> None:
        """Record what ended after all, hand back the rest."""
        finished = [(job, one) for one, job in self._flying.items() if one.done()]
        with suppress(FeedsvcError):
            self._record([(job, one.result()) for job, one in finished if not one.cancelled()])
        with suppress(FeedsvcError), self.runtime.database.transaction() as store:
            store.release_captures(self._lease)


def _record_one(store: Store, job: CaptureJob, result: Result) -> list[str]:
    """Record a result under its lease; return the keys of bytes that are to go."""
    assert result.attempt is not None  # noqa: S101 - callers filter
    if not store.finish_capture(job, result.attempt):
        return [result.snapshot.key] if result.snapshot else []
    if result.snapshot is None:
        return []
    store.add_snapshot(result.snapshot, result.payloads if result.counts else ())
    if result.counts:
        return []
    old: list[Snapshot] = store.mismatches(job.article_id)[KEPT_MISMATCHES:]
    store.drop_snapshots([one.id for one in old])
    return [one.key for one in old]


def outcomes(report: CaptureReport) -> dict[Outcome, int]:
    """Return how many attempts ended in which way."""
    return {one: report.count(one) for one in Outcome if report.count(one)}
