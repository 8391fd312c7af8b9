"""What came in from others and what was handed on or taken down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from feedsvc.model.captures import Verdict


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was handed on."""

    file: str
    snapshots: int = 0
    records: int = 0
    """Records written, or listed by the index."""
    size: int = 0
    """Bytes of the file, or of the files in the folder."""
    seconds: float = 0.0
    problems: tuple[str, ...] = ()
    """Snapshots that were left out, and why."""


class Taken(StrEnum):
    """What became of an address that was to be added."""

    ADDED = "added"
    DUPLICATE = "duplicate"
    FAILED = "failed"
    NEW = "new"
    """It would have been added, but nothing was to be written."""


@dataclass(frozen=True, slots=True)
class Addition:
    """One address that was to be added."""

    url: str
    """As it was given."""
    outcome: Taken
    title: str = ""
    seed: str = ""
    """The seed that was written, or the one that has the address already."""
    article_id: str | None = None
    verdict: Verdict | None = None
    """Of the snapshot that was made at once; None: its capture is due."""
    cause: str = ""
    """Why it was not added."""
    text: str = ""
    """The seed as it would be written."""


@dataclass(frozen=True, slots=True)
class AddReport:
    """What adding addresses did."""

    additions: tuple[Addition, ...] = ()
    seconds: float = 0.0

    def count(self, outcome: Taken) -> int:
        """Return of how many addresses that became."""
        return sum(one.outcome is outcome for one in self.additions)

    @property
    def partial(self) -> bool:
        """True if an address could not be added."""
        return self.count(Taken.FAILED) > 0


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What taking in others' captures did."""

    files: int = 0
    records: int = 0
    attached: int = 0
    """Captures that are snapshots of ours now."""
    known: int = 0
    """Captures that were here already."""
    unknown: int = 0
    """Addresses of pages that no article has."""
    mismatch: int = 0
    """Captures of an article's address that do not show the article."""
    unresolved: int = 0
    """Captures whose payload stands in a file that was not given."""
    damaged: int = 0
    """Places that could not be read, and records whose digest is wrong."""
    seconds: float = 0.0
    problems: tuple[str, ...] = ()
    """Each names the file and the offset."""

    @property
    def partial(self) -> bool:
        """True if something that was meant for us could not be taken in."""
        return bool(self.damaged or self.unresolved or self.mismatch)


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """What a takedown removed, or would remove."""

    article_id: str
    title: str
    url: str | None
    seed: str
    seed_exists: bool
    """The file is still there; only a person deletes it."""
    revisions: int
    snapshots: int
    size: int
    """Bytes of the snapshots."""
    rehomed: int
    """Snapshots of other articles that were rewritten, because they needed a payload of these."""
    done: bool
    """False: nothing was changed."""
    problems: tuple[str, ...] = ()
    """What others needed and could not be saved."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what from afar, or to an article that cannot be asked any more, when and why."""

    at: datetime
    who: str
    action: str
    """`forget`, `remember` where that was taken back, or another action of /admin."""
    subject: str
    """The article's id, "" where it is not about one."""
    reason: str
    details: Mapping[str, Any] = field(default_factory=dict)
