"""Rows of a whole site in one form, whichever database holds them: read in order of key, compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Float,
    Select,
    String,
    Table,
    Text,
    cast,
    collate,
    func,
    literal,
    select,
    text,
    tuple_,
)

from feedsvc.storage.columns import UTCDateTime
from feedsvc.storage.fleet_tables import PASSING
from feedsvc.storage.tables import alembic_version, documents, facts, metadata, unindexed

MOVED = "migration"
"""The fact that tells how far a site has been moved into this database."""
OF_PLACE = frozenset({MOVED, "fleet"})
"""Facts about where a site is, which stay behind when it moves."""
BATCH = 250
"""Rows that are read at a time."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Row = Sequence[Any]
Key = tuple[Any, ...]


def carried_tables() -> list[Table]:
    """Return the tables that make up a site, those that others refer to first.

    The index of full-text search is each engine's own, and who works now tells of this moment.
    """
    return [
        table
        for table in metadata.sorted_tables
        if table not in {alembic_version, documents, unindexed} and table.name not in PASSING
    ]


def key_columns(table: Table) -> list[Column[Any]]:
    """Return the columns of a table's key, in the order of the table."""
    return [column for column in table.columns if column.primary_key]


def key_of(table: Table) -> Callable[[Row], Key]:
    """Return a function that takes the key out of a row of a table."""
    places = [place for place, column in enumerate(table.columns) if column.primary_key]
    return lambda row: tuple(row[place] for place in places)


def read_rows(
    connection: Connection, table: Table, *, after: Key | None = None
) -> Iterator[Sequence[Row]]:
    """Yield the rows of a table a batch at a time, in an order that is the same on both engines.

    JSON stays the text that is stored: an SQL NULL is not the JSON `null`, and so it remains.
    """
    if connection.dialect.name == "postgresql":
        # The other side may take long over a batch, which is no reason to end this one.
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    query = _carried(select(*(_stored(column) for column in table.columns)), table)
    order = [_ordered(connection, column) for column in key_columns(table)]
    if after is not None:
        bound = [
            literal(value, column.type)
            for column, value in zip(key_columns(table), after, strict=True)
        ]
        query = query.where(tuple_(*order) > tuple_(*bound))
    result = connection.execute(query.order_by(*order).execution_options(yield_per=BATCH))
    yield from result.partitions()


def count_rows(connection: Connection, table: Table) -> int:
    """Return how many rows of a table make up the site."""
    return connection.scalar(_carried(select(func.count()).select_from(table), table)) or 0


def canonical(table: Table) -> Callable[[Row], bytes]:
    """Return a function that writes a row as it is compared: times as microseconds UTC."""
    times = [place for place, one in enumerate(table.columns) if isinstance(one.type, UTCDateTime)]
    floats = [place for place, one in enumerate(table.columns) if isinstance(one.type, Float)]

    def write(row: Row) -> bytes:
        values = list(row)
        for place in times:
            if values[place] is not None:
                values[place] = (values[place] - _EPOCH) // _MICROSECOND
        for place in floats:
            if values[place] is not None:
                values[place] += 0.0  # SQLite forgets the sign of zero
        return json.dumps(values, separators=(",", ":")).encode()

    return write


class Digest:
    """A SHA-256 over the rows of a table in order of key, and how many they are."""

    def __init__(self, table: Table) -> None:
        self._write = canonical(table)
        self._sum = hashlib.sha256()
        self.rows = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Take in the rows that come next."""
        write = self._write
        self._sum.update(b"\n".join([*map(write, rows), b""]))
        self.rows += len(rows)

    @property
    def value(self) -> str:
        """The digest so far."""
        return self._sum.hexdigest()


@dataclass(frozen=True, slots=True)
class RowDifference:
    """A row that is not the same on both sides."""

    table: str
    key: str
    what: str


def differing_rows(source: Connection, target: Connection, table: Table) -> Iterator[RowDifference]:
    """Yield every row that one side lacks or has otherwise, in order of key."""
    key, write = key_of(table), canonical(table)
    here = chain.from_iterable(read_rows(source, table))
    there = chain.from_iterable(read_rows(target, table))
    one, other = next(here, None), next(there, None)
    while one is not None or other is not None:
        if other is None or (one is not None and key(one) < key(other)):
            assert one is not None  # noqa: S101 - the loop ends when both are at their end
            yield RowDifference(table.name, shown(key(one)), "the target has no such row")
            one = next(here, None)
        elif one is None or key(other) < key(one):
            yield RowDifference(table.name, shown(key(other)), "the source has no such row")
            other = next(there, None)
        else:
            if write(one) != write(other):
                names = [
                    column.name
                    for column, a, b in zip(table.columns, one, other, strict=True)
                    if a != b
                ]
                yield RowDifference(table.name, shown(key(one)), f"{', '.join(names)} differ")
            one, other = next(here, None), next(there, None)


def shown(key: Key) -> str:
    """Return a key for a person."""
    return ", ".join(
        value.isoformat() if isinstance(value, datetime) else str(value) for value in key
    )


def _carried(query: Select[Any], table: Table) -> Select[Any]:
    return query.where(facts.c.name.not_in(OF_PLACE)) if table is facts else query


def _stored(column: Column[Any]) -> ColumnElement[Any]:
    if isinstance(column.type, JSON):
        return cast(column, Text).label(column.name)
    return column


def _ordered(connection: Connection, column: Column[Any]) -> ColumnElement[Any]:
    """Return what sorts a column by its bytes, as SQLite does unless told."""
    if connection.dialect.name == "postgresql" and isinstance(column.type, String):
        return collate(column, "C")
    return column
