"""Statements that SQLite and PostgreSQL both have, but SQLAlchemy spells per dialect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Float,
    Integer,
    Select,
    String,
    Table,
    any_,
    bindparam,
    func,
    select,
)

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
PARAMETERS = 1000
"""How many values one IN list may hold; both databases take far more, plans stay small."""


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield values in pieces that fit one statement."""
    for start in range(0, len(values), PARAMETERS):
        yield values[start : start + PARAMETERS]


def is_shared(connection: Connection) -> bool:
    """Tell whether others may write at the same time; in SQLite they wait for the whole of it."""
    return connection.dialect.name != "sqlite"


def among(column: Column[Any], name: str, *, shared: bool) -> ColumnElement[bool]:
    """Return the condition that a column has one of the values given under that name.

    In PostgreSQL they are one array: however many they are, it is the same statement, which the
    server plans once for each connection.
    """
    if shared:
        return column == any_(bindparam(name, type_=ARRAY(column.type, dimensions=1)))
    return column.in_(bindparam(name, expanding=True))


def unnested(columns: Mapping[str, Column[Any]]) -> Select[Any]:
    """Return the query for rows that are given as one array for each column, by name."""
    return select(
        *(
            func.unnest(bindparam(f"all_{name}", type_=ARRAY(column.type, dimensions=1))).label(
                name
            )
            for name, column in columns.items()
        )
    )


def arrays(
    columns: Mapping[str, Column[Any]], rows: Sequence[Mapping[str, Any]]
) -> dict[str, list[Any]]:
    """Return what `unnested` is given for rows."""
    return {
        f"all_{name}": [_plain(column, row[name]) for row in rows]
        for name, column in columns.items()
    }


def _plain(column: Column[Any], value: Any) -> Any:
    """Return a value as the one class that all of an array must have."""
    for kind, plain in _PLAIN:
        if isinstance(column.type, kind):
            return value if value is None or type(value) is plain else plain(value)
    return value


_PLAIN = ((String, str), (Integer, int), (Float, float))


def insert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows of which none is there."""
    if len(rows) > 1 and is_shared(connection):
        _insert_at_once(connection, table, rows, "fails")
    elif rows:
        connection.execute(table.insert(), rows)


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, or replace the non-key columns of those that are there."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    if is_shared(connection) and 1 < len(rows) == len(
        {tuple(row[key] for key in keys) for row in rows}
    ):
        _insert_at_once(connection, table, rows, "replaces")
        return
    statement = inserting(connection, table)
    connection.execute(_replacing(statement, table, rows[0]), rows)


def _replacing(statement: Any, table: Table, names: Iterable[str]) -> Any:
    keys = [column.name for column in table.primary_key]
    changes = {name: statement.excluded[name] for name in names if name not in keys}
    if not changes:
        return statement.on_conflict_do_nothing(index_elements=keys)
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)


def insert_missing(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert those rows whose key is not there yet."""
    if not rows:
        return
    if len(rows) > 1 and is_shared(connection):
        _insert_at_once(connection, table, rows, "spares")
        return
    keys = [column.name for column in table.primary_key]
    statement = inserting(connection, table)
    connection.execute(statement.on_conflict_do_nothing(index_elements=keys), rows)


def _insert_at_once(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], what_is_there: str
) -> None:
    """Insert rows in one statement: each on its own costs PostgreSQL three times as much."""
    names = tuple(rows[0])
    statement = _inserting_at_once(table, names, what_is_there)
    connection.execute(statement, arrays({name: table.c[name] for name in names}, rows))


@cache
def _inserting_at_once(table: Table, names: tuple[str, ...], what_is_there: str) -> Any:
    from sqlalchemy.dialects import postgresql

    columns = {name: table.c[name] for name in names}
    statement = postgresql.insert(table).from_select(list(names), unnested(columns))
    if what_is_there == "fails":
        return statement
    replaced = names if what_is_there == "replaces" else ()
    return _replacing(statement, table, replaced)


def inserting(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that can be told what to do about rows that are there."""
    # Imported here: each dialect costs a command that does not use it 40 ms.
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def estimated_rows(connection: Connection, query: Select[Any]) -> int:
    """Return how many rows PostgreSQL expects of a query, without running it."""
    compiled = query.compile(
        dialect=connection.dialect,
        compile_kwargs={"render_postcompile": True, "literal_binds": True},
    )
    found = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}").scalar_one()
    return int(found[0]["Plan"]["Plan Rows"])
