"""Rows of any table as `rows` reads them, put into a database that lacks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import JSON, Connection, Table, Text, bindparam, text
from sqlalchemy.exc import DataError

from feedsvc.errors import DamageFound, Temporary
from feedsvc.storage.dialect import inserting
from feedsvc.storage.rows import Row, key_of, shown


def add_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert those rows that are not there yet.

    Raises DamageFound for a value that this database cannot hold: SQLite takes more than PostgreSQL.
    """
    if not rows:
        return
    add = _insert if connection.dialect.name == "sqlite" else _copy_in
    try:
        add(connection, table, rows)
    except (DataError, _Unfit) as error:
        raise _told(table, rows, error) from error


class _Unfit(Exception):
    """A value that COPY refuses."""


def _insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    values = {
        column.name: bindparam(
            column.name, type_=Text() if isinstance(column.type, JSON) else column.type
        )
        for column in table.columns
    }
    statement = inserting(connection, table).values(values).on_conflict_do_nothing()
    connection.execute(statement, [dict(zip(values, row, strict=True)) for row in rows])


def _copy_in(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert by way of a table of this session: COPY itself cannot leave out what is there."""
    import psycopg

    staged = f"moving_{table.name}"
    connection.execute(
        text(f"CREATE TEMP TABLE IF NOT EXISTS {staged} (LIKE {table.name}) ON COMMIT DROP")
    )
    names = ", ".join(column.name for column in table.columns)
    raw: Any = connection.connection.driver_connection
    try:
        with raw.cursor() as cursor, cursor.copy(f"COPY {staged} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.DataError as error:
        raise _Unfit(str(error)) from error
    except psycopg.OperationalError as error:
        where = connection.engine.url.render_as_string(hide_password=True)
        raise Temporary(f"{where}: {error}; try again") from error
    connection.execute(
        text(
            f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {staged} "  # noqa: S608 - one of our own tables
            "ON CONFLICT DO NOTHING"
        )
    )
    connection.execute(text(f"TRUNCATE {staged}"))


def _told(table: Table, rows: Sequence[Row], error: Exception) -> DamageFound:
    key = key_of(table)
    reason = " ".join(str(getattr(error, "orig", error)).split())
    return DamageFound(
        f"{table.name}, between {shown(key(rows[0]))} and {shown(key(rows[-1]))}: the target cannot "
        f"hold a value that the source has ({reason}); mend it in the source, and run it again"
    )


def resume_numbering(target: Connection, table: Table) -> None:
    """Let a table that numbers its rows itself go on after the highest number it holds."""
    if target.dialect.name != "postgresql" or [one.name for one in table.primary_key] != ["id"]:
        return
    sequence = target.scalar(
        text("SELECT pg_get_serial_sequence(:table, 'id')"), {"table": table.name}
    )
    if sequence is not None:
        highest = f"SELECT setval(:sequence, coalesce(max(id), 0) + 1, false) FROM {table.name}"  # noqa: S608 - one of our own tables
        target.execute(text(highest), {"sequence": sequence})
