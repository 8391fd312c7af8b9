"""Seeds on their way in a fleet: who was asked to read them, and what was read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, update

from feedsvc.model import FileStamp
from feedsvc.storage.dialect import chunks, upsert
from feedsvc.storage.fleet_tables import staged_seeds

_MASK = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Staged:
    """A seed that somebody was asked to read, or has read."""

    name: str
    batch: str
    stamp: FileStamp
    version: str
    """Of the software and the vocabulary it is read with."""
    is_read: bool


class StagedStore:
    """What was read of seeds and is not stored as articles yet, by the seed's name."""

    connection: Connection

    def staged(self, names: Collection[str]) -> dict[str, Staged]:
        """Return what is known of those seeds."""
        table = staged_seeds.c
        columns = (
            table.name,
            table.batch,
            table.size,
            table.mtime_ns,
            table.inode,
            table.version,
            table.loaded.is_not(None).label("is_read"),
        )
        found = {}
        for part in chunks(sorted(names)):
            for row in self.connection.execute(select(*columns).where(table.name.in_(part))):
                stamp = FileStamp(row.size, row.mtime_ns, row.inode)
                found[row.name] = Staged(row.name, row.batch, stamp, row.version, row.is_read)
        return found

    def read_seeds(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return what was read of those seeds that have been read."""
        found: dict[str, bytes] = {}
        table = staged_seeds.c
        for part in chunks(names):
            query = select(table.name, table.loaded).where(
                table.name.in_(part), table.loaded.is_not(None)
            )
            found |= {row.name: row.loaded for row in self.connection.execute(query)}
        return found

    def is_reading(self) -> bool:
        """Tell whether a seed that somebody was asked to read has not been read."""
        query = select(staged_seeds.c.name).where(staged_seeds.c.loaded.is_(None)).limit(1)
        return self.connection.scalar(query) is not None

    def batch_names(self, batches: Collection[str]) -> dict[str, list[str]]:
        """Return the names in those batches that have not been read, in order."""
        found: dict[str, list[str]] = {}
        table = staged_seeds.c
        for part in chunks(sorted(batches)):
            query = select(table.batch, table.name).where(
                table.batch.in_(part), table.loaded.is_(None)
            )
            for row in self.connection.execute(query):
                found.setdefault(row.batch, []).append(row.name)
        return {batch: sorted(names) for batch, names in found.items()}

    def ask_for_seeds(self, asked: Sequence[Staged], *, now: datetime) -> None:
        """Note that somebody is to read those seeds."""
        rows = [
            {
                "name": one.name,
                "batch": one.batch,
                "size": one.stamp.size,
                "mtime_ns": one.stamp.mtime_ns,
                "inode": one.stamp.inode & _MASK,
                "version": one.version,
                "asked": now,
                "loaded": None,
            }
            for one in asked
        ]
        for part in chunks(rows):
            upsert(self.connection, staged_seeds, part)

    def put_read_seeds(self, read: Mapping[str, tuple[FileStamp, bytes]], *, version: str) -> None:
        """Keep what was read of seeds that somebody asked for; of others nothing is kept."""
        if read:
            self.connection.execute(
                update(staged_seeds).where(staged_seeds.c.name == bindparam("seed")),
                [
                    {
                        "seed": name,
                        "size": stamp.size,
                        "mtime_ns": stamp.mtime_ns,
                        "inode": stamp.inode & _MASK,
                        "version": version,
                        "loaded": loaded,
                    }
                    for name, (stamp, loaded) in sorted(read.items())
                ],
            )

    def drop_staged(self, names: Collection[str]) -> None:
        """Forget seeds that are stored, or that nobody is to read."""
        for part in chunks(sorted(names)):
            self.connection.execute(delete(staged_seeds).where(staged_seeds.c.name.in_(part)))

    def drop_staged_before(self, moment: datetime) -> None:
        """Forget what was asked for before that: the seeds have gone since."""
        self.connection.execute(delete(staged_seeds).where(staged_seeds.c.asked < moment))
