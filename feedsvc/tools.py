"""What fetches: the guarded clients and what goes with them, made once from the settings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feedsvc import __version__
from feedsvc.logs import logger
from feedsvc.settings import DEFAULT, Settings

if TYPE_CHECKING:
    from feedsvc.capture.browser import Browsers
    from feedsvc.capture.http import Fetcher
    from feedsvc.capture.page import Limits
    from feedsvc.capture.polite import Politeness
    from feedsvc.capture.recent import RecentRequisites
    from feedsvc.capture.robots import Robots

SOFTWARE = f"feedsvc/{__version__}"

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class CaptureTools:
    """What captures share within one process."""

    fetcher: Fetcher
    robots: Robots
    politeness: Politeness
    limits: Limits
    recent: RecentRequisites
    browsers: Browsers | None = None
    """None: pages are captured without one."""


@dataclass(frozen=True, slots=True)
class PushTools:
    """The guarded clients of push: what one of them trusts is nothing to the other."""

    hubs: Fetcher
    callbacks: Fetcher


def make_push_tools(settings: Settings) -> PushTools:
    """Return clients whose self-tests have passed. Raises ConfigurationError."""
    from feedsvc.capture.guard import trusted_by_url
    from feedsvc.capture.http import Fetcher, web_context

    websub = settings.websub
    made: list[Fetcher] = []
    context = web_context()
    # Whoever configures a hub wants it called, wherever it is.
    for hosts, setting in (
        ([trusted_by_url(hub) for hub in websub.hubs], "websub.hubs"),
        (websub.allow_callbacks, "websub.allow_callbacks"),
    ):
        fetcher = Fetcher(
            user_agent=settings.archive.user_agent or SOFTWARE,
            allow_hosts=hosts,
            setting=setting,
            ssl_context=context,
            timeout=websub.timeout,
            deadline=websub.timeout,
        )
        fetcher.self_test()
        made.append(fetcher)
    return PushTools(hubs=made[0], callbacks=made[1])


def make_capture_tools(settings: Settings) -> CaptureTools:
    """Return a client whose self-test has passed, and what goes with it.

    Raises ConfigurationError.
    """
    from feedsvc.capture.http import Fetcher
    from feedsvc.capture.page import Limits
    from feedsvc.capture.polite import Politeness
    from feedsvc.capture.recent import RecentRequisites
    from feedsvc.capture.robots import Robots

    archive = settings.archive
    agent = archive.user_agent or f"{SOFTWARE} (+{settings.site.base_url.rstrip('/')}/)"
    fetcher = Fetcher(
        user_agent=agent,
        allow_hosts=archive.allow_hosts,
        timeout=archive.timeout,
        max_size=archive.max_page,
        connections=archive.concurrency * 2,
    )
    try:
        fetcher.self_test()
    except BaseException:
        fetcher.close()
        raise
    politeness = Politeness(per_host=archive.per_host, delay=archive.per_host_delay)
    return CaptureTools(
        fetcher=fetcher,
        robots=Robots(fetcher, user_agent=agent, policy=archive.robots, politeness=politeness),
        politeness=politeness,
        limits=Limits(
            max_page=archive.max_page,
            max_total=archive.max_total,
            max_requisites=archive.max_requisites,
            deadline=archive.deadline,
        ),
        recent=RecentRequisites(),
        browsers=_browsers(settings, agent),
    )


def _browsers(settings: Settings, agent: str) -> Browsers | None:
    """Return browsers, none of them running yet; None if none is wanted or there is none."""
    from feedsvc.capture.browser import Browsers
    from feedsvc.capture.browser_found import Absent, find_browser

    archive = settings.archive
    if archive.browser == "never":
        return None
    found = find_browser(archive.browser_path)
    if isinstance(found, Absent):
        if settings.origins.get("archive.browser", DEFAULT) != DEFAULT:
            log.warning("browser.absent", reason=found.reason, remedy=found.remedy)
        return None
    # Each takes a processor and half a gigabyte while it works.
    return Browsers(found, user_agent=agent, count=2 if (os.cpu_count() or 1) > 3 else 1)
