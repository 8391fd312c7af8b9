"""What is looked for among the articles, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Filters:
    """What articles have to be besides matching a query; None asks for nothing."""

    topic: str | None = None
    author: str | None = None
    agency: str | None = None
    host: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    state: str | None = None
    """Of the original: one of OriginalState, such as `gone`."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of what a search found, best or newest first."""

    ids: tuple[str, ...]
    """Of articles."""
    next: str | None
    """What to ask for to go on; None at the end."""
    total: int
    """How many there are; if ``more``, at least that many."""
    more: bool


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What bringing articles into the index did."""

    indexed: int = 0
    seconds: float = 0.0
