"""Queue what is due: the one place where a fleet finds out that there is work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from feedsvc.model import Kind, Task
from feedsvc.model.fleet_state import DISPATCH
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store

SILENT_SECONDS = 6.0
"""A dispatcher that was paused in the middle gives way to another after that."""
LOCK_SECONDS = 3.0
"""A tick that cannot have a row for so long ends; the takeover finds out who holds it."""

Part = Callable[[Runtime, Store], Iterable[Task]]
"""Look for work of some kinds in the transaction of a tick; the tasks are queued in it too."""


def dispatch_due(runtime: Runtime, *, also: Sequence[Part] = ()) -> int:
    """Queue everything that is due and not queued yet; return how many tasks that were.

    Of all dispatchers of a fleet one works at a time, whoever calls it and however often: the
    others find a lock taken and return 0. Without a queue nothing is done. ``also``: looks for
    work besides the usual ones.
    """
    queue = runtime.queue
    if queue is None:
        return 0
    with runtime.database.transaction() as store:
        if not store.try_alone(DISPATCH, silent=SILENT_SECONDS):
            return 0
        store.wait_at_most(LOCK_SECONDS)
        tasks = [task for part in (*_parts(), *also) for task in part(runtime, store)]
        store.note_tick(DISPATCH, runtime.now())
        return queue.put(store, tasks)


def _parts() -> tuple[Part, ...]:
    from feedsvc.jobs.due_hosts import due_hosts
    from feedsvc.jobs.publish_due import due_channels

    return (due_hosts, _due_pushes, _due_index, due_channels)


def _due_pushes(runtime: Runtime, store: Store) -> Iterable[Task]:
    from feedsvc.jobs.push_state import push_kinds

    kinds = push_kinds(runtime)
    if kinds and store.is_push_due(kinds, now=runtime.now()):
        yield Task(Kind.PUSH)


def _due_index(_runtime: Runtime, store: Store) -> Iterable[Task]:
    if store.awaits_index():
        yield Task(Kind.INDEX)
