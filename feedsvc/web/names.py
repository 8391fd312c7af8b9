"""What stands below `/feeds/`: the names of documents, and of the feeds they belong to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from feedsvc.publish import FEED_FORMATS, MEDIA_TYPES
from feedsvc.publish.channels import ABOUT, STYLE

FOLDERS = frozenset({"authors", "agencies", "hosts", "searches"})
"""Feeds of these kinds have their slug in a folder of the kind's name."""

_LONGEST = 400
_SEGMENT = re.compile(r"[a-z0-9_][a-z0-9._-]{0,150}")
_TOKEN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{7,127}")
_PAGE = re.compile(r"[0-9]{4,9}")
_ALONE = {"index.opml", STYLE, ABOUT}


@dataclass(frozen=True, slots=True)
class FeedName:
    """The name of one document below `/feeds/`."""

    path: str
    """As asked for: `science/0001.atom`."""
    media_type: str
    feed: str = ""
    """The slug of its feed, `science` or `authors/jane-doe`; empty for what is no feed."""
    page: int | None = None
    token: str = ""
    """Of a share; empty for what everybody may read."""
    format: str = ""

    @property
    def archive(self) -> bool:
        """Whether it is a closed page of entries (RFC 5005 §4)."""
        return self.page is not None

    @property
    def private(self) -> bool:
        """Whether only those who were told its address may read it."""
        return bool(self.token)

    @property
    def pushed(self) -> bool:
        """Whether hubs are told of its changes: of heads, and never of what is private."""
        return bool(self.feed) and not self.archive and not self.private


def feed_name(path: str) -> FeedName | None:
    """Return what a path below `/feeds/` names, None if no document can have that name."""
    if path in _ALONE:
        return FeedName(path, MEDIA_TYPES[path.rpartition(".")[2]])
    stem, _, ending = path.rpartition(".")
    if ending not in FEED_FORMATS or len(path) > _LONGEST:
        return None
    found = feed_slug(stem)
    if found is None:
        return None
    token, slug, page = found
    return FeedName(path, MEDIA_TYPES[ending], slug, page, token, ending)


def feed_slug(stem: str) -> tuple[str, str, int | None] | None:
    """Return token, slug and page of a document's name without its ending, None if it is none."""
    token = ""
    parts = stem.split("/")
    if parts[0] == "private" and len(parts) > 2:
        token, parts = parts[1], parts[2:]
        if _TOKEN.fullmatch(token) is None:
            return None
    length = 2 if parts[0] in FOLDERS else 1
    if not all(map(_SEGMENT.fullmatch, parts)) or len(stem) > _LONGEST:
        return None
    slug = "/".join(parts[:length])
    if len(parts) == length:
        return token, slug, None
    if len(parts) == length + 1 and _PAGE.fullmatch(parts[-1]):
        return token, slug, int(parts[-1])
    return None
