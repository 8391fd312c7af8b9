"""How much a site is: rows, bytes, and what is recorded of the bytes of each snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from feedsvc.storage.database import Database
from feedsvc.storage.rows import carried_tables, count_rows
from feedsvc.storage.tables import snapshots

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """Where the bytes of a snapshot are, and what they have to be."""

    key: str
    size: int
    sha256: str
    damaged: datetime | None = None


def site_size(database: Database) -> dict[str, int]:
    """Return how many rows each table of a site has."""
    with database.reading() as store:
        return {table.name: count_rows(store.connection, table) for table in carried_tables()}


def disk_use(database: Database) -> int:
    """Return about how many bytes a database takes."""
    if (size := database.size()) is not None:
        return size
    with database.reading() as store:
        return store.connection.scalar(select(func.pg_database_size(func.current_database()))) or 0


def snapshot_sums(database: Database) -> tuple[int, int]:
    """Return how many snapshots there are, and their bytes."""
    query = select(func.count(), func.coalesce(func.sum(snapshots.c.size), 0))
    with database.reading() as store:
        count, size = store.connection.execute(query).one()
    return int(count), int(size)


def stored_bytes(database: Database) -> Iterator[StoredBytes]:
    """Yield what is recorded of every snapshot's bytes, in order of key; some are read at a time."""
    columns = (snapshots.c.key, snapshots.c.size, snapshots.c.sha256, snapshots.c.damaged)
    query = select(*columns).order_by(snapshots.c.key).limit(_PAGE)
    last: str | None = None
    while True:
        with database.reading() as store:
            page = query if last is None else query.where(snapshots.c.key > last)
            found = [StoredBytes(*row) for row in store.connection.execute(page)]
        yield from found
        if len(found) < _PAGE:
            return
        last = found[-1].key
