"""Databases as a new site has them, without creating thirty tables anew for every test."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL

from feedsvc.storage.database import Database, database_url
from feedsvc.storage.tables import alembic_version, metadata

SITE_FILE = Path("data", "feedsvc.db")
"""Where a site that says nothing else has its database."""

_TABLES = [table.name for table in metadata.sorted_tables if table is not alembic_version]
_ENDING = (
    # What a test before this one left open would keep its tables locked.
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
# Whoever creates or drops something changes these numbers; migrations change the version too.
_SHAPE = (
    "SELECT array_agg(oid ORDER BY oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
)
_RESTART = (
    "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false)"
    " FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL"
)


@cache
def _new_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Database(database_url("sqlite:///new.db", root=Path(folder))).close()
        return Path(folder, "new.db").read_bytes()


def put_new_file(file: Path) -> None:
    """Write an SQLite database with its schema and no rows, unless there is a file."""
    if not file.exists():
        file.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        file.write_bytes(_new_file())


class PostgresqlDatabase:
    """One database on the server, made bare or new again for each test."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._shape: tuple[object, ...] | None = None

    @property
    def address(self) -> str:
        """Its address, with the password."""
        return self._url.render_as_string(hide_password=False)

    def make_bare(self) -> None:
        """Leave nothing in it."""
        self._shape = None
        with connection(self._url) as connected:
            connected.execute(_ENDING)
            connected.execute("DROP SCHEMA public CASCADE")
            connected.execute("CREATE SCHEMA public")

    def make_new(self) -> None:
        """Leave the schema in it and no rows."""
        if self._shape is not None:
            with connection(self._url) as connected:
                connected.execute(_ENDING)
                if _shape(connected) == self._shape:
                    _clear(connected)
                    return
        self.make_bare()
        Database(database_url(self.address, root=Path())).close()
        with connection(self._url) as connected:
            self._shape = _shape(connected)


def connection(url: URL) -> psycopg.Connection:
    """Connect to a server, every statement on its own."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True)


def _shape(connected: psycopg.Connection) -> tuple[object, ...]:
    (numbers,) = connected.execute(_SHAPE).fetchone() or ((),)
    if not numbers:
        return ()
    return (*numbers, *connected.execute("SELECT version_num FROM alembic_version").fetchall())


def _clear(connected: psycopg.Connection) -> None:
    asking = [
        sql.SQL("(SELECT {} FROM {} LIMIT 1)").format(sql.Literal(name), sql.Identifier(name))
        for name in _TABLES
    ]
    filled = {name for (name,) in connected.execute(sql.SQL(" UNION ALL ").join(asking))}
    with connected.transaction():
        # Few rows are deleted sooner than files are exchanged; what refers to others goes first.
        for name in reversed(_TABLES):
            if name in filled:
                connected.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
        connected.execute(_RESTART)
