"""What is known of seed files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from feedsvc.model import FileStamp, SeedRecord, SeedState
from feedsvc.storage.dialect import chunks, upsert
from feedsvc.storage.tables import articles, seeds

_MASK = (1 << 63) - 1
"""Inodes may use 64 bits, a database's integers have a sign."""


class SeedStore:
    """Seed records by name."""

    connection: Connection

    def seed_stamps(
        self, names: Collection[str] | None = None
    ) -> dict[str, tuple[FileStamp, SeedState, int]]:
        """Return stamp, state and parser version of every seed known, or of those names."""
        columns = (
            seeds.c.name,
            seeds.c.size,
            seeds.c.mtime_ns,
            seeds.c.inode,
            seeds.c.state,
            seeds.c.parser,
        )
        states = {str(state): state for state in SeedState}
        return {
            name: (FileStamp(size, mtime, inode), states[state], parser)
            for name, size, mtime, inode, state, parser in self._rows(columns, names)
        }

    def seed_records(self, names: Collection[str]) -> dict[str, SeedRecord]:
        """Return what is known of those seeds."""
        return {row.name: _record(row) for row in self._rows(tuple(seeds.c), names)}

    def seed_problems(self, limit: int | None = None) -> list[SeedRecord]:
        """Return every seed that is not loaded, by name; the newest first if there is a limit."""
        order = seeds.c.name if limit is None else seeds.c.since.desc()
        rows = self.connection.execute(
            select(seeds).where(seeds.c.state != "loaded").order_by(order).limit(limit)
        )
        return [_record(row) for row in rows]

    def seed_warnings(self, limit: int) -> list[SeedRecord]:
        """Return loaded seeds that were repaired, the newest first."""
        rows = self.connection.execute(
            select(seeds)
            .where(seeds.c.state == "loaded", seeds.c.reason == "repaired")
            .order_by(seeds.c.since.desc())
            .limit(limit)
        )
        return [_record(row) for row in rows]

    def seed_count(self, folder: str) -> int:
        """Return how many seeds of a folder are known."""
        return (
            self.connection.scalar(
                select(func.count()).where(
                    seeds.c.name >= f"{folder}/", seeds.c.name < f"{folder}0"
                )
            )
            or 0
        )

    def seed_names(self, *, after: str, limit: int) -> list[str]:
        """Return the names of seeds known, in the database's order, from that one on."""
        query = select(seeds.c.name).where(seeds.c.name > after)
        return list(self.connection.scalars(query.order_by(seeds.c.name).limit(limit)))

    def seeds_without_url(self, names: Sequence[str]) -> dict[str, SeedRecord]:
        """Return those seeds that are known to hold an article without a URL."""
        found: dict[str, SeedRecord] = {}
        for part in chunks(names):
            query = (
                select(seeds)
                .join(articles, articles.c.id == seeds.c.article_id)
                .where(seeds.c.name.in_(part), articles.c.url_key.is_(None))
            )
            found |= {row.name: _record(row) for row in self.connection.execute(query)}
        return found

    def seeds_below(self, folders: Iterable[str]) -> list[str]:
        """Return the names of the seeds known inside those folders."""
        names: list[str] = []
        for folder in folders:
            names += self.connection.scalars(
                select(seeds.c.name).where(
                    seeds.c.name >= f"{folder}/", seeds.c.name < f"{folder}0"
                )
            )
        return names

    def put_seeds(self, records: Iterable[SeedRecord]) -> None:
        """Record what became of seeds."""
        upsert(self.connection, seeds, [_row(record) for record in records])

    def touch_seeds(self, stamps: Mapping[str, FileStamp]) -> None:
        """Record new stamps of seeds whose bytes are the same."""
        if stamps:
            self.connection.execute(
                update(seeds).where(seeds.c.name == bindparam("seed")),
                [
                    {
                        "seed": name,
                        "size": stamp.size,
                        "mtime_ns": stamp.mtime_ns,
                        "inode": stamp.inode & _MASK,
                    }
                    for name, stamp in stamps.items()
                ],
            )

    def drop_seeds(self, names: Sequence[str]) -> None:
        """Forget seeds that are gone."""
        for part in chunks(names):
            self.connection.execute(delete(seeds).where(seeds.c.name.in_(part)))

    def duplicates_of(self, article_ids: Sequence[str]) -> list[str]:
        """Return the names of duplicate seeds of those articles, in order."""
        names: list[str] = []
        for part in chunks(article_ids):
            names += self.connection.scalars(
                select(seeds.c.name).where(
                    seeds.c.state == str(SeedState.DUPLICATE), seeds.c.article_id.in_(part)
                )
            )
        return sorted(names)

    def _rows(self, columns: tuple[Any, ...], names: Collection[str] | None) -> Iterable[Any]:
        if names is None:
            yield from self.connection.execute(select(*columns))
            return
        for part in chunks(sorted(names)):
            yield from self.connection.execute(select(*columns).where(seeds.c.name.in_(part)))


def _row(record: SeedRecord) -> dict[str, Any]:
    # Written out: dataclasses.asdict copies deeply, which costs more than the insert.
    return {
        "name": record.name,
        "size": record.stamp.size,
        "mtime_ns": record.stamp.mtime_ns,
        "inode": record.stamp.inode & _MASK,
        "digest": record.digest,
        "state": str(record.state),
        "article_id": record.article_id,
        "line": record.line,
        "reason": record.reason,
        "remedy": record.remedy,
        "warnings": list(record.warnings),
        "parser": record.parser,
        "since": record.since,
    }


def _record(row: Row[Any]) -> SeedRecord:
    return SeedRecord(
        name=row.name,
        stamp=FileStamp(row.size, row.mtime_ns, row.inode),
        digest=row.digest,
        state=SeedState(row.state),
        article_id=row.article_id,
        line=row.line,
        reason=row.reason,
        remedy=row.remedy,
        warnings=tuple(row.warnings),
        parser=row.parser,
        since=row.since,
    )
