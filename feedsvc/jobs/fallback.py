"""Originals that were gone before they could be captured: what other archives have of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from feedsvc.capture.timegate import TimeGate
from feedsvc.errors import (
    CaptureError,
    CaptureFailed,
    ConfigurationError,
    DatabaseAway,
    OutOfSpace,
    Temporary,
)
from feedsvc.jobs.archive import Result
from feedsvc.jobs.attach import Attached, attach
from feedsvc.logs import logger
from feedsvc.model import Article, Attempt, CaptureJob, Likely, Outcome, Snapshot
from feedsvc.runtime import Runtime
from feedsvc.text import shorten
from feedsvc.tools import CaptureTools
from feedsvc.urls import host_of

GONE = frozenset({404, 410})
ASKED = "other archives were asked"
"""Stands in the cause of every attempt that asked them: that is how it is remembered."""
FIRST_WAIT = timedelta(days=1)
"""Between the first two times that archives are asked for an article; it doubles after that."""
LONGEST_WAIT = timedelta(days=30)
_REMEMBERED = 50

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking."""

    attached: Attached | None
    causes: tuple[str, ...]
    """Why the archives asked in vain had nothing, one sentence each."""


def rescue(
    runtime: Runtime,
    tools: CaptureTools,
    job: CaptureJob,
    result: Result,
    stop: threading.Event,
) -> Result:
    """Return what other archives have of an original that a capture found gone, else the same result.

    They are asked only where the settings name some, the article has no snapshot that counts, and
    the last time they were asked is long enough ago. What counts replaces what the capture left.
    Never raises.
    """
    attempt = result.attempt
    if attempt is None or not runtime.settings.archive.fallbacks or not is_gone(result):
        return result
    try:
        asked = ask_archives(runtime, tools, job, stop=stop)
    except DatabaseAway as error:
        return Result(None, fatal=error)
    except (OutOfSpace, Temporary, ConfigurationError) as error:
        return replace(result, fatal=error)
    except Exception:
        log.exception("archive.broke", url=job.url)
        return result
    if asked is None or (asked.attached is None and stop.is_set()):
        return result
    if asked.attached is None:
        cause = f"{attempt.cause}; {ASKED}: {'; '.join(asked.causes)}"
        return replace(result, attempt=replace(attempt, cause=cause))
    if result.snapshot is not None:
        runtime.archive.delete(result.snapshot.key)
    return _rescued(result, attempt, asked.attached)


def is_gone(result: Result) -> bool:
    """Tell whether a capture left nothing because the original is not there any more."""
    if result.counts or result.attempt is None:
        return False
    if result.snapshot is None:
        return result.host_unknown
    likely = result.snapshot.judgement.likely
    return result.attempt.status in GONE or likely is Likely.NOT_FOUND


def ask_archives(
    runtime: Runtime, tools: CaptureTools, job: CaptureJob, *, stop: threading.Event
) -> Asked | None:
    """Ask the archives of the settings, in their order, for the memento nearest to the article's date.

    The first one that shows the article is at rest then, and its rows are the caller's, who holds
    a lease. None where nobody is to be asked (now). OutOfSpace passes through.
    """
    with runtime.database.reading() as store:
        article = store.article(job.article_id)
        archived = store.good_snapshots([job.article_id])
        before = store.attempts_at(job.article_id, limit=_REMEMBERED)
    if article is None or archived or not _is_time(before, runtime.now()):
        return None
    causes: list[str] = []
    for address in runtime.settings.archive.fallbacks:
        if stop.is_set():
            break
        try:
            return Asked(_ask(runtime, tools, article, job.url, address, stop), tuple(causes))
        except CaptureError as error:
            log.info("archive.asked", timegate=address, url=job.url, cause=str(error))
            causes.append(shorten(str(error), 300))
    return Asked(None, tuple(causes))


def _ask(
    runtime: Runtime,
    tools: CaptureTools,
    article: Article,
    url: str,
    address: str,
    stop: threading.Event,
) -> Attached:
    """Put one archive's capture at rest; raise CaptureError unless it shows the article."""
    gate = TimeGate(
        address,
        moment=article.published,
        now=runtime.now(),
        fetcher=tools.fetcher,
        politeness=tools.politeness,
        stop=stop,
    )
    with closing(gate.capture(url, limits=tools.limits)) as capture:
        place = gate.memento or address
        attached = attach(
            runtime,
            article,
            capture,
            robots="",
            provenance=_provenance(address, place, capture.started, runtime.now()),
            source=place,
        )
    if not attached.counts:
        runtime.archive.delete(attached.snapshot.key)
        judgement = attached.snapshot.judgement
        raise CaptureFailed(
            f"{host_of(place)}: what it has is not the article: {judgement.evidence}"
        )
    return attached


def _provenance(
    timegate: str, memento: str, captured: datetime, fetched: datetime
) -> Iterator[tuple[str, str]]:
    """Say in the snapshot itself where it comes from."""
    yield "archive", host_of(memento)
    yield "timegate", timegate
    yield "memento", memento
    yield "mementoDatetime", f"{captured:%Y-%m-%dT%H:%M:%SZ}"
    yield "fetched", f"{fetched:%Y-%m-%dT%H:%M:%SZ}"


def _rescued(result: Result, attempt: Attempt, attached: Attached) -> Result:
    snapshot = attached.snapshot
    return replace(
        result,
        attempt=replace(
            attempt,
            outcome=Outcome(snapshot.judgement.verdict.value),
            cause=f"{attempt.cause}; {ASKED}: {_origin(snapshot)}",
            next_at=None,
            snapshot_id=snapshot.id,
        ),
        snapshot=snapshot,
        payloads=attached.payloads,
    )


def _origin(snapshot: Snapshot) -> str:
    return f"this is from {host_of(snapshot.source or '')}, captured {snapshot.captured:%Y-%m-%d}"


def _is_time(before: list[Attempt], now: datetime) -> bool:
    """Tell whether archives may be asked (again)."""
    asked = [one.started for one in before if ASKED in one.cause]
    if not asked:
        return True
    wait: timedelta = min(FIRST_WAIT * 2 ** min(len(asked) - 1, 10), LONGEST_WAIT)
    return now >= max(asked) + wait
