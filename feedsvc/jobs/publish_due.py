"""Channels that wait to be published although nobody queued them."""

from __future__ import annotations

from collections.abc import Iterator

from feedsvc.jobs.preparing import WRITTEN
from feedsvc.model import Kind, Task
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store
from feedsvc.storage.store_marks import LISTED

AT_ONCE = 1000


def due_channels(runtime: Runtime, store: Store) -> Iterator[Task]:
    """Yield what publishing has left: those of channels that wait while seeds were loaded, say."""
    if store.fact(LISTED) != store.fact(WRITTEN) or store.doomed_files(limit=1):
        yield Task(Kind.ARRANGE)
    slugs = store.dirty_slugs(limit=AT_ONCE)
    tasks = runtime.publish_tasks
    if slugs and tasks is not None and not tasks.is_held_back(store):
        for slug in slugs:
            yield Task(Kind.PUBLISH, slug)
