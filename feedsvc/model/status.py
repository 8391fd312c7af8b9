"""What pages and `status` show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from feedsvc.model.seeds import SeedRecord
from feedsvc.model.topics import Topic


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
    disk_free: int
    schema: str
    absent: Sequence[str] = ()
    """Configured folders of seeds that are not there or cannot be looked into."""
