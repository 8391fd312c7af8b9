"""The formats a feed is written in: name → function, and name → media type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from feedsvc.model import Feed


@dataclass(frozen=True, slots=True)
class Rendered:
    """A feed document as bytes, and which entries are not in it."""

    data: bytes
    problems: tuple[str, ...] = ()
    """One sentence per entry that could not be written: its id, title and the cause."""


def _rss(feed: Feed) -> Rendered:
    # feedgen and lxml cost 60 ms to import, which no command pays that writes no feed.
    from feedsvc.publish.xml import rss

    return rss(feed)


def _atom(feed: Feed) -> Rendered:
    from feedsvc.publish.xml import atom

    return atom(feed)


FEED_FORMATS: dict[str, Callable[[Feed], Rendered]] = {"rss": _rss, "atom": _atom}
"""The name is also the file's ending: `<slug>.rss`."""

MEDIA_TYPES: dict[str, str] = {
    "rss": "application/rss+xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "opml": "text/x-opml; charset=utf-8",
}
"""Ending of a file under `feeds/` → Content-Type."""


def render(feed: Feed, name: str) -> Rendered:
    """Return a feed in one format; raise KeyError for a format there is not."""
    return FEED_FORMATS[name](feed)
