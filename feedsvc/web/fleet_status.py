"""The part of `/status` about a fleet, and of its twin. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from feedsvc.jobs.fleet_troubles import worker_name
from feedsvc.model import FleetState, Kind, Queued, Tally, WorkerState
from feedsvc.text import printable, shorten
from feedsvc.web.twins import time

_LONGEST = 100
SHOWN_BUSY = 5
"""Tasks of one worker that are shown; the twin has all of them."""


@dataclass(frozen=True, slots=True)
class ShownTask:
    """A task that a worker is at."""

    name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ShownWorker:
    """A worker as the page shows it: other machines' words made harmless."""

    name: str
    liveness: str
    release: str
    skew: str
    started: datetime
    seen: datetime
    busy: Sequence[ShownTask]
    more: int
    """Tasks that are not shown."""


@dataclass(frozen=True, slots=True)
class ShownFleet:
    """What the page shows of a fleet."""

    workers: Sequence[ShownWorker]
    queue: Sequence[Queued]
    numbers: Sequence[tuple[str, str]]
    moments: Sequence[tuple[str, datetime | None]]


def shown_fleet(state: FleetState) -> ShownFleet:
    """Return what the page shows."""
    hours = ", ".join(f"{one.hour:,} {one.what}" for one in state.paces)
    minutes = ", ".join(f"{one.minute:,} {one.what}" for one in state.paces)
    stores = [
        (f"Store of {one.name}", "does not answer" if one.problem else "answers")
        for one in state.stores
    ]
    return ShownFleet(
        workers=[_worker(one) for one in state.workers],
        queue=[one for one in state.queue if one != Queued(one.kind, 0, 0, 0, 0)],
        numbers=[
            ("Last minute", minutes),
            ("Last hour", hours),
            *stores,
            ("Connections", _connections(state)),
            ("Taken over", f"from silent workers, {state.totals[Tally.TAKEOVERS]:,} times so far"),
        ],
        moments=[
            ("Oldest capture", state.oldest_capture),
            ("Oldest look", state.oldest_look),
            ("Last queued", state.dispatched),
            ("Last takeover", state.reaped),
        ],
    )


def _connections(state: FleetState) -> str:
    known = state.connections
    ours = [f"{_plain(name)} {number:,}" for name, number in known.programs.items()]
    return f"{', '.join(ours)}; {known.total:,} of {known.most:,} in use"


def _worker(one: WorkerState) -> ShownWorker:
    worker = one.worker
    tasks = [ShownTask(_task(task.kind, task.key), task.since) for task in worker.busy]
    return ShownWorker(
        name=_plain(worker_name(one)),
        liveness=one.liveness.value,
        release=_plain(worker.release),
        skew=f"{round(worker.skew, 1) + 0.0:+.1f} s",
        started=worker.started,
        seen=worker.seen,
        busy=tasks[:SHOWN_BUSY],
        more=max(len(tasks) - SHOWN_BUSY, 0),
    )


def _task(kind: Kind, key: str) -> str:
    return _plain(f"{kind.value} {key}".rstrip())


def _plain(text: str) -> str:
    return shorten(printable(text), _LONGEST)


def fleet_twin(state: FleetState) -> dict[str, Any]:
    """Return what the twin says."""
    return {
        "workers": [
            {
                "id": _plain(one.worker.id),
                "host": _plain(one.worker.host),
                "pid": one.worker.pid,
                "release": _plain(one.worker.release),
                "state": one.liveness.value,
                "started": time(one.worker.started),
                "seen": time(one.worker.seen),
                "lost": time(one.lost),
                "clock_skew": round(one.worker.skew, 3),
                "held": one.held,
                "busy": [
                    {"kind": task.kind.value, "key": _plain(task.key), "since": time(task.since)}
                    for task in one.worker.busy
                ],
            }
            for one in state.workers
        ],
        "tasks": {
            one.kind.value: {
                "waiting": one.waiting,
                "running": one.running,
                "stalled": one.stalled,
                "failed": one.failed,
                "oldest": time(one.oldest),
            }
            for one in state.queue
        },
        "pace": {one.what: {"minute": one.minute, "hour": one.hour} for one in state.paces},
        "stores": {one.name: not one.problem for one in state.stores},
        "oldest_capture_due": time(state.oldest_capture),
        "oldest_look_due": time(state.oldest_look),
        "dispatched": time(state.dispatched),
        "looked_for_silent_workers": time(state.reaped),
        "totals": dict(state.totals),
        "connections": {
            "programs": {_plain(name): n for name, n in state.connections.programs.items()},
            "used": state.connections.total,
            "limit": state.connections.most,
            "followers": state.connections.followers,
        },
        "failing_tasks": state.failing,
        "releases": [_plain(one) for one in state.releases],
    }
