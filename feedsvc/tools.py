"""What fetches: the guarded clients and what goes with them, made once from the settings."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from feedsvc import __version__
from feedsvc.logs import logger
from feedsvc.model import Turn
from feedsvc.settings import DEFAULT, Settings

if TYPE_CHECKING:
    from feedsvc.capture.browser import Browsers
    from feedsvc.capture.http import Fetcher
    from feedsvc.capture.page import Limits
    from feedsvc.capture.polite import Politeness
    from feedsvc.capture.polite_shared import SharedPoliteness
    from feedsvc.capture.recent import RecentRequisites
    from feedsvc.capture.robots import Robots
    from feedsvc.storage.database import Database

LONGEST_REQUEST = 150.0
"""Seconds after which a request is certainly over: so long its place at a host is kept."""

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


class Closing(Protocol):
    """Something that has to be closed."""

    def close(self) -> None:
        """End what it does."""


T = TypeVar("T", bound=Closing)


class Shared:
    """What a process has one of, whoever uses it, and closes with itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._things: dict[str, Closing] = {}

    def get(self, name: str, make: Callable[[], T]) -> T:
        """Return the thing of that name, made when it is first asked for."""
        with self._lock:
            if name not in self._things:
                self._things[name] = make()
            return cast("T", self._things[name])

    def close(self) -> None:
        """Close everything; the last made goes first."""
        with self._lock:
            things, self._things = self._things, {}
        for thing in reversed(things.values()):
            thing.close()


@dataclass(frozen=True, slots=True)
class DatabaseTurns:
    """Turns at hosts, on which all machines agree in the database."""

    database: Database
    worker: Callable[[], str | None]
    per_host: int
    name: str
    """Under it places are held while this process is no worker."""

    def holder(self) -> str:
        """Return by what name this process holds places now."""
        return self.worker() or self.name

    def take(
        self, host: str, *, places: int, delay: float, turns: int, slack: float, within: float
    ) -> Turn:
        """Have so many places at the host, and turns. Raises Temporary."""
        holder = self.holder()
        with self.database.transaction() as store:
            turn = store.take_turns(
                host,
                holder=holder,
                per_host=self.per_host,
                places=places,
                delay=delay,
                turns=turns,
                slack=slack,
                within=within,
                lease=within + turns * delay + slack + LONGEST_REQUEST,
            )
        if holder == self.holder():
            return turn
        # Others gave this process up meanwhile and freed what it held, maybe before that place.
        with self.database.transaction() as store:
            store.leave_host(holder, host)
        return Turn(0.0, granted=0)

    def leave(self, hosts: Collection[str]) -> None:
        """Give back the places at these hosts. Raises Temporary."""
        with self.database.transaction() as store:
            store.leave_hosts(self.holder(), hosts)

    def hold(self, host: str, seconds: float) -> None:
        """Let nobody begin anything at the host for so long. Raises Temporary."""
        with self.database.transaction() as store:
            store.hold_host(host, seconds)


def shared_politeness(
    settings: Settings, database: Database, worker: Callable[[], str | None]
) -> SharedPoliteness:
    """Return the politeness of a fleet, of which this process is one part.

    ``worker`` tells the name that it works under at that moment, if it has one.
    """
    from feedsvc.capture.polite_shared import SharedPoliteness

    archive = settings.archive
    name = f"{socket.gethostname()[:40]}.{secrets.token_hex(8)}"
    turns = DatabaseTurns(database, worker, archive.per_host, name)
    return SharedPoliteness(turns, per_host=archive.per_host, delay=archive.per_host_delay)


def make_capture_tools(
    settings: Settings,
    *,
    politeness: Politeness | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> CaptureTools:
    """Return a client whose self-test has passed, and what goes with it.

    Without a ``politeness`` this process has one of its own. ``now`` dates what is fetched. Raises
    ConfigurationError.
    """
    from feedsvc.capture.http import Fetcher
    from feedsvc.capture.page import Limits
    from feedsvc.capture.polite import Politeness
    from feedsvc.capture.recent import RecentRequisites
    from feedsvc.capture.robots import Robots

    archive = settings.archive
    at_once = archive.concurrency
    if settings.fleet.enabled:
        at_once = max(at_once, settings.fleet.concurrency * archive.per_host)
    agent = archive.user_agent or f"{SOFTWARE} (+{settings.site.base_url.rstrip('/')}/)"
    fetcher = Fetcher(
        user_agent=agent,
        allow_hosts=archive.allow_hosts,
        timeout=archive.timeout,
        max_size=archive.max_page,
        connections=at_once * 2,
        now=now,
    )
    try:
        fetcher.self_test()
    except BaseException:
        fetcher.close()
        raise
    if politeness is None:
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
