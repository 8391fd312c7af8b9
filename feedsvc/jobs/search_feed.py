"""The feed of a search that nobody has saved: made when it is asked for."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from feedsvc.jobs.preparing import FIRST_URL
from feedsvc.model import Channel, ChannelKind
from feedsvc.model.search import Filters
from feedsvc.publish import FEED_FORMATS, compose_feed, render
from feedsvc.query import parse_query
from feedsvc.runtime import Runtime

PATHS: Mapping[str, str] = {
    "rss": "/search.rss",
    "atom": "/search.atom",
    "json": "/search.feed.json",
}
"""Format -> where its feed of any search is; `/search.json` is the page."""
assert set(PATHS) == set(FEED_FORMATS)  # noqa: S101 - a format without a path would be lost


def search_feed(
    runtime: Runtime, name: str, words: str, filters: Filters, *, query: Mapping[str, str]
) -> bytes:
    """Return the latest that a search finds as a feed in one format.

    ``query`` is what makes the address of the search; the same one is the same feed for ever
    (RFC 4287 §4.2.6).
    """
    settings = runtime.settings.feeds
    with runtime.database.reading() as store:
        site = replace(runtime.site, first_url=store.fact(FIRST_URL) or runtime.site.base_url)
        ids = store.latest_found(parse_query(words), filters, limit=settings.entries)
        items = store.feed_items(store.articles(ids))
    label = words or ", ".join(query.values())
    channel = Channel(ChannelKind.SEARCH, "searches/asked", label)
    feed = compose_feed(channel, list(items.values()), site=site, entry_link=settings.entry_link)
    asked = urlencode(sorted(query.items()))
    address = f"{site.first_url}/search?{asked}"
    feed = replace(
        feed,
        id=f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, address)}",
        home=f"{feed_base(feed.home)}/search?{asked}",
        urls={one: f"{feed_base(feed.home)}{path}?{asked}" for one, path in PATHS.items()},
    )
    return render(feed, name).data


def feed_base(home: str) -> str:
    """Return the site's address, as feeds write it, out of that of a search's page."""
    return home.rpartition("/searches/")[0]
