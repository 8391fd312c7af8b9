"""The pages of what feeds are about: topics, authors, agencies, hosts, saved searches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from feedsvc.jobs.preparing import private_slugs
from feedsvc.model import ALL, Article, Channel, ChannelKind
from feedsvc.publish.channels import feed_subtitle, label_of
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store
from feedsvc.storage.store_names import FormerFeed
from feedsvc.web import twins
from feedsvc.web.answers import Look, Pages, Shown
from feedsvc.web.former import page_of
from feedsvc.web.listing import NO_PAGE, Counts, listed, page_start
from feedsvc.web.pages import NEWEST, TOPICS, by_size, checked

_SLUG = re.compile(r"[a-z0-9_][a-z0-9._-]{0,150}")
_TOPIC = re.compile(r"[a-z0-9-]{1,120}")
LISTED = 100
"""Channels that stand on a page of a list."""

NO_CHANNEL = "No article belongs to anything of this name."
GONE_CHANNEL = "No article belongs to this any more."

FOLDERS: Mapping[str, tuple[ChannelKind, str]] = MappingProxyType(
    {
        "topics": (ChannelKind.TOPIC, "Topics"),
        "authors": (ChannelKind.AUTHOR, "Authors"),
        "agencies": (ChannelKind.AGENCY, "Agencies"),
        "hosts": (ChannelKind.HOST, "Sources"),
        "searches": (ChannelKind.SEARCH, "Searches"),
    }
)
"""Kinds that a page of all of them lists, by its path."""


class ChannelPages:
    """Looks at the database for `/topics`, `/topics/…`, `/authors`, `/authors/…` and so on."""

    def __init__(self, runtime: Runtime, pages: Pages, *, counts: Counts, prefix: str) -> None:
        self._runtime = runtime
        self._pages = pages
        self._counts = counts
        self._prefix = prefix

    def index_of(self, folder: str) -> Look:
        """Return what shows all channels of the kind that stands in that folder."""

        def look(request: Request) -> Shown:
            return self._index(request, folder)

        return look

    def of(self, folder: str) -> Look:
        """Return what shows one channel of the kind that stands in that folder."""

        def look(request: Request) -> Shown | Response:
            if folder != "topics":
                slug = f"{folder}/{checked(request, 'slug', _SLUG, NO_CHANNEL)}"
            else:
                slug = checked(request, "slug", _TOPIC, NO_CHANNEL)
            return self._channel(request, slug)

        return look

    def _index(self, request: Request, folder: str) -> Shown:
        kind, title = FOLDERS[folder]
        whole = kind is ChannelKind.TOPIC
        limit = TOPICS if whole else LISTED
        before = "" if whole else folder + "/"
        start = request.query_params.get("after", "")
        if start and not (_TOPIC if whole else _SLUG).fullmatch(start):
            raise HTTPException(404, NO_PAGE)
        with self._runtime.database.reading() as store:
            after = before + start if start else ""
            found = store.channels_from(kind, limit=limit + 1, after=after)
            more, found = len(found) > limit, found[:limit]
            counts = self._counts.of(store, found)
        hidden = private_slugs(self._runtime)
        shown = [channel for channel, _ in found if channel.slug not in hidden]
        if whole and not more and not start:
            shown = by_size(shown, counts)
        site = self._runtime.site
        return Shown(
            "channels.html",
            title,
            f"/{folder}",
            {"channels": shown, "counts": counts, "folder": folder, "folders": FOLDERS},
            lambda: {
                folder: [twins.channel(site, one, count=counts[one.slug]) for one in shown],
            },
            query={"after": start} if start else {},
            following={"after": found[-1][0].slug.removeprefix(before)} if more else None,
        )

    def _channel(self, request: Request, slug: str) -> Shown | Response:
        """Show the articles of a feed; of a private one not even that there is one."""
        if slug == ALL:
            return RedirectResponse(f"{self._prefix}/", 308)
        if slug in private_slugs(self._runtime):
            raise HTTPException(404, NO_CHANNEL)
        with self._runtime.database.reading() as store:
            marked = store.marked_channel(slug)
            if marked is None:
                return self._former(store.former_feed(slug))
            count = self._counts.of(store, [marked])[slug]
            if not count and marked[0].kind is not ChannelKind.SEARCH:
                raise HTTPException(404, NO_CHANNEL)
            start = page_start(request, store)
            return self._shown(store, marked[0], count=count, start=start)

    def _shown(self, store: Store, channel: Channel, *, count: int, start: Article | None) -> Shown:
        found = store.newest(NEWEST + 1, channel=channel.slug, after=start)
        some = listed(store, found[:NEWEST], hidden=private_slugs(self._runtime))
        site = self._runtime.site
        return Shown(
            "channel.html",
            label_of(channel),
            page_of(channel.slug),
            {
                "channel": channel,
                "lead": feed_subtitle(site, channel),
                "count": count,
                "articles": some,
            },
            lambda: {
                "channel": twins.channel(site, channel, count=count),
                "articles": twins.entries(site, some),
            },
            query={} if start is None else {"after": start.id},
            following={"after": found[NEWEST - 1].id} if len(found) > NEWEST else None,
        )

    def _former(self, former: FormerFeed | None) -> Response:
        """Lead to a renamed channel's page; say of others whether they ever were."""
        if former is None:
            raise HTTPException(404, NO_CHANNEL)
        if former.successor is None:
            raise HTTPException(410, GONE_CHANNEL)
        return RedirectResponse(self._prefix + page_of(former.successor), 301)
