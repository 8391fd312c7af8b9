"""Migrations: an older schema becomes the present one, beside the release that is running."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from feedsvc.errors import Temporary
from feedsvc.storage.database import MIGRATIONS, Database, mismatch, revisions, translated
from feedsvc.storage.session_lock import holding_lock
from feedsvc.storage.tables import HEAD

LOCK_SECONDS = 2.0
"""A migration that has to have a table for itself lets the others on after so long."""
OTHERS_SECONDS = 600.0
"""So long is waited for an upgrade that another process began."""
_TRIES = 30
_PAUSE = 1.0
_CHECKS_CLIENTS_SINCE = (14,)
_BUSY = {"55P03": "is in use", "40P01": "is in use (deadlock)"}


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What an upgrade did."""

    before: str
    after: str
    backup: Path | None


def upgrade_database(
    url: URL,
    *,
    backups: Path | None,
    now: datetime,
    to: str = HEAD,
    tries: int = _TRIES,
    wait: float = OTHERS_SECONDS,
    tell: Callable[[str], None] = lambda _: None,
) -> Upgraded:
    """Migrate to ``to``, after a backup where the database is a file.

    SQLite: in one transaction, all or nothing. PostgreSQL: one migration after the other, beside
    whoever reads and writes; interrupted, it goes on from there. ``backups`` is None for a
    database that is a copy itself; ``tell`` hears what is waited for. Raises SchemaMismatch if the database is newer than this code
    or none of ours, Temporary if it is in use throughout.
    """
    database = Database(url, check_schema=False)
    try:
        with translated(url):
            if database.is_sqlite:
                return _upgrade_file(database, backups=backups, now=now, to=to)
            before = _start(database, to)
            if before == to:
                return Upgraded(before, before, None)
            with ExitStack() as held:
                _lock(held, url, wait=wait, tell=tell)
                before = _start(database, to)
                _migrate(database.engine, to, tries=tries, tell=tell)
            return Upgraded(before, database.schema(), None)
    finally:
        database.close()


def _lock(held: ExitStack, url: URL, *, wait: float, tell: Callable[[str], None]) -> None:
    """Be the only one that upgrades, as long as ``held`` is open.

    Asks again and again: an index that is made waits for every statement that began before, also
    for one that itself waits for the lock.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            held.enter_context(holding_lock(url, "upgrade", wait=0))
        except Temporary as error:
            if time.monotonic() >= deadline:
                raise Temporary(
                    f"another `feedsvc upgrade` has been at it for {wait:.0f} s; try again later"
                ) from error
            tell("another `feedsvc upgrade` is at it")
            time.sleep(_PAUSE)
        else:
            return


def _start(database: Database, to: str) -> str:
    """Return the schema that is there, one that this release can go on from."""
    before = database.schema()
    if before not in {"none", to} and before not in revisions():
        raise mismatch(before)
    return before


def _upgrade_file(database: Database, *, backups: Path | None, now: datetime, to: str) -> Upgraded:
    before = _start(database, to)
    if before == to:
        return Upgraded(before, before, None)
    database.require_writing()
    backup = None
    if before != "none" and backups is not None:
        backup = back_up(database, backups, schema=before, now=now)
    with database.engine.begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, to)
    return Upgraded(before, database.schema(), backup)


def _migrate(engine: Engine, to: str, *, tries: int, tell: Callable[[str], None]) -> None:
    """Take one migration after the other; let everybody else on before trying one again."""
    for left in reversed(range(tries)):
        try:
            with engine.connect() as connection:
                _set_up(connection)
                config = alembic_config()
                config.attributes["connection"] = connection
                command.upgrade(config, to)
                connection.invalidate()
        except DBAPIError as error:
            busy = _BUSY.get(str(getattr(error.orig, "sqlstate", None)))
            if busy is None:
                raise
            tell(f"a table that has to change {busy}; {left} tries left")
            if not left:
                raise Temporary(
                    f"a table that has to change {busy} all the time: nothing is half done; run "
                    "`feedsvc upgrade` again, or stop whoever holds it (see pg_stat_activity)"
                ) from error
            time.sleep(_PAUSE)
        else:
            return


def _set_up(connection: Connection) -> None:
    """Wait for locks no longer than others can bear, and end with this process."""
    settings = [f"lock_timeout = {round(LOCK_SECONDS * 1000)}"]
    version = connection.dialect.server_version_info or ()
    if version >= _CHECKS_CLIENTS_SINCE:
        settings.append("client_connection_check_interval = 1000")
    for setting in settings:
        connection.execute(text(f"SET {setting}"))
    connection.commit()


def alembic_config() -> Config:
    """Return Alembic's configuration without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def back_up(database: Database, folder: Path, *, schema: str, now: datetime) -> Path | None:
    """Copy a database that is a file into a folder of backups; None if it is no file."""
    if database.file is None:
        return None
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    target = folder / f"feedsvc-{schema}-{now:%Y%m%dT%H%M%S}.db"
    database.copy_file(target)
    return target
