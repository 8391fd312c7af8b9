"""Documents of feeds → files, a batch of documents at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from feedsvc.errors import NotFound
from feedsvc.jobs.notices import notices
from feedsvc.jobs.packed import complete_packed, delete_packed, put_packed
from feedsvc.jobs.preparing import (
    FIRST_URL,
    NOTICES,
    WRITTEN,
    Task,
    private_slugs,
)
from feedsvc.jobs.push_notes import note_pushes
from feedsvc.logs import logger
from feedsvc.model import (
    Channel,
    ChannelKind,
    Feed,
    FeedItem,
    Notice,
    Place,
    PublishReport,
    Tombstone,
)
from feedsvc.publish import (
    FEED_FORMATS,
    Kept,
    assets,
    compose_feed,
    compose_notices,
    feed_path,
    opml,
    render,
)
from feedsvc.runtime import Runtime
from feedsvc.storage.blobs import DiskBlobs
from feedsvc.storage.store import Store
from feedsvc.storage.store_channels import LISTED
from feedsvc.storage.store_feeds import FeedFile
from feedsvc.storage.store_names import PRIVATE

INDEX = "index.opml"
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


class Writer:
    """Writes documents one by one, and remembers what that did."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._private = private_slugs(runtime)
        with runtime.database.reading() as store:
            first = store.fact(FIRST_URL) or runtime.site.base_url
            self._names = store.feed_names()
        self._site = replace(runtime.site, first_url=first)
        self._done: list[Task] = []
        self._files: dict[str, FeedFile] = {}
        self._read_items: dict[str, FeedItem] = {}
        self._kept = Kept()
        self._topics: set[str] = set()
        self._written = self._unchanged = self._removed = 0
        self._problems: dict[str, None] = {}
        self._mended: dict[str, str] = {}
        self._told: list[str] = []

    def write(self, task: Task) -> None:
        """Write a document in every format, under every address it has."""
        document = self._read(task)
        if document is not None:
            for root in self._roots(document):
                self._write_at(root, document)
            if document.channel.kind is ChannelKind.TOPIC:
                self._topics.add(task.slug)
        self._done.append(task)
        if len(self._done) >= BATCH:
            self._record()

    def _read(self, task: Task) -> _Document | None:
        entries = self._runtime.settings.feeds.entries
        with self._runtime.database.reading() as store:
            channel = store.channel(task.slug)
            if channel is None:
                return None
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
            self._make_private_folder()
            yield f"{PRIVATE}{token}/"

    def _make_private_folder(self) -> None:
        folder = self._runtime.feeds.path(PRIVATE.rstrip("/"))
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Nobody but the web server's group may list the addresses.
        with suppress(FileExistsError):
            folder.mkdir(mode=0o750)

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
        blobs = self._runtime.feeds
        packed = self._runtime.settings.feeds.packed
        if _differs(blobs, name, data):
            put_packed(blobs, name, data, endings=packed)
            blobs.put(name, data)
            self._written += 1
        else:
            complete_packed(blobs, name, data, endings=packed)
            self._unchanged += 1
        self._files[name] = FeedFile(hashlib.sha256(data).hexdigest(), len(data), slug, page)

    def _record(self) -> None:
        """Record what was written, and that its documents are clean."""
        runtime = self._runtime
        with runtime.database.transaction() as store:
            known = store.known_files(sorted(self._files))
            changed = {name: one for name, one in self._files.items() if known.get(name) != one}
            store.put_feed_files(changed, now=runtime.now())
            store.mark_clean({one.slug: one.mark for one in self._done if one.page is None})
            store.mark_pages_clean(
                {(one.slug, one.page): one.mark for one in self._done if one.page is not None}
            )
            told = {
                name: (one.sha256, one.size)
                for name, one in changed.items()
                if name not in known or known[name].sha256 != one.sha256
            }
            noted = note_pushes(runtime, store, told)
            mended = self._not_told_yet(store)
        if noted:
            runtime.push_news.set()
        for sentence in mended:
            log.info("entry.mended", what=sentence)
        self._told += mended
        self._files.clear()
        self._done.clear()

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
        """Write the list of all feeds, remove what nothing needs, and tell what was done."""
        self._write_listing()
        self._record()
        self._remove()
        for problem in self._problems:
            log.warning("entry.left_out", problem=problem)
        return PublishReport(
            topics=len(self._topics),
            written=self._written,
            unchanged=self._unchanged,
            removed=self._removed,
            problems=tuple(self._problems),
            mended=tuple(self._told),
        )

    def _write_listing(self) -> None:
        """Write the list of all feeds and what stands beside them, if the list changed."""
        with self._runtime.database.reading() as store:
            listed = store.fact(LISTED)
            if listed == store.fact(WRITTEN):
                return
            channels = [one for one in store.channels() if one.slug not in self._private]
        self._put(INDEX, opml(self._site, channels), slug=None)
        for name, data in assets().items():
            self._put(name, data, slug=None)
        self._record()
        with self._runtime.database.transaction() as store:
            store.set_fact(WRITTEN, listed or "")

    def _remove(self) -> None:
        """Remove files that nothing needs; whatever needs one has been written by now."""
        runtime = self._runtime
        while True:
            with runtime.database.reading() as store:
                names = store.doomed_files(limit=1000)
            if not names:
                return
            for name in names:
                runtime.feeds.delete(name)
                delete_packed(runtime.feeds, name)
            _remove_folders(runtime.feeds, names)
            with runtime.database.transaction() as store:
                noted = _forget_files(runtime, store, names)
            if noted:
                runtime.push_news.set()
            self._removed += len(names)


def _forget_files(runtime: Runtime, store: Store, names: list[str]) -> int:
    store.drop_feed_files(names)
    return note_pushes(runtime, store, {}, gone=names)


def _remove_folders(blobs: DiskBlobs, names: Iterable[str]) -> None:
    """Remove the folders of those files that are empty now."""
    for folder in sorted({name.rpartition("/")[0] for name in names}, key=len, reverse=True):
        while folder:
            # Another file of it may still be there, or come at this very moment.
            with suppress(OSError):
                blobs.path(folder).rmdir()
            folder = folder.rpartition("/")[0]


def _place(page: int, closed: int) -> Place:
    return Place(
        page=page, older=page - 1 if page > 1 else None, newer=page + 1 if page < closed else None
    )


def _differs(blobs: DiskBlobs, name: str, data: bytes) -> bool:
    try:
        if blobs.size(name) != len(data):
            return True
        with blobs.open(name) as file:
            return file.read() != data
    except NotFound:
        return True
