"""Articles as they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Article:
    """A stored article in its current revision."""

    id: str
    """UUIDv5 of the normalised original URL (or of the seed's name); `urn:uuid:` + id in feeds."""
    title: str
    html: str
    text: str
    summary: str
    url: str | None
    author: str | None
    agency: str | None
    credit: str | None
    published: datetime
    updated: datetime
    """RFC 4287 §4.2.15: moves with a new revision, and with nothing else."""
    language: str | None
    image: str | None
    topics: tuple[str, ...]
    """As front matter names them."""
    revision: int
    """Counts from 1."""
    seed: str
    """Name of the seed it was loaded from."""
    withdrawn: datetime | None = None

    @property
    def entry_id(self) -> str:
        """RFC 4287 §4.2.6: the same in every feed, for ever."""
        return f"urn:uuid:{self.id}"


@dataclass(frozen=True, slots=True)
class Revision:
    """One of the texts an article has had: what its seed said at a time."""

    article_id: str
    number: int
    """Counts from 1."""
    recorded: datetime
    """When it was loaded."""
    digest: str
    """SHA-256 of everything that makes a revision, hex."""
    title: str
    text: str
    url: str | None
    author: str | None
    agency: str | None
    published: datetime | None
    """As the seed says."""
