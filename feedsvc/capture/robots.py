"""robots.txt as RFC 9309 has it: fetched behind the guard, once an hour for each origin."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from protego import Protego

from feedsvc.capture.causes import shown
from feedsvc.capture.decode import decoded
from feedsvc.capture.exchange import Exchange
from feedsvc.capture.http import Fetcher
from feedsvc.capture.polite import Busy, Politeness
from feedsvc.capture.retry import retry_after
from feedsvc.errors import (
    CaptureError,
    CaptureFailed,
    CaptureRefused,
    HostUnknown,
    TurnPassed,
)

MAX_SIZE = 500 << 10
"""RFC 9309 §2.5: at least so much of a file has to be read; no more is."""
MAX_REDIRECTS = 5
FRESH = 3600.0
FRESH_FAILURE = 60.0
LONGEST_DELAY = 60.0
REMEMBERED = 1000
"""Origins remembered at most."""
DEADLINE = 30.0

_PRODUCT = re.compile(r"[A-Za-z_-]+")
_AGENT_LINE = re.compile(r"\s*user[ -]?agent\s*[:\s]\s*(.*)", re.IGNORECASE)
_SITE_LINE = re.compile(r"\s*(?:sitemaps?|site-map|host)\s*[:\s]", re.IGNORECASE)


@dataclass(slots=True)
class _Origin:
    """What is known of one origin; ``lock`` is held while it is being found out."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    until: float = float("-inf")
    rules: Protego | None = None
    """None: everything is allowed."""
    failure: CaptureError | None = None


class Robots:
    """Answers whether and how often a URL may be fetched; used by many threads."""

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        user_agent: str,
        policy: str,
        politeness: Politeness | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use ``policy`` "respect" or "ignore"; the latter never fetches a robots.txt.

        With ``politeness`` a robots.txt waits for its host's turn like everything else.
        """
        if policy not in {"respect", "ignore"}:
            raise ValueError(f"policy must be 'respect' or 'ignore', not {policy!r}")
        product = _PRODUCT.match(user_agent)
        self._agent = product[0].lower() if product else "feedsvc"
        self._fetcher = fetcher
        self._respect = policy == "respect"
        self._politeness = politeness
        self._clock = clock
        self._lock = threading.Lock()
        self._origins: OrderedDict[str, _Origin] = OrderedDict()

    def allowed(self, url: str) -> bool:
        """Tell whether robots.txt lets us fetch url.

        Raises CaptureFailed if robots.txt cannot be had now (RFC 9309 §2.3.1.4: then nothing may
        be fetched), CaptureRefused if the guard forbids to ask this origin at all.
        """
        if not self._respect:
            return True
        origin = self._known(url)
        if origin.failure is not None:
            raise _again(origin.failure)
        return origin.rules is None or bool(origin.rules.can_fetch(url, self._agent))

    def delay(self, url: str) -> float | None:
        """Return the Crawl-delay that is asked of us in seconds, at most a minute, or None."""
        if not self._respect:
            return None
        rules = self._known(url).rules
        asked = None if rules is None else rules.crawl_delay(self._agent)
        return None if asked is None else min(float(asked), LONGEST_DELAY)

    def _known(self, url: str) -> _Origin:
        parts = urlsplit(url)
        address = f"{parts.scheme}://{parts.netloc}/robots.txt".lower()
        with self._lock:
            origin = self._origins.setdefault(address, _Origin())
            self._origins.move_to_end(address)
            while len(self._origins) > REMEMBERED:
                self._origins.popitem(last=False)
        with origin.lock:  # one fetch, however many ask at once
            if self._clock() >= origin.until:
                self._refresh(origin, address)
        return origin

    def _refresh(self, origin: _Origin, address: str) -> None:
        origin.rules, origin.failure = None, None
        try:
            origin.rules = self._read(address)
        except (Busy, TurnPassed):
            raise  # says nothing about the robots.txt: the next one asks for it
        except CaptureError as error:
            origin.failure = error
        origin.until = self._clock() + (FRESH if origin.failure is None else FRESH_FAILURE)

    def _read(self, address: str) -> Protego | None:
        """Return the rules of a robots.txt; None if there are none; raise CaptureFailed or Refused."""
        answer = self._get(address)
        try:
            if 300 <= answer.status < 500 and answer.status != 429:
                return None  # RFC 9309 §2.3.1.3: unavailable, so everything is allowed
            # RFC 9309 lets 429 count as "no rules"; a server that begs for a pause gets one.
            if answer.status >= 500 or answer.status == 429:
                raise CaptureFailed(
                    f"{shown(address)} is unreachable: the server answered {answer.status}",
                    retry_after=retry_after(answer, answer.started),
                )
            if answer.truncated in {"time", "disconnect"}:
                raise CaptureFailed(f"{shown(address)} is unreachable: it broke off")
            text = decoded(answer, limit=MAX_SIZE).decode("utf-8-sig", "replace")
        finally:
            answer.close()
        return Protego.parse(ours(text, agent=self._agent))

    def _get(self, address: str) -> Exchange:
        """Fetch address and follow redirects, each hop through the guard."""
        url, end = address, self._clock() + DEADLINE
        for hop in range(MAX_REDIRECTS + 1):
            try:
                with self._turn(url, wait=max(end - self._clock(), 0.0)) as send_by:
                    answer = self._fetcher.fetch(
                        url,
                        max_size=MAX_SIZE,
                        deadline=max(end - self._clock(), 0.1),
                        send_by=send_by,
                    )
            except (Busy, TurnPassed):
                raise
            except HostUnknown as error:
                if hop == 0:
                    raise
                raise CaptureFailed(f"robots.txt is unreachable: {error}") from error
            except CaptureRefused as error:
                if hop == 0:
                    raise
                raise CaptureFailed(f"{shown(address)} is unreachable: {error}") from error
            except CaptureFailed as error:
                raise CaptureFailed(f"robots.txt is unreachable: {error}") from error
            location = answer.header("location")
            if (
                answer.status not in {301, 302, 303, 307, 308}
                or not location
                or hop == MAX_REDIRECTS
            ):
                return answer
            answer.close()
            try:
                url = urljoin(url, location)
            except ValueError as error:
                raise CaptureFailed(f"{shown(address)} redirects to no address") from error
        raise AssertionError  # pragma: no cover - the last hop returns

    def _turn(self, url: str, *, wait: float) -> AbstractContextManager[float]:
        if self._politeness is None:
            return nullcontext(float("inf"))
        return self._politeness.slot(url, wait=wait)


def ours(text: str, *, agent: str) -> str:
    """Return the groups of a robots.txt that are for ``agent`` (lower case) or for all. Pure.

    Thousands of agents above thousands of rules would be millions of rules in memory, so the
    groups of others are left out before the rules are parsed.
    """
    kept: list[str] = []
    among_agents, wanted = False, False
    for line in text.splitlines():
        rule = line.partition("#")[0].strip()
        if not rule or _SITE_LINE.match(rule):
            continue
        if named := _AGENT_LINE.fullmatch(rule):
            wanted = wanted and among_agents
            among_agents = True
            product = _PRODUCT.match(named[1])
            name = "*" if named[1].strip() == "*" else product[0].lower() if product else ""
            if name in {"*", agent}:
                kept.append(f"User-agent: {name}")
                wanted = True
        else:
            among_agents = False
            if wanted:
                kept.append(rule)
    return "\n".join(kept)


def _again(error: CaptureError) -> CaptureError:
    """Return a copy to raise: one exception raised by many threads mixes up their tracebacks."""
    if isinstance(error, CaptureFailed):
        return type(error)(str(error), retry_after=error.retry_after)
    return type(error)(str(error))
