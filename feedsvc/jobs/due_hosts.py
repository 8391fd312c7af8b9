"""At which hosts something is due: what a fleet's dispatcher queues."""

from __future__ import annotations

from datetime import timedelta

from feedsvc.jobs.host_round import purposes
from feedsvc.jobs.recheck import sleeping_looks
from feedsvc.model import Kind, Purpose, Task
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store

LOOKS = 2000
"""Hosts that one tick looks at, for captures and for looks each."""
FORGOTTEN = "forgot hosts"
"""The tick at which hosts are forgotten that nothing is owed to."""
_KEPT = timedelta(days=1)
_OFTEN = timedelta(hours=1)


def due_hosts(runtime: Runtime, store: Store) -> list[Task]:
    """Return the tasks of hosts where something may be claimed; hosts that want a pause wait.

    Each call goes on where the last one stopped, and begins again after the last host.
    """
    _forget(runtime, store)
    found: dict[str, None] = {}
    for purpose in purposes(runtime):
        if purpose is Purpose.LOOK:
            store.wake_looks(sleeping_looks(runtime, store))
        found.update(dict.fromkeys(_look(runtime, store, purpose)))
    return [Task(Kind.HOST, host) for host in found]


def _look(runtime: Runtime, store: Store, purpose: Purpose) -> list[str]:
    place = f"fleet.hosts {purpose}"
    beyond = store.fact(place) or ""
    hosts, last = store.hosts_due(now=runtime.now(), purpose=purpose, beyond=beyond, limit=LOOKS)
    if (last or "") != beyond:
        store.set_fact(place, last or "")
    return hosts


def _forget(runtime: Runtime, store: Store) -> None:
    now, last = runtime.now(), store.tick(FORGOTTEN)
    if last is None or now - last > _OFTEN:
        store.forget_hosts(after=_KEPT)
        store.note_tick(FORGOTTEN, now)
