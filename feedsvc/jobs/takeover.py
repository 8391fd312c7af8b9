"""Take over what workers held that were killed, paused or cut off."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from feedsvc.logs import logger
from feedsvc.model import Tally
from feedsvc.model.fleet_state import REAP
from feedsvc.runtime import SILENT_SECONDS, Runtime
from feedsvc.storage.store import Store

KEPT = timedelta(days=1)
"""How long it is remembered who fell silent, and which task failed."""
LOCK_SECONDS = 3.0
"""A tick that cannot have a row for so long ends: the next one finds out who holds it."""
_PATIENT = "patient"
"""The tick until which nobody is given up: the database itself was away."""

log = logger(__name__)


def take_over(runtime: Runtime) -> int:
    """Free what silent workers hold and queue their tasks again; return how many workers.

    Any number of processes may do this at once. After a time in which nobody did, as when the
    database was away, everybody first gets the chance to say that he is alive.
    """
    queue = runtime.queue
    if queue is None:
        return 0
    with runtime.database.glance() as store:
        ended = store.end_silent_sessions(seconds=SILENT_SECONDS)
    if ended:
        log.warning(
            "database.sessions_ended", number=ended, reason="they held up others in silence"
        )
    with runtime.database.transaction() as store:
        store.wait_at_most(LOCK_SECONDS)
        if _is_patient(runtime, store):
            return 0
        now = runtime.now()
        stalled = timedelta(seconds=runtime.settings.fleet.stalled)
        silent = store.silent_workers(before=now - stalled)
        captures = release(store, silent)
        store.lose_workers(silent, now=now)
        store.tally(Tally.TAKEOVERS, len(silent), worker=runtime.worker or "", now=now)
        tasks = queue.take_back(store)
        store.remove_lost_workers(before=now - KEPT)
        store.forget_old_failures(before=now - KEPT)
        store.fold_tallies(now)
    if silent or tasks:
        log.warning("worker.taken_over", workers=silent, captures=captures, tasks=tasks)
    return len(silent)


def release(store: Store, workers: Iterable[str]) -> int:
    """Free the captures, pushes and places at hosts that workers hold; return how many captures."""
    captures = 0
    for worker in workers:
        captures += store.release_captures(worker)
        store.release_pushes(worker)
        store.free_places(worker)
    return captures


def _is_patient(runtime: Runtime, store: Store) -> bool:
    """Note the tick, and tell whether to wait because there was none for long."""
    fleet, now = runtime.settings.fleet, runtime.now()
    last, until = store.tick(REAP), store.tick(_PATIENT)
    store.note_tick(REAP, now)
    if last is not None and now - last > timedelta(seconds=fleet.stalled):
        until = now + timedelta(seconds=fleet.heartbeat + 1)
        store.note_tick(_PATIENT, until)
    # A moment in the far future was noted by a clock that was wrong.
    most = timedelta(seconds=fleet.stalled + fleet.heartbeat + 1)
    return until is not None and now < until <= now + most
