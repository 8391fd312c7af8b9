"""Is it alive, is it ready, and the numbers for Prometheus."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from time import monotonic

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from feedsvc import __version__
from feedsvc.errors import FeedsvcError
from feedsvc.jobs.fleet_state import StoreProbe, fleet_state
from feedsvc.jobs.push_state import push_status
from feedsvc.model import Purpose, PushOutcome, SeedState, Verdict
from feedsvc.runtime import Runtime
from feedsvc.storage.blobs import DiskBlobs
from feedsvc.storage.store import Store
from feedsvc.storage.store_status import Counts
from feedsvc.storage.tables import HEAD
from feedsvc.web.fleet_metrics import fleet_metrics
from feedsvc.web.remembered import Refreshed

COSTLY = 0.05
"""Seconds from which on counting everything is not done anew for every scrape."""
PATIENCE = 3.0
"""Seconds for which a scrape waits for that; then it gets what was counted last."""
_NOT_KEPT = {"cache-control": "no-store"}


class Health:
    """Endpoints for supervisors: `/healthz` and `/readyz`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._probe = StoreProbe(runtime)

    async def alive(self, _request: Request) -> Response:
        """Say that the process answers; asks nothing of database or disk."""
        return Response("ok\n", media_type="text/plain", headers=_NOT_KEPT)

    def ready(self, _request: Request) -> Response:
        """Say whether requests can be served in full, and if not why: 200 or 503."""
        checks = {
            "database": self._database(),
            "feeds": self._feeds(),
            "disk": self._disk(),
        }
        ready = not any(checks.values())
        found = {
            "ready": ready,
            "version": __version__,
            "checks": {name: problem or "ok" for name, problem in checks.items()},
        }
        headers = _NOT_KEPT if ready else _NOT_KEPT | {"retry-after": "30"}
        body = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        return Response(body, 200 if ready else 503, headers, "application/json")

    def _database(self) -> str:
        database = self._runtime.database
        try:
            # Inside, because there whatever the driver raises is translated.
            with database.reading() as store:
                store.runs()
                schema = database.schema()
        except FeedsvcError as error:
            return str(error)
        if schema != HEAD:
            return f"schema {schema}, this feedsvc needs {HEAD}: restart, it says what to do"
        return ""

    def _feeds(self) -> str:
        feeds = self._runtime.feeds
        if not isinstance(feeds, DiskBlobs):
            return next(one.problem for one in self._probe.states() if one.name == "feeds")
        folder, name = feeds.folder, self._runtime.settings.feeds.dir
        if not folder.is_dir():
            return f"the folder {name} is missing: run `feedsvc publish`"
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            return f"the folder {name} cannot be written: give feedsvc permission"
        return ""

    def _disk(self) -> str:
        needed = self._runtime.settings.archive.min_free
        try:
            free = self._runtime.archive.free()
        except OSError as error:
            return f"the archive's disk does not answer: {error.strerror}"
        if free is None or free >= needed:
            return ""
        return f"{free} bytes free, archive.min_free is {needed}"


class Metrics:
    """The endpoint `/metrics`: everything is read from the database when it is asked for."""

    def __init__(self, runtime: Runtime, answered: Mapping[int, int]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Numbers(runtime, answered))

    def families(self) -> Iterator[Metric]:
        """Yield every metric there is, with its help."""
        yield from self._registry.collect()

    def show(self, request: Request) -> Response:
        """Answer in the text format, or in OpenMetrics if that is asked for."""
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        body = encode(self._registry)
        return Response(body, headers=_NOT_KEPT | {"content-type": media_type})


class _Numbers(Collector):
    def __init__(self, runtime: Runtime, answered: Mapping[int, int]) -> None:
        self._runtime = runtime
        self._answered = answered
        self._probe = StoreProbe(runtime)
        self._counted = Refreshed(self._count, clock=monotonic, patience=PATIENCE, least=COSTLY)

    def collect(self) -> Iterator[Metric]:
        yield _gauge(
            "build_info", "Always 1; the version is in the label.", {__version__: 1}, "version"
        )
        feeds = CounterMetricFamily(
            "feedsvc_feed_requests", "Requests below /feeds/ by status.", labels=["status"]
        )
        for status, count in sorted(dict(self._answered).items()):
            feeds.add_metric([str(status)], count)
        yield feeds
        try:
            metrics = [*self._present(), *(self._counted.get() or ())]
        except FeedsvcError:
            yield _gauge("database_up", "1 if the database answered.", 0)
            return
        yield _gauge("database_up", "1 if the database answered.", 1)
        yield from metrics

    def _present(self) -> list[Metric]:
        """Return what is found out at every scrape."""
        runtime = self._runtime
        stores = self._probe.states() if runtime.queue is not None else ()
        with runtime.database.reading() as store:
            state, now = fleet_state(runtime, store, stores), runtime.now()
            fleet = () if state is None else fleet_metrics(state, now)
            return [*_runs(store, runtime), *_waiting(store, runtime), *fleet]

    def _count(self) -> list[Metric]:
        with self._runtime.database.reading() as store:
            return list(_stored(store, self._runtime))


def _waiting(store: Store, runtime: Runtime) -> Iterator[Metric]:
    now = runtime.now()
    for purpose, noun in ((Purpose.CAPTURE, "captures"), (Purpose.LOOK, "looks")):
        oldest = store.oldest_due(now=now, purpose=purpose)
        yield _gauge(
            f"{noun}_oldest_due_age_seconds",
            f"Seconds for which one of the {noun} has been due at most; 0: none is due.",
            0.0 if oldest is None else (now - oldest).total_seconds(),
        )


def _stored(store: Store, runtime: Runtime) -> Iterator[Metric]:
    counts: Counts = store.rough_counts()
    yield _gauge("articles", "Published articles.", counts.articles)
    yield _gauge("articles_withdrawn", "Articles taken back.", counts.withdrawn)
    yield _gauge("articles_archived", "Articles with a snapshot that counts.", counts.archived)
    snapshots = _complete(Verdict, counts.snapshots)
    yield _gauge("snapshots", "Snapshots by verdict.", snapshots, "verdict")
    captures = {
        "due": store.count_due(now=runtime.now()),
        "in_flight": counts.in_flight,
        "failed": store.count_failed(),
    }
    yield _gauge("captures", "Captures to be done, under way, or failed last.", captures, "state")
    yield _gauge(
        "originals", "Originals by what was last seen of them.", store.count_originals(), "state"
    )
    looks = {
        "due": store.count_due(now=runtime.now(), purpose=Purpose.LOOK),
        "failed": store.count_failed(Purpose.LOOK),
    }
    yield _gauge("looks", "Looks at archived originals to be done, or failed last.", looks, "state")
    seeds = _complete(SeedState, counts.seeds)
    yield _gauge("seeds", "Seed files by state.", seeds, "state")
    yield _gauge("feeds_dirty", "Topics whose feeds wait to be written.", counts.dirty)
    yield from _pushes(store, runtime)
    yield _gauge("archive_bytes", "Bytes of all snapshots.", counts.archive_size)
    free = runtime.archive.free()
    if free is not None:
        yield _gauge("disk_free_bytes", "Bytes free on the archive's disk.", free)


def _runs(store: Store, runtime: Runtime) -> Iterator[Metric]:
    runs, now = store.runs(), runtime.now()
    ages = {run.job: (now - (run.ended or run.started)).total_seconds() for run in runs}
    yield _gauge("job_last_run_age_seconds", "Seconds since the job's last run.", ages, "job")
    fine = {run.job: int(run.ok) for run in runs}
    yield _gauge("job_last_run_ok", "1 if the job's last run ended well.", fine, "job")


def _pushes(store: Store, runtime: Runtime) -> Iterator[Metric]:
    push = push_status(runtime, store)
    yield _gauge("websub_subscriptions", "Subscriptions that last.", push.subscriptions)
    pushes = {"due": push.due, "failing": store.count_failing_pushes()}
    yield _gauge("websub_pushes", "Calls to be made, or failed last.", pushes, "state")
    ended = CounterMetricFamily(
        "feedsvc_websub_calls",
        "Calls to hubs and subscribers by kind and outcome.",
        labels=["kind", "outcome"],
    )
    for kind, outcomes in store.push_counts().items():
        for outcome in PushOutcome:
            ended.add_metric([kind, outcome.value], outcomes.get(outcome.value, 0))
    yield ended


def _complete(kinds: Iterable[str], counted: Mapping[str, int]) -> dict[str, int]:
    """Give every kind a number: a series that comes and goes cannot be watched."""
    return {str(kind): counted.get(str(kind), 0) for kind in kinds}


def _gauge(
    name: str, what: str, value: float | Mapping[str, float], label: str | None = None
) -> Metric:
    if not isinstance(value, Mapping):
        return GaugeMetricFamily(f"feedsvc_{name}", what, value=value)
    family = GaugeMetricFamily(f"feedsvc_{name}", what, labels=[label or "name"])
    for key, number in value.items():
        family.add_metric([str(key)], number)
    return family
