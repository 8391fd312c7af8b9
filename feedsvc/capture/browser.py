"""Capturing a page by a browser: for pages that show their text only once their scripts have run.

The browser runs in a process of its own (`browser_worker`), without a network. What it wants is
fetched here, by the same client and within the same limits as any capture (`browser_requests`).
It is used again for the next page, and is ended when it hangs, breaks, grows or has served enough.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from feedsvc.capture.browser_child import Child
from feedsvc.capture.browser_dialogue import Dialogue, PageFailed, Visit
from feedsvc.capture.browser_found import Chromium
from feedsvc.capture.browser_requests import Means, PageLimits, Requests
from feedsvc.capture.browser_view import Rendered
from feedsvc.capture.page import Capture
from feedsvc.capture.polite import Busy
from feedsvc.errors import CaptureFailed

PAGES = 50
"""Pages after which a browser is replaced by a fresh one."""
MEMORY = 1536 << 20
"""Bytes that all processes of a browser have together, after which they are ended."""
IDLE = 60.0
"""Seconds without a page after which a browser is ended: it takes memory for nothing."""
_LOOK = 0.1


@dataclass(slots=True, kw_only=True)
class BrowserCapture(Capture):
    """A page as a browser saw it, and everything it fetched for it."""

    rendered: Rendered


class Browsers:
    """A few browsers, each started when it is first needed; for many threads."""

    def __init__(
        self,
        chromium: Chromium,
        *,
        user_agent: str,
        count: int = 1,
        page_limits: PageLimits = PageLimits(),  # noqa: B008 - it cannot be changed
        memory: int = MEMORY,
        pages: int = PAGES,
    ) -> None:
        """Run at most ``count`` of them; ``user_agent`` is added to what browsers call themselves."""
        self._chromium = chromium
        self._page_limits = page_limits
        self._free: queue.SimpleQueue[_Browser] = queue.SimpleQueue()
        self._all = [
            _Browser(chromium, user_agent, memory=memory, pages=pages) for _ in range(count)
        ]
        for one in self._all:
            self._free.put(one)
        self._closing = threading.Event()

    def capture(
        self, url: str, *, means: Means, stop: threading.Event, seconds: float
    ) -> BrowserCapture:
        """Capture a page by a browser in ``seconds``, of which waiting for one is a part.

        Raises Busy if none came free in half of them, CaptureFailed and CaptureRefused as
        `capture_page` does and where browser or page break; OutOfSpace passes through.
        """
        began = time.monotonic()
        with self._taken(seconds / 2, stop) as browser:
            left = seconds - (time.monotonic() - began)
            deadline = time.monotonic() + min(left, self._page_limits.seconds)
            requests = Requests(means, self._page_limits, stop, deadline)
            visit = Visit(url, requests, stop, self._closing)
            try:
                rendered = browser.visit(visit)
                return _captured(visit, rendered)
            except BaseException:
                requests.throw_away()
                raise
            finally:
                requests.close()

    def processes(self) -> list[int]:
        """Return the process ids of the browsers that run."""
        return [pid for one in self._all if (pid := one.pid) is not None]

    def close(self) -> None:
        """End all browsers; captures under way fail at once."""
        self._closing.set()
        for one in self._all:
            one.idle.cancel()
            one.end()

    @contextmanager
    def _taken(self, seconds: float, stop: threading.Event) -> Iterator[_Browser]:
        end = time.monotonic() + seconds
        while True:
            if stop.is_set() or self._closing.is_set():
                raise CaptureFailed("stopped before the capture was done")
            try:
                browser = self._free.get(timeout=_LOOK)
                break
            except queue.Empty:
                if time.monotonic() >= end:
                    raise Busy(f"no browser came free in {seconds:.0f} s") from None
        browser.idle.cancel()
        try:
            yield browser
        finally:
            browser.idle = threading.Timer(IDLE, self._rest)
            browser.idle.daemon = True
            browser.idle.start()
            self._free.put(browser)

    def _rest(self) -> None:
        """End the browsers that nobody uses."""
        for _ in self._all:
            try:
                browser = self._free.get_nowait()
            except queue.Empty:
                return
            browser.end()
            self._free.put(browser)


class _Browser:
    """One browser and its process; used by one thread at a time, ended by any."""

    def __init__(self, chromium: Chromium, user_agent: str, *, memory: int, pages: int) -> None:
        self._chromium = chromium
        self._user_agent = user_agent
        self._memory = memory
        self._most = pages
        self._child: Child | None = None
        self._pages = 0
        self.idle = threading.Timer(IDLE, self.end)
        """Ends it; it is set going whenever the browser has nothing to do."""

    @property
    def pid(self) -> int | None:
        child = self._child
        return child.pid if child else None

    def visit(self, visit: Visit) -> Rendered:
        """Open, scroll and read a page; whatever breaks the browser ends it."""
        if self._pages >= self._most:
            self.end()
        child = self._child
        if child is None:
            child = self._child = Child(self._chromium, self._memory)
            self._pages = 0
        self._pages += 1
        pool = ThreadPoolExecutor(visit.requests.page_limits.parallel, "browser request")
        try:
            return Dialogue(child, visit, pool).lead(self._user_agent)
        except PageFailed:
            raise
        except BaseException:
            self.end()
            raise
        finally:
            visit.requests.close()
            # What is still being fetched for this page is bounded, and nobody waits for it.
            pool.shutdown(wait=False, cancel_futures=True)

    def end(self) -> None:
        """End the process and all that came of it."""
        child, self._child = self._child, None
        if child is not None:
            child.end()


def _captured(visit: Visit, rendered: Rendered) -> BrowserCapture:
    requests = visit.requests
    page, requisites = requests.visited()
    last = page[-1]
    return BrowserCapture(
        url=visit.url,
        final_url=last.url,
        status=last.status,
        started=page[0].started,
        seconds=time.monotonic() - visit.began,
        page=page,
        requisites=requisites,
        missing=list(requests.missing.items()),
        body=rendered.dom,
        content_type="text/html; charset=utf-8",
        size=requests.size,
        rendered=rendered,
    )
