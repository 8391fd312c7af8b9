"""Web addresses → seeds that a person can edit, each with the snapshot made on the way."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import timedelta

from feedsvc.capture.extract import Extractor
from feedsvc.capture.page import Capture, capture_page
from feedsvc.errors import CaptureError, FeedsvcError, SeedRejected, Temporary
from feedsvc.ingest.place import seed_name
from feedsvc.ingest.seed import parse_seed
from feedsvc.ingest.write import write_seed
from feedsvc.jobs.attach import Attached, attach
from feedsvc.jobs.ingest import ingest_seeds
from feedsvc.jobs.record import archived
from feedsvc.jobs.recover import holding_lease
from feedsvc.jobs.removal import ARCHIVE_LOCK
from feedsvc.jobs.running import recorded, silent
from feedsvc.jobs.sources import SeedSource, seed_sources
from feedsvc.logs import logger
from feedsvc.model import (
    Addition,
    AddReport,
    Article,
    Attempt,
    Outcome,
    Progress,
    SeedDraft,
    SeedState,
    Taken,
    Verdict,
)
from feedsvc.runtime import Runtime
from feedsvc.urls import InvalidURL, absolute, article_id, normalise

AHEAD = 2
"""Pages fetched for each one that is written, so that servers are waited for together."""
_LEASE = timedelta(minutes=10)

log = logger(__name__)


def add_urls(
    runtime: Runtime,
    urls: Sequence[str],
    *,
    dry_run: bool = False,
    progress: Progress = silent,
    stop: threading.Event | None = None,
) -> AddReport:
    """Capture pages, write each one's article as a new seed, and load it with its snapshot.

    Addresses that articles have already, in any spelling, are told and not added; one that fails
    never stops the others. ``dry_run`` fetches and extracts, but writes nothing.
    """
    began = time.monotonic()
    with recorded(runtime, "add") as run, ExitStack() as stack:
        work = _Adding(
            runtime,
            stack.enter_context(Extractor()),
            stop or threading.Event(),
            dry_run=dry_run,
        )
        additions = tuple(work.run(urls, progress))
        report = AddReport(additions, time.monotonic() - began)
        run.note(report)
        run.summary |= {str(one): report.count(one) for one in Taken}
    return report


@dataclass
class _Adding:
    runtime: Runtime
    extractor: Extractor
    stop: threading.Event
    dry_run: bool
    taken: dict[str, str] = field(default_factory=dict)
    """URL key → the seed that has it, of this run."""

    def run(self, urls: Sequence[str], progress: Progress) -> Iterator[Addition]:
        """Fetch several pages at a time and take them one after the other, in order."""
        threads = self.runtime.settings.archive.concurrency
        waiting: deque[tuple[str, Future[Capture] | Addition]] = deque()
        left = iter(urls)
        done = 0
        pool = ThreadPoolExecutor(threads, thread_name_prefix="add")
        try:
            while not self.stop.is_set():
                while len(waiting) < AHEAD * threads and (url := next(left, None)) is not None:
                    waiting.append((url, self._begin(pool, url)))
                if not waiting:
                    break
                progress("adding", done, len(urls))
                url, begun = waiting.popleft()
                yield begun if isinstance(begun, Addition) else self._end(url, begun)
                done += 1
            progress("adding", done, len(urls))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            for _, begun in waiting:
                _discard(begun)

    def _begin(self, pool: ThreadPoolExecutor, url: str) -> Future[Capture] | Addition:
        """Start fetching a page, unless its address alone tells what becomes of it."""
        try:
            wanted = absolute(url)
        except InvalidURL as error:
            return Addition(url, Taken.FAILED, cause=f"not an address of a page: {error}")
        return self._known(url, [wanted]) or pool.submit(self._fetch, wanted)

    def _fetch(self, url: str) -> Capture:
        tools = self.runtime.capture_tools
        return capture_page(
            url,
            fetcher=tools.fetcher,
            robots=tools.robots,
            politeness=tools.politeness,
            limits=tools.limits,
            recent=tools.recent,
            stop=self.stop,
        )

    def _end(self, url: str, begun: Future[Capture]) -> Addition:
        try:
            with closing(begun.result()) as capture:
                return self._take(url, capture)
        except (CaptureError, SeedRejected) as error:
            return Addition(url, Taken.FAILED, cause=str(error))
        except FeedsvcError:
            raise
        except Exception as error:
            log.exception("add.broke", url=url)
            cause = f"unexpected {type(error).__name__}: {error}; please report it with the log"
            return Addition(url, Taken.FAILED, cause=cause)

    def _take(self, url: str, capture: Capture) -> Addition:
        """Make a seed of a captured page."""
        draft = self.extractor.extract(
            capture.body,
            url=capture.final_url,
            content_type=capture.content_type,
            status=capture.status,
        )
        addresses = [one for one in (draft.url, capture.final_url, capture.url) if one]
        if known := self._known(url, addresses):
            return known
        text = write_seed(draft)
        parse_seed("draft.md", text.encode())
        if self.dry_run:
            seed = self._name(draft)
            self.taken |= {normalise(one): seed for one in addresses}
            return Addition(url, Taken.NEW, title=draft.title, seed=seed, text=text)
        return self._write(url, draft, text, capture, addresses)

    def _known(self, url: str, addresses: Sequence[str]) -> Addition | None:
        """Tell that an address is an article's already, or must not come back."""
        keys = [normalise(one) for one in addresses]
        here = next((self.taken[key] for key in keys if key in self.taken), None)
        if here is not None:
            return Addition(url, Taken.DUPLICATE, seed=here, cause=f"{here} has that address")
        ids = [article_id(one, seed="") for one in addresses]
        with self.runtime.database.reading() as store:
            stored = store.identities(url_keys=keys)
            gone = store.forgotten(ids=ids, url_keys=keys)
        for one in stored:
            if one.withdrawn is None:
                cause = f"{one.seed} has that address: {one.title}"
                return Addition(
                    url, Taken.DUPLICATE, one.title, one.seed, article_id=one.id, cause=cause
                )
        if gone:
            id_ = next(iter(gone.values()))
            cause = f"it was forgotten; `feedsvc forget --undo {id_}` lets it come back"
            return Addition(url, Taken.FAILED, article_id=id_, cause=cause)
        return None

    def _source(self) -> SeedSource:
        return next(iter(seed_sources(self.runtime).values()))

    def _name(self, draft: SeedDraft) -> str:
        return f"{self._source().name}/{seed_name(draft.url or '', draft.title)}.md"

    def _write(
        self, url: str, draft: SeedDraft, text: str, capture: Capture, addresses: Sequence[str]
    ) -> Addition:
        source = self._source()
        stem = seed_name(draft.url or capture.final_url, draft.title)
        seed = f"{source.name}/{source.keep(stem, text.encode(), suffix='.md')}"
        self.taken |= {normalise(one): seed for one in addresses}
        ingest_seeds(self.runtime, names=[seed])
        with self.runtime.database.reading() as store:
            record = store.seed_records([seed]).get(seed)
            article = store.article(record.article_id) if record and record.article_id else None
        if record is None or record.state is not SeedState.LOADED or article is None:
            reason = record.reason if record else "it could not be read yet"
            return Addition(url, Taken.FAILED, draft.title, seed, cause=f"{seed}: {reason}")
        verdict, cause = self._attach(article, capture)
        return Addition(
            url,
            Taken.ADDED,
            title=draft.title,
            seed=seed,
            article_id=article.id,
            verdict=verdict,
            cause=cause,
        )

    def _attach(self, article: Article, capture: Capture) -> tuple[Verdict | None, str]:
        """Keep the capture as the article's first snapshot, if the judge finds the article in it."""
        began = time.monotonic()
        robots = self.runtime.settings.archive.robots
        try:
            with holding_lease(self.runtime) as lease, self.runtime.lock(ARCHIVE_LOCK):
                found = attach(self.runtime, article, capture, robots=robots)
                if not found.counts:
                    self.runtime.archive.delete(found.snapshot.key)
                    return None, found.snapshot.judgement.evidence
                seconds = time.monotonic() - began
                self._record(article, capture, found, lease=lease, seconds=seconds)
        except (CaptureError, Temporary) as error:
            return None, str(error)
        return found.snapshot.judgement.verdict, ""

    def _record(
        self, article: Article, capture: Capture, found: Attached, *, lease: str, seconds: float
    ) -> None:
        """Record the snapshot; its capture is done, unless somebody else is at it already."""
        now = self.runtime.now()
        attempt = Attempt(
            article_id=article.id,
            url=capture.url,
            started=capture.started,
            seconds=capture.seconds + seconds,
            outcome=Outcome(found.snapshot.judgement.verdict.value),
            cause="",
            status=capture.status,
            size=capture.size,
            snapshot_id=found.snapshot.id,
        )
        with self.runtime.database.transaction() as store:
            jobs = store.claim_captures([article.id], now=now, lease=lease, until=now + _LEASE)
            after = self.runtime.settings.archive.recheck_after
            for job in jobs:
                store.finish_capture(job, attempt, archived(job, attempt, after=after))
            found.record(store)


def _discard(begun: Future[Capture] | Addition) -> None:
    """Give back what was fetched and is not wanted any more."""
    if isinstance(begun, Future) and not begun.cancelled() and begun.exception() is None:
        begun.result().close()
