"""The search page: what was typed, what was found, and how to make a feed of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request

from feedsvc.jobs import search_articles
from feedsvc.jobs.preparing import private_slugs
from feedsvc.jobs.search_feed import PATHS
from feedsvc.model import ChannelKind, OriginalState
from feedsvc.model.search import Filters
from feedsvc.query import parse_query
from feedsvc.runtime import Runtime
from feedsvc.text import printable, single_line
from feedsvc.web import twins
from feedsvc.web.answers import Shown
from feedsvc.web.highlight import Stretch, Words, excerpt, marked, words_of
from feedsvc.web.listing import Listed, listed
from feedsvc.web.pages import TOPICS

FOUND = 20
"""Articles on a page of what was found."""
LONGEST = 400
"""Characters of a query, and of each filter, that are looked at."""
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_CURSOR = re.compile(r"[a-z0-9_.-]{1,80}")
_NAME = re.compile(r"[a-z0-9]+")
LABELS: Mapping[str, str] = {"rss": "RSS", "atom": "Atom", "json": "JSON"}
NAMES: Mapping[str, str] = {
    "q": "words",
    "topic": "topic",
    "author": "author",
    "agency": "agency",
    "host": "site",
    "from": "date",
    "to": "last date",
    "state": "state of the original",
}
"""What can be asked for, in an address and in words."""

STATES: Mapping[str, str] = {
    OriginalState.ALIVE: "there",
    OriginalState.CHANGED: "changed",
    OriginalState.REDIRECTED: "moved",
    OriginalState.BLOCKED: "blocked",
    OriginalState.GONE: "gone",
}
"""States of originals that can be asked for, in words."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed and chosen, each one clean line; empty where nothing was."""

    given: Mapping[str, str]

    @property
    def words(self) -> str:
        """The query."""
        return self.given["q"]

    @property
    def query(self) -> dict[str, str]:
        """What makes the address of this search, in one order."""
        return {name: value for name, value in self.given.items() if value}

    @property
    def filters(self) -> Filters:
        """What was chosen besides the query; a date that is none counts for nothing."""
        given = {name: value or None for name, value in self.given.items()}
        return Filters(
            topic=given["topic"],
            author=given["author"],
            agency=given["agency"],
            host=_host(self.given["host"]),
            after=_day(self.given["from"]),
            before=_day_after(self.given["to"]),
            state=given["state"],
        )


@dataclass(frozen=True, slots=True)
class Hit:
    """An article that was found, with what was found marked."""

    listed: Listed
    title: list[Stretch]
    excerpt: list[Stretch]


class SearchPage:
    """Looks articles up for `/search`."""

    def __init__(self, runtime: Runtime, *, prefix: str) -> None:
        self._runtime = runtime
        self._prefix = prefix

    def search(self, request: Request) -> Shown:
        """Show what was found, or how to search; any words make a query."""
        asked = asked_for(request.query_params)
        after = request.query_params.get("after", "")
        after = after if _CURSOR.fullmatch(after) else ""
        hits: list[Hit] = []
        following, total, more = None, 0, False
        hidden = private_slugs(self._runtime)
        if asked.query:
            found, articles = search_articles(
                self._runtime, asked.words, asked.filters, limit=FOUND, after=after or None
            )
            words = words_of(parse_query(asked.words))
            with self._runtime.database.reading() as store:
                hits = [_hit(one, words) for one in listed(store, articles, hidden=hidden)]
            following, total, more = found.next, found.total, found.more
        with self._runtime.database.reading() as store:
            marked = store.channels_from(ChannelKind.TOPIC, limit=TOPICS)
        topics = [one for one, _ in marked if one.slug not in hidden]
        site, query = self._runtime.site, asked.query
        return Shown(
            "search.html",
            f"Search: {asked.words}" if asked.words else "Search",
            "/search",
            {
                "given": asked.given,
                "asked": bool(query),
                "narrowed": [NAMES[name] for name in query if name != "q"],
                "hits": hits,
                "total": total,
                "more": more,
                "topics": topics,
                "states": STATES,
                "snippet": feeds_toml(asked),
                "as_feeds": {
                    LABELS[name]: f"{self._prefix}{path}?{urlencode(sorted(query.items()))}"
                    for name, path in PATHS.items()
                },
                "left_out": bool(asked.given["state"]),
            },
            lambda: {
                "query": query,
                "total": total,
                "more": more,
                "articles": [
                    twins.entry(site, hit.listed)
                    | {"excerpt": "".join(one.text for one in hit.excerpt)}
                    for hit in hits
                ],
            },
            query=query | ({"after": after} if after else {}),
            following=None if following is None else query | {"after": following},
        )


def asked_for(given: QueryParams) -> Asked:
    """Return what a request asks for; what cannot be chosen counts for nothing."""
    values = {name: _line(given.get(name, "")) for name in NAMES}
    for name in ("from", "to"):
        if _day(values[name]) is None:
            values[name] = ""
    if values["state"] not in STATES:
        values["state"] = ""
    return Asked(values)


def _line(value: str) -> str:
    return printable(single_line(value[: 4 * LONGEST]))[:LONGEST].strip()


def _day(value: str) -> datetime | None:
    match = _DATE.fullmatch(value)
    if match is None:
        return None
    try:
        return datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=UTC)
    except ValueError:
        return None


def _day_after(value: str) -> datetime | None:
    """Return where a day ends; None for no day, and for the calendar's last, which all precede."""
    day = _day(value)
    if day is None or day.date() == date.max:
        return None
    return day + timedelta(days=1)


def _host(value: str) -> str | None:
    return value.lower().strip("./").removeprefix("www.") or None


def _hit(one: Listed, words: Words) -> Hit:
    article = one.article
    return Hit(
        one,
        marked(article.title, words),
        excerpt(article.text, words, otherwise=article.summary),
    )


def feeds_toml(asked: Asked) -> str:
    """Return what to write into config/feeds.toml for a feed of this search; empty for none.

    The state of originals changes without anything new to read, so no feed asks for it.
    """
    given = asked.given
    query = " ".join(filter(None, (asked.words, *_as_fields(given))))
    if not query and not given["topic"]:
        return ""
    name = "-".join(_NAME.findall((asked.words or query or given["topic"]).lower()))[:40].strip("-")
    lines = ["[[feed]]", f"name = {_toml(name or 'search')}"]
    lines.append(f"title = {_toml(asked.words or query or given['topic'])}")
    if query:
        lines.append(f"query = {_toml(query)}")
    if given["topic"]:
        lines.append(f"topics = [{_toml(given['topic'])}]")
    return "\n".join(lines)


def _as_fields(given: Mapping[str, str]) -> list[str]:
    """Return filters as the query language writes them."""
    names = ((name, given[name].replace('"', " ").strip()) for name in ("author", "agency"))
    fields = [f'{name}:"{value}"' for name, value in names if value]
    if host := _host(given["host"]):
        fields.append(f"host:{host}")
    if given["from"]:
        fields.append(f"after:{given['from']}")
    if (end := _day_after(given["to"])) is not None:
        fields.append(f"before:{end.date().isoformat()}")
    return fields


def _toml(value: str) -> str:
    # Clean lines hold no control characters, so JSON's escapes are TOML's.
    return json.dumps(value, ensure_ascii=False)
