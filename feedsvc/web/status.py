"""`/status`: is it healthy? What failed comes first, and why, since when, and when it is tried again."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from time import monotonic
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from feedsvc import __version__, jobs
from feedsvc.jobs.fleet_state import StoreProbe
from feedsvc.jobs.fleet_troubles import fleet_troubles
from feedsvc.jobs.holder import LOCK_FILE, held_by
from feedsvc.model import (
    CaptureState,
    FailingPush,
    FleetState,
    PushKind,
    Run,
    SeedRecord,
    SeedState,
    Status,
)
from feedsvc.runtime import Runtime
from feedsvc.settings import Settings
from feedsvc.text import printable, redacted, shorten, without_tokens
from feedsvc.urls import host_of
from feedsvc.web.admin import Admin, problem
from feedsvc.web.admin_guard import Refused
from feedsvc.web.admin_pages import private
from feedsvc.web.answers import Pages, Shown, wants_json
from feedsvc.web.fleet_status import fleet_twin, shown_fleet
from feedsvc.web.front import is_only_here
from feedsvc.web.remembered import Remembered
from feedsvc.web.rendering import size
from feedsvc.web.twins import time

PATH = "/status"
FIRST = 3
"""Of each kind, as many are shown at once; the others are folded away."""
_LONGEST = 300
_WRONG = {SeedState.REJECTED, SeedState.DUPLICATE, SeedState.MISSING}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that does not work."""

    kind: str
    what: str
    why: str
    path: str = ""
    """Of the page that tells more."""
    since: datetime | None = None
    again: datetime | None = None
    """When it is tried again; None: not by itself."""
    is_grave: bool = True
    """False: nothing is lost or late, but somebody may want to know."""


class StatusPages:
    """The page and its twin."""

    def __init__(self, runtime: Runtime, pages: Pages, admin: Admin | None, *, prefix: str) -> None:
        self._runtime = runtime
        probe = StoreProbe(runtime)
        self._status = Remembered(lambda: jobs.status(runtime, probe), clock=monotonic)
        self._pages = pages
        self._admin = admin
        self._prefix = prefix

    def routes(self) -> list[Route]:
        """Return the routes, open to everybody or to the admin alone."""
        routes = self._pages.paired(PATH, self.status)
        if is_public(self._runtime.settings):
            return routes
        return [Route(one.path, self._for_admin(one.endpoint)) for one in routes]

    def status(self, _request: Request) -> Shown:
        """Show what is wrong, what waits, and what it runs on."""
        found, now = self._status.get(), self._runtime.now()
        min_free = self._runtime.settings.archive.min_free
        every = [_harmless(one) for one in troubles(found, min_free=min_free, now=now)]
        kinds = [(kind, list(some)) for kind, some in groupby(every, lambda one: one.kind)]
        numbers = self._numbers(found)
        grave = sum(one.is_grave for one in every)
        return Shown(
            template="status.html",
            title="Status",
            path=PATH,
            values={
                "kinds": kinds,
                "grave": grave,
                "numbers": numbers,
                "runs": [(run, _summary(run)) for run in found.runs],
                "now": now,
                "fleet": None if found.fleet is None else shown_fleet(found.fleet),
                "first_shown": FIRST,
            },
            twin=lambda: _twin(found, every, self._daemon(), now),
        )

    def _for_admin(self, endpoint: Callable[[Request], Response]) -> Callable[..., Response]:
        def guarded(request: Request) -> Response:
            as_json = wants_json(request)
            if self._admin is None:
                nobody = Refused(
                    403,
                    "This is not public",
                    "Set a token in [admin] and sign in to see it, let everybody see it with "
                    'web.status = "public", or run `feedsvc status`.',
                )
                made = self._pages.page(
                    request,
                    "error.html",
                    status=403,
                    heading=nobody.title,
                    sentence=nobody.detail,
                )
                return private(made) if not as_json else problem(nobody)
            try:
                self._admin.sees(request)
            except Refused as refused:
                return self._admin.answer_refused(request, refused, api=as_json)
            return private(endpoint(request))

        return guarded

    def _daemon(self) -> int | None:
        return held_by(self._runtime.root / LOCK_FILE)

    def _numbers(self, status: Status) -> list[tuple[str, str]]:
        daemon = self._daemon()
        here = "none runs here" if daemon is None else f"runs, process {daemon}"
        push = status.push
        about = "about " if status.is_estimate else ""
        told = f"{push.subscriptions:,} subscriptions, {push.due:,} calls due"
        base = "" if status.database_size is None else f", database {size(status.database_size)}"
        engine = (
            f"SQLite {sqlite3.sqlite_version}" if self._runtime.database.is_sqlite else "PostgreSQL"
        )
        return [
            (
                "Articles",
                f"{about}{status.articles:,}, {status.archived:,} of them archived, "
                f"{status.withdrawn:,} withdrawn",
            ),
            (
                "Queue",
                f"{status.due:,} captures and {status.looks_due:,} looks due, "
                f"{status.in_flight:,} in flight",
            ),
            (
                "To write",
                f"{status.dirty:,} feeds; {status.unindexed:,} articles not yet in the search",
            ),
            ("Snapshots", _listed(status.snapshots) or "none"),
            ("Originals", _listed(status.originals) or "none looked at"),
            ("Seeds", _listed(status.seeds) or "none"),
            *([("Push", told)] if push.hubs or push.subscriptions or push.due else []),
            (
                "Disk",
                f"{free_space(status)}, snapshots {size(status.archive_size)}{base}",
            ),
            *([("Daemon", here)] if status.fleet is None else []),
            (
                "Versions",
                f"feedsvc {__version__}, Python {platform.python_version()}, {engine}, "
                f"schema {status.schema}",
            ),
        ]


def free_space(status: Status) -> str:
    """Return in words what is free where snapshots are kept."""
    return "free: unknown" if status.disk_free is None else f"{size(status.disk_free)} free"


def is_public(settings: Settings) -> bool:
    """Tell whether everybody may see the status."""
    web = settings.web
    return web.status == "public" or (web.status == "auto" and is_only_here(web.host))


def troubles(status: Status, *, min_free: int, now: datetime) -> Iterator[Trouble]:
    """Yield what does not work, by kind, the worst kind first. Pure."""
    fleet = [] if status.fleet is None else list(_of_fleet(status.fleet, now))
    yield from (one for one in fleet if one.is_grave)
    yield from _of_site(status, min_free)
    yield from (_of_original("Not archived", one) for one in status.failures)
    yield from (_of_seed(one) for one in status.problems if one.state in _WRONG)
    yield from (_of_push(one) for one in status.push.failing)
    yield from (one for one in fleet if not one.is_grave)
    yield from (_of_original("Could not be looked at again", one) for one in status.troubled)
    yield from (_of_warning(one) for one in status.problems if one.state not in _WRONG)


def _of_fleet(fleet: FleetState, now: datetime) -> Iterator[Trouble]:
    for one in fleet_troubles(fleet, now):
        kind = "Workers and tasks" if one.grave else "About workers and tasks"
        yield Trouble(kind, one.what, one.why, since=one.since, is_grave=one.grave)


def _of_site(status: Status, min_free: int) -> Iterator[Trouble]:
    if status.disk_free is not None and status.disk_free < min_free:
        why = f"captures stop below {size(min_free)} (archive.min_free)"
        yield Trouble("The disk is nearly full", f"{size(status.disk_free)} free", why)
    for name in status.absent:
        why = "the folder is not there, or may not be looked into"
        yield Trouble("Seeds cannot be read", name, why)
    for run in status.runs:
        if not run.ok:
            yield Trouble("Jobs that failed", run.job, run.error, since=run.started)
    for one in status.spoilt:
        why = "its bytes are not what was recorded; `feedsvc verify` says what to do"
        yield Trouble("Damaged snapshots", one.url, why, f"/snapshots/{one.id}/", one.since)


def _of_original(kind: str, one: CaptureState) -> Trouble:
    why = one.cause or one.outcome or "not known why"
    return Trouble(
        kind,
        one.title,
        f"{why} ({host_of(one.url)})",
        f"/articles/{one.article_id}",
        one.since or one.tried,
        one.next_at,
        is_grave=one.purpose == "capture",
    )


def _of_seed(seed: SeedRecord) -> Trouble:
    why = ". ".join(filter(None, (seed.reason, seed.remedy)))
    return Trouble(f"Seeds {seed.state.value}", _place(seed), why, _page(seed), seed.since)


def _of_warning(seed: SeedRecord) -> Trouble:
    why = "; ".join(seed.warnings) or seed.reason or ""
    return Trouble("Warnings", _place(seed), why, _page(seed), is_grave=False)


def _of_push(push: FailingPush) -> Trouble:
    is_hub = push.kind is PushKind.PING
    return Trouble(
        "Could not be told",
        f"{'hub' if is_hub else 'subscriber'} {push.host}: {push.name}",
        push.cause,
        since=push.tried,
        again=push.next_at,
        is_grave=is_hub,
    )


def _place(seed: SeedRecord) -> str:
    return seed.name if seed.line is None else f"{seed.name}, line {seed.line}"


def _page(seed: SeedRecord) -> str:
    return f"/articles/{seed.article_id}" if seed.state is SeedState.LOADED else ""


def _harmless(one: Trouble) -> Trouble:
    return replace(one, what=harmless(one.what), why=harmless(one.why))


def harmless(text: str) -> str:
    """Return text that may be shown to everybody: no passwords, no private feeds' addresses."""
    return shorten(printable(without_tokens(redacted(text))), _LONGEST)


def _summary(run: Run) -> str:
    if not run.ok:
        return "failed"
    if run.ended is None:
        return "under way"
    done = (
        f"{value:,} {key.replace('_', ' ')}"
        for key, value in run.summary.items()
        if isinstance(value, int) and value and key != "size"
    )
    return ", ".join(done) or "nothing to do"


def _listed(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in numbers.items() if number)


def _twin(
    status: Status, every: Sequence[Trouble], daemon: int | None, now: datetime
) -> dict[str, Any]:
    push = status.push
    return {
        "healthy": not any(one.is_grave for one in every),
        "now": time(now),
        "troubles": [
            {
                "kind": one.kind,
                "what": one.what,
                "why": one.why,
                "path": one.path or None,
                "since": time(one.since),
                "again": time(one.again),
                "grave": one.is_grave,
            }
            for one in every
        ],
        "queue": {
            "captures_due": status.due,
            "looks_due": status.looks_due,
            "in_flight": status.in_flight,
            "feeds_to_write": status.dirty,
            "articles_to_index": status.unindexed,
            "pushes_due": push.due,
        },
        "stored": {
            "articles": status.articles,
            "archived": status.archived,
            "withdrawn": status.withdrawn,
            "revisions": status.revisions,
            "is_estimate": status.is_estimate,
            "snapshots": dict(status.snapshots),
            "originals": dict(status.originals),
            "seeds": dict(status.seeds),
            "damaged": status.damaged,
        },
        "runs": [
            {
                "job": run.job,
                "ok": run.ok,
                "started": time(run.started),
                "ended": time(run.ended),
                "summary": dict(run.summary),
                "error": harmless(run.error),
            }
            for run in status.runs
        ],
        "disk": {
            "free": status.disk_free,
            "snapshots": status.archive_size,
            "database": status.database_size,
        },
        "daemon": daemon,
        "fleet": None if status.fleet is None else fleet_twin(status.fleet),
        "versions": {
            "feedsvc": __version__,
            "python": platform.python_version(),
            "schema": status.schema,
        },
    }
