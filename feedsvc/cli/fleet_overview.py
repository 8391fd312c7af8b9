"""A fleet in words, for `feedsvc status`. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from feedsvc.cli.display import Block, Line, Table, counted, moment
from feedsvc.cli.spans import ago, roughly
from feedsvc.jobs.fleet_troubles import worker_name
from feedsvc.model import FleetState, Liveness, Tally, WorkerState

NAMED = 4
"""Workers that are named on one screen."""


def fleet_numbers(state: FleetState, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield a fleet's lines of numbers: label and value."""
    counts = [
        f"{sum(one.liveness is kind for one in state.workers):,} {kind.value}"
        for kind in (Liveness.ALIVE, Liveness.STOPPING, Liveness.SILENT)
        if kind is Liveness.ALIVE or any(one.liveness is kind for one in state.workers)
    ]
    names = [worker_name(one) for one in state.workers if one.liveness is Liveness.ALIVE]
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    yield "workers", f"{', '.join(counts)}{': ' if names else ''}{', '.join(names[:NAMED])}{more}"
    tasks = [
        f"{one.kind.value} {one.waiting:,}+{one.running:,}"
        for one in state.queue
        if one.waiting or one.running
    ]
    ticks = f"dispatch {_ago(state.dispatched, now)}, takeover {_ago(state.reaped, now)}"
    yield "tasks", f"{', '.join(tasks) or 'none'} (waiting+running); {ticks}"
    paces = [f"{one.minute:,} {one.what}" for one in state.paces]
    yield "pace", f"{', '.join(paces)} in the last minute"


def fleet_tables(state: FleetState, now: datetime) -> Iterator[Block]:
    """Yield everything about a fleet, at any length."""
    if state.workers:
        yield Line()
        head = ("worker", "state", "heard of", "release", "clock", "started", "busy with")
        yield Table(head, [_worker(one, now) for one in state.workers])
    yield Line()
    rows = [
        (
            one.kind.value,
            f"{one.waiting:,}",
            f"{one.running:,}",
            f"{one.stalled:,}",
            f"{one.failed:,}",
            _ago(one.oldest, now) if one.oldest else "",
        )
        for one in state.queue
    ]
    yield Table(
        ("task", "waiting", "running", "stalled", "failed", "oldest"),
        rows,
        right=frozenset({1, 2, 3, 4}),
    )
    yield Line()
    paces = [(one.what, f"{one.minute:,}", f"{one.hour:,}") for one in state.paces]
    yield Table(("done", "last minute", "last hour"), paces, right=frozenset({1, 2}))
    yield Line()
    yield Table(
        (), [(f"store of {one.name}", one.place, one.problem or "answers") for one in state.stores]
    )
    yield Line(
        f"work was taken over from {counted(state.totals[Tally.TAKEOVERS], 'worker')} so far"
    )


def _worker(one: WorkerState, now: datetime) -> tuple[str, ...]:
    worker = one.worker
    busy = ", ".join(
        f"{f'{task.kind.value} {task.key}'.rstrip()} ({ago(task.since, now)})"
        for task in worker.busy
    )
    return (
        worker_name(one),
        one.liveness.value,
        f"{roughly(one.age)} ago",
        worker.release,
        f"{round(worker.skew, 1) + 0.0:+.1f} s",
        moment(worker.started),
        busy or "nothing",
    )


def _ago(past: datetime | None, now: datetime) -> str:
    return "never" if past is None else f"{ago(past, now)} ago"
