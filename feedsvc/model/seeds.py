"""What a seed says and what became of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What tells, without reading, that a file is the one seen before."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class ParsedArticle:
    """One seed, understood. Strings are NFC, free of characters XML 1.0 forbids."""

    title: str
    html: str
    """The body: cleaned HTML with absolute links only."""
    text: str
    """The body as plain text, paragraphs parted by one blank line."""
    summary: str
    """Plain text of about 300 characters, cut at a word."""
    url: str | None = None
    """The original's absolute http(s) URL as given, but cleaned; None if the seed names none."""
    author: str | None = None
    agency: str | None = None
    credit: str | None = None
    published: datetime | None = None
    language: str | None = None
    """A BCP 47 tag, None where the seed gives none."""
    image: str | None = None
    topics: tuple[str, ...] = ()
    """Topics as front matter names them, unresolved."""
    warnings: tuple[str, ...] = ()
    """What was repaired, in words for the person who wrote the seed."""


def content_digest(article: Any) -> str:
    """Return the SHA-256 of everything in a seed that makes a revision; topics do not.

    Takes a ParsedArticle, or a stored row with the same fields.
    """
    published = article.published.isoformat() if article.published else None
    parts = (
        *(article.title, article.html, article.text, article.summary, article.url),
        *(article.author, article.agency, article.credit),
        *(published, article.language, article.image),
    )
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()


class PartKind(StrEnum):
    """What a piece of an article's text is."""

    PARAGRAPH = "paragraph"
    HEADING = "heading"
    ITEM = "item"
    """Of a list; items that follow each other are one list."""
    QUOTE = "quote"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an article's text; one line, but for code."""

    kind: PartKind
    text: str


@dataclass(frozen=True, slots=True)
class SeedDraft:
    """An article as it was found on a page, to be written as a seed. Strings are clean lines."""

    title: str
    parts: tuple[Part, ...]
    url: str | None = None
    author: str | None = None
    published: datetime | None = None
    """12:00:00 UTC means: on that day, the time is not known."""
    language: str | None = None
    image: str | None = None
    topics: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The parts as plain text."""
        return "\n\n".join(part.text for part in self.parts)


class SeedState(StrEnum):
    """What became of a seed file."""

    LOADED = "loaded"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    MISSING = "missing"
    """Gone from disk, but held until a person accepts that (`ingest --accept-deletions`)."""


@dataclass(frozen=True, slots=True)
class SeedRecord:
    """What is known about one seed file."""

    name: str
    """The configured folder, a slash, and the path inside it: `seeds/python/why.md`."""
    stamp: FileStamp
    digest: str
    """SHA-256 of the file's bytes, hex; empty where they could not be read."""
    state: SeedState
    article_id: str | None = None
    line: int | None = None
    reason: str | None = None
    remedy: str | None = None
    warnings: tuple[str, ...] = ()
    parser: int = 0
    """Version of the parser that read it; an older one reads it again."""
    since: datetime | None = None
    """When it came into this state."""
