"""Looking again, by a browser, at a page that shows its article only once its scripts have run."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from feedsvc.capture.browser import BrowserCapture, Browsers
from feedsvc.capture.browser_requests import Means
from feedsvc.capture.browser_view import is_better
from feedsvc.capture.exchange import Exchange
from feedsvc.capture.judge import judge
from feedsvc.capture.page import Capture
from feedsvc.errors import CaptureError
from feedsvc.jobs.orders import Subject
from feedsvc.logs import logger
from feedsvc.model import Judgement
from feedsvc.tools import CaptureTools

WORTH = 10.0
"""Seconds that have to be left of a capture for a browser to be asked."""

log = logger(__name__)


def browser_capture(
    tools: CaptureTools, browsers: Browsers, url: str, *, stop: threading.Event, seconds: float
) -> BrowserCapture:
    """Capture a page by a browser, with what all captures share; raises what `Browsers` does."""
    means = Means(tools.fetcher, tools.robots, tools.politeness, tools.limits, tools.recent)
    return browsers.capture(url, means=means, stop=stop, seconds=seconds)


def seen_by_browser(
    tools: CaptureTools,
    subject: Subject,
    capture: Capture,
    judgement: Judgement,
    *,
    policy: str,
    stop: threading.Event,
    seconds: float,
) -> Capture:
    """Return the page as a browser shows it if that is better, else the capture as it is.

    ``judgement`` is that of ``capture``, whose requisites a better one takes over. Whatever the
    browser fails at, the capture that is there is kept; raises only if ``stop`` is set.
    """
    if tools.browsers is None or seconds < WORTH:
        return capture
    try:
        found = browser_capture(tools, tools.browsers, capture.url, stop=stop, seconds=seconds)
    except CaptureError as error:
        if stop.is_set():
            raise
        log.warning("browser.failed", url=capture.url, reason=str(error))
        return capture
    judged = judge(
        subject.title,
        subject.text,
        found.body,
        content_type=found.content_type,
        status=found.status,
        url=found.url,
        final_url=found.final_url,
        visible=found.rendered.text,
    )
    if not is_better(judged, judgement, policy=policy):
        found.close()
        return capture
    found.requisites += _taken_over(capture, found)
    found.size += capture.size
    return found


def _taken_over(capture: Capture, found: Capture) -> Iterator[Exchange]:
    """Yield requisites that the browser did not need, such as pictures for other windows."""
    known = {one.url for one in (*found.page, *found.requisites)}
    kept = [one for one in capture.requisites if one.url not in known]
    capture.requisites = [one for one in capture.requisites if one.url in known]
    yield from kept
