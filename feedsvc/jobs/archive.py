"""One capture, from its URL to bytes at rest; no transaction is open meanwhile."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from io import BufferedRandom

from feedsvc.capture.judge import judge
from feedsvc.capture.page import Capture, capture_page
from feedsvc.capture.warc import write_warc
from feedsvc.capture.warc_check import check_warc
from feedsvc.errors import CaptureFailed, CaptureRefused, FeedsvcError, OutOfSpace
from feedsvc.jobs.backoff import wait_before_next
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
    runtime: Runtime, tools: CaptureTools, job: CaptureJob, stop: threading.Event
) -> Result:
    """Capture, judge and store one page; every failure becomes an attempt with its cause."""
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
            return _keep(runtime, job, capture, timing)
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
    ) -> Attempt:
        """Return the attempt that ends now, and when the next one is due."""
        wait = wait_before_next(
            outcome,
            status=status,
            attempts=self.job.attempts,
            retry_after=retry_after,
            article_id=self.job.article_id,
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


def _keep(runtime: Runtime, job: CaptureJob, capture: Capture, timing: _Timing) -> Result:
    """Judge a capture and put it at rest: bytes first, rows are the caller's."""
    judgement = judge(
        job.title,
        job.text,
        capture.body,
        content_type=capture.content_type,
        status=capture.status,
    )
    snapshot, payloads = _store(runtime, job, capture, judgement)
    outcome = Outcome(judgement.verdict.value)
    attempt = timing.attempt(
        outcome,
        "" if outcome is Outcome.VERIFIED else _cause(judgement),
        status=capture.status,
        size=capture.size,
        snapshot_id=snapshot.id,
    )
    return Result(attempt, snapshot, payloads)


def _cause(judgement: Judgement) -> str:
    parts = [f"{judgement.likely}" if judgement.likely else "", judgement.evidence]
    return ": ".join(part for part in parts if part)


def _store(
    runtime: Runtime, job: CaptureJob, capture: Capture, judgement: Judgement
) -> tuple[Snapshot, tuple[Payload, ...]]:
    exchanges = [*capture.page, *capture.requisites]
    with runtime.database.reading() as store:
        known = store.known_payloads({one.sha1 for one in exchanges})
    id_ = snapshot_id(capture.started, os.urandom(10))
    key = f"{capture.started:%Y/%m}/{id_}.warc.gz"
    with runtime.archive.writing(key) as file:
        written = write_warc(
            capture,
            file,
            snapshot_id=id_,
            known=known,
            judgement=judgement,
            software=SOFTWARE,
            now=runtime.now(),
            robots=runtime.settings.archive.robots,
        )
        size, sha256 = _checked(file)
    snapshot = Snapshot(
        id=id_,
        article_id=job.article_id,
        url=job.url,
        final_url=capture.final_url,
        captured=capture.started,
        status=capture.status,
        judgement=judgement,
        key=key,
        size=size,
        sha256=sha256,
        records=written.records,
        requisites=len(capture.requisites),
        missing=len(capture.missing),
    )
    return snapshot, written.payloads


def _checked(file: BufferedRandom) -> tuple[int, str]:
    """Read back what was written; return its size and SHA-256. Raises CaptureFailed."""
    file.seek(0)
    found = check_warc(file)
    if found.problems:
        raise CaptureFailed(f"the snapshot could not be read back: {found.problems[0]}")
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    return file.seek(0, os.SEEK_END), digest


def snapshot_id(moment: datetime, randomness: bytes) -> str:
    """Return a UUIDv7 (RFC 9562 §5.7): ids sort by time, and two never meet."""
    milliseconds = int(moment.timestamp() * 1000) & ((1 << 48) - 1)
    value = (milliseconds << 80) | int.from_bytes(randomness[:10])
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return str(uuid.UUID(int=value))
