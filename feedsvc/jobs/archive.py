"""One capture, from its URL to bytes at rest; no transaction is open meanwhile."""

from __future__ import annotations

import os
import threading
import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from feedsvc.capture.page import Capture, capture_page
from feedsvc.errors import CaptureFailed, CaptureRefused, FeedsvcError, NotFound, OutOfSpace
from feedsvc.jobs.backoff import wait_before_next
from feedsvc.jobs.helper import Helper
from feedsvc.jobs.keep import Kept, Order, keep
from feedsvc.logs import logger
from feedsvc.model import (
    Attempt,
    CaptureJob,
    Judgement,
    Outcome,
    Payload,
    Snapshot,
    Verdict,
)
from feedsvc.runtime import SOFTWARE, CaptureTools, Runtime

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """How a capture ended; without an attempt it was interrupted and counts for nothing."""

    attempt: Attempt | None
    snapshot: Snapshot | None = None
    payloads: tuple[Payload, ...] = ()
    fatal: FeedsvcError | None = None
    """Set where going on makes no sense: the disk is full."""

    @property
    def counts(self) -> bool:
        """True if the snapshot is one of the article."""
        return self.snapshot is not None and self.snapshot.judgement.verdict is not Verdict.MISMATCH


def capture_one(
    runtime: Runtime,
    tools: CaptureTools,
    job: CaptureJob,
    stop: threading.Event,
    *,
    helper: Helper | None = None,
) -> Result:
    """Capture, judge and store one page; every failure becomes an attempt with its cause.

    ``helper`` is a process that takes judging and storing over, where it can.
    """
    began = time.monotonic()
    started = runtime.now()
    timing = _Timing(runtime, job, started, began)
    try:
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
            return _keep(runtime, job, capture, timing, helper)
    except CaptureRefused as error:
        return Result(timing.attempt(Outcome.REFUSED, str(error)))
    except CaptureFailed as error:
        if stop.is_set():
            return Result(None)
        return Result(timing.attempt(Outcome.FAILED, str(error), retry_after=error.retry_after))
    except OutOfSpace as error:
        return Result(timing.attempt(Outcome.FAILED, str(error)), fatal=error)
    except Exception as error:
        log.exception("capture.broke", url=job.url)
        cause = f"unexpected {type(error).__name__}: {error}; please report it with the log"
        return Result(timing.attempt(Outcome.FAILED, cause))


@dataclass(frozen=True, slots=True)
class _Timing:
    runtime: Runtime
    job: CaptureJob
    started: datetime
    began: float

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
        """Return the attempt that ends now, and when the next one is due."""
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
            seconds=time.monotonic() - self.began,
            outcome=outcome,
            cause=cause,
            status=status,
            size=size,
            next_at=None if wait is None else self.runtime.now() + wait,
            snapshot_id=snapshot_id,
        )


def _keep(
    runtime: Runtime, job: CaptureJob, capture: Capture, timing: _Timing, helper: Helper | None
) -> Result:
    """Judge a capture and put it at rest: bytes first, rows are the caller's."""
    order = _order(runtime, job, capture)
    kept = helper.keep(order) if helper else None
    if kept is None:
        kept = keep(order, runtime.archive)
    outcome = Outcome(kept.judgement.verdict.value)
    attempt = timing.attempt(
        outcome,
        "" if outcome is Outcome.VERIFIED else _cause(kept.judgement),
        status=capture.status,
        size=capture.size,
        snapshot_id=order.snapshot_id,
        cut_off=order.is_cut_off,
    )
    return Result(attempt, _snapshot(job, capture, order, kept), kept.payloads)


def _cause(judgement: Judgement) -> str:
    parts = [f"{judgement.likely}" if judgement.likely else "", judgement.evidence]
    return ": ".join(part for part in parts if part)


def payloads_at_rest(runtime: Runtime, digests: set[str]) -> dict[str, Payload]:
    """Return payloads at rest that a revisit record may point to: their files are still there."""
    with runtime.database.reading() as store:
        known = store.known_payloads(digests)
        places = store.places({one.snapshot_id for one in known.values()})
    whole = {id_ for id_, (key, size) in places.items() if _is_at_rest(runtime, key, size)}
    return {digest: one for digest, one in known.items() if one.snapshot_id in whole}


def _is_at_rest(runtime: Runtime, key: str, size: int) -> bool:
    try:
        return runtime.archive.size(key) == size
    except NotFound:
        return False


def _order(runtime: Runtime, job: CaptureJob, capture: Capture) -> Order:
    """Gather what judging and writing a capture takes."""
    known = payloads_at_rest(runtime, {one.sha1 for one in [*capture.page, *capture.requisites]})
    id_ = snapshot_id(capture.started, os.urandom(10))
    return Order(
        snapshot_id=id_,
        key=f"{capture.started:%Y/%m}/{id_}.warc.gz",
        title=job.title,
        text=job.text,
        url=capture.url,
        final_url=capture.final_url,
        status=capture.status,
        seconds=capture.seconds,
        content_type=capture.content_type,
        body=capture.body,
        page=capture.page,
        requisites=capture.requisites,
        missing=capture.missing,
        known=known,
        robots=runtime.settings.archive.robots,
        software=SOFTWARE,
        now=runtime.now(),
    )


def _snapshot(job: CaptureJob, capture: Capture, order: Order, kept: Kept) -> Snapshot:
    return Snapshot(
        id=order.snapshot_id,
        article_id=job.article_id,
        url=job.url,
        final_url=capture.final_url,
        captured=capture.started,
        status=capture.status,
        judgement=kept.judgement,
        key=order.key,
        size=kept.size,
        sha256=kept.sha256,
        records=kept.records,
        requisites=len(capture.requisites),
        missing=len(capture.missing),
        refers=tuple(sorted({one.snapshot_id for one in order.known.values()})),
    )


def snapshot_id(moment: datetime, randomness: bytes) -> str:
    """Return a UUIDv7 (RFC 9562 §5.7): ids sort by time, and two never meet."""
    milliseconds = int(moment.timestamp() * 1000) & ((1 << 48) - 1)
    value = (milliseconds << 80) | int.from_bytes(randomness[:10])
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return str(uuid.UUID(int=value))
