"""A feed as a reader sees it, the same words for every format."""

from __future__ import annotations

import calendar
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import feedparser


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reader sees of an entry; dates to the second."""

    id: str
    title: str
    link: str
    published: datetime
    updated: datetime
    content: str
    original: str | None
    snapshot: str | None
    author: str | None
    image: tuple[str, str, int] | None


@dataclass(frozen=True, slots=True)
class SeenFeed:
    """What a reader sees of a feed."""

    title: str
    subtitle: str
    home: str
    own: str
    older: str | None
    hub: str | None
    entries: tuple[Seen, ...]


def read(data: bytes) -> SeenFeed:
    """Return what stands in a feed of any format; raise AssertionError if it is broken."""
    return _read_json(data) if data.startswith(b"{") else _read_xml(data)


def _read_xml(data: bytes) -> SeenFeed:
    parsed: Any = feedparser.parse(data, sanitize_html=False, resolve_relative_uris=False)
    assert not parsed.bozo, parsed.bozo_exception
    links = {link.rel: link.href for link in parsed.feed.links}
    return SeenFeed(
        title=parsed.feed.title,
        subtitle=parsed.feed.subtitle,
        home=parsed.feed.link,
        own=links["self"],
        older=links.get("prev-archive"),
        hub=links.get("hub"),
        entries=tuple(_xml_entry(entry, parsed.feed) for entry in parsed.entries),
    )


def _xml_entry(entry: Any, feed: Any) -> Seen:
    links = {link.rel: link.href for link in entry.links}
    kept = [
        (found.href, found.type, int(found.length))
        for found in entry.links
        if found.rel == "enclosure"
    ]
    author = entry.get("author")
    return Seen(
        id=entry.id,
        title=entry.title,
        link=entry.link,
        published=_moment(entry.published_parsed),
        updated=_moment(entry.updated_parsed),
        # RSS has but one element for an entry without a summary.
        content=entry.content[0].value if "content" in entry else entry.summary,
        original=links.get("via"),
        snapshot=links.get("related"),
        # Atom demands an author, so that the feed's stands where there is none.
        author=None if author == feed.get("author") else _settled(author),
        image=kept[0] if kept else None,
    )


def _read_json(data: bytes) -> SeenFeed:
    feed = json.loads(data)
    hubs = feed.get("hubs", [])
    return SeenFeed(
        title=feed["title"],
        subtitle=feed["description"],
        home=feed["home_page_url"],
        own=feed["feed_url"],
        older=feed.get("next_url"),
        hub=hubs[0]["url"] if hubs else None,
        entries=tuple(map(_json_entry, feed["items"])),
    )


def _json_entry(item: dict[str, Any]) -> Seen:
    kept = item.get("attachments", [])
    authors = item.get("authors", [])
    return Seen(
        id=item["id"],
        title=_twice_encoded(item["title"]),
        link=item["url"],
        published=_date(item["date_published"]),
        updated=_date(item["date_modified"]),
        content=_twice_encoded(item["content_html"]),
        original=item.get("external_url"),
        snapshot=item.get("_feedsvc", {}).get("snapshot", {}).get("url"),
        author=_settled(authors[0]["name"]) if authors else None,
        image=(kept[0]["url"], kept[0]["mime_type"], kept[0]["size_in_bytes"]) if kept else None,
    )


def _twice_encoded(text: str) -> str:
    """Return what feedparser makes of text that could be UTF-8 taken for Latin-1."""
    try:
        return text.encode("iso-8859-1").decode("utf-8")
    except UnicodeError:
        return text


def _settled(text: str | None) -> str | None:
    """Return a name that feedparser may have read so, as it does in RSS, or not, as in Atom."""
    while text is not None and (again := _twice_encoded(text)) != text:
        text = again
    return text


def _date(text: str) -> datetime:
    return datetime.fromisoformat(re.sub(r"\.\d+", "", text))


def _moment(parsed: Any) -> datetime:
    return datetime.fromtimestamp(calendar.timegm(parsed), tz=UTC)
