"""Archive what is due: claim, fetch, judge, write, check, record."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext

from feedsvc.jobs.archive import Result, capture_one
from feedsvc.jobs.fallback import rescue
from feedsvc.jobs.helper import WORTH, Helper
from feedsvc.jobs.recover import holding_lease, recover
from feedsvc.jobs.rounds import Round, Work, make_due
from feedsvc.jobs.running import recorded, silent
from feedsvc.jobs.texts import Texts
from feedsvc.model import CaptureJob, CaptureReport, Progress, Purpose
from feedsvc.runtime import Runtime


def capture_due(
    runtime: Runtime,
    *,
    article: str | None = None,
    everything: bool = False,
    failed: bool = False,
    limit: int | None = None,
    progress: Progress = silent,
    stop: threading.Event | None = None,
) -> CaptureReport:
    """Archive the originals that are due, several at a time, and return how each attempt ended.

    ``article`` (id, seed or URL) or ``everything`` makes those due now, archived ones too;
    ``failed`` those whose last try left no snapshot that counts. When ``stop`` is set, what is in
    flight is handed back. Raises OutOfSpace before the disk is full, NotFound for an unknown
    article or one without an original.
    """
    began, stop = time.monotonic(), stop or threading.Event()
    with recorded(runtime, "capture") as run, holding_lease(runtime) as lease:
        recover(runtime)
        only = make_due(
            runtime, article=article, everything=everything, failed=failed, purpose=Purpose.CAPTURE
        )
        captures = Round(runtime, Purpose.CAPTURE, "capturing", lease, only, limit, stop)
        captures.run(lambda total: _working(runtime, total, stop), progress)
        report = CaptureReport(
            attempts=tuple(captures.attempts),
            seconds=time.monotonic() - began,
            size=sum(one.size for one in captures.attempts),
        )
        run.note(report)
        run.summary |= {"archived": report.archived, "attempts": len(report.attempts)}
    return report


@contextmanager
def _working(runtime: Runtime, total: int, stop: threading.Event) -> Iterator[Work]:
    """Yield what captures an original; processes that it starts end with it."""
    with _helper(runtime, total) as helper, closing(Texts()) as texts:
        yield capturing(runtime, stop, texts=texts, helper=helper)


def capturing(
    runtime: Runtime, stop: threading.Event, *, texts: Texts, helper: Helper | None
) -> Work:
    """Return what captures an original, or asks other archives for it."""

    def work(job: CaptureJob) -> Result:
        tools = runtime.capture_tools
        result = capture_one(runtime, tools, job, stop, texts=texts, helper=helper)
        return rescue(runtime, tools, job, result, stop)

    return work


def _helper(runtime: Runtime, total: int) -> AbstractContextManager[Helper | None]:
    """Start a helper process if that pays."""
    if total < WORTH or (os.cpu_count() or 1) < 2:
        return nullcontext()
    return closing(Helper(runtime.archive))
