"""SQLite where nothing can be written: another user's site, a read-only mount, a full disk."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine, NullPool, create_engine, event
from sqlalchemy.engine import URL

from feedsvc.errors import ConfigurationError

_NEARLY_FULL = 1 << 20
_PRAGMAS = ("query_only=ON", "trusted_schema=OFF", "cache_size=-16000", "temp_store=MEMORY")


def forbidden(url: URL) -> ConfigurationError | None:
    """Return why this user may only read an SQLite database; None if that is not so."""
    if not is_file(url):
        return None
    file = Path(url.database or "")
    for place in (file, file.parent):
        if not os.access(place, os.W_OK):
            return ConfigurationError(
                f"{place} can only be read by this user, so nothing can be changed; give the user "
                "the right to write there, or use the site as the user it belongs to"
            )
    return None


def is_file(url: URL) -> bool:
    """Tell whether a database is an SQLite file that is there."""
    return url.get_backend_name() == "sqlite" and Path(url.database or "").is_file()


def is_disk_full(url: URL) -> bool:
    """Tell whether an error of any name comes from a full disk: SQLite says `disk I/O error` too."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return False
    try:
        found = os.statvfs(Path(url.database).parent)
    except OSError:
        return False
    # No room on a disk that takes no writes is no reason for anything.
    return found.f_bavail * found.f_frsize < _NEARLY_FULL and not found.f_flag & os.ST_RDONLY


def reading_engine(url: URL, *, seconds: float) -> Engine:
    """Return an engine that only reads; waits that long for locks.

    It keeps no connection: whether there is a write-ahead log to heed is asked at each one.
    """
    file = str(url.database)

    def connect() -> sqlite3.Connection:
        try:
            return _opened(file, "mode=ro", seconds)
        except sqlite3.OperationalError:
            if _has_log(file):
                raise
            # SQLite wants to make the files beside it that tell writers from readers. Nobody
            # writes where there is no log.
            return _opened(file, "mode=ro&immutable=1", seconds)

    engine = create_engine(url, creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def _opened(file: str, how: str, seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(file)}?{how}",
        uri=True,
        timeout=seconds,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _has_log(file: str) -> bool:
    try:
        return Path(f"{file}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False
