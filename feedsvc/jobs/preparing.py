"""What is to be published: which documents wait, and what they are made of besides articles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta

from feedsvc.errors import NotFound
from feedsvc.jobs.notices import digest, notices
from feedsvc.logs import logger
from feedsvc.model import ChannelKind
from feedsvc.publish import FEED_FORMATS
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store
from feedsvc.storage.store_channels import EVERYTHING, LISTED
from feedsvc.storage.store_feeds import FeedFile
from feedsvc.tools import SOFTWARE

WRITTEN = "channels listed in files"
"""The fact that tells which state of the list of channels is on disk."""
FIRST_URL = "first base_url"
"""The fact from which feeds have their ids: a site that moves keeps them."""
LOOKED = 500
"""Feed files that one publication asks the disk for, once a process has asked for all."""

log = logger(__name__)

_SAID = "failures told"
"""The fact that tells which failures the feed about them shows."""

_SETTINGS = "feed settings"
"""The fact that tells under which settings the feeds were written."""

NOTICES = frozenset({ChannelKind.CHANGES, ChannelKind.GONE, ChannelKind.STATUS})
_DROPPED_EMPTY = frozenset(
    {ChannelKind.TOPIC, ChannelKind.AUTHOR, ChannelKind.AGENCY, ChannelKind.HOST}
)


@dataclass(frozen=True, slots=True)
class Task:
    """A document that waits to be written, in every format and under every address."""

    slug: str
    page: int | None
    """None for the head."""
    mark: int
    """What is shown at least; a change that comes later has a later mark."""


def waits(runtime: Runtime, lost: Mapping[str, FeedFile]) -> bool:
    """Tell whether there is anything to write or remove; costs the same however much is stored."""
    now = runtime.now()
    with runtime.database.reading() as store:
        return (
            bool(lost)
            or store.fact(_SETTINGS) != _settings(runtime)
            or store.count_waiting() > 0
            or store.fact(LISTED) != store.fact(WRITTEN)
            or store.has_expired(_expired(runtime, now))
            or bool(store.doomed_files(limit=1))
        )


def mark_status(runtime: Runtime) -> None:
    """Have the feed about failures written again if others are known than it shows."""
    slug = str(ChannelKind.STATUS)
    if slug not in runtime.settings.feeds.also:
        return
    limit = runtime.settings.feeds.entries
    with runtime.database.reading() as store:
        said = digest(notices(store, ChannelKind.STATUS, site=runtime.site, limit=limit))
        if said == store.fact(_SAID):
            return
    with runtime.database.transaction() as store:
        store.mark_dirty([slug])
        store.set_fact(_SAID, said)


def prepare(runtime: Runtime, lost: Mapping[str, FeedFile]) -> list[Task]:
    """Give waiting entries their places, close full pages, drop what is empty; return what waits.

    Pages come before the head that points to them.
    """
    now = runtime.now()
    with runtime.database.transaction() as store:
        if store.fact(_SETTINGS) != _settings(runtime):
            _take_settings(runtime, store)
        store.expire_tombstones(_expired(runtime, now))
        mark_lost(store, lost)
        dirty = [channel for channel, _ in store.dirty_channels()]
        gone = store.empty_channels([one.slug for one in dirty if one.kind in _DROPPED_EMPTY])
        store.put_gone(gone, now=now)
        store.drop_channels(gone)
        held = [one.slug for one in dirty if one.kind not in NOTICES]
        held = sorted(set(held) - set(gone))
        store.join_sequences(held)
        store.close_pages(held, entries=runtime.settings.feeds.entries)
        pages = [Task(slug, number, mark) for slug, number, mark in store.dirty_pages()]
        heads = [Task(channel.slug, None, mark) for channel, mark in store.dirty_channels()]
    return _together(pages) + sorted(heads, key=lambda one: one.slug)


def _together(pages: Sequence[Task]) -> list[Task]:
    """Order pages by how far into their channel they stand: what was published at the same time
    is in all of its channels at about the same point, and is read and written once."""
    last: dict[str, int] = {}
    for one in pages:
        last[one.slug] = max(last.get(one.slug, 1), one.page or 0)
    return sorted(pages, key=lambda one: ((one.page or 0) / last[one.slug], one.slug))


def private_slugs(runtime: Runtime) -> frozenset[str]:
    """Return the channels that are published under private addresses only."""
    searches = {one.slug for one in runtime.filing.searches if one.private}
    return frozenset(searches | set(runtime.settings.feeds.private))


def _settings(runtime: Runtime) -> str:
    """Return a digest of everything besides articles and channels that feeds show."""
    feeds = runtime.settings.feeds
    shown = [*astuple(runtime.site), feeds.entries, feeds.entry_link, *FEED_FORMATS]
    shown += [SOFTWARE, list(runtime.hubs), sorted(private_slugs(runtime))]
    # Only where some are wanted: others need not write all of their feeds again.
    shown += [list(feeds.packed)] if feeds.packed else []
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


def _take_settings(runtime: Runtime, store: Store) -> None:
    store.ensure_channels([EVERYTHING])
    store.mark_whole()
    # What the new settings name otherwise, or do not want, is not written again.
    store.doom_files()
    store.note_listing()
    for name in runtime.settings.feeds.private:
        if store.channel(name) is None:
            log.warning(
                "feeds.private_unknown",
                name=name,
                remedy="there is no feed of this name yet; `feedsvc feeds` lists those there are",
            )
    store.set_fact(_SETTINGS, _settings(runtime))
    if store.fact(FIRST_URL) is None:
        store.set_fact(FIRST_URL, runtime.site.base_url)


def _expired(runtime: Runtime, now: datetime) -> datetime:
    return now - timedelta(seconds=runtime.settings.feeds.tombstones)


def lost_files(runtime: Runtime) -> dict[str, FeedFile]:
    """Return recorded files that are gone, not as long as they were written, or lack a packed copy.

    A process asks for every file once, then for some more at each publication, in turns.
    """
    at, everything = runtime.feeds_seen or "", runtime.feeds_seen is None
    lost: dict[str, FeedFile] = {}
    while True:
        with runtime.database.reading() as store:
            found = store.files_after(at, limit=LOOKED)
        lost |= {name: one for name, one in found.items() if not _is_there(runtime, name, one)}
        at = max(found) if len(found) == LOOKED else ""
        if not at or not everything:
            runtime.feeds_seen = at
            return lost


def _is_there(runtime: Runtime, name: str, file: FeedFile) -> bool:
    try:
        for ending in runtime.settings.feeds.packed:
            runtime.feeds.size(f"{name}.{ending}")
        return runtime.feeds.size(name) == file.size
    except NotFound:
        return False


def mark_lost(store: Store, lost: Mapping[str, FeedFile]) -> None:
    """Have the documents written again that the lost files belong to."""
    kept: Iterable[FeedFile] = [one for one in lost.values() if not one.doomed]
    store.mark_dirty({one.slug for one in kept if one.slug and one.page is None})
    store.mark_pages_dirty({(one.slug, one.page) for one in kept if one.slug and one.page})
    if any(one.slug is None for one in kept):
        store.note_listing()
