"""What PostgreSQL tells as soon as a transaction is committed (LISTEN and NOTIFY)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from feedsvc.errors import Temporary
from feedsvc.storage.postgresql import postgresql_arguments

SILENT_SECONDS = 15.0

Told = Callable[[float], Iterator[str]]
"""Yields what is told within so many seconds, each as soon as it is."""


@contextmanager
def listening(url: URL, channel: str) -> Iterator[Told]:
    """Hear, on a connection of its own, what is told on a channel from now on.

    Raises Temporary when the database is away, or goes away meanwhile: what was told since is
    lost then.
    """
    address = url.set(drivername="postgresql", query={}).render_as_string(hide_password=False)
    arguments = {**url.query, **postgresql_arguments(url, silent=SILENT_SECONDS)}
    try:
        with psycopg.connect(address, autocommit=True, **arguments) as connection:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))

            def told(seconds: float) -> Iterator[str]:
                for note in connection.notifies(timeout=seconds):
                    yield note.payload

            yield told
    except psycopg.Error as error:
        where = url.render_as_string(hide_password=True)
        raise Temporary(f"{where}: {' '.join(str(error).split())}; try again") from error
