"""One look at an original that is archived: is it still there, and does it say the same?"""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass, replace

from feedsvc.capture.browser import BrowserCapture
from feedsvc.capture.compare import MainText
from feedsvc.capture.decode import breaks_off
from feedsvc.capture.exchange import Headers
from feedsvc.capture.judge import judge
from feedsvc.capture.page import Capture, capture_page
from feedsvc.capture.titles import is_called
from feedsvc.capture.warc import IDENTICAL, NOT_MODIFIED, Unchanged
from feedsvc.errors import CaptureFailed
from feedsvc.jobs.archive import Result, Timing, attempted, capture_one, cause_of
from feedsvc.jobs.browse import browser_capture
from feedsvc.jobs.keep import BROKEN, Order, Repeat, keep, of_a_part
from feedsvc.jobs.orders import order_for, snapshot_of
from feedsvc.jobs.originals import OUTCOMES, WALLS, sighting_without_text
from feedsvc.jobs.texts import LastPage, Texts, change_between, last_page
from feedsvc.model import (
    CaptureJob,
    Difference,
    Judgement,
    Likely,
    Outcome,
    Payload,
    Purpose,
    Seen,
    Sighting,
    Verdict,
)
from feedsvc.runtime import Runtime
from feedsvc.tools import CaptureTools
from feedsvc.urls import InvalidURL, surt

TELLING = 200
"""Letters of a page's text from which on another page can be told to have come from it."""
HEADLINE = 20
"""Letters of a headline that no other page of a site has."""
LESS = 0.1
"""By so much less of the article than before a page with a wall has to show, to be blocked."""


def look_one(
    runtime: Runtime,
    tools: CaptureTools,
    job: CaptureJob,
    stop: threading.Event,
    *,
    texts: Texts,
) -> Result:
    """Look at one original; every failure becomes an attempt with its cause.

    What it is compared with is the last page captured of it. If that is lost or damaged, the
    original is captured again instead.
    """
    before = last_page(runtime, job.article_id, job.url)
    if before is None:
        return capture_one(runtime, tools, job, stop, texts=texts)
    look = _Look(runtime, tools, job, stop, texts, before, before.conditions(job.url))
    result = attempted(look.timing, stop, look.run)
    if result.attempt is None or result.sighting is None:
        return result
    if result.attempt.outcome in {Outcome.UNCHANGED, OUTCOMES[result.sighting.seen]}:
        return result
    # A name that is gone and a robots.txt that forbids it are answers here, not failures.
    outcome = OUTCOMES[result.sighting.seen]
    return replace(result, attempt=replace(result.attempt, outcome=outcome, next_at=None))


@dataclass(frozen=True, slots=True)
class _Finding:
    """What a page that came says about its original."""

    sighting: Sighting | None
    """None: nothing, and it is tried again."""
    cause: str = ""
    profile: str = ""
    """Set for an unchanged page: how that is known."""
    difference: Difference | None = None
    """Set for a page that is kept because its text changed."""


@dataclass
class _Look:
    runtime: Runtime
    tools: CaptureTools
    job: CaptureJob
    stop: threading.Event
    texts: Texts
    before: LastPage
    conditions: dict[str, Headers]

    def __post_init__(self) -> None:
        self.timing = Timing.start(self.runtime, self.job)
        self._finding = _Finding(None)

    def run(self) -> Result:
        """Fetch the page, and what it needs only if its text changed."""
        capture = self._by_browser() or capture_page(
            self.job.url,
            fetcher=self.tools.fetcher,
            robots=self.tools.robots,
            politeness=self.tools.politeness,
            limits=self.tools.limits,
            recent=self.tools.recent,
            stop=self.stop,
            conditions=self.conditions,
            wanted=self._is_wanted,
        )
        with closing(capture):
            if self._finding.profile:
                return self._unchanged(capture)
            if self._finding.difference is not None:
                return self._changed(capture, self._finding.difference)
        return self._told(capture)

    def _by_browser(self) -> Capture | None:
        """Return the page as a browser shows it, where one showed the last; None elsewhere."""
        browsers = self.tools.browsers
        if browsers is None or not self.before.is_rendered:
            return None
        seconds = self.tools.limits.deadline - self.timing.seconds
        capture = browser_capture(
            self.tools, browsers, self.job.url, stop=self.stop, seconds=seconds
        )
        try:
            self._is_wanted(capture)
        except BaseException:
            capture.close()
            raise
        return capture

    def _is_wanted(self, capture: Capture) -> bool:
        """Find out about a page; tell whether it is to be kept with its requisites."""
        self._finding = self._find(capture)
        return self._finding.difference is not None

    # --- what it is -------------------------------------------------------------------------

    def _find(self, capture: Capture) -> _Finding:
        page = capture.page[-1]
        if page.status == 304:
            if page.url in self.conditions and self.before.payload() is not None:
                return _Finding(self._seen(Seen.SAME, capture), profile=NOT_MODIFIED)
            return _Finding(None, "the server answered 304 to a request without conditions")
        if self.before.is_same_as(page) and self.before.payload() is not None:
            return _Finding(self._seen(self._here(capture), capture), profile=IDENTICAL)
        if page.truncated in BROKEN or breaks_off(page):
            return _Finding(None, "the page was cut off")
        judgement = self._judged(capture)
        if judgement.verdict is not Verdict.MISMATCH:
            return self._compared(capture, judgement)
        return self._without_article(capture, judgement)

    def _judged(self, capture: Capture) -> Judgement:
        found = judge(
            self.job.title,
            self.job.text,
            capture.body,
            content_type=capture.content_type,
            status=capture.status,
            url=capture.url,
            final_url=capture.final_url,
            visible=capture.rendered.text if isinstance(capture, BrowserCapture) else None,
        )
        return of_a_part(found, capture.page[-1].truncated)

    def _compared(self, capture: Capture, judgement: Judgement) -> _Finding:
        """Compare a page that shows the article with the last one that did."""
        here = self._here(capture)
        try:
            difference = self.texts.difference(self.before, capture)
        except CaptureFailed as error:
            # The judge has found the article, so that it is there.
            return _Finding(self._seen(here, capture), f"not compared: {error}")
        if not difference.changed:
            return _Finding(self._seen(here, capture))
        least = self.before.snapshot.judgement.share - LESS
        if judgement.likely in WALLS and judgement.share < least:
            return self._kept_out(capture, judgement)
        return _Finding(self._seen(Seen.CHANGED, capture), difference=difference)

    def _without_article(self, capture: Capture, judgement: Judgement) -> _Finding:
        """Look whether a page that is not the article any more has at least come from it."""
        difference = self._descent(capture, judgement) if 200 <= capture.status < 300 else None
        if difference is not None:
            if judgement.likely in WALLS:
                return self._kept_out(capture, judgement)
            if difference.changed:
                return _Finding(self._seen(Seen.CHANGED, capture), difference=difference)
            return _Finding(self._seen(self._here(capture), capture))
        seen = sighting_without_text(capture.status, judgement)
        cause = cause_of(judgement)
        if seen is None:
            return _Finding(None, cause)
        there = judgement.likely is not Likely.NOT_FOUND and 200 <= capture.status < 300
        if seen is Seen.MISSING and there and self._here(capture) is Seen.ELSEWHERE:
            seen = Seen.ELSEWHERE
        return _Finding(self._seen(seen, capture, cause), cause)

    def _descent(self, capture: Capture, judgement: Judgement) -> Difference | None:
        """Return the difference to the last page if enough of its text is still there.

        Or, where the judge finds another article, its headline: one that was written anew.
        """
        try:
            last = self.texts.of_last(self.before)
            text = "\n\n".join(last.paragraphs)
            if len(text) < TELLING:
                return None
            kinship = judge(
                last.title or self.job.title,
                text,
                capture.body,
                content_type=capture.content_type,
                status=capture.status,
            )
            kin = kinship.verdict is not Verdict.MISMATCH
            other = judgement.likely is Likely.OTHER
            if not kin and not (other and self._is_written_anew(last, capture)):
                return None
            return self.texts.difference(self.before, capture)
        except CaptureFailed:
            return None

    def _is_written_anew(self, last: MainText, capture: Capture) -> bool:
        """Tell whether a page has the article's headline still, at its address, over a text."""
        if self._here(capture) is not Seen.SAME or len(last.title) < HEADLINE:
            return False
        now = self.texts.of(capture)
        names = [now.title]
        same = is_called(last.title, names) and is_called(self.job.title, names)
        return same and sum(map(len, now.paragraphs)) >= TELLING

    def _kept_out(self, capture: Capture, judgement: Judgement) -> _Finding:
        cause = cause_of(judgement)
        return _Finding(self._seen(Seen.BLOCKED, capture, cause), cause)

    def _here(self, capture: Capture) -> Seen:
        """Tell whether the page is where it was, in the sense in which captures are found."""
        try:
            same = surt(capture.final_url) == surt(self.before.snapshot.final_url)
        except InvalidURL:
            same = False
        return Seen.SAME if same else Seen.ELSEWHERE

    def _seen(self, seen: Seen, capture: Capture, cause: str = "") -> Sighting:
        if seen is Seen.ELSEWHERE and not cause:
            cause = f"its address leads to {capture.final_url} now"
        status = self.before.record.status if capture.status == 304 else capture.status
        return Sighting(seen, status=status, cause=cause, final_url=capture.final_url)

    # --- what becomes of it -----------------------------------------------------------------

    def _unchanged(self, capture: Capture) -> Result:
        """Put a small record at rest that says when the page was found unchanged."""
        last, sighting = self.before.snapshot, self._finding.sighting
        payload, at_rest = self._repeated()
        order = order_for(
            self.runtime,
            self.job,
            capture,
            robots=self.runtime.settings.archive.robots,
            provenance=[("repeats", last.id)],
            repeats=Repeat(last.id, last.judgement, Unchanged(payload, self._finding.profile)),
        )
        result = self._kept(capture, order, Outcome.UNCHANGED)
        return replace(result, sighting=sighting, at_rest=at_rest)

    def _repeated(self) -> tuple[Payload, tuple[Payload, ...]]:
        """Return what a revisit refers to, and what has to be known for others to resolve it.

        That is the last page's own record, or, where that is a revisit too, the one with the
        payload, if it is of this article: then both go and are handed on together.
        """
        own = self.before.payload()
        assert own is not None  # noqa: S101 - `_find` looked
        if not self.before.record.revisit:
            return own, (own,)
        with self.runtime.database.reading() as store:
            holder = store.known_payloads([own.digest]).get(own.digest)
            there = store.snapshot(holder.snapshot_id) if holder else None
        if holder is None or there is None or there.article_id != self.job.article_id:
            return own, ()
        return (holder, ()) if holder.url == own.url else (own, ())

    def _changed(self, capture: Capture, difference: Difference) -> Result:
        """Keep the page as it is now, and what changed."""
        robots = self.runtime.settings.archive.robots
        order = order_for(self.runtime, self.job, capture, robots=robots)
        result = self._kept(capture, order, Outcome.CHANGED)
        assert result.snapshot is not None  # noqa: S101 - `_kept` made it
        change = change_between(self.before.snapshot, result.snapshot, difference)
        return replace(result, sighting=self._finding.sighting, change=change)

    def _kept(self, capture: Capture, order: Order, outcome: Outcome) -> Result:
        kept = keep(order, self.runtime.archive)
        snapshot = snapshot_of(
            order,
            kept,
            article_id=self.job.article_id,
            url=self.job.url,
            captured=capture.started,
        )
        attempt = self.timing.attempt(
            outcome,
            self._finding.cause,
            status=capture.status,
            size=capture.size,
            snapshot_id=snapshot.id,
        )
        return Result(attempt, snapshot, kept.payloads, done=Purpose.LOOK)

    def _told(self, capture: Capture) -> Result:
        """Keep nothing: the last good snapshot stands."""
        finding = self._finding
        if finding.sighting is not None:
            outcome = OUTCOMES[finding.sighting.seen]
            cause = finding.cause or finding.sighting.cause
        else:
            outcome = Outcome.MISMATCH if 200 <= capture.status < 300 else Outcome.FAILED
            cause = finding.cause
        attempt = self.timing.attempt(outcome, cause, status=capture.status, size=capture.size)
        return Result(attempt, done=Purpose.LOOK, sighting=finding.sighting)
