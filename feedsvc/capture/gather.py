"""What a page needs to look right: fetched level by level, as far as limits allow."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor, wait
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from feedsvc.capture.decode import decoded
from feedsvc.capture.exchange import Exchange
from feedsvc.capture.recent import Recalled, RecentRequisites
from feedsvc.capture.requisites import Links, stylesheet_links
from feedsvc.capture.visit import Visit, location, media_type
from feedsvc.errors import CaptureFailed, CaptureRefused

MAX_DEPTH = 3
"""Stylesheets that import stylesheets."""
MAX_CSS = 2 << 20


@dataclass(frozen=True, slots=True)
class _Requisite:
    """One requisite: its hops, and why it is missing, if it is."""

    url: str
    hops: tuple[Recalled, ...]
    cause: str = ""


@dataclass(slots=True)
class Gathering:
    """Fetches the requisites of a page, level by level, into ``requisites`` and ``missing``."""

    page_url: str
    visit: Visit
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
                wanted = location(hops[-1].exchange)
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
    kind = media_type(exchange.header("content-type") or "")
    return kind == "text/css" or (not kind and urlsplit(exchange.url).path.endswith(".css"))
