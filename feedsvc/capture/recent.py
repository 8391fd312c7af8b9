"""Requisites fetched moments ago, for the next page that needs them: a browser's memory cache.

A site's pages share their styles and images. Asking for them again with each page would be
impolite, and most of the work of archiving.
"""

from __future__ import annotations

import io
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from feedsvc.capture.exchange import Exchange
from feedsvc.capture.requisites import Links

MAX_BODY = 2 << 20
_KEPT = frozenset({200, 404, 410})
"""Answers that may be used again without being asked to (RFC 9111 §4.2.2)."""
_OVERHEAD = 2048
_AGE = re.compile(r"\bmax-age\s*=\s*\"?(\d{1,9})")
_WAIT = 60.0
"""Seconds to wait for another thread that fetches the same URL."""


@dataclass(slots=True)
class Recalled:
    """An answer received moments ago, and what was read out of it."""

    exchange: Exchange
    links: Links | None = None
    """Of a stylesheet, once somebody has read it."""


@dataclass(slots=True)
class _Kept:
    exchange: Exchange
    body: bytes
    until: float
    links: Links | None

    @property
    def cost(self) -> int:
        return len(self.body) + _OVERHEAD


class RecentRequisites:
    """Keeps answers for a while within so many bytes; one for the process, used by many threads."""

    def __init__(
        self,
        *,
        max_bytes: int = 64 << 20,
        ttl: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep at most ``max_bytes``, each answer for ``ttl`` seconds or less if it says so."""
        self._max_bytes = max_bytes
        self._ttl = ttl
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._size = 0
        self._flights: dict[str, threading.Event] = {}

    def get(self, url: str) -> Recalled | None:
        """Return a fresh exchange over what is kept for a URL, None if there is nothing."""
        with self._lock:
            kept = self._kept.get(url)
            if kept is None:
                return None
            if kept.until <= self._clock():
                self._drop(url)
                return None
            self._kept.move_to_end(url)
        # `started` stays the time of the true fetch, which is what WARC-Date means.
        exchange = replace(kept.exchange, body=io.BytesIO(kept.body), remembered=True)
        return Recalled(exchange, kept.links)

    def get_or_fetch(self, url: str, fetch: Callable[[], Exchange]) -> Recalled:
        """Return what is kept for a URL, or fetch and keep it; of many that ask at once, one fetches."""
        if recalled := self.get(url):
            return recalled
        with self._lock:
            flight = self._flights.get(url)
            mine = flight is None
            if flight is None:
                flight = self._flights[url] = threading.Event()
        if not mine:
            flight.wait(_WAIT)
            return self.get(url) or Recalled(fetch())
        try:
            exchange = fetch()
            self._keep(url, exchange)
        finally:
            with self._lock:
                del self._flights[url]
            flight.set()
        return Recalled(exchange)

    def learn(self, url: str, links: Links) -> None:
        """Note what was read out of a stylesheet, so that nobody reads it again."""
        with self._lock:
            if kept := self._kept.get(url):
                kept.links = links

    def _keep(self, url: str, exchange: Exchange) -> None:
        seconds = min(self._ttl, _lifetime(exchange))
        if seconds <= 0 or exchange.size + _OVERHEAD > self._max_bytes:
            return
        exchange.body.seek(0)
        body = exchange.body.read()
        exchange.body.seek(0)
        kept = _Kept(replace(exchange, body=io.BytesIO()), body, self._clock() + seconds, None)
        with self._lock:
            if url in self._kept:
                self._drop(url)
            self._kept[url] = kept
            self._size += kept.cost
            while self._size > self._max_bytes:
                self._drop(next(iter(self._kept)))

    def _drop(self, url: str) -> None:
        """Forget a URL; the caller holds the lock."""
        self._size -= self._kept.pop(url).cost


def _lifetime(exchange: Exchange) -> float:
    """Return for how many seconds an answer may be used again without asking; 0.0 for never."""
    names = {name.lower() for name, _ in exchange.headers}
    if exchange.status not in _KEPT or exchange.truncated or exchange.size > MAX_BODY:
        return 0.0
    # Every request is sent with the same headers, so of Vary only "*" matters.
    if "set-cookie" in names or (exchange.header("vary") or "").strip() == "*":
        return 0.0
    control = ",".join(v.lower() for name, v in exchange.headers if name.lower() == "cache-control")
    if "no-store" in control or "private" in control or "no-cache" in control:
        return 0.0
    age = _AGE.search(control)
    return float(age[1]) if age else float("inf")
