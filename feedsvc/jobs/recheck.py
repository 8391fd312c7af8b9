"""Look at originals again that are archived: are they still there, do they say the same?"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime

from feedsvc.jobs.archive import Result
from feedsvc.jobs.look import look_one
from feedsvc.jobs.originals import wait_before_look
from feedsvc.jobs.recover import holding_lease, recover
from feedsvc.jobs.rounds import Round, Work, make_due
from feedsvc.jobs.running import recorded, silent
from feedsvc.jobs.texts import Texts
from feedsvc.model import CaptureJob, Outcome, Progress, Purpose, RecheckReport
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store

BATCH = 1000
"""Looks that are woken at a time."""


def recheck_due(
    runtime: Runtime,
    *,
    article: str | None = None,
    everything: bool = False,
    failed: bool = False,
    limit: int | None = None,
    progress: Progress = silent,
    stop: threading.Event | None = None,
) -> RecheckReport:
    """Look at the originals that are due for it, several at a time; return how each look ended.

    ``article`` (id, seed or URL) or ``everything`` looks at those now,
    ``failed`` at those whose last look found out nothing. Without a schedule
    (`archive.recheck_after`) nothing is ever due by itself. When ``stop`` is set, what is in
    flight is handed back. Raises OutOfSpace, and NotFound for an unknown article or one that is
    not archived.
    """
    began, stop = time.monotonic(), stop or threading.Event()
    by_hand = everything or failed or article is not None
    with recorded(runtime, "recheck") as run, holding_lease(runtime) as lease:
        recover(runtime)
        only = make_due(
            runtime, article=article, everything=everything, failed=failed, purpose=Purpose.LOOK
        )
        looks = Round(runtime, Purpose.LOOK, "looking", lease, only, limit, stop)
        if by_hand or runtime.settings.archive.recheck_after:
            _wake(runtime)
            looks.run(lambda _total: _working(runtime, stop), progress)
        report = RecheckReport(
            attempts=tuple(looks.attempts),
            seconds=time.monotonic() - began,
            size=sum(one.size for one in looks.attempts),
        )
        run.note(report)
        run.summary |= {str(one): report.count(one) for one in Outcome if report.count(one)}
    return report


@contextmanager
def _working(runtime: Runtime, stop: threading.Event) -> Iterator[Work]:
    """Yield what looks at an original; the process that reads texts ends with it."""
    with closing(Texts()) as texts:
        yield looking(runtime, stop, texts=texts)


def looking(runtime: Runtime, stop: threading.Event, *, texts: Texts) -> Work:
    """Return what looks at an original."""

    def work(job: CaptureJob) -> Result:
        return look_one(runtime, runtime.capture_tools, job, stop, texts=texts)

    return work


def _wake(runtime: Runtime) -> None:
    """Schedule the looks of what was archived while there was no schedule."""
    while True:
        with runtime.database.reading() as store:
            due = sleeping_looks(runtime, store)
        if not due:
            return
        with runtime.database.transaction() as store:
            store.wake_looks(due)


def sleeping_looks(runtime: Runtime, store: Store) -> list[tuple[str, datetime]]:
    """Return some looks that no schedule was made for yet, and when they are to be."""
    after, now = runtime.settings.archive.recheck_after, runtime.now()
    if not after:
        return []
    return [
        (id_, now + wait)
        for id_, step in store.sleeping_looks(limit=BATCH)
        if (wait := wait_before_look(step, after=after, article_id=id_)) is not None
    ]
