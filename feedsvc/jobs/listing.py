"""The list of all feeds, and the removal of files that nothing needs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from itertools import groupby

from feedsvc.jobs.preparing import WRITTEN, first_site, private_slugs
from feedsvc.jobs.push_notes import note_pushes
from feedsvc.jobs.shelving import Shelving, remove
from feedsvc.publish import assets, opml
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store
from feedsvc.storage.store_feeds import FeedFile
from feedsvc.storage.store_marks import LISTED

INDEX = "index.opml"
_AT_ONCE = 1000

Guard = Callable[[str], AbstractContextManager[bool]]
"""Keeps others from writing a channel's documents meanwhile; False if somebody is at it."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was written and removed besides the documents of channels."""

    written: int = 0
    unchanged: int = 0
    removed: int = 0


def tidy(runtime: Runtime, *, guard: Guard | None = None) -> Tidied:
    """Write the list of all feeds if it changed, and remove files that nothing needs.

    To be called once what waits is written; with ``guard`` while others write.
    """
    shelving = Shelving(runtime)
    with closing(shelving):
        _write_listing(runtime, shelving)
    removed = _remove(runtime, guard)
    return Tidied(shelving.written, shelving.unchanged, removed)


def _write_listing(runtime: Runtime, shelving: Shelving) -> None:
    private = private_slugs(runtime)
    with runtime.database.reading() as store:
        listed = store.fact(LISTED)
        if listed == store.fact(WRITTEN):
            return
        channels = [one for one in store.channels() if one.slug not in private]
        site = first_site(runtime, store)
    files = {INDEX: opml(site, channels), **assets()}
    for name, data in files.items():
        shelving.put(name, data)
    shelving.wait()
    recorded = {
        name: FeedFile(hashlib.sha256(data).hexdigest(), len(data)) for name, data in files.items()
    }
    with runtime.database.transaction() as store:
        known = store.known_files(sorted(recorded))
        changed = {name: one for name, one in recorded.items() if known.get(name) != one}
        store.put_feed_files(changed, now=runtime.now())
        store.tell_files(changed)
        store.set_fact(WRITTEN, listed or "")


def _remove(runtime: Runtime, guard: Guard | None) -> int:
    removed, after = 0, ""
    while True:
        with runtime.database.reading() as store:
            doomed = store.doomed_files(limit=_AT_ONCE, after=after)
        if not doomed:
            return removed
        after = max(doomed)
        if guard is None:
            removed += remove_files(runtime, list(doomed))
            continue
        for slug, group in groupby(sorted(doomed, key=doomed.__getitem__), doomed.__getitem__):
            removed += _remove_guarded(runtime, guard, slug, set(group))


def _remove_guarded(runtime: Runtime, guard: Guard, slug: str, names: Iterable[str]) -> int:
    with guard(slug) as is_mine:
        if not is_mine:
            return 0
        with runtime.database.reading() as store:
            # One may have been written again before nobody could write any more.
            known = store.known_files(sorted(names))
        return remove_files(runtime, [name for name, one in known.items() if one.doomed])


def remove_files(runtime: Runtime, names: Collection[str]) -> int:
    """Remove files and what is recorded of them; return how many."""
    remove(runtime.feeds, names)
    with runtime.database.transaction() as store:
        noted = _forget_files(runtime, store, names)
    if noted:
        runtime.push_news.set()
    return len(names)


def _forget_files(runtime: Runtime, store: Store, names: Collection[str]) -> int:
    store.drop_feed_files(sorted(names))
    return note_pushes(runtime, store, {}, gone=names)
