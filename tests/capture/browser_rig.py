"""Real browsers for tests: pages on loopback, captured as the program does it."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from fastwarc.warc import ArchiveIterator

from feedsvc.capture.browser import BrowserCapture, Browsers
from feedsvc.capture.browser_found import Absent, Chromium, find_browser
from feedsvc.capture.browser_requests import Means, PageLimits
from feedsvc.capture.browser_view import resources
from feedsvc.capture.http import Fetcher
from feedsvc.capture.page import Limits
from feedsvc.capture.polite import Politeness
from feedsvc.capture.recent import RecentRequisites
from feedsvc.capture.robots import Robots
from feedsvc.capture.warc import check_warc, write_warc
from feedsvc.model import Judgement, Verdict
from tests.origin import Listener, Origin

AGENT = "feedsvc-test/1.0"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SCRIPT = (("Content-Type", "text/javascript"),)
JSON = (("Content-Type", "application/json"),)
PAGE_LIMITS = PageLimits(
    seconds=25.0,
    request_seconds=2.0,
    requests=80,
    scroll_seconds=2.0,
    read_seconds=2.0,
    quiet=0.25,
)


def installed() -> Chromium:
    """Return the browser of this machine, or skip."""
    found = find_browser("")
    if isinstance(found, Absent):
        pytest.skip(f"no browser: {found.reason}")  # .ci/run always has one
    return found


@dataclass
class Rig:
    """A server that is trusted, one that is not, and browsers."""

    origin: Origin
    forbidden: Origin
    browsers: Browsers

    def page(self, path: str, body: str, **more: Any) -> str:
        """Put a document on a path; return its URL."""
        return self.origin.page(
            path, b"<!doctype html><meta charset=utf-8>" + body.encode(), **more
        )

    def script(self, path: str, body: str) -> str:
        return self.origin.page(path, body.encode(), headers=SCRIPT)

    @contextmanager
    def captured(
        self, url: str, *, allow: Sequence[str] = (), max_total: int = 100 << 20
    ) -> Iterator[BrowserCapture]:
        """Capture a page with means of its own, which trust the origin and ``allow``."""
        fetcher = Fetcher(user_agent=AGENT, allow_hosts=[self.origin.host, *allow], timeout=5.0)
        politeness = Politeness(per_host=8, delay=0.0)
        robots = Robots(fetcher, user_agent=AGENT, policy="ignore", politeness=politeness)
        means = Means(fetcher, robots, politeness, Limits(max_total=max_total), RecentRequisites())
        try:
            stop = threading.Event()
            with closing(self.browsers.capture(url, means=means, stop=stop, seconds=40.0)) as found:
                yield found
        finally:
            fetcher.close()

    def processes(self) -> list[int]:
        return self.browsers.processes()


@contextmanager
def rig(chromium: Chromium, **settings: Any) -> Iterator[Rig]:
    """Serve and browse until the block ends."""
    servers = [Origin(), Origin()]
    listeners = [Listener(one) for one in servers]
    settings = {"user_agent": AGENT, "page_limits": PAGE_LIMITS, **settings}
    browsers = Browsers(chromium, **settings)
    try:
        yield Rig(servers[0], servers[1], browsers)
    finally:
        browsers.close()
        for one in listeners:
            one.close()


def paths(capture: BrowserCapture) -> set[str]:
    """Return the paths of everything that was recorded."""
    return {"/" + one.url.split("/", 3)[3].partition("?")[0] for one in exchanges(capture)}


def exchanges(capture: BrowserCapture) -> list[Any]:
    return [*capture.page, *capture.requisites]


def warc_of(capture: BrowserCapture) -> io.BytesIO:
    """Write a capture, and read it back by our own check and by fastwarc."""
    file = io.BytesIO()
    write_warc(
        capture,
        file,
        snapshot_id="01920000-0000-7000-8000-000000000000",
        known={},
        judgement=Judgement(Verdict.VERIFIED, 1.0),
        software="test",
        now=NOW,
        resources=resources(capture.rendered, capture.final_url),
    )
    assert check_warc(file).problems == ()
    file.seek(0)
    for record in ArchiveIterator(file, parse_http=False):
        assert record.verify_block_digest()
    file.seek(0)
    return file
