"""How a fleet is doing, from its database and its stores. Reads only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from time import monotonic

from feedsvc import __version__
from feedsvc.errors import FeedsvcError, NotFound
from feedsvc.jobs.agreement import differences
from feedsvc.model import (
    FleetState,
    Kind,
    Liveness,
    Purpose,
    Queued,
    StoreState,
    Worker,
    WorkerState,
)
from feedsvc.model.fleet import SITE_KEY
from feedsvc.model.fleet_state import DISPATCH, REAP
from feedsvc.runtime import Runtime
from feedsvc.storage.blobs import BlobStore, DiskBlobs
from feedsvc.storage.store import Store

SHOWN_FAILED = 50
PATIENCE = 5.0
"""Seconds for which a store may keep somebody waiting who only asks how things are."""
_KNOWN_FOR = 10.0
_HURRY = 0.2
"""The share of that time for one request, so that all tries end within it, with a reason."""


def fleet_state(runtime: Runtime, store: Store, stores: Sequence[StoreState]) -> FleetState | None:
    """Return how the fleet is doing; None where there is none.

    ``stores``: what a `StoreProbe` found out, outside of any transaction.
    """
    if runtime.queue is None:
        return None
    now, stalled = runtime.now(), runtime.settings.fleet.stalled
    states = _worker_states(runtime, store, now)
    disputed, here = differences(runtime, [one.worker for one in states if _is_living(one)])
    queued = {one.kind: one for one in runtime.queue.counts(store)}
    return FleetState(
        workers=sorted(states, key=lambda one: (_ORDER[one.liveness], one.worker.started)),
        queue=[queued.get(kind, Queued(kind, 0, 0, 0, 0)) for kind in Kind],
        failed=store.failed_tasks(SHOWN_FAILED),
        failing=store.count_failed_tasks(),
        paces=store.paces(now),
        oldest_capture=store.oldest_due(now=now),
        oldest_look=_oldest_look(runtime, store, now),
        dispatched=store.tick(DISPATCH),
        reaped=store.tick(REAP),
        totals=store.totals(),
        releases=_releases(states),
        stores=stores,
        stalled=stalled,
        connections=store.connections(),
        disputed=disputed,
        differs_here=here,
    )


_ORDER = {
    one: rank
    for rank, one in enumerate((Liveness.SILENT, Liveness.ALIVE, Liveness.STOPPING, Liveness.GONE))
}


def _worker_states(runtime: Runtime, store: Store, now: datetime) -> list[WorkerState]:
    workers, stalled = store.workers(), runtime.settings.fleet.stalled
    ages = {one.id: max((now - one.seen).total_seconds(), 0.0) for one in workers}
    silent = [id_ for id_, age in ages.items() if age > stalled]
    held = store.held_by(silent) if silent else {}
    known = [_present(one, ages[one.id], held) for one in workers]
    gone = [
        WorkerState(one, Liveness.GONE, max((now - one.seen).total_seconds(), 0.0), 0, lost)
        for one, lost in store.lost_workers()
    ]
    return [*known, *gone]


def _present(worker: Worker, age: float, held: Mapping[str, int]) -> WorkerState:
    if worker.id in held:
        return WorkerState(worker, Liveness.SILENT, age, held[worker.id] + len(worker.busy))
    return WorkerState(worker, Liveness.STOPPING if worker.stopping else Liveness.ALIVE, age, 0)


def _releases(states: Sequence[WorkerState]) -> list[str]:
    found = {one.worker.release for one in states if _is_living(one)}
    return sorted(found | {__version__})


def _is_living(one: WorkerState) -> bool:
    return one.liveness in {Liveness.ALIVE, Liveness.STOPPING}


def _oldest_look(runtime: Runtime, store: Store, now: datetime) -> datetime | None:
    if not runtime.settings.archive.recheck_after:
        return None
    return store.oldest_due(now=now, purpose=Purpose.LOOK)


class StoreProbe:
    """Asks the stores of a fleet whether they answer, and remembers it for some seconds.

    A store that keeps silent holds up nobody for longer than ``patience``, and is asked once
    at a time.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        places = {"archive": runtime.archive, "feeds": runtime.feeds}
        self._asked = [
            _Asked(name, _hurried(blobs, patience), clock) for name, blobs in places.items()
        ]
        self._patience = patience
        self._clock = clock

    def states(self) -> list[StoreState]:
        """Return for each store whether it answers."""
        for one in self._asked:
            one.ask()
        end = self._clock() + self._patience
        return [one.state(max(end - self._clock(), 0.0), self._patience) for one in self._asked]


class _Asked:
    def __init__(self, name: str, blobs: BlobStore, clock: Callable[[], float]) -> None:
        self._name = name
        self._blobs = blobs
        self._clock = clock
        self._known: tuple[str, float, float] | None = None
        self._answer: threading.Thread | None = None
        self._lock = threading.Lock()

    def ask(self) -> None:
        with self._lock:
            if self._answer is not None and self._answer.is_alive():
                return
            if self._known is not None and self._clock() < self._known[1]:
                return
            self._known = None
            self._answer = threading.Thread(target=self._find_out, daemon=True)
            self._answer.start()

    def state(self, seconds: float, patience: float) -> StoreState:
        answer = self._answer
        if answer is not None:
            answer.join(seconds)
        known, place = self._known, self._blobs.place()
        if known is not None:
            return StoreState(self._name, place, known[0], known[2])
        silence = f"no answer within {patience:g} s: is it up, and can it be reached from here?"
        return StoreState(self._name, place, silence, patience)

    def _find_out(self) -> None:
        began = self._clock()
        problem = _problem(self._blobs)
        now = self._clock()
        self._known = (problem, now + _KNOWN_FOR, now - began)


def _problem(blobs: BlobStore) -> str:
    """Return why a store does not answer; "" if it does."""
    if isinstance(blobs, DiskBlobs) and not blobs.folder.is_dir():
        return "the folder is not there: is its disk mounted?"
    try:
        with blobs.open(SITE_KEY) as file:
            file.read(1)
    except NotFound:
        return (
            f"{SITE_KEY} is missing in it: no worker was ever started, or something else is in "
            "its place"
        )
    except (FeedsvcError, OSError) as error:
        return str(error)
    return ""


def _hurried(blobs: BlobStore, seconds: float) -> BlobStore:
    """Return the same store, asked without patience where it is a bucket."""
    if isinstance(blobs, DiskBlobs):
        return blobs
    from feedsvc.storage.s3 import Bucket
    from feedsvc.storage.s3_blobs import S3Blobs

    if not isinstance(blobs, S3Blobs):
        return blobs
    bucket = blobs.bucket
    access = replace(bucket.access, timeout=_HURRY * seconds)
    return S3Blobs(Bucket(bucket.name, bucket.prefix, access))
