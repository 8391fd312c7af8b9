"""The requests of one page in a browser, performed by our own client and kept for the archive.

The browser decides what it wants, and nothing else: guard, robots.txt, politeness and every limit
are those of any capture.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from feedsvc.capture.browser_protocol import METHODS, Ask, Pairs
from feedsvc.capture.causes import shown
from feedsvc.capture.decode import decoded
from feedsvc.capture.exchange import Exchange
from feedsvc.capture.http import Asked, Fetcher, own_headers
from feedsvc.capture.polite import Politeness
from feedsvc.capture.recent import RecentRequisites
from feedsvc.capture.retry import retry_after
from feedsvc.capture.robots import Robots
from feedsvc.capture.visit import MAX_HOLD, REDIRECTS, UNSAID_PAUSE, Limits, media_type
from feedsvc.errors import CaptureError, CaptureFailed, CaptureRefused, OutOfSpace

MAX_FULFILLED = 10 << 20
"""Bytes that are handed to the browser, which takes them in slower and slower; larger ones are
archived only."""
MAX_BODY = 10 << 20
"""Bytes of a request's body."""
_YOUNG = 4.0
"""Seconds after which a request that has no answer yet is no reason to wait: a long poll."""
# Headers of the connection, and those that make a browser ask somebody of its own accord.
_NOT_HANDED_ON = frozenset(
    {
        *("alt-svc", "connection", "content-encoding", "content-length", "keep-alive", "nel"),
        *("report-to", "reporting-endpoints", "transfer-encoding", "upgrade", "speculation-rules"),
    }
)
_SHARED = frozenset({"Image", "Script", "Stylesheet"})
_SHOWN_KINDS = ("text/", "image/", "video/", "audio/")
_SHOWN = frozenset({"", "application/xhtml+xml", "application/xml", "application/json"})


@dataclass(frozen=True, slots=True)
class PageLimits:
    """How much of the web one page may use."""

    seconds: float = 240.0
    """For all of it, apart from waiting for a browser."""
    requests: int = 500
    request_seconds: float = 15.0
    """For one answer."""
    navigations: int = 10
    """Documents that the page is replaced by, redirects apart."""
    parallel: int = 8
    scroll_seconds: float = 10.0
    read_seconds: float = 5.0
    """For each of text, markup and pictures."""
    quiet: float = 0.5
    """Seconds without a request or an answer after which nothing more is expected."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the browser is told."""

    status: int
    headers: Pairs
    body: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the browser is told instead of an answer, in DevTools' words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Means:
    """What requests are made with; shared by all captures."""

    fetcher: Fetcher
    robots: Robots
    politeness: Politeness
    limits: Limits
    recent: RecentRequisites


_NOTHING = Answer(204, (), b"")
"""The one answer that leaves a page where it is, and that stops an EventSource."""


@dataclass(slots=True)
class Requests:
    """Performs and remembers; ``perform`` is called by several threads."""

    means: Means
    page_limits: PageLimits
    stop: threading.Event
    deadline: float
    """On the monotonic clock."""
    page: list[Exchange] = field(default_factory=list)
    """The page's own documents, every hop."""
    requisites: list[Exchange] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    size: int = 0
    failure: CaptureError | None = None
    """Why the page itself could not be had."""
    fatal: OutOfSpace | None = None
    _count: int = 0
    _begun: dict[int, float | None] = field(default_factory=dict)
    """When each open request was begun; None: it waits for its turn."""
    _last: float = field(default_factory=time.monotonic)
    _streams: set[str] = field(default_factory=set)
    _closed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, ask: Ask) -> None:
        """Note that a request is open."""
        with self._lock:
            self._begun[ask.number] = None

    def over(self, number: int) -> None:
        """Note that a request is answered, or no longer wanted."""
        with self._lock:
            self._begun.pop(number, None)
            self._last = time.monotonic()

    def is_quiet(self) -> bool:
        """Tell whether nothing was asked or answered lately, and no answer is to be expected."""
        now = time.monotonic()
        with self._lock:
            if any(begun is None or now - begun < _YOUNG for begun in self._begun.values()):
                return False
            return now - self._last >= self.page_limits.quiet

    def is_held_up(self) -> bool:
        """Tell whether a request waits for its host to have a turn for it."""
        with self._lock:
            return None in self._begun.values()

    def perform(self, ask: Ask) -> Answer | Refusal:
        """Make a request and return what to tell the browser; never raises."""
        failure: CaptureError
        try:
            return self._perform(ask)
        except (CaptureFailed, CaptureRefused) as error:
            failure = error
        except OutOfSpace as error:
            self.fatal = error
            return Refusal("Failed")
        except Exception as error:  # noqa: BLE001 - whatever it is, the browser must be answered
            failure = CaptureFailed(f"unexpected {type(error).__name__}: {error}")
        self._note(ask, failure)
        if ask.main and self.documents():
            # A page that cannot go where it wants to stays; an error page would take its place.
            return _NOTHING
        return Refusal("BlockedByClient" if isinstance(failure, CaptureRefused) else "Failed")

    def documents(self) -> int:
        """Return how many documents the page was so far."""
        return sum(one.status not in REDIRECTS for one in self.page)

    def visited(self) -> tuple[list[Exchange], list[Exchange]]:
        """Return the hops up to the document that is shown, and everything else."""
        last = max(
            (place for place, one in enumerate(self.page) if one.status not in REDIRECTS),
            default=-1,
        )
        return self.page[: last + 1], [*self.page[last + 1 :], *self.requisites]

    def close(self) -> None:
        """Take no more; what is under way is thrown away when it comes."""
        with self._lock:
            self._closed = True

    def throw_away(self) -> None:
        """Close what was kept."""
        self.close()
        for one in (*self.page, *self.requisites):
            one.close()

    # --- one request --------------------------------------------------------------------

    def _perform(self, ask: Ask) -> Answer | Refusal:
        if ask.url in self._streams:
            return _NOTHING
        if ask.main and self.documents() >= self.page_limits.navigations:
            return _NOTHING
        exchange = self._fetched(ask)
        body = exchange if exchange.truncated is None else None
        if _is_stream(exchange):
            self._streams.add(ask.url)
            body = exchange
        shown_there = ask.kind != "Document" or _is_page(exchange)
        # Read before it is kept: from then on it may be closed by whoever keeps it.
        data = _handed_on(exchange) if body is not None and shown_there else None
        self._keep(exchange, is_page=ask.main and shown_there)
        if not shown_there:
            return _NOTHING
        if data is None:
            why = "cut off" if body is None else "too large for the browser, or broken"
            raise CaptureFailed(f"{shown(ask.url)}: {why}")
        return Answer(exchange.status, _without_our_own(exchange), data)

    def _fetched(self, ask: Ask) -> Exchange:
        self._check(ask)
        asked = Asked(ask.method, ask.url, own_headers(ask.headers), ask.body)
        if (
            ask.kind in _SHARED
            and ask.method == "GET"
            and not {name.lower() for name, _ in asked.headers} & {"cookie", "origin"}
        ):
            # What another page needed moments ago, and what this one asked for without a browser.
            found = self.means.recent.get_or_fetch(ask.url, lambda: self._fetch(ask, asked))
            with self._lock:
                self._begun[ask.number] = time.monotonic()
            return found.exchange
        return self._fetch(ask, asked)

    def _check(self, ask: Ask) -> None:
        with self._lock:
            self._count += 1
            many = self._count > self.page_limits.requests
        if many:
            raise CaptureFailed(f"more than {self.page_limits.requests} requests")
        if ask.method not in METHODS:
            raise CaptureRefused(f"{shown(ask.url)}: {ask.method} is not done for a page")
        if len(ask.body) > MAX_BODY:
            raise CaptureRefused(f"{shown(ask.url)}: it sends more than {MAX_BODY} bytes")
        if not self.means.robots.allowed(ask.url):
            raise CaptureRefused(f"{shown(ask.url)}: the site's robots.txt does not allow it")

    def _fetch(self, ask: Ask, asked: Asked) -> Exchange:
        """Make the request once its host may be asked."""
        politeness, limits = self.means.politeness, self.means.limits
        held = politeness.held(ask.url)
        if held > MAX_HOLD:
            raise CaptureFailed(
                f"{shown(ask.url)}: the server wants no request for another {held:.0f} s",
                retry_after=held,
            )
        delay = self.means.robots.delay(ask.url)
        left = max(0.0, self.deadline - time.monotonic())
        with politeness.slot(ask.url, wait=left, delay=delay, stop=self.stop) as send_by:
            room = limits.max_total - self.size
            left = self.deadline - time.monotonic()
            if self.stop.is_set() or self._closed or left <= 0 or room <= 0:
                raise CaptureFailed(f"{shown(ask.url)}: the page has used up its time or its bytes")
            with self._lock:
                self._begun[ask.number] = time.monotonic()
            exchange = self.means.fetcher.perform(
                asked,
                max_size=min(limits.max_page if ask.main else limits.max_total, room),
                deadline=min(left, self.page_limits.request_seconds),
                send_by=send_by,
            )
        try:
            self._count_in(exchange)
            self._respect(exchange)
        except CaptureFailed:
            exchange.close()
            raise
        return exchange

    def _count_in(self, exchange: Exchange) -> None:
        with self._lock:
            # Several came at a time, and each had as much room.
            if self.size + exchange.size > self.means.limits.max_total:
                raise CaptureFailed(f"{shown(exchange.url)}: the page has used up its bytes")
            self.size += exchange.size

    def _respect(self, exchange: Exchange) -> None:
        """Hold the host back if it wants a pause, and give this request up."""
        if exchange.status not in {429, 503}:
            return
        wanted = retry_after(exchange, exchange.started)
        if wanted is None and exchange.status == 503:
            return
        pause = UNSAID_PAUSE if wanted is None else wanted
        self.means.politeness.hold(exchange.url, pause)
        reason = f"the server answered {exchange.status} and wants no request for {pause:.0f} s"
        raise CaptureFailed(f"{shown(exchange.url)}: {reason}", retry_after=pause)

    def _keep(self, exchange: Exchange, *, is_page: bool) -> None:
        with self._lock:
            if not self._closed:
                (self.page if is_page else self.requisites).append(exchange)
                return
        exchange.close()
        raise CaptureFailed("the page is closed")

    def _note(self, ask: Ask, error: CaptureError) -> None:
        with self._lock:
            if self._closed:
                return
            self.missing.setdefault(ask.url, str(error))
            if ask.main:
                self.failure = error


def _handed_on(exchange: Exchange) -> bytes | None:
    """Return the body as the browser gets it, None if it is too large for it or broken."""
    if exchange.size > MAX_FULFILLED:
        return None
    try:
        data = decoded(exchange, limit=MAX_FULFILLED + 1)
    except CaptureFailed:
        return None
    return data if len(data) <= MAX_FULFILLED else None


def _without_our_own(exchange: Exchange) -> Pairs:
    return tuple(pair for pair in exchange.headers if pair[0].lower() not in _NOT_HANDED_ON)


def _is_stream(exchange: Exchange) -> bool:
    return _media_type(exchange) == "text/event-stream"


def _is_page(exchange: Exchange) -> bool:
    """Tell whether a browser would show a document, and not save it."""
    if exchange.status in REDIRECTS or exchange.status in {204, 205}:
        return True
    disposition = (exchange.header("content-disposition") or "").strip().lower()
    kind = _media_type(exchange)
    return not disposition.startswith("attachment") and (
        kind in _SHOWN or kind.startswith(_SHOWN_KINDS)
    )


def _media_type(exchange: Exchange) -> str:
    return media_type(exchange.header("content-type") or "")
