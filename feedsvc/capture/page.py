"""A page as it is now: every hop that leads to it, its body, and what it needs to look right."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from feedsvc.capture.causes import shown
from feedsvc.capture.decode import decoded
from feedsvc.capture.exchange import Exchange, Headers
from feedsvc.capture.gather import Gathering
from feedsvc.capture.http import Fetcher
from feedsvc.capture.polite import Politeness
from feedsvc.capture.recent import RecentRequisites
from feedsvc.capture.requisites import Links, charset_of, page_links
from feedsvc.capture.robots import Robots
from feedsvc.capture.visit import Limits, Visit, close_all, location, media_type
from feedsvc.errors import CaptureFailed

__all__ = ["Capture", "Limits", "RecentRequisites", "capture_page"]

MAX_REFRESH = 5.0
"""Seconds of a meta refresh up to which it is a redirect; a later one is a page that reloads."""
MAX_BODY = 8 << 20
"""Bytes of a page of text that are looked at; the archive holds all of it."""
MAX_OTHER = 64 << 10
"""Bytes of anything else that are looked at."""
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_LOOKS_HTML = re.compile(
    rb"\s*(?:<!--|<!doctype html|<html|<head|<body|<title|<meta)", re.IGNORECASE
)


@dataclass(slots=True)
class Capture:
    """A page and its requisites in memory and temporary files; close it."""

    url: str
    final_url: str
    status: int
    started: datetime
    page: list[Exchange]
    """Every hop; the last one is the page itself."""
    body: bytes
    """The page, content codings undone, capped."""
    content_type: str
    requisites: list[Exchange] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    """URL and cause of every requisite that was not had."""
    seconds: float = 0.0
    size: int = 0
    """Bytes received."""

    def close(self) -> None:
        """Give the bodies' files back."""
        close_all([*self.page, *self.requisites])


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
    conditions: Mapping[str, Headers] = MappingProxyType({}),
    wanted: Callable[[Capture], bool] = lambda _page: True,
) -> Capture:
    """Capture a page; an error page is a page too, and its ``status`` tells.

    Requisites are fetched one after the other, or by ``pool``, which must not be the one that
    runs this function. What cannot be had of them is ``missing``. ``conditions`` are headers that
    go with the request for that very address (RFC 9110 §13.1). ``wanted`` is asked, with the page
    alone, whether requisites are fetched at all. Raises CaptureFailed (network, redirects that do
    not end, a server that wants a pause, ``stop``) and CaptureRefused (the guard, robots.txt);
    OutOfSpace passes through.
    """
    visit = Visit(fetcher, robots, politeness, limits, stop, time.monotonic(), conditions)
    hops: list[Exchange] = []
    try:
        page = _follow(visit, url, hops)
        capture = _captured(url, hops, page)
        gathering = Gathering(hops[-1].url, visit, recent, pool)
        links = page.links if 200 <= capture.status < 300 else None
        if wanted(capture) and links is not None:
            gathering.run(links)
        visit.check()
    except BaseException:
        close_all(visit.taken)
        raise
    capture.requisites, capture.missing = gathering.requisites, gathering.missing
    capture.seconds, capture.size = time.monotonic() - visit.begin, visit.size
    return capture


def _captured(url: str, hops: list[Exchange], page: _Page) -> Capture:
    """Return a page without requisites."""
    return Capture(
        url=url,
        final_url=hops[-1].url,
        status=hops[-1].status,
        started=hops[0].started,
        page=hops,
        body=page.body,
        content_type=page.content_type,
    )


@dataclass(frozen=True, slots=True)
class _Page:
    """The last hop, read."""

    body: bytes
    content_type: str
    links: Links | None
    """None if it is not HTML."""


def _follow(visit: Visit, url: str, hops: list[Exchange]) -> _Page:
    """Fetch url and follow redirects of HTTP and of HTML; add every hop to ``hops``."""
    seen: set[str] = set()
    wanted: str | None = url
    while wanted is not None:
        if wanted in seen:
            raise CaptureFailed(f"{shown(url)}: its redirects go in a circle at {shown(wanted)}")
        if len(hops) > visit.limits.max_redirects:
            raise CaptureFailed(f"{shown(url)}: more than {visit.limits.max_redirects} redirects")
        seen.add(wanted)
        exchange = visit.fetch(
            wanted,
            max_size=visit.limits.max_page,
            headers=visit.conditions.get(wanted, ()),
        )
        hops.append(exchange)
        wanted = location(exchange)
        if wanted is None:
            page = _read(exchange, visit.limits)
            wanted = _refreshed(exchange, page, seen)
    return page


def _read(exchange: Exchange, limits: Limits) -> _Page:
    content_type = exchange.header("content-type") or ""
    kind = media_type(content_type)
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
