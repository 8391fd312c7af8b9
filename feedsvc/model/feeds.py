"""What feeds are composed from, and feeds ready to be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from feedsvc.model.articles import Article
from feedsvc.model.captures import Snapshot, Verdict
from feedsvc.model.images import Image
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
    rights: str = ""
    """Who may do what with the articles: one line, empty if nothing is said."""
    logo: str = ""
    """Absolute URL of a picture that stands for the site, empty if there is none."""
    ttl_minutes: int = 60
    """How long a reader may wait before it asks for a feed again."""


class ChannelKind(StrEnum):
    """What the articles, or the notices, of a channel have in common."""

    ALL = "all"
    TOPIC = "topic"
    AUTHOR = "author"
    AGENCY = "agency"
    HOST = "host"
    SEARCH = "search"
    CHANGES = "changes"
    GONE = "gone"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Channel:
    """What a feed is about."""

    kind: ChannelKind
    slug: str
    """Path under `feeds/`, without format: `all`, `sport`, `authors/ada-writer`."""
    label: str
    definition: str = ""
    topic: Topic | None = None
    named: str = ""
    """The slug its feeds have their id from, if that is not their own: it had that one first."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which document of a channel a feed is, and which archive pages stand beside it."""

    page: int | None = None
    """Counts from 1, the oldest; None for the head."""
    older: int | None = None
    newer: int | None = None
    """The closed page after it; None for the newest and for the head."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """An entry that was withdrawn (RFC 6721 §3)."""

    entry_id: str
    when: datetime
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Archived:
    """An entry's snapshot, as feeds tell of it."""

    url: str
    date: datetime
    verdict: Verdict
    digest: str
    """Of the WARC file: `sha256:` and hex digits."""
    size: int
    """Bytes of the WARC file."""


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
    snapshot: Archived | None
    language: str | None = None
    image: Image | None = None
    thumbnail: Image | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One entry of a feed that tells what happened: changes, gone, status."""

    id: str
    """A UUID; `urn:uuid:` + id in feeds."""
    title: str
    link: str
    """Absolute URL."""
    html: str
    summary: str
    published: datetime
    updated: datetime
    categories: tuple[Category, ...] = ()
    original: str | None = None
    author: str | None = None


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
    rights: str = ""
    logo: str = ""
    archive: bool = False
    """Whether it is an archive page (RFC 5005 §4)."""
    prev_archive: Mapping[str, str] = field(default_factory=dict)
    """Format name -> URL of the page with older entries; empty where there is none."""
    next_archive: Mapping[str, str] = field(default_factory=dict)
    """Format name -> URL of the next newer archive page; empty on the newest and on the head."""
    current: Mapping[str, str] = field(default_factory=dict)
    """Format name -> URL of the head; empty on the head itself."""
    hubs: tuple[str, ...] = ()
    """URLs of WebSub hubs."""
    tombstones: tuple[Tombstone, ...] = ()
    stylesheet: str = ""
    """URL of the CSS that makes the document readable in a browser, which is told its path alone."""
    mended: Mapping[str, str] = field(default_factory=dict)
    """Article's id -> one sentence, where it had to be mended before a feed could hold it."""
