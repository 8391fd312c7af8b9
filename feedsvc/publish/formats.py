"""The formats a feed is written in: name → function, and name → media type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from feedsvc.model import Entry, Feed
from feedsvc.publish.kept import Kept
from feedsvc.publish.safe import plain
from feedsvc.text import is_clean


@dataclass(frozen=True, slots=True)
class Rendered:
    """A feed document as bytes, and which entries are not in it."""

    data: bytes
    problems: tuple[str, ...] = ()
    """One sentence per entry that could not be written: its id, title and the cause. The same in
    every format and every feed, so that who writes several can tell each once."""


UNCLEAN = "it holds characters that no XML document can hold"
"""Why an entry is left out (XML 1.0 §2.2)."""


class Format(Protocol):
    """Writes a feed; ``kept`` saves work where entries are in several feeds."""

    def __call__(self, feed: Feed, kept: Kept | None = None) -> Rendered: ...


def check(entry: Entry) -> None:
    """Raise ValueError for an entry that not every format can hold (XML 1.0 §2.2).

    Every format asks this, so that they never disagree on what is left out.
    """
    check_lines(entry)
    if not is_clean(entry.content):
        raise ValueError(UNCLEAN)


def check_lines(entry: Entry) -> None:
    """Do the same but for the content, which lxml looks through as quickly as it is read."""
    texts = [entry.id, entry.title, entry.link, entry.summary]
    texts += [entry.author or "", entry.original or "", entry.language or ""]
    for category in entry.categories:
        texts += [category.term, category.label, category.scheme or ""]
    for picture in (entry.image, entry.thumbnail):
        texts += [picture.url, picture.media_type or ""] if picture else []
    if entry.snapshot:
        texts.append(entry.snapshot.url)
    if not is_clean("".join(texts)):
        raise ValueError(UNCLEAN)


def left_out(entry: Entry, cause: object) -> str:
    """Return the sentence that reports an entry which cannot be written."""
    return f"entry {plain(entry.id)} ({plain(entry.title)!r}) left out: {cause}"


def _rss(feed: Feed, kept: Kept | None = None) -> Rendered:
    # feedgen and lxml cost 60 ms to import, which no command pays that writes no feed.
    from feedsvc.publish.xml import rss

    return rss(feed, kept or Kept())


def _atom(feed: Feed, kept: Kept | None = None) -> Rendered:
    from feedsvc.publish.xml import atom

    return atom(feed, kept or Kept())


def _json(feed: Feed, kept: Kept | None = None) -> Rendered:
    from feedsvc.publish.jsonfeed import jsonfeed

    return jsonfeed(feed, kept or Kept())


FEED_FORMATS: dict[str, Format] = {"rss": _rss, "atom": _atom, "json": _json}
"""The name is also the file's ending: `<slug>.rss`."""

MEDIA_TYPES: dict[str, str] = {
    "rss": "application/rss+xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "json": "application/feed+json; charset=utf-8",
    "opml": "text/x-opml; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}
"""Ending of a file under `feeds/` → Content-Type."""


def render(feed: Feed, name: str, *, kept: Kept | None = None) -> Rendered:
    """Return a feed in one format; raise KeyError for a format there is not."""
    return FEED_FORMATS[name](feed, kept)
