"""A page as it is now: every hop that leads to it, its body, and what it needs to look right."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Executor, wait
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from urllib.parse import quote, urlsplit

from feedsvc.capture.causes import shown
from feedsvc.capture.decode import decoded
from feedsvc.capture.exchange import Exchange
from feedsvc.capture.http import Fetcher
from feedsvc.capture.polite import Politeness
from feedsvc.capture.recent import Recalled, RecentRequisites
from feedsvc.capture.requisites import Links, charset_of, page_links, stylesheet_links
from feedsvc.capture.retry import retry_after
from feedsvc.capture.robots import Robots
from feedsvc.errors import CaptureFailed, CaptureRefused
from feedsvc.references import resolve

__all__ = ["Capture", "Limits", "RecentRequisites", "capture_page"]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REFRESH = 5.0
"""Seconds of a meta refresh up to which it is a redirect; a later one is a page that reloads."""
MAX_DEPTH = 3
"""Stylesheets that import stylesheets."""
MAX_CSS = 2 << 20
MAX_HOLD = 5.0
"""Seconds a capture waits for a host that asked for a pause; for longer ones it is put off."""
UNSAID_PAUSE = 60.0
"""Seconds a host is left alone that answers 429 without saying for how long."""
MAX_FETCH = 120.0
"""Seconds for one answer, whatever time the capture still has."""
MAX_BODY = 8 << 20
"""Bytes of a page of text that are looked at; the archive holds all of it."""
MAX_OTHER = 64 << 10
"""Bytes of anything else that are looked at."""
_ASCII = "".join(map(chr, range(128)))
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_LOOKS_HTML = re.compile(
    rb"\s*(?:<!--|<!doctype html|<html|<head|<body|<title|<meta)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a page is captured."""

    max_redirects: int = 10
    max_page: int = 20 << 20
    """Bytes of the page's body, as it comes."""
    max_total: int = 100 << 20
    """Bytes of everything, as it comes."""
    max_requisites: int = 200
    max_requisite_redirects: int = 5
    deadline: float = 120.0
    """Seconds for all of it."""


@dataclass(slots=True)
class Capture:
    """A page and its requisites in memory and temporary files; close it."""

    url: str
    final_url: str
    status: int
    started: datetime
    seconds: float
    page: list[Exchange]
    """Every hop; the last one is the page itself."""
    requisites: list[Exchange]
    missing: list[tuple[str, str]]
    """URL and cause of every requisite that was not had."""
    body: bytes
    """The page, content codings undone, capped."""
    content_type: str
    size: int
    """Bytes received."""

    def close(self) -> None:
        """Give the bodies' files back."""
        _close([*self.page, *self.requisites])


def capture_page(
    url: str,
    *,
    fetcher: Fetcher,
    robots: Robots,
    politeness: Politeness,
    limits: Limits,
    recent: RecentRequisites,
    stop: threading.Event,
    pool: Executor | None = None,
) -> Capture:
    """Capture a page; an error page is a page too, and its ``status`` tells.

    Requisites are fetched one after the other, or by ``pool``, which must not be the one that
    runs this function. What cannot be had of them is ``missing``. Raises CaptureFailed (network,
    redirects that do not end, a server that wants a pause, ``stop``) and CaptureRefused (the
    guard, robots.txt); OutOfSpace passes through.
    """
    visit = _Visit(fetcher, robots, politeness, limits, stop, time.monotonic())
    hops: list[Exchange] = []
    try:
        page = _follow(visit, url, hops)
        gathering = _Gathering(hops[-1].url, visit, recent, pool)
        if page.links is not None and 200 <= hops[-1].status < 300:
            gathering.run(page.links)
        visit.check()
    except BaseException:
        _close(visit.taken)
        raise
    return Capture(
        url=url,
        final_url=hops[-1].url,
        status=hops[-1].status,
        started=hops[0].started,
        seconds=time.monotonic() - visit.begin,
        page=hops,
        requisites=gathering.requisites,
        missing=gathering.missing,
        body=page.body,
        content_type=page.content_type,
        size=visit.size,
    )


@dataclass(slots=True)
class _Visit:
    """One capture under way: its means, its limits, and what is used up of them."""

    fetcher: Fetcher
    robots: Robots
    politeness: Politeness
    limits: Limits
    stop: threading.Event
    begin: float
    size: int = 0
    taken: list[Exchange] = field(default_factory=list)
    """Everything fetched, to be closed if the capture fails."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self) -> None:
        """Raise CaptureFailed if this capture is to stop."""
        if self.stop.is_set():
            raise CaptureFailed("stopped before the capture was done")

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.limits.deadline - (time.monotonic() - self.begin)

    def fetch(self, url: str, *, max_size: int) -> Exchange:
        """GET one hop, if robots.txt allows it and once the host may be asked."""
        self.check()
        if not self.robots.allowed(url):
            raise CaptureRefused(f"{shown(url)}: the site's robots.txt does not allow it")
        left, room = self.left(), self.limits.max_total - self.size
        if left <= 0:
            raise CaptureFailed(f"not done after {self.limits.deadline:g} s")
        if room <= 0:
            raise CaptureFailed(f"the limit of {self.limits.max_total} bytes is used up")
        held = self.politeness.held(url)
        if held > MAX_HOLD:
            # Waiting would keep a thread from all the other hosts.
            raise CaptureFailed(
                f"{shown(url)}: the server wants no request for another {held:.0f} s",
                retry_after=held,
            )
        delay = self.robots.delay(url)
        with self.politeness.slot(url, wait=left, delay=delay, stop=self.stop):
            self.check()
            exchange = self.fetcher.fetch(
                url,
                max_size=min(max_size, room),
                deadline=min(max(self.left(), 0.1), MAX_FETCH),
            )
        with self.lock:
            self.size += exchange.size
            self.taken.append(exchange)
        self._respect(exchange)
        return exchange

    def _respect(self, exchange: Exchange) -> None:
        """Hold the host back if it wants a pause, and give this fetch up."""
        if exchange.status not in {429, 503}:
            return
        seconds = retry_after(exchange, exchange.started)
        if seconds is None:
            if exchange.status != 429:
                return
            seconds = UNSAID_PAUSE
        self.politeness.hold(exchange.url, seconds)
        raise CaptureFailed(
            f"{shown(exchange.url)}: the server answered {exchange.status} and wants no request"
            f" for {seconds:.0f} s",
            retry_after=seconds,
        )


@dataclass(frozen=True, slots=True)
class _Page:
    """The last hop, read."""

    body: bytes
    content_type: str
    links: Links | None
    """None if it is not HTML."""


def _follow(visit: _Visit, url: str, hops: list[Exchange]) -> _Page:
    """Fetch url and follow redirects of HTTP and of HTML; add every hop to ``hops``."""
    seen: set[str] = set()
    wanted: str | None = url
    while wanted is not None:
        if wanted in seen:
            raise CaptureFailed(f"{shown(url)}: its redirects go in a circle at {shown(wanted)}")
        if len(hops) > visit.limits.max_redirects:
            raise CaptureFailed(f"{shown(url)}: more than {visit.limits.max_redirects} redirects")
        seen.add(wanted)
        exchange = visit.fetch(wanted, max_size=visit.limits.max_page)
        hops.append(exchange)
        wanted = _location(exchange)
        if wanted is None:
            page = _read(exchange, visit.limits)
            wanted = _refreshed(exchange, page, seen)
    return page


def _location(exchange: Exchange) -> str | None:
    """Return where a redirect leads, None if the answer is none."""
    if exchange.status not in REDIRECTS:
        return None
    location = exchange.header("location")
    if not location:
        return None
    # Header bytes were read as latin-1; who sends others than ASCII mostly means UTF-8.
    raw = location.encode("latin-1", "replace")
    try:
        location = raw.decode("utf-8")
    except UnicodeDecodeError:
        location = quote(raw, safe=_ASCII)
    target = resolve(location, base=exchange.url)
    if target is None:
        raise CaptureFailed(f"{shown(exchange.url)}: it redirects to no web address")
    return target


def _read(exchange: Exchange, limits: Limits) -> _Page:
    content_type = exchange.header("content-type") or ""
    kind = _media_type(content_type)
    textual = not kind or kind.startswith("text/") or kind.endswith(("xml", "json"))
    body = decoded(exchange, limit=MAX_BODY if textual else MAX_OTHER)
    if kind not in _HTML and (kind or not _LOOKS_HTML.match(body)):
        return _Page(body, content_type, None)
    charset = charset_of(body, content_type)
    links = page_links(body, url=exchange.url, charset=charset, limit=limits.max_requisites)
    return _Page(body, content_type, links)


def _refreshed(exchange: Exchange, page: _Page, seen: set[str]) -> str | None:
    """Return where a quick meta refresh leads; one to a page seen already just reloads."""
    if page.links is None or page.links.refresh is None or not 200 <= exchange.status < 300:
        return None
    seconds, target = page.links.refresh
    return target if seconds <= MAX_REFRESH and target not in seen else None


@dataclass(frozen=True, slots=True)
class _Requisite:
    """One requisite: its hops, and why it is missing, if it is."""

    url: str
    hops: tuple[Recalled, ...]
    cause: str = ""


@dataclass(slots=True)
class _Gathering:
    """Fetches the requisites of a page, level by level, into ``requisites`` and ``missing``."""

    page_url: str
    visit: _Visit
    recent: RecentRequisites
    pool: Executor | None
    requisites: list[Exchange] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)

    def run(self, links: Links) -> None:
        """Fetch what the page refers to, then what its stylesheets do, to MAX_DEPTH of them."""
        limit = self.visit.limits.max_requisites
        wanted = dict.fromkeys(links.requisites)
        level, more = list(wanted), links.more
        for depth in range(MAX_DEPTH + 1):
            fetched = self._fetch_all(level)
            self._take(fetched)
            found = self._in_stylesheets(fetched) if depth < MAX_DEPTH else {}
            fresh = [url for url in found if url not in wanted and url != self.page_url]
            level = fresh[: limit - len(wanted)]
            more = more or len(level) < len(fresh)
            wanted.update(dict.fromkeys(level))
            if not level:
                break
        if more:
            self.missing.append((self.page_url, f"it needs more than {limit} requisites"))

    def _fetch_all(self, urls: list[str]) -> list[_Requisite]:
        if self.pool is None:
            return [self._fetch(url) for url in urls]
        futures = [self.pool.submit(self._fetch, url) for url in urls]
        wait(futures)
        return [future.result() for future in futures]

    def _take(self, fetched: Iterable[_Requisite]) -> None:
        for requisite in fetched:
            self.requisites += (hop.exchange for hop in requisite.hops)
            if requisite.cause:
                self.missing.append((requisite.url, requisite.cause))

    def _fetch(self, url: str) -> _Requisite:
        """Fetch one requisite and follow its redirects; never fail."""
        hops: list[Recalled] = []
        wanted: str | None = url
        try:
            while wanted is not None:
                if len(hops) > self.visit.limits.max_requisite_redirects:
                    return _Requisite(url, tuple(hops), "too many redirects")
                fetch = partial(self.visit.fetch, wanted, max_size=self.visit.limits.max_total)
                hops.append(self.recent.get_or_fetch(wanted, fetch))
                wanted = _location(hops[-1].exchange)
        except (CaptureFailed, CaptureRefused) as error:
            return _Requisite(url, tuple(hops), str(error))
        return _Requisite(url, tuple(hops), _fault(hops[-1].exchange))

    def _in_stylesheets(self, fetched: Iterable[_Requisite]) -> dict[str, None]:
        """Return what the stylesheets among the fetched refer to, each once."""
        found: dict[str, None] = {}
        for requisite in fetched:
            if requisite.hops and _is_stylesheet(requisite.hops[-1].exchange):
                found.update(dict.fromkeys(self._links(requisite).requisites))
        return found

    def _links(self, requisite: _Requisite) -> Links:
        last = requisite.hops[-1]
        if last.links is not None:
            return last.links
        sheet = last.exchange
        try:
            css = decoded(sheet, limit=MAX_CSS)
        except CaptureFailed as error:
            self.missing.append((requisite.url, str(error)))
            return Links(())
        links = stylesheet_links(
            css,
            url=sheet.url,
            content_type=sheet.header("content-type") or "",
            limit=self.visit.limits.max_requisites,
        )
        self.recent.learn(sheet.url, links)
        return links


def _fault(exchange: Exchange) -> str:
    """Return why a requisite that came is not what the page needs; empty if it is."""
    if not 200 <= exchange.status < 300:
        return f"the server answered {exchange.status}"
    return _CUT[exchange.truncated] if exchange.truncated else ""


_CUT = {
    "length": "cut off: too large",
    "time": "cut off: too slow",
    "disconnect": "cut off: the connection broke",
}


def _is_stylesheet(exchange: Exchange) -> bool:
    if not 200 <= exchange.status < 300:
        return False
    kind = _media_type(exchange.header("content-type") or "")
    return kind == "text/css" or (not kind and urlsplit(exchange.url).path.endswith(".css"))


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _close(exchanges: Iterable[Exchange]) -> None:
    for exchange in exchanges:
        exchange.close()
