"""Where a path below `/feeds/` leads that names no document: to a page, to a new name, nowhere."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import anyio.to_thread

from feedsvc.model import ALL, ChannelKind
from feedsvc.storage.store_names import FormerFeed
from feedsvc.web.names import FOLDERS, feed_name, feed_slug

MOST_REMEMBERED = 4096
SECONDS = 5.0
"""How long an answer of the database is remembered: who guesses names must not keep it busy."""


class Elsewhere(NamedTuple):
    """An answer without a document."""

    status: int
    location: str = ""


MISSING = Elsewhere(404)


async def nowhere(_path: str) -> Elsewhere:
    """Lead nowhere."""
    return MISSING


def page_of(slug: str) -> str:
    """Return the path of the page about a feed, where its documents say it is."""
    if slug in {"", ALL}:
        return "/"
    return f"/{slug}" if "/" in slug or slug in _ALONE else f"/topics/{slug}"


_ALONE = {ChannelKind.CHANGES, ChannelKind.GONE, ChannelKind.STATUS}


class FormerFeeds:
    """Which feeds had which names, asked in a thread and remembered for a moment."""

    def __init__(
        self,
        ask: Callable[[str], FormerFeed | None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``ask`` looks a slug up and may take its time."""
        self._ask = ask
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, FormerFeed | None]] = OrderedDict()

    async def find(self, slug: str) -> FormerFeed | None:
        """Return what became of a feed, None if there never was one of that name."""
        known = self._known.get(slug)
        if known is not None and self._clock() - known[0] < SECONDS:
            return known[1]
        found = await anyio.to_thread.run_sync(self._ask, slug)
        self._known[slug] = (self._clock(), found)
        self._known.move_to_end(slug)
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return found


class Signposts:
    """Tell where paths lead that name no document."""

    def __init__(self, former: FormerFeeds, *, prefix: str = "") -> None:
        self._former = former
        self._prefix = prefix

    async def __call__(self, path: str) -> Elsewhere:
        """Return 301 for a feed that was renamed, 410 for one that was withdrawn.

        The name of a feed without a format leads to its page; everything else is not found.
        """
        name = feed_name(path)
        if name is not None:
            former = await self._former.find(name.feed) if name.feed else None
            if former is None:
                return MISSING
            if not former.successor:
                return MISSING if name.private else Elsewhere(410)
            page = f"/{path.rpartition('/')[2]}" if name.archive else f".{name.format}"
            token = f"private/{name.token}/" if name.private else ""
            return Elsewhere(301, f"{self._prefix}/feeds/{token}{former.successor}{page}")
        return await self._page(path)

    async def _page(self, path: str) -> Elsewhere:
        if path in {"", "index"}:
            return Elsewhere(308, f"{self._prefix}/feeds")
        if path.rstrip("/") in FOLDERS:
            return Elsewhere(308, f"{self._prefix}/{path.rstrip('/')}")
        slug = _bare(path)
        if slug is None:
            return MISSING
        former = await self._former.find(slug)
        if former is None:
            return Elsewhere(308, self._prefix + page_of(slug))
        if not former.successor:
            return Elsewhere(410)
        return Elsewhere(301, self._prefix + page_of(former.successor))


def _bare(path: str) -> str | None:
    """Return the slug that a path is, with nothing before or after it."""
    found = feed_slug(path)
    if found is None or found[0] or found[2] is not None:
        return None
    slug = found[1]
    # Only a host's name has dots; anything else with one is a file that is not there.
    return None if "." in slug and not slug.startswith("hosts/") else slug
