"""What is known of a fleet at one moment: who works, at what, how fast, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from feedsvc.model.fleet import Queued, Worker

DISPATCH = "dispatch"
"""The tick that queues what is due."""
REAP = "reap"
"""The tick that takes over from workers that went silent."""


class Liveness(StrEnum):
    """How a worker is doing, as far as the database can tell."""

    ALIVE = "alive"
    STOPPING = "stopping"
    """It ends what it is at and begins nothing."""
    SILENT = "silent"
    """Nothing was heard of it for longer than fleet.stalled, and nobody took over from it yet."""
    GONE = "gone"
    """It fell silent, and what it held was taken over."""


class Tally(StrEnum):
    """What is counted by the minute."""

    SEEDS = "seeds"
    """Seeds that were loaded: new, changed, moved or back again."""
    PUBLICATIONS = "publications"
    """Channels that were written."""
    TAKEOVERS = "takeovers"
    """Workers whose work was taken over."""


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker, and what to think of it."""

    worker: Worker
    liveness: Liveness
    age: float
    """Seconds since it was last heard of."""
    held: int
    """Of a silent one: tasks, captures and places at hosts that it still holds."""
    lost: datetime | None = None
    """When its work was taken over."""


@dataclass(frozen=True, slots=True)
class FailedTask:
    """A task that ended badly the last time it was tried."""

    kind: str
    key: str
    since: datetime
    tried: datetime
    times: int
    cause: str


@dataclass(frozen=True, slots=True)
class Pace:
    """How much of what was done lately."""

    what: str
    """`captures`, `looks`, `seeds` or `publications`."""
    minute: int
    hour: int
    """Of very many, an estimate from the last of them."""


@dataclass(frozen=True, slots=True)
class StoreState:
    """Whether a store of bytes answers."""

    name: str
    """`archive` or `feeds`."""
    place: str
    problem: str = ""
    """Why it does not; empty: it does."""
    seconds: float = 0.0
    """How long its answer took."""


@dataclass(frozen=True, slots=True)
class Connections:
    """Who is connected to the database."""

    programs: Mapping[str, int]
    """Command of ours -> its connections, of all its processes together."""
    followers: int
    """Web processes that are told of each feed that is written to an object store."""
    total: int
    """Connections to the whole server, everybody's."""
    most: int
    """As many as the server takes (max_connections)."""


@dataclass(frozen=True, slots=True)
class FleetState:
    """A fleet at one moment."""

    workers: Sequence[WorkerState]
    queue: Sequence[Queued]
    """One for each kind of task."""
    failed: Sequence[FailedTask]
    """The first of the tasks that ended badly, the last one first."""
    failing: int
    """How many such tasks there are."""
    paces: Sequence[Pace]
    oldest_capture: datetime | None
    """Since when the capture that has waited longest is due."""
    oldest_look: datetime | None
    dispatched: datetime | None
    """When due work was last queued."""
    reaped: datetime | None
    """When silent workers were last looked for."""
    totals: Mapping[str, int]
    """How much was ever done: `seeds`, `publications`, `takeovers`."""
    releases: Sequence[str]
    """Of the workers that are alive, and of this process."""
    stores: Sequence[StoreState]
    stalled: float
    """Seconds after which a worker counts as silent."""
    connections: Connections
    disputed: Sequence[str] = ()
    """Files and settings in which workers that are alive differ from each other."""
    differs_here: Sequence[str] = ()
    """Those in which this process, which may be no worker, differs from them."""

    def living(self) -> int:
        """Return how many workers are alive, those that are stopping left out."""
        return sum(one.liveness is Liveness.ALIVE for one in self.workers)


NO_FLEET = FleetState(
    (), (), (), 0, (), None, None, None, None, {}, (), (), 0.0, Connections({}, 0, 0, 1)
)
"""A fleet of nobody that never did anything."""
