"""A whole database as one SQLite file, whichever engine it lives in, and back again."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, func, select, text
from sqlalchemy.engine import URL

from feedsvc.errors import ConfigurationError
from feedsvc.storage.database import Database, database_url, translated
from feedsvc.storage.tables import (
    alembic_version,
    articles,
    documents,
    metadata,
    seeds,
    unindexed,
)
from feedsvc.storage.upgrade import back_up, upgrade_database

BATCH = 500
"""Rows that are in memory at a time."""


def dump_database(database: Database, target: Path) -> None:
    """Write everything a database holds, as it is at one moment, into a new SQLite file."""
    with translated(database.url):
        if database.file is not None:
            database.copy_file(target)
            return
        url = URL.create("sqlite", database=str(target))
        with (
            closing(Database(url)) as copy,
            database.engine.connect() as live,
            copy.engine.begin() as into,
        ):
            copy_rows(live.execution_options(isolation_level="REPEATABLE READ"), into)


def load_database(source: Path, database: str, *, root: Path, now: datetime) -> Path | None:
    """Make a database (`database.url`) hold what a dump holds; return where the one before is kept.

    ``source`` is brought to this release's schema first, and is gone afterwards where the
    database is a file too. Raises ConfigurationError where a database that is no file already
    holds articles: feedsvc does not empty a server's tables.
    """
    url = database_url(database, root=root)
    upgrade_database(URL.create("sqlite", database=str(source)), backups=None, now=now)
    if url.get_backend_name() == "sqlite":
        return _replace_file(source, url, backups=root / "data" / "backups", now=now)
    if not _is_empty(url):
        raise ConfigurationError(
            f"{url.render_as_string(hide_password=True)} already holds a site; restore into an "
            "empty database (`createdb`), and name that in database.url"
        )
    dump = URL.create("sqlite", database=str(source))
    with (
        translated(url),
        closing(Database(dump)) as kept,
        closing(Database(url)) as target,
        kept.engine.connect() as rows,
        target.engine.begin() as into,
    ):
        copy_rows(rows.execution_options(readonly=True), into)
    return None


def require_empty(database: str, *, root: Path) -> None:
    """Raise ConfigurationError if a database (`database.url`) already holds a site."""
    url = database_url(database, root=root)
    if not _is_empty(url):
        raise ConfigurationError(
            f"{url.render_as_string(hide_password=True)} already holds a site; say --replace, and "
            "it is kept in data/backups"
        )


def _is_empty(url: URL) -> bool:
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return True
    with closing(Database(url, check_schema=False)) as database, translated(url):
        if database.schema() == "none":
            return True
        with database.engine.connect() as connection:
            rows = connection.execution_options(readonly=True)
            return not any(
                rows.scalar(select(func.count()).select_from(table)) for table in (articles, seeds)
            )


def copy_rows(source: Connection, target: Connection) -> int:
    """Copy every row of our tables into empty ones; return how many.

    The index of full-text search is each engine's own: the target makes its own of the articles.
    """
    copied = 0
    for table in metadata.sorted_tables:
        if table in {alembic_version, documents, unindexed}:
            continue
        result = source.execute(select(table).execution_options(yield_per=BATCH))
        for rows in result.mappings().partitions(BATCH):
            target.execute(table.insert(), [dict(row) for row in rows])
            copied += len(rows)
        if target.dialect.name == "postgresql":
            _resume_numbering(target, table.name, [column.name for column in table.primary_key])
    target.execute(unindexed.insert().from_select(["article_id"], select(articles.c.id)))
    return copied


def _resume_numbering(target: Connection, table: str, keys: list[str]) -> None:
    """Let a table that numbers its rows itself go on after the highest number copied."""
    if keys != ["id"]:
        return
    sequence = target.scalar(text("SELECT pg_get_serial_sequence(:table, 'id')"), {"table": table})
    if sequence is not None:
        highest = f"SELECT setval(:sequence, coalesce(max(id), 0) + 1, false) FROM {table}"  # noqa: S608 - one of our own tables
        target.execute(text(highest), {"sequence": sequence})


def _replace_file(source: Path, url: URL, *, backups: Path, now: datetime) -> Path | None:
    target = Path(str(url.database))
    target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    kept = None
    if target.exists():
        with closing(Database(url, check_schema=False)) as before, translated(url):
            kept = back_up(before, backups, schema=before.schema(), now=now)
            before.settle()
    # A log left of the file before must not be taken for one of the new file.
    for path in (target, source):
        for suffix in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{path}{suffix}").unlink()
    source.replace(target)
    handle = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return kept
