"""Work shared by several machines: tasks, workers, what is queued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

SITE_KEY = "feedsvc.json"
"""The key under which a fleet's stores say whose they are."""


class Kind(StrEnum):
    """What a task does; its key says to what."""

    HOST = "host"
    """Captures and looks that are due at a host (key), some of them, politely."""
    PUBLISH = "publish"
    """A channel's documents (key: its slug)."""
    ARRANGE = "arrange"
    """What publishing needs besides: sorting again, the list of feeds, removals (key: empty)."""
    LOAD = "load"
    """A batch of seeds (key: a digest of their names)."""
    FIND = "find"
    """Seeds that are new, changed or gone (key: empty)."""
    PUSH = "push"
    """Calls to hubs and subscribers that are due (key: empty)."""
    INDEX = "index"
    """What searches do not find as it is yet (key: empty)."""
    VERIFY = "verify"
    """Every stored byte against its digest (key: empty)."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do: of each kind and key at most one is queued and one runs."""

    kind: Kind
    key: str = ""
    names: tuple[str, ...] = ()
    """Of Kind.LOAD: the seeds."""


@dataclass(frozen=True, slots=True)
class Busy:
    """A task that a worker is at."""

    kind: Kind
    key: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that works, as it last said of itself."""

    id: str
    """Also the lease under which it holds captures."""
    host: str
    pid: int
    release: str
    started: datetime
    seen: datetime
    skew: float
    """Seconds by which its clock is ahead of the database's."""
    stopping: bool = False
    busy: Sequence[Busy] = ()
    config: Mapping[str, str] = field(default_factory=dict, hash=False)
    """By what it sorts, files and publishes: file or setting -> digest. Empty: it does not."""


@dataclass(frozen=True, slots=True)
class Queued:
    """How many tasks of a kind wait and run, and how long the first of them has waited."""

    kind: Kind
    waiting: int
    running: int
    stalled: int
    """Running, but their worker is silent."""
    failed: int
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """Leave to send some requests to a host, or the word that there is none."""

    after: float
    """Seconds until the first request may be sent, or until it is of use to ask again."""
    granted: int
    """How many, the usual delay apart; 0: none now."""
    places: int = 0
    """How many of the host's places the asker has: requests it may have under way at a time."""
    held: bool = False
    """True: the host wants no request before that."""
    wanted: bool = False
    """True: somebody else waits for a place there."""
