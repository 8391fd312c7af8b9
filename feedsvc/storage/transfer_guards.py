"""What keeps a site whole while it moves: nobody writes to it, nobody else moves into its place."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Text, cast, func, select, text
from sqlalchemy.exc import OperationalError

from feedsvc.errors import AlreadyRunning
from feedsvc.storage.database import Database, translated
from feedsvc.storage.rows import carried_tables
from feedsvc.storage.tables import facts, workers

_LOCK = 0x6665656473
"""Key of the advisory lock under which one process moves a site into a database."""
_DEAD = 3.0
"""Seconds in which a server finds out that a client is gone."""
_SOON = 15
"""Seconds after which whoever writes to the source is told about."""


def same_database(one: Database, other: Database) -> bool:
    """Tell whether two addresses lead to the same database."""
    if one.is_sqlite != other.is_sqlite:
        return False
    if one.file is not None and other.file is not None:
        return other.file.exists() and one.file.samefile(other.file)
    return _place(one) == _place(other)


def _place(database: Database) -> tuple[Any, ...]:
    with database.engine.connect() as connection, translated(database.url):
        return tuple(
            connection.execute(
                text(
                    "SELECT oid, pg_postmaster_start_time() FROM pg_database "
                    "WHERE datname = current_database()"
                )
            ).one()
        )


@contextmanager
def unwritten(database: Database) -> Iterator[None]:
    """Let nobody write to a database, while it can be read. Raises Temporary.

    A site that this user may only read is left to whoever else writes there.
    """
    if database.is_read_only:
        yield
        return
    with ExitStack() as stack:
        with translated(database.url):
            connection = stack.enter_context(database.engine.connect())
            stack.enter_context(connection.begin())
            if not database.is_sqlite:
                _lock_tables(connection)
        yield
        # A connection that was lost meanwhile did not keep anybody from writing.
        with translated(database.url):
            connection.execute(select(func.count()).select_from(facts))


def _lock_tables(connection: Connection) -> None:
    connection.execute(text(f"SET LOCAL lock_timeout = '{_SOON}s'"))
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    names = ", ".join(table.name for table in carried_tables())
    connection.execute(text(f"LOCK TABLE {names} IN SHARE MODE"))


@contextmanager
def sole_mover(database: Database) -> Iterator[None]:
    """Let one process at a time move a site into a database. Raises AlreadyRunning."""
    where = database.url.render_as_string(hide_password=True)
    busy = AlreadyRunning(
        f"another process is moving a site into {where}; wait for its end, or stop it"
    )
    if database.file is not None:
        handle = os.open(database.file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise busy from None
            yield
        finally:
            os.close(handle)
        return
    with database.engine.connect() as connection:
        with translated(database.url):
            taken = _taken(connection)
        if not taken:
            raise busy
        try:
            yield
        finally:
            # Not given back to the pool: the lock ends with its connection.
            with suppress(OperationalError):
                connection.invalidate()


def _taken(connection: Connection) -> bool:
    """Take the lock; of a process that was killed a moment ago the server does not know yet."""
    until = time.monotonic() + _DEAD
    while True:
        taken = bool(connection.scalar(select(func.pg_try_advisory_lock(_LOCK))))
        connection.commit()
        if taken or time.monotonic() > until:
            return taken
        time.sleep(0.1)


def living_workers(database: Database, *, stalled: float) -> list[str]:
    """Return the workers of a fleet that gave a sign of life so many seconds ago or less."""
    with database.reading() as store:
        now = datetime.now(UTC)
        if not database.is_sqlite:
            now = store.connection.scalar(select(func.clock_timestamp())) or now
        since = now - timedelta(seconds=stalled)
        return list(
            store.connection.scalars(
                select(workers.c.host + ", process " + cast(workers.c.pid, Text))
                .where(workers.c.seen > since)
                .order_by(workers.c.id)
            )
        )
