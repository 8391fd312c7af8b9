"""One capture, from its URL to bytes at rest; no transaction is open meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime

from feedsvc.capture.page import Capture, capture_page
from feedsvc.errors import (
    CaptureFailed,
    CaptureRefused,
    ConfigurationError,
    DatabaseAway,
    Disallowed,
    FeedsvcError,
    HostUnknown,
    OutOfSpace,
    Temporary,
)
from feedsvc.jobs.backoff import wait_before_next
from feedsvc.jobs.browse import seen_by_browser
from feedsvc.jobs.helper import Helper
from feedsvc.jobs.keep import Unseen, keep
from feedsvc.jobs.orders import order_for, snapshot_of
from feedsvc.jobs.originals import sighting_without_text
from feedsvc.jobs.texts import Texts, change_between, last_page
from feedsvc.logs import logger
from feedsvc.model import (
    Attempt,
    CaptureJob,
    Change,
    Judgement,
    Outcome,
    Payload,
    Purpose,
    Seen,
    Sighting,
    Snapshot,
    Verdict,
)
from feedsvc.runtime import Runtime
from feedsvc.tools import CaptureTools

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """How work on an original ended; without an attempt it was interrupted and counts for nothing."""

    attempt: Attempt | None
    snapshot: Snapshot | None = None
    payloads: tuple[Payload, ...] = ()
    fatal: FeedsvcError | None = None
    """Set where going on makes no sense: the disk is full, or the object store away."""
    host_unknown: bool = False
    """True: DNS says that there is no such host."""
    done: Purpose = Purpose.CAPTURE
    """What was done: a look at what is lost captures it again."""
    sighting: Sighting | None = None
    """How the original is; None if this found nothing out."""
    change: Change | None = None
    at_rest: tuple[Payload, ...] = ()
    """Payloads of other snapshots that this one refers to and that may have no row yet."""

    @property
    def counts(self) -> bool:
        """True if the snapshot is one of the article."""
        return self.snapshot is not None and self.snapshot.judgement.verdict is not Verdict.MISMATCH


@dataclass(frozen=True, slots=True)
class Timing:
    """When work on an original began, so that its attempt can tell how long it took."""

    runtime: Runtime
    job: CaptureJob
    started: datetime
    began: float

    @classmethod
    def start(cls, runtime: Runtime, job: CaptureJob) -> Timing:
        """Begin now."""
        return cls(runtime, job, runtime.now(), time.monotonic())

    @property
    def seconds(self) -> float:
        """Seconds since then."""
        return time.monotonic() - self.began

    def attempt(
        self,
        outcome: Outcome,
        cause: str,
        *,
        status: int | None = None,
        size: int = 0,
        retry_after: float | None = None,
        snapshot_id: str | None = None,
        cut_off: bool = False,
    ) -> Attempt:
        """Return the attempt that ends now, and when it is tried again if it is."""
        wait = wait_before_next(
            outcome,
            status=status,
            attempts=self.job.attempts,
            retry_after=retry_after,
            article_id=self.job.article_id,
            cut_off=cut_off,
        )
        return Attempt(
            article_id=self.job.article_id,
            url=self.job.url,
            started=self.started,
            seconds=self.seconds,
            outcome=outcome,
            cause=cause,
            status=status,
            size=size,
            next_at=None if wait is None else self.runtime.now() + wait,
            snapshot_id=snapshot_id,
        )


def attempted(timing: Timing, stop: threading.Event, work: Callable[[], Result]) -> Result:
    """Return what work results in; whatever it raises becomes an attempt with its cause."""
    job = timing.job
    try:
        return work()
    except Disallowed as error:
        attempt = timing.attempt(Outcome.REFUSED, str(error))
        return Result(attempt, done=job.purpose, sighting=Sighting(Seen.BLOCKED, cause=str(error)))
    except CaptureRefused as error:
        return Result(timing.attempt(Outcome.REFUSED, str(error)), done=job.purpose)
    except CaptureFailed as error:
        if stop.is_set():
            return Result(None)
        attempt = timing.attempt(Outcome.FAILED, str(error), retry_after=error.retry_after)
        if not isinstance(error, HostUnknown):
            return Result(attempt, done=job.purpose)
        missing = Sighting(Seen.MISSING, cause=str(error))
        return Result(attempt, host_unknown=True, done=job.purpose, sighting=missing)
    except DatabaseAway as error:
        # Says nothing about the original, and no attempt could be recorded: it is due as before.
        return Result(None, fatal=error, done=job.purpose)
    except (OutOfSpace, Temporary, ConfigurationError) as error:
        # Not the original's fault: whatever is captured next would not be kept either.
        return Result(timing.attempt(Outcome.FAILED, str(error)), fatal=error, done=job.purpose)
    except Exception as error:
        log.exception("capture.broke", url=job.url)
        cause = f"unexpected {type(error).__name__}: {error}; please report it with the log"
        return Result(timing.attempt(Outcome.FAILED, cause), done=job.purpose)


def capture_one(
    runtime: Runtime,
    tools: CaptureTools,
    job: CaptureJob,
    stop: threading.Event,
    *,
    texts: Texts,
    helper: Helper | None = None,
) -> Result:
    """Capture, judge and store one page; every failure becomes an attempt with its cause.

    ``helper`` is a process that takes judging and storing over, where it can; ``texts`` reads the
    pages of an original that was captured before.
    """
    timing = Timing.start(runtime, job)
    browser = runtime.settings.archive.browser if tools.browsers else "never"

    def work() -> Result:
        capture = capture_page(
            job.url,
            fetcher=tools.fetcher,
            robots=tools.robots,
            politeness=tools.politeness,
            limits=tools.limits,
            recent=tools.recent,
            stop=stop,
        )
        with closing(capture):
            try:
                return _keep(runtime, job, capture, timing, texts, helper, browser=browser)
            except Unseen as unseen:
                shown = seen_by_browser(
                    tools,
                    job,
                    capture,
                    unseen.judgement,
                    policy=browser,
                    stop=stop,
                    seconds=tools.limits.deadline - timing.seconds,
                )
            with closing(shown):
                return _keep(runtime, job, shown, timing, texts, helper)

    return replace(attempted(timing, stop, work), done=Purpose.CAPTURE)


def _keep(
    runtime: Runtime,
    job: CaptureJob,
    capture: Capture,
    timing: Timing,
    texts: Texts,
    helper: Helper | None,
    *,
    browser: str = "never",
) -> Result:
    """Judge a capture and put it at rest: bytes first, rows are the caller's."""
    robots = runtime.settings.archive.robots
    order = order_for(runtime, job, capture, robots=robots, browser=browser)
    kept = helper.keep(order) if helper else None
    if kept is None:
        kept = keep(order, runtime.archive)
    outcome = Outcome(kept.judgement.verdict.value)
    attempt = timing.attempt(
        outcome,
        "" if outcome is Outcome.VERIFIED else cause_of(kept.judgement),
        status=capture.status,
        size=capture.size,
        snapshot_id=order.snapshot_id,
        cut_off=order.is_cut_off,
    )
    snapshot = snapshot_of(
        order, kept, article_id=job.article_id, url=job.url, captured=capture.started
    )
    result = Result(attempt, snapshot, kept.payloads)
    change = None
    if result.counts and not order.is_cut_off and not job.is_first:
        change = _change(runtime, job, capture, snapshot, texts)
    return replace(result, sighting=_sighting(result, capture, change), change=change)


def _change(
    runtime: Runtime, job: CaptureJob, capture: Capture, snapshot: Snapshot, texts: Texts
) -> Change | None:
    """Return what changed since the page was captured before, if it was."""
    before = last_page(runtime, job.article_id, job.url)
    if before is None or before.is_same_as(capture.page[-1]):
        return None
    try:
        difference = texts.difference(before, capture)
    except CaptureFailed as error:
        log.info("change.unknown", url=job.url, reason=str(error))
        return None
    return change_between(before.snapshot, snapshot, difference) if difference.changed else None


def _sighting(result: Result, capture: Capture, change: Change | None) -> Sighting | None:
    """Return how the original is, as far as a capture of it tells."""
    assert result.snapshot is not None  # noqa: S101 - `_keep` made it
    judgement = result.snapshot.judgement
    seen: Seen | None = Seen.CHANGED if change else Seen.SAME
    if not result.counts:
        seen = sighting_without_text(capture.status, judgement)
    if seen is None:
        return None
    fine = seen in {Seen.SAME, Seen.CHANGED}
    cause = "" if fine else cause_of(judgement)
    return Sighting(seen, status=capture.status, cause=cause, final_url=capture.final_url)


def cause_of(judgement: Judgement) -> str:
    """Return what the judge says, as one sentence."""
    parts = [f"{judgement.likely}" if judgement.likely else "", judgement.evidence]
    return ": ".join(part for part in parts if part)
