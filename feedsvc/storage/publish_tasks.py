"""Tasks for channels that were marked, put in the transaction that marked them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from feedsvc.model import Kind, Task

if TYPE_CHECKING:
    from feedsvc.storage.store import Store
    from feedsvc.storage.task_queue import TaskQueue

LONGEST_WAIT = timedelta(minutes=10)
"""For how long seeds that are being loaded keep channels from being published."""
_SINCE = "publishing waits since"
"""The fact that tells since when they do."""


class PublishTasks:
    """Decides when channels are published, and puts the tasks.

    Entries join a channel in order of date when it is published. While seeds are loaded by many,
    nothing is published: so they join all at once, as where one process loads and publishes.
    """

    def __init__(self, queue: TaskQueue, *, now: Callable[[], datetime]) -> None:
        self._queue = queue
        self._now = now

    def __call__(self, store: Store) -> None:
        """Put what a transaction leaves to do, at its end."""
        tasks = set(store.wanted)
        if store.listed:
            tasks.add(Task(Kind.ARRANGE))
        if store.marked and not self.is_held_back(store):
            tasks |= {Task(Kind.PUBLISH, slug) for slug in store.marked}
        if tasks:
            self._queue.put(store, tasks)

    def is_held_back(self, store: Store) -> bool:
        """Tell whether seeds are being loaded, and have not been for too long."""
        since = store.fact(_SINCE)
        if not self._queue.running(store, (Kind.LOAD, Kind.FIND)):
            if since:
                store.set_fact(_SINCE, "")
            return False
        if not since:
            store.set_fact(_SINCE, self._now().isoformat())
            return True
        return self._now() - datetime.fromisoformat(since) < LONGEST_WAIT
