"""Documents of feeds → files, a batch of documents at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from feedsvc.jobs.notices import notices
from feedsvc.jobs.preparing import NOTICES, Due, first_site, private_slugs
from feedsvc.jobs.push_notes import note_pushes
from feedsvc.jobs.shelving import Shelving, make_private_folder
from feedsvc.logs import logger
from feedsvc.model import (
    Channel,
    ChannelKind,
    Feed,
    FeedItem,
    Notice,
    Place,
    PublishReport,
    Tally,
    Tombstone,
)
from feedsvc.publish import (
    FEED_FORMATS,
    Kept,
    compose_feed,
    compose_notices,
    feed_path,
    render,
)
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store
from feedsvc.storage.store_feeds import FeedFile
from feedsvc.storage.store_names import PRIVATE

BATCH = 60
"""Documents that are recorded in one transaction."""
ITEMS = 2000
"""Articles that are kept in memory while feeds are written."""
TOMBSTONES = 500
"""Entries taken back that one feed tells of, the last ones."""
SENTENCES = 10_000
"""Sentences about single entries that one publication reports."""

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Document:
    """What one document is made of, read at one moment."""

    channel: Channel
    place: Place
    items: tuple[FeedItem, ...] = ()
    notices: tuple[Notice, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    tokens: tuple[str, ...] = ()


class _Overtaken(Exception):
    """Somebody else has written a document since it was prepared here."""


class Writer:
    """Writes documents one by one, and remembers what that did."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._private = private_slugs(runtime)
        self._is_shared = not runtime.database.is_sqlite
        with runtime.database.reading() as store:
            self._site = first_site(runtime, store)
            self._names = store.feed_names()
        self._shelving = Shelving(runtime)
        self._done: list[Due] = []
        self._overtaken: list[Due] = []
        self._files: dict[str, FeedFile] = {}
        self._read_items: dict[str, FeedItem] = {}
        self._kept = Kept()
        self._topics: set[str] = set()
        self._problems: dict[str, None] = {}
        self._mended: dict[str, str] = {}
        self._told: list[str] = []

    def write(self, due: Due) -> None:
        """Write a document in every format, under every address it has."""
        try:
            document = self._read(due)
        except _Overtaken:
            self._overtaken.append(due)
            return
        if document is not None:
            roots = list(self._roots(document))
            self._shelving.look_up(self._names_of(due, roots), doubted=due.doubted)
            for root in roots:
                self._write_at(root, document)
            if document.channel.kind is ChannelKind.TOPIC:
                self._topics.add(due.slug)
        self._done.append(due)
        if len(self._done) >= BATCH:
            self._record()

    def _read(self, task: Due) -> _Document | None:
        entries = self._runtime.settings.feeds.entries
        with self._runtime.database.reading() as store:
            channel = store.channel(task.slug)
            if channel is None:
                return None
            if self._is_shared and store.shown_mark(task.slug, task.page) != task.shown:
                raise _Overtaken
            channel = replace(channel, named=self._names.get(task.slug, ""))
            tokens = tuple(store.tokens_of([task.slug]).get(task.slug, ()))
            if channel.kind in NOTICES:
                said = notices(store, channel.kind, site=self._site, limit=entries)
                return _Document(channel, Place(), notices=tuple(said), tokens=tokens)
            closed = store.closed(task.slug)
            if task.page is None:
                place = Place(older=closed or None)
                ids = store.between(task.slug, closed * entries + 1)
                tombstones = tuple(store.tombstones(task.slug, limit=TOMBSTONES))
            else:
                place = _place(task.page, closed)
                first = (task.page - 1) * entries + 1
                ids = store.between(task.slug, first, first + entries - 1)
                tombstones = ()
            items = self._items(store, ids)
        return _Document(channel, place, tuple(items[one] for one in ids), (), tombstones, tokens)

    def _items(self, store: Store, ids: list[str]) -> dict[str, FeedItem]:
        """Return what entries are composed from; what this publication read before will do."""
        found = {one: self._read_items[one] for one in ids if one in self._read_items}
        new = store.feed_items(store.articles([one for one in ids if one not in found]))
        self._read_items |= new
        while len(self._read_items) > ITEMS:
            del self._read_items[next(iter(self._read_items))]
        return found | new

    def _roots(self, document: _Document) -> Iterable[str]:
        if document.channel.slug not in self._private:
            yield ""
        for token in document.tokens:
            make_private_folder(self._runtime.feeds)
            yield f"{PRIVATE}{token}/"

    def _names_of(self, due: Due, roots: Iterable[str]) -> list[str]:
        return [
            root + feed_path(due.slug, name, page=due.page)
            for root in roots
            for name in FEED_FORMATS
        ]

    def _write_at(self, root: str, document: _Document) -> None:
        channel, place = document.channel, document.place
        feed = self._composed(root, document)
        self._mended |= feed.mended
        for name in FEED_FORMATS:
            rendered = render(feed, name, kept=self._kept)
            path = root + feed_path(channel.slug, name, page=place.page)
            self._put(path, rendered.data, slug=channel.slug, page=place.page)
            self._problems |= dict.fromkeys(rendered.problems)

    def _composed(self, root: str, document: _Document) -> Feed:
        # A hub is told the address of what it is to fetch, which nobody else may know.
        hubs = () if root else self._runtime.hubs
        where = f"feeds/{root}".rstrip("/")
        if document.channel.kind in NOTICES:
            return compose_notices(
                document.channel, document.notices, site=self._site, hubs=hubs, root=where
            )
        return compose_feed(
            document.channel,
            document.items,
            site=self._site,
            entry_link=self._runtime.settings.feeds.entry_link,
            place=document.place,
            tombstones=document.tombstones,
            hubs=hubs,
            root=where,
            kept=self._kept,
        )

    def _put(self, name: str, data: bytes, *, slug: str | None, page: int | None = None) -> None:
        self._shelving.put(name, data, archive=page is not None)
        self._files[name] = FeedFile(hashlib.sha256(data).hexdigest(), len(data), slug, page)

    def _record(self) -> None:
        """Record what was written, and that its documents are clean.

        Where somebody else has recorded a document meanwhile nobody knows whose bytes came
        last: it is written again.
        """
        runtime = self._runtime
        self._shelving.wait()
        with runtime.database.transaction() as store:
            lost = {*self._overtaken, *self._interleaved(store)}
            mine = [one for one in self._done if one not in lost]
            files = self._files_of(store, lost)
            known = store.known_files(sorted(files))
            changed = {name: one for name, one in files.items() if known.get(name) != one}
            store.put_feed_files(changed, now=runtime.now())
            store.mark_clean({one.slug: one.mark for one in mine if one.page is None})
            store.mark_pages_clean(
                {(one.slug, one.page): one.mark for one in mine if one.page is not None}
            )
            store.doubt({(one.slug, one.page) for one in lost})
            told = {
                name: (one.sha256, one.size)
                for name, one in changed.items()
                if name not in known or known[name].sha256 != one.sha256
            }
            store.tell_files(told)
            noted = note_pushes(runtime, store, told)
            mended = self._not_told_yet(store)
            if runtime.queue is not None:
                heads = sum(one.page is None for one in mine)
                worker = runtime.worker or ""
                store.tally(Tally.PUBLICATIONS, heads, worker=worker, now=runtime.now())
        if noted:
            runtime.push_news.set()
        for one in lost:
            log.warning("publish.overtaken", feed=one.slug, page=one.page)
        for sentence in mended:
            log.info("entry.mended", what=sentence)
        self._told += mended
        self._files.clear()
        self._done.clear()
        self._overtaken.clear()

    def _interleaved(self, store: Store) -> list[Due]:
        """Return what somebody else has written since it was prepared here."""
        if not self._is_shared:
            return []
        store.hold_channels({one.slug for one in self._done})
        return [one for one in self._done if store.shown_mark(one.slug, one.page) != one.shown]

    def _files_of(self, store: Store, lost: Collection[Due]) -> dict[str, FeedFile]:
        """Return what is to be recorded of the files: nothing that others may have replaced.

        Such a file that nobody has recorded at all, of a channel that is gone, say, is removed.
        """
        documents = {(one.slug, one.page) for one in lost}
        if not documents:
            return self._files
        doubtful = {n for n, one in self._files.items() if (one.slug, one.page) in documents}
        known = store.known_files(sorted(doubtful))
        return {
            name: replace(one, doomed=True) if name in doubtful else one
            for name, one in self._files.items()
            if name not in known or name not in doubtful
        }

    def _not_told_yet(self, store: Store) -> list[str]:
        """Return what was mended in articles and not told by any publication, each sentence once."""
        room = SENTENCES - len(self._told)
        digests = {
            key: hashlib.sha256(self._mended[key].encode()).hexdigest()
            for key in sorted(self._mended)[:room]
        }
        new = store.tell_mended(digests)
        sentences = [self._mended[key] for key in digests if key in new]
        self._mended.clear()
        return sentences

    def finish(self) -> PublishReport:
        """Record the rest, and tell what was done."""
        self._record()
        for problem in self._problems:
            log.warning("entry.left_out", problem=problem)
        return PublishReport(
            topics=len(self._topics),
            written=self._shelving.written,
            unchanged=self._shelving.unchanged,
            problems=tuple(self._problems),
            mended=tuple(self._told),
        )

    def close(self) -> None:
        """End its threads."""
        self._shelving.close()


def _place(page: int, closed: int) -> Place:
    return Place(
        page=page, older=page - 1 if page > 1 else None, newer=page + 1 if page < closed else None
    )
