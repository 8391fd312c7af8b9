"""What is to be published: which documents wait, and what they are made of besides articles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta

from feedsvc.errors import NotFound
from feedsvc.jobs.agreement import require_agreement
from feedsvc.jobs.notices import digest, notices
from feedsvc.logs import logger
from feedsvc.model import ChannelKind, Site
from feedsvc.publish import FEED_FORMATS
from feedsvc.runtime import Runtime
from feedsvc.storage.blobs import DiskBlobs
from feedsvc.storage.store import Store
from feedsvc.storage.store_channels import EVERYTHING
from feedsvc.storage.store_feeds import FeedFile
from feedsvc.storage.store_marks import DOUBTED, LISTED
from feedsvc.tools import SOFTWARE

WRITTEN = "channels listed in files"
"""The fact that tells which state of the list of channels is on disk."""
FIRST_URL = "first base_url"
"""The fact from which feeds have their ids: a site that moves keeps them."""
LOOKED = 500
"""Feed files that one publication asks the disk for, once a process has asked for all."""
_MANY = 100
"""Channels from which on it is less to ask for the waiting pages of all."""

log = logger(__name__)

_SAID = "failures told"
"""The fact that tells which failures the feed about them shows."""

_SEEN = "feed files seen"
"""The fact that tells up to which file all processes have looked for lost ones far away."""
_LOOKED_AT = "feed files seen at"
"""The fact that tells when they last did: each question to an object store has its price."""
_PAUSE = timedelta(seconds=50)
_QUESTIONS = 8
"""Questions to an object store at a time."""

_SETTINGS = "feed settings"
"""The fact that tells under which settings the feeds were written."""

NOTICES = frozenset({ChannelKind.CHANGES, ChannelKind.GONE, ChannelKind.STATUS})
_DROPPED_EMPTY = frozenset(
    {ChannelKind.TOPIC, ChannelKind.AUTHOR, ChannelKind.AGENCY, ChannelKind.HOST}
)


@dataclass(frozen=True, slots=True)
class Due:
    """A document that waits to be written, in every format and under every address."""

    slug: str
    page: int | None
    """None for the head."""
    mark: int
    """What is shown at least; a change that comes later has a later mark."""
    shown: int
    """What it showed when it was prepared: another mark later means that somebody else wrote it."""

    @property
    def doubted(self) -> bool:
        """Whether nobody knows which bytes are there, whatever is recorded of them."""
        return self.shown == DOUBTED


def waits(runtime: Runtime, lost: Mapping[str, FeedFile]) -> bool:
    """Tell whether there is anything to write or remove; costs the same however much is stored."""
    with runtime.database.reading() as store:
        return is_behind(runtime, store, lost) or store.count_waiting() > 0


def is_behind(runtime: Runtime, store: Store, lost: Mapping[str, FeedFile]) -> bool:
    """Tell whether anything waits besides the documents of channels that are marked."""
    return (
        bool(lost)
        or store.fact(_SETTINGS) != _settings(runtime)
        or store.fact(LISTED) != store.fact(WRITTEN)
        or store.has_expired(_expired(runtime, runtime.now()))
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


def bring_up(runtime: Runtime, store: Store, lost: Mapping[str, FeedFile]) -> None:
    """Mark what settings, time and lost files make wait."""
    require_agreement(runtime, store)
    if store.fact(_SETTINGS) != _settings(runtime):
        _take_settings(runtime, store)
    store.expire_tombstones(_expired(runtime, runtime.now()))
    mark_lost(store, lost)


def place(runtime: Runtime, store: Store, slugs: Collection[str]) -> list[Due]:
    """Give waiting entries their places, close full pages, drop what is empty; return what waits.

    Nobody else gives places in these channels, or marks them, until the transaction ends. Pages
    come before the head that points to them.
    """
    require_agreement(runtime, store)
    held = store.hold_channels(slugs)
    waiting = {slug for slug, one in held.items() if one.dirty > one.clean}
    kinds = {one.slug: one.kind for one in store.channels_named(waiting)}
    empty = store.empty_channels([slug for slug in kinds if kinds[slug] in _DROPPED_EMPTY])
    if empty and store.try_dropping():
        store.put_gone(empty, now=runtime.now())
        store.drop_channels(empty)
    waiting -= set(empty)
    joining = [slug for slug in waiting if kinds[slug] not in NOTICES]
    store.join_sequences(joining)
    store.close_pages(joining, entries=runtime.settings.feeds.entries)
    pages = [Due(*row) for row in store.dirty_pages(None if len(held) > _MANY else held)]
    heads = [Due(slug, None, held[slug].dirty, held[slug].clean) for slug in sorted(waiting)]
    return _together([one for one in pages if one.slug in held]) + heads


def _together(pages: Sequence[Due]) -> list[Due]:
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


def first_site(runtime: Runtime, store: Store) -> Site:
    """Return the site as feeds tell of it, whose ids go by the address it had first."""
    return replace(runtime.site, first_url=store.fact(FIRST_URL) or runtime.site.base_url)


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

    A process asks for every file once, then for some more at each publication, in turns. Where
    files are far away, all processes together take turns.
    """
    if not isinstance(runtime.feeds, DiskBlobs):
        return _lost_far_away(runtime)
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


def _lost_far_away(runtime: Runtime) -> dict[str, FeedFile]:
    now = runtime.now()
    with runtime.database.transaction() as store:
        last = store.fact(_LOOKED_AT)
        if last and timedelta(0) <= now - datetime.fromisoformat(last) < _PAUSE:
            return {}
        at = store.fact(_SEEN) or ""
        found = store.files_after(at, limit=LOOKED)
        store.set_fact(_LOOKED_AT, now.isoformat())
        store.set_fact(_SEEN, max(found) if len(found) == LOOKED else "")
    with ThreadPoolExecutor(_QUESTIONS) as pool:
        there = list(pool.map(lambda name: _is_there(runtime, name, found[name]), found))
    return {name: found[name] for name, is_there in zip(found, there, strict=True) if not is_there}


def _is_there(runtime: Runtime, name: str, file: FeedFile) -> bool:
    try:
        for ending in runtime.settings.feeds.packed:
            runtime.feeds.size(f"{name}.{ending}")
        return runtime.feeds.size(name) == file.size
    except NotFound:
        return False


def mark_lost(store: Store, lost: Mapping[str, FeedFile]) -> None:
    """Have the documents written again that the lost files belong to, whatever is recorded."""
    kept: Iterable[FeedFile] = [one for one in lost.values() if not one.doomed]
    store.doubt({(one.slug, one.page) for one in kept if one.slug})
    if any(one.slug is None for one in kept):
        store.note_listing()
