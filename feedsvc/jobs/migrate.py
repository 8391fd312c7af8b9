"""A site moved to another database and another store: nothing at the source is touched."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from feedsvc.errors import AlreadyRunning, ConfigurationError, SchemaMismatch
from feedsvc.jobs.migrate_blobs import Moved, look_at, move_feed, move_snapshot, several
from feedsvc.jobs.migrate_places import (
    different_stores,
    found_fleet,
    is_fleet,
    require_room,
    require_site,
    require_unowned,
    settings_to_change,
)
from feedsvc.jobs.running import silent
from feedsvc.model import Progress
from feedsvc.model.moving import MoveReport, Place
from feedsvc.runtime import Runtime, blob_store, open_runtime, utc_now
from feedsvc.settings import Settings
from feedsvc.storage.blobs import BlobStore
from feedsvc.storage.database import Database, database_url, mismatch, translated
from feedsvc.storage.extent import StoredBytes, site_size, snapshot_sums, stored_bytes
from feedsvc.storage.rows import carried_tables
from feedsvc.storage.tables import HEAD
from feedsvc.storage.transfer import Transfer, moved_into, require_unused
from feedsvc.storage.transfer_guards import living_workers, same_database, sole_mover, unwritten
from feedsvc.text import redacted

NAMED = 20
"""Rows of a table that are named as different; of more there is a count."""
_PAGE = 500


def migrate(
    settings: Settings,
    *,
    to: str,
    store: str | None = None,
    feeds: str | None = None,
    quick: bool = False,
    progress: Progress = silent,
) -> MoveReport:
    """Move a site into an empty database (``to``), its snapshots into a store, its feeds too if told.

    Addresses are as in settings; what is not named stays where it is. Every row and every byte is
    compared where it arrived (``quick``: of snapshots only the size). Whoever is interrupted
    begins again, and it goes on. The source can be read meanwhile, not written. Raises
    ConfigurationError, AlreadyRunning, SchemaMismatch, OutOfSpace, Temporary and DamageFound.
    """
    began = time.monotonic()
    with _opened(settings, to, store, feeds) as site:
        site.refuse()
        with site.target() as target, sole_mover(target), unwritten(site.runtime.database):
            move = _Move(site, Transfer(site.runtime.database, target), quick, progress)
            move.transfer.begin(now=utc_now())
            require_room(site.runtime, target, site.store if site.moves_store else None)
            move.rows()
            move.snapshots()
            move.feeds()
            move.end()
        stays = not (site.moves_store and site.feeds)
        adopt = stays and is_fleet(site.runtime.database)
    if not move.differences and not stays:
        found_fleet(settings, to=to, store=site.there.store, feeds=site.there.feeds)
    return MoveReport(
        source=site.here,
        target=site.there,
        rows=move.compared,
        copied=move.copied,
        snapshots=move.whole,
        sent=move.sent,
        sent_size=move.sent_size,
        feeds=move.documents,
        problems=tuple(move.problems),
        differences=tuple(move.differences),
        steps=settings_to_change(settings, to=to, store=store, feeds=feeds),
        adopt=adopt and not to.startswith("sqlite"),
        resumed=move.transfer.resumed,
        seconds=time.monotonic() - began,
    )


def rehearse_migration(
    settings: Settings, *, to: str, store: str | None = None, feeds: str | None = None
) -> MoveReport:
    """Return what `migrate` would move. Raises what it raises before anything is written."""
    began = time.monotonic()
    with _opened(settings, to, store, feeds) as site:
        site.refuse()
        source = site.runtime.database
        with site.looked_at() as target:
            if target is not None and (found := moved_into(target)) is None:
                require_unused(target, found)
            require_room(site.runtime, target, site.store if site.moves_store else None)
        snapshots, size = snapshot_sums(source)
        rows = sum(site_size(source).values())
    return MoveReport(
        source=site.here,
        target=site.there,
        rows=rows,
        copied=rows,
        snapshots=snapshots,
        sent=snapshots if site.moves_store else 0,
        sent_size=size if site.moves_store else 0,
        steps=settings_to_change(settings, to=to, store=store, feeds=feeds),
        done=False,
        seconds=time.monotonic() - began,
    )


@dataclass
class _Site:
    """A site, and where it is to go."""

    runtime: Runtime
    to: str
    store: BlobStore
    feeds: BlobStore | None
    here: Place
    there: Place
    moves_store: bool

    def refuse(self) -> None:
        """Raise for every reason not to begin that can be seen without writing rows."""
        settings, source = self.runtime.settings, self.runtime.database
        if busy := living_workers(source, stalled=settings.fleet.stalled):
            raise AlreadyRunning(
                f"workers of this site are running ({', '.join(busy)}); stop them all: what they "
                "write during the move would be lost"
            )
        with self.looked_at() as target:
            if target is not None and same_database(source, target):
                raise ConfigurationError("--to names the database the site is in; name another one")
        if self.moves_store:
            self.store.check()
            self.moves_store = different_stores(self.runtime.archive, self.store, "archive.store")
            require_unowned(self.store, self.to, settings)
        if self.feeds is not None:
            self.feeds.check()
            require_unowned(self.feeds, self.to, settings)
            different_stores(self.store, self.feeds, "feeds.dir", may_be_same=False)
            if not different_stores(self.runtime.feeds, self.feeds, "feeds.dir"):
                self.feeds = None

    @contextmanager
    def target(self) -> Iterator[Database]:
        """Open the target, its tables made if there are none."""
        url = database_url(self.to, root=self.runtime.root)
        try:
            database = Database(url)
        except SchemaMismatch as error:
            raise _foreign(self.there, error) from error
        try:
            database.require_writing()
            yield database
        finally:
            database.close()

    @contextmanager
    def looked_at(self) -> Iterator[Database | None]:
        """Open the target without writing; None where there is nothing yet."""
        url = database_url(self.to, root=self.runtime.root)
        if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
            yield None
            return
        with closing(Database(url, check_schema=False)) as database:
            try:
                with translated(url):
                    found = database.schema()
                if found not in {"none", HEAD}:
                    raise mismatch(found)
            except SchemaMismatch as error:
                raise _foreign(self.there, error) from error
            yield database if found == HEAD else None


def _foreign(there: Place, error: SchemaMismatch) -> SchemaMismatch:
    return SchemaMismatch(f"{there.database}: {error}")


@contextmanager
def _opened(settings: Settings, to: str, store: str | None, feeds: str | None) -> Iterator[_Site]:
    require_site(settings)
    with open_runtime(settings) as runtime:
        here = Place(
            redacted(settings.database.url), settings.archive.store, str(settings.feeds.dir)
        )
        there = Place(redacted(to), store or here.store, feeds or here.feeds)
        yield _Site(
            runtime,
            to,
            blob_store(there.store, settings),
            blob_store(there.feeds, settings) if there.feeds != here.feeds else None,
            here,
            there,
            there.store != here.store,
        )


@dataclass
class _Move:
    site: _Site
    transfer: Transfer
    quick: bool
    tell: Progress
    copied: int = 0
    compared: int = 0
    whole: int = 0
    sent: int = 0
    sent_size: int = 0
    documents: int = 0
    problems: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def rows(self) -> None:
        """Copy every table that is not there yet, then hold each to that of the source."""
        size = site_size(self.site.runtime.database)
        total, before = sum(size.values()), 0
        for table in carried_tables():
            if not self.transfer.ended:
                self.copied += self.transfer.copy(table, self._rows(before, total, table.name))
            before += size[table.name]
        if not self.transfer.ended:
            self.transfer.hand_over()
        for table in carried_tables():
            self.tell("comparing rows", self.compared, total, table.name)
            rows, differing = self.transfer.compare(table)
            self.compared += rows
            self._name(f"{one.table} {one.key}: {one.what}" for one in differing)
        self.tell("comparing rows", total, total)
        if self.differences and (self.transfer.ended or self.transfer.resumed):
            self.differences.append(_WHY)

    def _rows(self, before: int, total: int, name: str) -> Callable[[int], None]:
        return lambda done: self.tell("copying rows", before + done, total, name)

    def _name(self, told: Iterator[str]) -> None:
        self.differences += islice(told, NAMED)
        if more := sum(1 for _ in told):
            self.differences.append(f"and {more} more of that table")

    def snapshots(self) -> None:
        """Have the bytes of every snapshot in the store, or look whether they are there."""
        runtime, store = self.site.runtime, self.site.store
        total, _ = snapshot_sums(runtime.database)
        work: Callable[[StoredBytes], Moved] = partial(
            move_snapshot if self.site.moves_store else look_at,
            runtime.archive,
            store,
            quick=self.quick,
        )
        for done, one in enumerate(several(work, stored_bytes(runtime.database)), 1):
            self.tell("moving snapshots", done, total, one.key)
            self.whole += one.there
            if one.sent is not None:
                self.sent += 1
                self.sent_size += one.sent
            if one.damage:
                where = f"{runtime.archive.place(one.key)} {one.damage}"
                told = f"{where}; `feedsvc verify` tells what to do"
                (self.problems if one.known else self.differences).append(told)
            if one.difference:
                self.differences.append(f"{store.place(one.key)}: {one.difference}")

    def feeds(self) -> None:
        """Have the documents of the feeds where they are to be published."""
        feeds, runtime = self.site.feeds, self.site.runtime
        if feeds is None:
            return
        for done, one in enumerate(several(partial(_feed, runtime.feeds, feeds), _files(runtime))):
            self.tell("moving feeds", done, None, one.key)
            self.documents += one.there
            if one.damage:
                where = runtime.feeds.place(one.key)
                self.problems.append(f"{where} {one.damage}; `feedsvc publish` writes it again")
            if one.difference:
                self.differences.append(f"{feeds.place(one.key)}: {one.difference}")

    def end(self) -> None:
        """Note that the site is at the target, unless something is not as it was."""
        if not self.differences and not self.transfer.ended:
            self.transfer.end(now=utc_now())


_WHY = (
    "the source, or the target, was written to since the move began: stop whatever does, empty the "
    "target, and move again"
)


def _feed(source: BlobStore, target: BlobStore, one: tuple[str, str, int]) -> Moved:
    return move_feed(source, target, *one)


def _files(runtime: Runtime) -> Iterator[tuple[str, str, int]]:
    """Yield name, digest and size of every document of a feed, in order."""
    last = ""
    while True:
        with runtime.database.reading() as store:
            found = store.files_after(last, limit=_PAGE)
        yield from ((name, one.sha256, one.size) for name, one in sorted(found.items()))
        if len(found) < _PAGE:
            return
        last = max(found)
