"""One capture under way: its means, its limits, and single fetches within them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from feedsvc.capture.causes import shown
from feedsvc.capture.exchange import Exchange, Headers
from feedsvc.capture.http import Fetcher
from feedsvc.capture.polite import Politeness
from feedsvc.capture.retry import retry_after
from feedsvc.capture.robots import Robots
from feedsvc.errors import CaptureFailed, Disallowed, TurnPassed
from feedsvc.references import resolve

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_HOLD = 5.0
"""Seconds a capture waits for a host that asked for a pause; for longer ones it is put off."""
UNSAID_PAUSE = 60.0
"""Seconds a host is left alone that answers 429 without saying for how long."""
MAX_FETCH = 120.0
"""Seconds for one answer, whatever time the capture still has."""
_ASCII = "".join(map(chr, range(128)))


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
class Visit:
    """One capture under way: its means, its limits, and what is used up of them."""

    fetcher: Fetcher
    robots: Robots
    politeness: Politeness
    limits: Limits
    stop: threading.Event
    begin: float
    conditions: Mapping[str, Headers] = field(default_factory=dict)
    """Headers that go with the request for that very address."""
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

    def fetch(self, url: str, *, max_size: int, headers: Headers = ()) -> Exchange:
        """GET one hop, if robots.txt allows it and once the host may be asked."""
        self.check()
        if not self.robots.allowed(url):
            raise Disallowed(f"{shown(url)}: the site's robots.txt does not allow it")
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
        exchange = self._in_turn(url, max_size=min(max_size, room), headers=headers)
        with self.lock:
            self.size += exchange.size
            self.taken.append(exchange)
        self._respect(exchange)
        return exchange

    def _in_turn(self, url: str, *, max_size: int, headers: Headers) -> Exchange:
        """GET one hop once the host may be asked, in a later turn if one passes unused."""
        delay = self.robots.delay(url)
        for is_last in (False, True):
            left = max(self.left(), 0.0)
            with self.politeness.slot(url, wait=left, delay=delay, stop=self.stop) as send_by:
                self.check()
                try:
                    return self.fetcher.fetch(
                        url,
                        headers=headers,
                        max_size=max_size,
                        deadline=min(max(self.left(), 0.1), MAX_FETCH),
                        send_by=send_by,
                    )
                except TurnPassed:
                    if is_last:
                        raise
        raise AssertionError  # pragma: no cover - the last turn returns or raises

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


def location(exchange: Exchange) -> str | None:
    """Return where a redirect leads, None if the answer is none."""
    if exchange.status not in REDIRECTS:
        return None
    given = exchange.header("location")
    if not given:
        return None
    # Header bytes were read as latin-1; who sends others than ASCII mostly means UTF-8.
    raw = given.encode("latin-1", "replace")
    try:
        given = raw.decode("utf-8")
    except UnicodeDecodeError:
        given = quote(raw, safe=_ASCII)
    target = resolve(given, base=exchange.url)
    if target is None:
        raise CaptureFailed(f"{shown(exchange.url)}: it redirects to no web address")
    return target


def media_type(content_type: str) -> str:
    """Return a Content-Type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def close_all(exchanges: Iterable[Exchange]) -> None:
    """Give the bodies' files back."""
    for exchange in exchanges:
        exchange.close()
