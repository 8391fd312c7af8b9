"""Memento (RFC 7089): captures by address and time, for other archives, tools and people."""

from __future__ import annotations

import json
import re
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from feedsvc.model import Snapshot
from feedsvc.replay.links import PAGE
from feedsvc.runtime import Runtime
from feedsvc.storage.store_mementos import Memento, Neighbours
from feedsvc.urls import InvalidURL, absolute
from feedsvc.web.addresses import archived, asked_url
from feedsvc.web.answers import answer
from feedsvc.web.conditional import http_date, parse_http_date
from feedsvc.web.rendering import iso

MAX_LISTED = 10_000
"""Mementos a TimeMap lists: the latest ones."""
_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} "
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [1-9]\d{3} \d{2}:\d{2}:\d{2} GMT",
    re.IGNORECASE,
)
_LINK_FORMAT = "application/link-format"
_UNKNOWN = "No capture of this address is kept here."


class BadDatetime(ValueError):
    """An Accept-Datetime that is no date of RFC 1123 in GMT."""


def accept_datetime(value: str | None) -> datetime | None:
    """Return the moment an Accept-Datetime header names (RFC 7089 §2.1.1), None without one."""
    if value is None:
        return None
    moment = parse_http_date(value.strip()) if _DATE.fullmatch(value.strip()) else None
    if moment is None:
        raise BadDatetime(value)
    return moment


class Mementos:
    """TimeGate, TimeMaps, and the headers of a memento."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._base = runtime.site.base_url

    def timegate(self, request: Request) -> Response:
        """Lead to the capture nearest to the time that is asked for (RFC 7089 §4.2.1)."""
        vary = {"vary": "accept-datetime"}
        original = _original(request, "/timegate/")
        if original is None:
            return _said(request, 404, _UNKNOWN, vary)
        links = self._links(original)
        try:
            moment = accept_datetime(request.headers.get("accept-datetime"))
        except BadDatetime:
            sentence = "Accept-Datetime must be like: Fri, 31 May 2024 12:00:00 GMT"
            return _said(request, 400, sentence, vary | {"link": ", ".join(links)})
        with self._runtime.database.reading() as store:
            found = store.memento_near(original, moment)
            around = store.memento_neighbours(original, found.snapshot_id) if found else None
        if found is None:
            return _said(request, 404, _UNKNOWN, vary)
        location = self._uri(found, original)
        links += self._around(around, original)
        headers = vary | {"location": location, "link": ", ".join(links)}
        return _said(request, 302, location, headers)

    def timemap_link(self, request: Request) -> Response:
        """List the captures of an address as links (RFC 7089 §5)."""
        original, found = self._listed(request, "/timemap/link/")
        if original is None or not found:
            return _said(request, 404, _UNKNOWN, {})
        own, gate = f"{self._base}/timemap/link/{original}", f"{self._base}/timegate/{original}"
        span = f'from="{http_date(found[0].captured)}"; until="{http_date(found[-1].captured)}"'
        lines = [
            f'<{original}>; rel="original"',
            f'<{own}>; rel="self"; type="{_LINK_FORMAT}"; {span}',
            f'<{gate}>; rel="timegate"',
        ]
        last = len(found) - 1
        lines += (
            self._link(one, original, _rel(first=place == 0, last=place == last))
            for place, one in enumerate(found)
        )
        return answer(request, ",\n".join(lines).encode() + b"\n", media_type=_LINK_FORMAT)

    def timemap_json(self, request: Request) -> Response:
        """List the captures of an address as JSON, in the form that Memento aggregators use."""
        original, found = self._listed(request, "/timemap/json/")
        if original is None or not found:
            return _said(request, 404, _UNKNOWN, {})
        listed = [{"datetime": iso(one.captured), "uri": self._uri(one, original)} for one in found]
        content = {
            "original_uri": original,
            "self": f"{self._base}/timemap/json/{original}",
            "timegate_uri": f"{self._base}/timegate/{original}",
            "timemap_uri": {
                "link_format": f"{self._base}/timemap/link/{original}",
                "json_format": f"{self._base}/timemap/json/{original}",
            },
            "mementos": {"first": listed[0], "last": listed[-1], "list": listed},
        }
        body = json.dumps(content, indent=1).encode()
        return answer(request, body, media_type="application/json")

    def headers(self, snapshot: Snapshot, url: str, captured: datetime) -> dict[str, str]:
        """Return what goes with a captured response: its time, its original, its neighbours.

        ``captured`` is its own time; that of a snapshot's page is the snapshot's, as in TimeMaps.
        """
        try:
            url = absolute(url)
        except InvalidURL:
            return {"memento-datetime": http_date(captured)}
        with self._runtime.database.reading() as store:
            around = store.memento_neighbours(url, snapshot.id)
        if around is None:
            links = [f'<{url}>; rel="original"']
        else:
            captured = around.here.captured
            links = [*self._links(url), *self._around(around, url)]
        return {"memento-datetime": http_date(captured), "link": ", ".join(links)}

    def _listed(self, request: Request, before: str) -> tuple[str | None, list[Memento]]:
        original = _original(request, before)
        if original is None:
            return None, []
        with self._runtime.database.reading() as store:
            return original, store.mementos(original, limit=MAX_LISTED)

    def _links(self, original: str) -> list[str]:
        base = self._base
        return [
            f'<{original}>; rel="original"',
            f'<{base}/timegate/{original}>; rel="timegate"',
            f'<{base}/timemap/link/{original}>; rel="timemap"; type="{_LINK_FORMAT}"',
            f'<{base}/timemap/json/{original}>; rel="timemap"; type="application/json"',
        ]

    def _around(self, around: Neighbours | None, original: str) -> list[str]:
        """Return links to first, prev, the memento itself, next and last, each address once."""
        if around is None:
            return []
        named: dict[Memento, list[str]] = {}
        for rel, memento in (
            ("first", around.first),
            ("prev", around.prev),
            ("", around.here),
            ("next", around.next),
            ("last", around.last),
        ):
            if memento is not None:
                named.setdefault(memento, []).extend(filter(None, [rel]))
        return [
            self._link(memento, original, " ".join([*rels, "memento"]))
            for memento, rels in named.items()
        ]

    def _link(self, memento: Memento, original: str, rel: str) -> str:
        uri = self._uri(memento, original)
        return f'<{uri}>; rel="{rel}"; datetime="{http_date(memento.captured)}"'

    def _uri(self, memento: Memento, original: str) -> str:
        return archived(self._base, memento.snapshot_id, PAGE, original)


def _rel(*, first: bool, last: bool) -> str:
    return " ".join([*(["first"] if first else []), *(["last"] if last else []), "memento"])


def _original(request: Request, before: str) -> str | None:
    """Return the address a request asks captures of, None if it can be none."""
    try:
        return absolute(asked_url(request, before)).partition("#")[0]
    except InvalidURL:
        return None


def _said(request: Request, status: int, sentence: str, headers: dict[str, str]) -> Response:
    return answer(
        request,
        f"{sentence}\n".encode(),
        media_type="text/plain",
        status=status,
        cache="no-cache",
        headers=headers,
    )
