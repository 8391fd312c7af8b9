"""Migrations: an older schema becomes the present one, whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import URL

from feedsvc.storage.database import MIGRATIONS, Database, mismatch, revisions, translated
from feedsvc.storage.tables import HEAD


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What an upgrade did."""

    before: str
    after: str
    backup: Path | None


def upgrade_database(url: URL, *, backups: Path, now: datetime, to: str = HEAD) -> Upgraded:
    """Migrate to ``to`` in one transaction, after a backup where the database is a file.

    Raises SchemaMismatch if the database is newer than this code or none of ours.
    """
    database = Database(url, check_schema=False)
    try:
        with translated(url):
            before = database.schema()
            if before == to:
                return Upgraded(before, before, None)
            if before != "none" and before not in revisions():
                raise mismatch(before)
            database.require_writing()
            backup = None if before == "none" else _back_up(database, backups, before, now)
            with database.engine.begin() as connection:
                config = alembic_config()
                config.attributes["connection"] = connection
                command.upgrade(config, to)
            return Upgraded(before, database.schema(), backup)
    finally:
        database.close()


def alembic_config() -> Config:
    """Return Alembic's configuration without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _back_up(database: Database, folder: Path, schema: str, now: datetime) -> Path | None:
    if database.file is None:
        return None
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    target = folder / f"feedsvc-{schema}-{now:%Y%m%dT%H%M%S}.db"
    with database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None  # noqa: S101 - an open connection has one
        raw.execute("VACUUM INTO ?", (str(target),))
    return target
