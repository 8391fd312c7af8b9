"""A lock that one holder in the whole fleet has, freed when its session with PostgreSQL ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from feedsvc.errors import Temporary
from feedsvc.storage.advisory import lock_key
from feedsvc.storage.database import translated
from feedsvc.storage.postgresql import postgresql_arguments

PING_SECONDS = 4.0
SILENT_SECONDS = 15
"""A holder that says nothing for so long, as one that was paused, loses its lock."""
_IDLE_SESSION_SINCE = 140000
_LOCK_NOT_AVAILABLE = "55P03"


@contextmanager
def holding_lock(url: URL, name: str, *, wait: float) -> Iterator[None]:
    """Hold a lock on a connection of its own.

    Raises Temporary after ``wait`` seconds, and at the end of the block if the connection was
    lost meanwhile: somebody else may have held the lock too.
    """
    arguments = postgresql_arguments(url, silent=SILENT_SECONDS)
    engine = create_engine(
        url, poolclass=NullPool, connect_args=arguments, isolation_level="AUTOCOMMIT"
    )
    with translated(url), engine.connect() as connection:
        _take(connection, name, wait=wait)
        session = _Session(connection)
        try:
            yield
        finally:
            session.end()
        _give_back(connection, name)


def _take(connection: Connection, name: str, *, wait: float) -> None:
    if wait <= 0:
        query = text("SELECT pg_try_advisory_lock(:key)")
        if not connection.scalar(query, {"key": lock_key(name)}):
            raise _held(name, wait)
        return
    try:
        connection.execute(text(f"SET lock_timeout = {max(1, round(wait * 1000))}"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": lock_key(name)})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise _held(name, wait) from None
        raise


def _held(name: str, wait: float) -> Temporary:
    return Temporary(f"another feedsvc has been at {name} for {wait:.0f} s; try again later")


def _give_back(connection: Connection, name: str) -> None:
    try:
        kept = connection.scalar(text("SELECT pg_advisory_unlock(:key)"), {"key": lock_key(name)})
    except SQLAlchemyError:
        kept = False
    if not kept:
        raise Temporary(
            f"the database forgot that this process was at {name}: the connection was lost, or "
            "the process was paused; what it did may be done again"
        )


class _Session:
    """Keeps a session from falling silent: the server ends one whose process was paused."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ended = threading.Event()
        raw = connection.connection.driver_connection
        version = getattr(getattr(raw, "info", None), "server_version", 0)
        if version >= _IDLE_SESSION_SINCE:
            connection.execute(text(f"SET idle_session_timeout = '{SILENT_SECONDS}s'"))
        self._thread = threading.Thread(target=self._ping, name="feedsvc-lock", daemon=True)
        self._thread.start()

    def _ping(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(max(0.0, last + PING_SECONDS - time.monotonic())):
            last = time.monotonic()
            with suppress(SQLAlchemyError):
                self._connection.execute(text("SELECT 1"))

    def end(self) -> None:
        """Stop; the connection is the caller's alone again."""
        self._ended.set()
        self._thread.join()
