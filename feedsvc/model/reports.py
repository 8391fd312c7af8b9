"""What jobs of every day did."""

from __future__ import annotations

from dataclasses import dataclass

from feedsvc.model.captures import Attempt, Outcome


@dataclass(frozen=True, slots=True)
class SeedProblem:
    """A seed that was not loaded as its author may expect, and what to do."""

    seed: str
    reason: str
    remedy: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.seed if self.line is None else f"{self.seed}:{self.line}"
        return f"{place}: {self.reason}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What loading did."""

    new: int = 0
    modified: int = 0
    unmodified: int = 0
    moved: int = 0
    withdrawn: int = 0
    returned: int = 0
    failed: int = 0
    """Rejected seeds and duplicates, new and old ones alike."""
    busy: int = 0
    held: int = 0
    """Seeds gone from disk whose articles stay until a person accepts it."""
    seconds: float = 0.0
    problems: tuple[SeedProblem, ...] = ()
    warnings: tuple[SeedProblem, ...] = ()
    absent: tuple[str, ...] = ()
    """Configured folders that are not there or cannot be looked into."""

    @property
    def partial(self) -> bool:
        """True if a person has to look at something."""
        return bool(self.failed or self.held or self.absent)


@dataclass(frozen=True, slots=True)
class ClassifyReport:
    """What sorting again did."""

    looked_at: int = 0
    changed: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """What a run of captures did."""

    attempts: tuple[Attempt, ...] = ()
    seconds: float = 0.0
    size: int = 0
    """Bytes received."""

    def count(self, *outcomes: Outcome) -> int:
        """Return how many attempts ended so."""
        return sum(attempt.outcome in outcomes for attempt in self.attempts)

    @property
    def archived(self) -> int:
        """Attempts that left a snapshot which counts."""
        return self.count(Outcome.VERIFIED, Outcome.PARTIAL)

    @property
    def partial(self) -> bool:
        """True if not every article that was tried is archived now."""
        return self.archived < len(self.attempts)


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What writing the feeds did."""

    topics: int = 0
    written: int = 0
    unchanged: int = 0
    removed: int = 0
    resorted: int = 0
    """Articles whose topics changed with the vocabulary or the rules."""
    seconds: float = 0.0
    problems: tuple[str, ...] = ()
    """Entries that had to be left out, and why."""
    mended: tuple[str, ...] = ()
    """Entries that had to be mended before feeds could hold them, and how."""


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild did."""

    articles: int
    topics: int
    written: int
    unchanged: int
    removed: int
    seconds: float
    ingest: IngestReport
    capture: CaptureReport | None = None


@dataclass(frozen=True, slots=True)
class Damage:
    """Something stored that is not as it was recorded."""

    what: str
    """`snapshot`, `feed`, `database` or `unknown file`."""
    name: str
    problem: str
    remedy: str
    article_id: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a fixity check found."""

    snapshots: int = 0
    feeds: int = 0
    size: int = 0
    seconds: float = 0.0
    damage: tuple[Damage, ...] = ()
    superseded: int = 0
    """Damaged snapshots whose article has been captured again, and well, since that was found."""
