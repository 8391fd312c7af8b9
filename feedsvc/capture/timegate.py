"""Another archive asked for a page: its TimeGate, the memento nearest to a time, its bytes (RFC 7089)."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import cast

from feedsvc.capture.causes import shown
from feedsvc.capture.exchange import Exchange, Headers
from feedsvc.capture.http import Fetcher
from feedsvc.capture.memento import (
    Raw,
    accept_datetime,
    is_of,
    joined,
    links,
    memento_datetime,
    nearest,
    raw_of,
    restored,
)
from feedsvc.capture.page import Capture, Limits, capture_page
from feedsvc.capture.polite import Politeness
from feedsvc.capture.recent import RecentRequisites
from feedsvc.capture.retry import retry_after
from feedsvc.capture.robots import Robots
from feedsvc.capture.visit import MAX_FETCH, MAX_HOLD, REDIRECTS, UNSAID_PAUSE
from feedsvc.errors import CaptureFailed

MAX_HOPS = 8
"""Answers on the way from a TimeGate to a memento."""
MAX_ANSWER = 256 << 10
"""Bytes of an answer on that way that are read."""
MAX_REQUISITES = 100
DEADLINE = 300.0
"""Seconds for a page and its requisites."""


class NoMemento(CaptureFailed):
    """The archive has no capture, or says of it what cannot be believed."""


class TimeGate:
    """One archive, asked for one page and what it needs, as they were at a time.

    Every address, whoever named it, goes through the guarded client and the politeness of all
    captures. robots.txt is about crawlers and not asked: a TimeGate is there to be asked.
    """

    def __init__(
        self,
        address: str,
        *,
        moment: datetime,
        now: datetime,
        fetcher: Fetcher,
        politeness: Politeness,
        stop: threading.Event,
    ) -> None:
        """Ask the TimeGate whose address, followed by a URL, is that URL's."""
        self.address = address
        self.memento: str | None = None
        """Where the page was had from, once it was."""
        self._moment = moment
        self._now = now
        self._fetcher = fetcher
        self._politeness = politeness
        self._stop = stop
        self._asking = (("Accept-Datetime", accept_datetime(moment)),)
        self._raw: Raw | None = None
        self._until = float("inf")

    def capture(self, url: str, *, limits: Limits) -> Capture:
        """Return the archive's capture nearest to the time, with the requisites it has.

        Raises NoMemento, any other CaptureFailed, CaptureRefused (the guard) and OutOfSpace.
        """
        deadline = min(limits.deadline, DEADLINE)
        self._until = time.monotonic() + deadline
        return capture_page(
            url,
            fetcher=cast("Fetcher", self),  # of a fetcher no more than `fetch` is used
            robots=Robots(cast("Fetcher", self), user_agent="", policy="ignore"),
            # The hosts named here are not asked; those that are have their turns in `_get`.
            politeness=Politeness(per_host=1 << 20, delay=0.0),
            limits=replace(
                limits,
                deadline=deadline,
                max_requisites=min(limits.max_requisites, MAX_REQUISITES),
            ),
            recent=RecentRequisites(max_bytes=0),
            stop=self._stop,
        )

    def fetch(
        self,
        url: str,
        *,
        headers: object = (),
        max_size: int | None = None,
        deadline: float | None = None,
        send_by: float | None = None,
    ) -> Exchange:
        """Return the memento of a URL in the shape of the original's own answer."""
        size = max_size or MAX_ANSWER
        if self._raw is not None:
            found, moment = self._walk(self._raw.address(url), url, max_size=size)
        else:
            found, moment = self._negotiate(url, max_size=size)
        if self.memento is None:
            self.memento = found.url
        return restored(found, url=url, moment=moment)

    # --- the protocol -----------------------------------------------------------------------

    def _negotiate(self, url: str, *, max_size: int) -> tuple[Exchange, datetime]:
        """Ask the TimeGate for a URL; return its memento, raw where the archive has that."""
        found, moment = self._walk(
            f"{self.address}{url}", url, max_size=MAX_ANSWER, headers=self._asking
        )
        try:
            raw = raw_of(found.url, url) or raw_of(_said_place(found), url)
            if raw is not None:
                # What is raw may be missing, and still the page can be had as it is served.
                with suppress(NoMemento):
                    better = self._walk(raw.address(url), url, max_size=max_size)
                    self._raw = raw
                    found.close()
                    return better
            if found.truncated == "length":
                found.close()
                return self._walk(found.url, url, max_size=max_size, headers=self._asking)
        except BaseException:
            found.close()
            raise
        return found, moment

    def _walk(
        self, address: str, url: str, *, max_size: int, headers: Headers = ()
    ) -> tuple[Exchange, datetime]:
        """Follow an archive's answers up to a memento of a URL; return it and when it was captured."""
        linked = False
        for _ in range(MAX_HOPS):
            answer = self._get(address, max_size=max_size, headers=headers)
            moment = memento_datetime(answer, now=self._now)
            target = _location(answer)
            # A redirect is a memento too, unless it leads to another capture of the same page.
            leads_on = target is not None and raw_of(target, url) is not None
            if moment is not None and not leads_on and is_of(answer, url):
                return answer, moment
            answer.close()
            if target is None and not linked and answer.status == 200 and headers:
                # pywb answers with a page of its own that frames the memento.
                link = nearest(links(answer), self._moment)
                linked, target = True, link.url if link else None
            if target is None or (moment is not None and not leads_on):
                raise NoMemento(_why(answer, moment))
            address = target
        raise NoMemento(f"{shown(address)}: more than {MAX_HOPS} answers without a memento")

    def _get(self, address: str, *, max_size: int, headers: Headers) -> Exchange:
        """GET one hop through the guard, once its host may be asked."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise CaptureFailed(f"{shown(address)}: the archive took too long")
        held = self._politeness.held(address)
        if held > MAX_HOLD:
            raise CaptureFailed(
                f"{shown(address)}: the archive wants no request for another {held:.0f} s"
            )
        with self._politeness.slot(address, wait=left, stop=self._stop) as send_by:
            answer = self._fetcher.fetch(
                address,
                headers=headers,
                max_size=max_size,
                deadline=max(min(self._until - time.monotonic(), MAX_FETCH), 0.1),
                send_by=send_by,
            )
        if answer.status in {429, 503} and answer.header("memento-datetime") is None:
            answer.close()
            seconds = retry_after(answer, self._now)
            seconds = UNSAID_PAUSE if seconds is None else seconds
            self._politeness.hold(address, seconds)
            raise CaptureFailed(
                f"{shown(address)}: the archive answered {answer.status} and wants no request for "
                f"{seconds:.0f} s"
            )
        return answer


def _said_place(answer: Exchange) -> str:
    """Return where a memento says it is to be found, empty if it does not."""
    return joined(answer.header("content-location") or "", base=answer.url) or ""


def _location(answer: Exchange) -> str | None:
    if answer.status not in REDIRECTS:
        return None
    return joined(answer.header("location") or "", base=answer.url)


def _why(answer: Exchange, moment: datetime | None) -> str:
    if moment is not None:
        return f"{shown(answer.url)}: it is a capture of another address"
    if answer.header("memento-datetime"):
        return f"{shown(answer.url)}: its Memento-Datetime is no date a capture can have"
    if answer.status == 404:
        return f"{shown(answer.url)}: it has no capture"
    return f"{shown(answer.url)}: it answered {answer.status} without a memento"
