"""A feed → JSON Feed 1.1 (jsonfeed.org/version/1.1).

What the format has no word for stands in `_feedsvc`, as it allows: the snapshot of each entry,
and what Atom says of the whole feed. Each item is one line, so that a change of one article is a
change of one line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from feedsvc.model import Entry, Feed, Image
from feedsvc.publish.channels import ABOUT, STYLE
from feedsvc.publish.formats import Rendered, check, left_out
from feedsvc.publish.kept import Kept

VERSION = "https://jsonfeed.org/version/1.1"
_COMMENT = (
    "This is a feed: copy its address into a feed reader that knows JSON Feed"
    " to see what is new here. The same articles as a page: {home}"
)


def jsonfeed(feed: Feed, kept: Kept) -> Rendered:
    """Return a feed as JSON Feed 1.1 in UTF-8, with the entries that had to be left out."""
    about = _about(feed)
    items: list[bytes] = []
    problems: list[str] = []
    for entry in feed.entries:
        key = ("json", entry, about)
        line = kept.get(key)
        if line is None:
            try:
                check(entry)
                line = _line(_item(entry, about))
            except ValueError as error:
                problems.append(left_out(entry, error))
                continue
            kept.put(key, line, size=len(line))
        items.append(line)
    head = _line(_head(feed, about))
    listed = b",\n".join(items)
    data = head[:-1] + b',"items":[\n' + listed + (b"\n" if items else b"") + b"]}\n"
    return Rendered(data, tuple(problems))


def _line(value: Mapping[str, Any]) -> bytes:
    """Return one line of JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _head(feed: Feed, about: str) -> dict[str, Any]:
    """Return everything but the items, without what is empty."""
    head = {
        "version": VERSION,
        "title": feed.title,
        "home_page_url": feed.home,
        "feed_url": feed.urls["json"],
        "description": feed.subtitle,
        "user_comment": _COMMENT.format(home=feed.home),
        "next_url": feed.prev_archive.get("json"),
        "icon": feed.logo,
        "favicon": feed.icon,
        "authors": _authors(feed.author),
        "language": feed.language,
        "hubs": [{"type": "WebSub", "url": hub} for hub in feed.hubs],
        "_feedsvc": _said({"about": about, **_ours(feed)}),
    }
    return _said(head)


def _ours(feed: Feed) -> dict[str, Any]:
    """Return what Atom says of a feed and JSON Feed has no word for."""
    return {
        "id": feed.id,
        "updated": _moment(feed.updated),
        "rights": feed.rights,
        "archive": feed.archive,
        "prev_archive": feed.prev_archive.get("json"),
        "next_archive": feed.next_archive.get("json"),
        "current": feed.current.get("json"),
        "deleted": [
            _said({"id": one.entry_id, "when": _moment(one.when), "comment": one.comment})
            for one in feed.tombstones
        ],
    }


def _item(entry: Entry, about: str) -> dict[str, Any]:
    snapshot = entry.snapshot
    kept = snapshot and {
        "url": snapshot.url,
        "date": _moment(snapshot.date),
        "verdict": str(snapshot.verdict),
        "digest": snapshot.digest,
        "size": snapshot.size,
    }
    item = {
        "id": entry.id,
        "url": entry.link,
        "external_url": entry.original,
        "title": entry.title,
        "content_html": entry.content,
        "summary": entry.summary,
        "image": entry.image and entry.image.url,
        "date_published": _moment(entry.published),
        "date_modified": _moment(entry.updated),
        "authors": _authors(entry.author),
        "tags": list(dict.fromkeys(category.label for category in entry.categories)),
        "language": entry.language,
        "attachments": _attachments(entry.image),
        "_feedsvc": kept and {"about": about, "snapshot": kept},
    }
    return _said(item)


def _attachments(image: Image | None) -> Sequence[Mapping[str, Any]]:
    """Return a picture as an attachment, if it is known what it is."""
    if image is None or not image.media_type or not image.size:
        return []
    return [{"url": image.url, "mime_type": image.media_type, "size_in_bytes": image.size}]


def _authors(name: str | None) -> list[dict[str, str]]:
    return [{"name": name}] if name else []


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has something to say."""
    return {key: value for key, value in values.items() if value}


def _moment(when: datetime) -> str:
    """Write a date as RFC 3339."""
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _about(feed: Feed) -> str:
    """Return the address of the text that explains `_feedsvc`."""
    return feed.stylesheet.removesuffix(STYLE) + ABOUT
