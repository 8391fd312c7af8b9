"""The numbers of a fleet for Prometheus. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from feedsvc.model import FleetState, Liveness, Queued, Tally, WorkerState
from feedsvc.text import printable, shorten

_LONGEST = 100


def fleet_metrics(state: FleetState, now: datetime) -> Iterator[Metric]:
    """Yield every metric that only a fleet has."""
    yield from _workers(state)
    yield from _queue(state, now)
    ticks = {"dispatcher": state.dispatched, "takeover": state.reaped}
    for name, moment in ticks.items():
        yield GaugeMetricFamily(
            f"feedsvc_{name}_last_tick_age_seconds",
            f"Seconds since the last tick of the {name}; +Inf: never.",
            value=math.inf if moment is None else _age(moment, now),
        )
    up = GaugeMetricFamily(
        "feedsvc_store_up", "1 if the store of snapshots or of feeds answers.", labels=["store"]
    )
    took = GaugeMetricFamily(
        "feedsvc_store_answer_seconds", "Seconds until that store answered.", labels=["store"]
    )
    for one in state.stores:
        up.add_metric([one.name], 0 if one.problem else 1)
        took.add_metric([one.name], one.seconds)
    yield from (up, took)
    pace = GaugeMetricFamily(
        "feedsvc_done_last_minute", "What was done in the last minute.", labels=["what"]
    )
    for one_pace in state.paces:
        pace.add_metric([one_pace.what], one_pace.minute)
    yield pace
    yield from _totals(state.totals)
    yield from _connections(state)


def _connections(state: FleetState) -> Iterator[Metric]:
    ours = GaugeMetricFamily(
        "feedsvc_database_connections", "Our connections, by command.", labels=["program"]
    )
    for program, number in state.connections.programs.items():
        ours.add_metric([_plain(program)], number)
    yield ours
    yield GaugeMetricFamily(
        "feedsvc_database_connections_used",
        "Everybody's connections to the server.",
        value=state.connections.total,
    )
    yield GaugeMetricFamily(
        "feedsvc_database_connections_limit",
        "As many as the server takes.",
        value=state.connections.most,
    )
    yield GaugeMetricFamily(
        "feedsvc_feed_followers",
        "Web processes that are told of each feed written to an object store.",
        value=state.connections.followers,
    )


def _workers(state: FleetState) -> Iterator[Metric]:
    counts = GaugeMetricFamily("feedsvc_workers", "Workers by state.", labels=["state"])
    for liveness in Liveness:
        counts.add_metric([liveness.value], sum(one.liveness is liveness for one in state.workers))
    yield counts
    info = GaugeMetricFamily(
        "feedsvc_worker_info",
        "Always 1, for each worker that is not gone.",
        labels=["worker", "host", "release"],
    )
    present = [one for one in state.workers if one.liveness is not Liveness.GONE]
    for one in present:
        info.add_metric([one.worker.id, _plain(one.worker.host), _plain(one.worker.release)], 1)
    yield info
    values: tuple[tuple[str, str, Callable[[WorkerState], float]], ...] = (
        ("worker_last_seen_age_seconds", "Seconds since a worker was heard of.", _seen),
        ("clock_skew_seconds", "Seconds by which a worker's clock is ahead.", _skew),
        ("worker_busy_tasks", "Tasks that a worker is at.", _busy),
    )
    for name, what, value in values:
        family = GaugeMetricFamily(f"feedsvc_{name}", what, labels=["worker", "host"])
        for one in present:
            family.add_metric([one.worker.id, _plain(one.worker.host)], value(one))
        yield family


def _seen(one: WorkerState) -> float:
    return one.age


def _skew(one: WorkerState) -> float:
    return one.worker.skew


def _busy(one: WorkerState) -> float:
    return len(one.worker.busy)


def _queue(state: FleetState, now: datetime) -> Iterator[Metric]:
    tasks = GaugeMetricFamily(
        "feedsvc_queue_tasks", "Tasks by kind and state.", labels=["kind", "state"]
    )
    oldest = GaugeMetricFamily(
        "feedsvc_queue_oldest_age_seconds",
        "Seconds since the task was queued that waits longest; 0: none waits.",
        labels=["kind"],
    )
    for one in state.queue:
        for name, number in _states(one).items():
            tasks.add_metric([one.kind.value, name], number)
        oldest.add_metric([one.kind.value], _age(one.oldest, now))
    yield from (tasks, oldest)
    yield GaugeMetricFamily(
        "feedsvc_tasks_failing", "Tasks that ended badly the last time.", value=state.failing
    )


def _states(one: Queued) -> Mapping[str, int]:
    return {
        "waiting": one.waiting,
        "running": one.running,
        "stalled": one.stalled,
        "failed": one.failed,
    }


def _totals(totals: Mapping[str, int]) -> Iterator[Metric]:
    for what, name, said in (
        (Tally.TAKEOVERS, "takeovers", "Workers whose work was taken over by others."),
        (Tally.SEEDS, "seeds_loaded", "Seeds that were loaded: new, changed, moved or back again."),
        (Tally.PUBLICATIONS, "publications", "Channels that were written."),
    ):
        yield CounterMetricFamily(f"feedsvc_{name}", said, value=totals.get(what, 0))


def _age(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max((now - moment).total_seconds(), 0.0)


def _plain(text: str) -> str:
    return shorten(printable(text), _LONGEST)
