"""What pages and `status` show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from feedsvc.model.fleet_state import FleetState
from feedsvc.model.seeds import SeedRecord
from feedsvc.model.topics import Topic
from feedsvc.model.websub import PushStatus


@dataclass(frozen=True, slots=True)
class TopicCount:
    """A topic in use and how many articles it holds."""

    topic: Topic
    articles: int


@dataclass(frozen=True, slots=True)
class CaptureState:
    """Where the capture of an article stands."""

    article_id: str
    title: str
    url: str
    state: str
    """`due`, `leased` or `done`."""
    attempts: int
    outcome: str | None
    status: int | None
    cause: str
    tried: datetime | None
    next_at: datetime | None
    purpose: str = "capture"
    """What it is due for: `capture` or, once it is archived, `look`."""
    since: datetime | None = None
    """When the first of the failures in a row was, where that was asked for."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job."""

    job: str
    started: datetime
    ended: datetime | None
    ok: bool
    summary: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class SpoiltSnapshot:
    """A snapshot whose bytes are not what was recorded."""

    id: str
    article_id: str
    url: str
    since: datetime | None
    """When that was found."""


@dataclass(frozen=True, slots=True)
class Status:
    """The answer to: is it healthy?"""

    articles: int
    withdrawn: int
    revisions: int
    topics: Sequence[TopicCount]
    snapshots: Mapping[str, int]
    """Verdict -> how many."""
    archived: int
    """Articles with a snapshot that counts."""
    due: int
    in_flight: int
    dirty: int
    """Feeds that wait to be written."""
    seeds: Mapping[str, int]
    """Seed state -> how many."""
    problems: Sequence[SeedRecord]
    """Seeds that are rejected, duplicate or missing, and loaded ones with warnings."""
    failures: Sequence[CaptureState]
    """Captures whose last attempt left no snapshot that counts."""
    runs: Sequence[Run]
    """The last run of every job."""
    archive_size: int
    database_size: int | None
    disk_free: int | None
    """None: nobody can say, or it has no end."""
    schema: str
    originals: Mapping[str, int] = field(default_factory=dict)
    """State of originals -> how many."""
    looks_due: int = 0
    troubled: Sequence[CaptureState] = ()
    """Originals whose last look found out nothing."""
    push: PushStatus = field(default_factory=PushStatus)
    """Who is told what changed, where that is turned on."""
    absent: Sequence[str] = ()
    """Configured folders of seeds that are not there or cannot be looked into."""
    damaged: int = 0
    """Snapshots whose bytes are not what was recorded."""
    spoilt: Sequence[SpoiltSnapshot] = ()
    """The first of the damaged ones, the last found first."""
    unindexed: int = 0
    """Articles that searches do not find as they are yet."""
    is_estimate: bool = False
    """True: articles, revisions, snapshots and their size are PostgreSQL's estimate."""
    fleet: FleetState | None = None
    """Who works, and how; None where everything is done on one machine."""
