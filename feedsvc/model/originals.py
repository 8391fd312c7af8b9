"""Originals as they are on the web today, and what changed in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from feedsvc.model.captures import Attempt, Outcome
from feedsvc.model.difference import Difference


class OriginalState(StrEnum):
    """How an original is."""

    UNKNOWN = "unknown"
    """Never seen, and missed for the first time: it may be gone, or may not."""
    ALIVE = "alive"
    CHANGED = "changed"
    """Its text is another than when it was first archived."""
    REDIRECTED = "redirected"
    """Its address leads elsewhere."""
    BLOCKED = "blocked"
    """A captcha, a login, a consent wall, robots.txt or the server keep us out."""
    GONE = "gone"


class Seen(StrEnum):
    """What one look at an original saw."""

    SAME = "same"
    CHANGED = "changed"
    ELSEWHERE = "elsewhere"
    BLOCKED = "blocked"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One look that found out how an original is."""

    seen: Seen
    status: int | None = None
    cause: str = ""
    """A sentence; empty if all is well."""
    final_url: str | None = None
    """Where its address led to."""


@dataclass(frozen=True, slots=True)
class Original:
    """How the original of an article is on the web, as far as looks tell."""

    article_id: str
    state: OriginalState
    since: datetime
    """When it was first seen like this; for one that changed: when it changed last."""
    looked: datetime
    """When a look last found out how it is."""
    status: int | None = None
    cause: str = ""
    final_url: str | None = None
    missed: datetime | None = None
    """When it was first missing in a row of looks; None if the last look saw something."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an original's text, between two snapshots."""

    id: str
    """A UUID."""
    article_id: str
    at: datetime
    before_id: str
    after_id: str
    """Snapshots: what it was compared with, and what was found."""
    difference: Difference


@dataclass(frozen=True, slots=True)
class RecheckReport:
    """What a round of looks found."""

    attempts: tuple[Attempt, ...] = ()
    seconds: float = 0.0
    size: int = 0
    """Bytes received."""

    def count(self, *outcomes: Outcome) -> int:
        """Return how many looks ended so."""
        return sum(attempt.outcome in outcomes for attempt in self.attempts)

    @property
    def changed(self) -> int:
        """Originals whose text is another now."""
        return self.count(Outcome.CHANGED)

    @property
    def partial(self) -> bool:
        """True if some looks found out nothing; they are tried again."""
        return self.count(Outcome.FAILED, Outcome.REFUSED, Outcome.MISMATCH) > 0
