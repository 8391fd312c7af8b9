"""Lists of articles: what stands beside each, and where a page of a list begins."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.requests import Request

from feedsvc.model import Article, Channel, Original, OriginalState, Snapshot, Topic
from feedsvc.storage.store import Store

ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
NO_PAGE = "There is no page of this list under this address."
LONGEST_COUNTED = 10_000
"""Channels whose sizes are remembered."""

COSTLY = 0.2
"""Seconds from which on counting is not done anew for every page…"""
TIMES = 20
"""…but after so many times as long."""

LOST: Mapping[OriginalState, str] = MappingProxyType(
    {
        OriginalState.GONE: "original gone",
        OriginalState.REDIRECTED: "original moved",
        OriginalState.BLOCKED: "original blocked",
        OriginalState.CHANGED: "original changed",
    }
)
"""What is worth saying of an original in a list."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An article of a list, with its proof."""

    article: Article
    topics: tuple[Topic, ...]
    snapshot: Snapshot | None
    """The last good one."""
    original: Original | None

    @property
    def lost(self) -> str:
        """What became of its original, in two words; empty while all is well."""
        return LOST.get(self.original.state, "") if self.original else ""


def listed(store: Store, articles: Sequence[Article], *, hidden: Collection[str]) -> list[Listed]:
    """Return those articles with what lists show of them, in the same order.

    Of topics those whose slugs are not ``hidden``: their pages are there for nobody.
    """
    items = store.feed_items({article.id: article for article in articles})
    originals = store.originals(list(items))
    return [
        Listed(
            one,
            tuple(topic for topic in items[one.id].topics if topic.slug not in hidden),
            items[one.id].snapshot,
            originals.get(one.id),
        )
        for one in articles
    ]


def page_start(request: Request, store: Store) -> Article | None:
    """Return the article after which a page begins, None for the first page; else 404."""
    key = request.query_params.get("after", "")
    if not key:
        return None
    article = store.article(key) if ID.fullmatch(key) else None
    if article is None:
        raise HTTPException(404, NO_PAGE)
    return article


class Counts:
    """How many articles channels hold, counted again only when some came or went.

    Every such change raises the channel's mark, so that a count is right as long as that stays.
    One that took long stands for a while all the same, so that a large channel to which articles
    come all the time is not counted for every page.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[int, int]] = {}
        self._until = 0.0

    def of(self, store: Store, channels: Sequence[tuple[Channel, int]]) -> dict[str, int]:
        """Return the counts of channels, given with their marks, by slug."""
        known = self._known
        marks = {channel.slug: mark for channel, mark in channels}
        began = self._clock()
        stands = known if began < self._until else {}
        stale = [
            slug
            for slug, mark in marks.items()
            if slug not in stands and known.get(slug, (-1, 0))[0] != mark
        ]
        fresh = {slug: (marks[slug], n) for slug, n in store.count_members(stale).items()}
        took = self._clock() - began
        if stale and took > COSTLY:
            self._until = began + TIMES * took
        if len(known) > LONGEST_COUNTED:
            known.clear()
        known.update(fresh)
        counted = {slug: fresh.get(slug) or known.get(slug) for slug in marks}
        return {slug: found[1] if found else 0 for slug, found in counted.items()}
