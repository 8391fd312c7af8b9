"""Statements that SQLite and PostgreSQL both have, but SQLAlchemy spells per dialect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Table

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
PARAMETERS = 1000
"""How many values one IN list may hold; both databases take far more, plans stay small."""


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield values in pieces that fit one statement."""
    for start in range(0, len(values), PARAMETERS):
        yield values[start : start + PARAMETERS]


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, or replace the non-key columns of those that are there."""
    if not rows:
        return
    statement = inserting(connection, table)
    keys = [column.name for column in table.primary_key]
    changes = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=changes)
        if changes
        else statement.on_conflict_do_nothing(index_elements=keys),
        rows,
    )


def insert_missing(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert those rows whose key is not there yet."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    statement = inserting(connection, table)
    connection.execute(statement.on_conflict_do_nothing(index_elements=keys), rows)


def inserting(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that can be told what to do about rows that are there."""
    # Imported here: each dialect costs a command that does not use it 40 ms.
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
