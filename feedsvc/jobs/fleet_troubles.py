"""What in a fleet needs a person, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from feedsvc.model import FleetState, Liveness, WorkerState
from feedsvc.text import printable, shorten

SKEW = 2.0
"""Seconds by which a clock may be wrong before anybody is told."""
LATE = timedelta(minutes=15)
"""For how long something may be due before it is called a backlog."""
TICK = timedelta(seconds=30)
"""For how long the ticks may be away that queue due work and take over."""
RECENT = timedelta(hours=1)
"""For how long a worker that fell silent is told of."""
CROWDED = 0.9
"""The share of the server's connections that may be in use."""
_LONGEST_NAME = 60
_LONGEST_NAMES = 200


@dataclass(frozen=True, slots=True)
class FleetTrouble:
    """One thing about the fleet that a person has to look at."""

    short: str
    """In a few words, without names."""
    what: str
    why: str
    """And what to do about it."""
    since: datetime | None = None
    grave: bool = True
    """False: nothing is lost or late, but somebody may want to know."""


def fleet_troubles(state: FleetState, now: datetime) -> Iterator[FleetTrouble]:
    """Yield what is wrong with a fleet, the worst first."""
    yield from _nobody(state)
    yield from _stores(state)
    yield from _ticks(state, now)
    yield from (_silent(one) for one in state.workers if one.liveness is Liveness.SILENT)
    yield from _crowded(state)
    yield from _stalled(state)
    yield from _failed(state)
    yield from _late(state, now)
    yield from (
        _gone(one, one.lost, is_back=_is_back(one, state))
        for one in state.workers
        if one.lost is not None and now - one.lost < RECENT
    )
    yield from (_skewed(one) for one in state.workers if _is_skewed(one))
    yield from _disagreements(state)
    if len(state.releases) > 1:
        yield FleetTrouble(
            "releases differ",
            f"different releases at work: {', '.join(state.releases)}",
            "fine while you upgrade; afterwards restart those that run the older one",
            grave=False,
        )


def _disagreements(state: FleetState) -> Iterator[FleetTrouble]:
    if state.disputed:
        yield FleetTrouble(
            "configurations differ",
            f"workers have different configurations: {_some(state.disputed)}",
            "stop every worker, make config/ the same on every machine, then start them again",
        )
    if state.differs_here:
        yield FleetTrouble(
            "the configuration here differs",
            f"the configuration here differs from the workers': {_some(state.differs_here)}",
            "nothing is loaded, sorted or published from here: copy config/ from a worker's "
            "machine, and restart what runs here",
            grave=False,
        )


def _some(names: Sequence[str]) -> str:
    return shorten(printable(", ".join(names)), _LONGEST_NAMES)


def _nobody(state: FleetState) -> Iterator[FleetTrouble]:
    if state.living():
        return
    yield FleetTrouble(
        "no worker is alive",
        "no worker is alive",
        "nothing is loaded, archived or published: start `feedsvc worker` on any machine",
        max((one.worker.seen for one in state.workers), default=None),
    )


def _stores(state: FleetState) -> Iterator[FleetTrouble]:
    for one in state.stores:
        if one.problem:
            yield FleetTrouble(
                f"the store of {_HELD[one.name]} does not answer",
                f"the store of {_HELD[one.name]} does not answer: {one.place}",
                f"{one.problem}; what could not be stored is due again by itself",
            )


_HELD = {"archive": "snapshots", "feeds": "feeds"}


def _ticks(state: FleetState, now: datetime) -> Iterator[FleetTrouble]:
    if not state.living():
        return
    for last, what, effect in (
        (state.dispatched, "due work is not queued", "nothing new begins"),
        (state.reaped, "silent workers are not looked for", "their work is not taken over"),
    ):
        if last is None or now - last > TICK:
            yield FleetTrouble(
                what,
                f"{what}, though workers are alive",
                f"{effect}: look for errors in the workers' logs, and restart them",
                last,
            )


def _silent(one: WorkerState) -> FleetTrouble:
    return FleetTrouble(
        "a worker is silent",
        f"worker {worker_name(one)} is silent and still holds {one.held:,} of what it began",
        "another worker takes that over within seconds, if one is alive; look at its machine",
        one.worker.seen,
    )


def _gone(one: WorkerState, lost: datetime, *, is_back: bool) -> FleetTrouble:
    if is_back:
        why = "it is back under a new name: it was paused, or cut off from the database"
    else:
        why = "was it killed, paused or cut off? If it still runs, it starts afresh by itself"
    return FleetTrouble(
        "a worker fell silent",
        f"worker {worker_name(one)} fell silent; its work was taken over",
        why,
        lost,
        grave=False,
    )


def _is_back(one: WorkerState, state: FleetState) -> bool:
    place = (one.worker.host, one.worker.pid)
    return any(
        (other.worker.host, other.worker.pid) == place
        for other in state.workers
        if other.liveness is not Liveness.GONE
    )


def _crowded(state: FleetState) -> Iterator[FleetTrouble]:
    total, most = state.connections.total, state.connections.most
    if total > CROWDED * most:
        yield FleetTrouble(
            "connections run out",
            f"PostgreSQL has {total:,} of {most:,} connections",
            "raise its max_connections, put a pooler in front, or run fewer processes",
            grave=False,
        )


def _stalled(state: FleetState) -> Iterator[FleetTrouble]:
    for one in state.queue:
        if one.stalled:
            yield FleetTrouble(
                "tasks are stalled",
                f"{one.stalled:,} stalled: {one.kind.value}",
                "their worker is silent; any other worker queues them again within seconds",
            )


def _failed(state: FleetState) -> Iterator[FleetTrouble]:
    for one in state.failed:
        what = f"{one.kind} {one.key}".rstrip()
        times = "once" if one.times == 1 else f"{one.times:,} times in a row"
        yield FleetTrouble("tasks fail", f"task {what} failed {times}", one.cause, one.since)


def _late(state: FleetState, now: datetime) -> Iterator[FleetTrouble]:
    for oldest, what in ((state.oldest_capture, "captures"), (state.oldest_look, "looks")):
        if oldest is not None and now - oldest > LATE:
            yield FleetTrouble(
                f"{what} wait for long",
                f"{what} wait for long",
                "start more workers if many hosts wait; a single host is asked at its own pace",
                oldest,
                grave=False,
            )
    for one in state.queue:
        if one.oldest is not None and now - one.oldest > LATE:
            yield FleetTrouble(
                "tasks wait for long",
                f"tasks wait for long: {one.kind.value}, {one.waiting:,} of them",
                "start more workers, or raise fleet.concurrency",
                one.oldest,
                grave=False,
            )


def _is_skewed(one: WorkerState) -> bool:
    return abs(one.worker.skew) > SKEW and one.liveness is not Liveness.GONE


def _skewed(one: WorkerState) -> FleetTrouble:
    skew = one.worker.skew
    return FleetTrouble(
        "clocks differ",
        f"the clock of {worker_name(one)} is {abs(skew):,.0f} s {'ahead' if skew > 0 else 'behind'}",
        "work goes by the database's clock, so nothing is lost; turn on time synchronisation there",
        grave=False,
    )


def worker_name(one: WorkerState) -> str:
    """Return where a worker runs, on one short line: a machine may say of itself what it likes."""
    return f"{shorten(printable(one.worker.host), _LONGEST_NAME)}:{one.worker.pid}"
