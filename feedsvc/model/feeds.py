"""What feeds are composed from, and feeds ready to be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from feedsvc.model.articles import Article
from feedsvc.model.captures import Snapshot
from feedsvc.model.topics import Topic

ALL = "all"
"""The slug of the feed that covers every topic; no topic may take it."""


@dataclass(frozen=True, slots=True)
class Site:
    """What every feed and page says of the site."""

    title: str
    base_url: str
    """Without a slash at its end."""
    author: str
    language: str
    first_url: str = ""
    """The base_url the site was first published under, from which feeds have their ids."""


@dataclass(frozen=True, slots=True)
class Category:
    """A topic as an entry's category (RFC 4287 §4.2.2)."""

    term: str
    label: str
    scheme: str | None = None


@dataclass(frozen=True, slots=True)
class FeedItem:
    """What one entry is composed from."""

    article: Article
    topics: tuple[Topic, ...]
    snapshot: Snapshot | None = None
    """The last good one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, ready to be written in any format."""

    id: str
    title: str
    link: str
    published: datetime
    updated: datetime
    summary: str
    """Plain text."""
    content: str
    """HTML, absolute links only, ending in the line that leads to original and snapshot."""
    author: str | None
    categories: tuple[Category, ...]
    original: str | None
    snapshot: str | None
    snapshot_date: datetime | None
    language: str | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed document, ready to be written in any format."""

    id: str
    slug: str
    title: str
    subtitle: str
    home: str
    """URL of the HTML page about the same topic."""
    urls: Mapping[str, str]
    """Format name -> the feed's own URL in that format."""
    updated: datetime
    """The newest entry's `updated`, never the time of building."""
    language: str
    author: str
    icon: str
    entries: tuple[Entry, ...]
    ttl_minutes: int = 60
