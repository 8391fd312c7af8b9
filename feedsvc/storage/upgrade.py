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


def upgrade_database(url: URL, *, backups: Path | None, now: datetime, to: str = HEAD) -> Upgraded:
    """Migrate to ``to`` in one transaction, after a backup where the database is a file.

    ``backups`` is None for a database that is a copy itself. Raises SchemaMismatch if the database is newer than this code or none of ours.
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
            backup = None
            if before != "none" and backups is not None:
                backup = back_up(database, backups, schema=before, now=now)
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


def back_up(database: Database, folder: Path, *, schema: str, now: datetime) -> Path | None:
    """Copy a database that is a file into a folder of backups; None if it is no file."""
    if database.file is None:
        return None
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    target = folder / f"feedsvc-{schema}-{now:%Y%m%dT%H%M%S}.db"
    database.copy_file(target)
    return target
