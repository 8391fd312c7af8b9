"""A whole database as one SQLite file, whichever engine it lives in, and back again."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.engine import URL

from feedsvc.errors import AlreadyRunning, ConfigurationError
from feedsvc.storage.database import Database, database_url, translated
from feedsvc.storage.row_writing import add_rows, resume_numbering
from feedsvc.storage.rows import OF_PLACE, carried_tables, read_rows
from feedsvc.storage.tables import HEAD, articles, audit, facts, forgotten, seeds, unindexed
from feedsvc.storage.transfer_guards import living_workers
from feedsvc.storage.upgrade import back_up, upgrade_database


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


def dumped(file: Path) -> Database:
    """Open what `dump_database` wrote."""
    return Database(URL.create("sqlite", database=str(file)))


def load_database(source: Path, database: str, *, root: Path, now: datetime) -> Path | None:
    """Make a database (`database.url`) hold what a dump holds; return where the one before is kept.

    ``source`` is brought to this release's schema first, and is gone afterwards where the
    database is a file too. Raises ConfigurationError where a database that is no file already
    holds articles: feedsvc does not empty a server's tables.
    """
    url = database_url(database, root=root)
    dump = URL.create("sqlite", database=str(source))
    upgrade_database(dump, backups=None, now=now)
    with closing(Database(dump)) as kept, kept.transaction() as store:
        store.connection.execute(delete(facts).where(facts.c.name.in_(OF_PLACE)))
    if url.get_backend_name() == "sqlite":
        return _replace_file(source, url, backups=root / "data" / "backups", now=now)
    require_empty(database, root=root)
    with (
        translated(url),
        closing(Database(dump)) as kept,
        closing(Database(url)) as target,
        kept.engine.connect() as rows,
        target.engine.begin() as into,
    ):
        # Of a fleet that never loaded anything: what its first worker wrote down.
        for table in reversed(carried_tables()):
            into.execute(delete(table))
        copy_rows(rows.execution_options(readonly=True), into)
    return None


def require_empty(database: str, *, root: Path) -> None:
    """Raise ConfigurationError if a database (`database.url`) already holds a site."""
    url = database_url(database, root=root)
    if _is_empty(url):
        return
    where = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite":
        raise ConfigurationError(
            f"{where} already holds a site; say --replace, and it is kept in data/backups"
        )
    raise ConfigurationError(
        f"{where} already holds a site; restore into an empty database (`createdb`), and name that "
        "in database.url"
    )


def require_rest(database: str, *, root: Path, stalled: float) -> None:
    """Raise AlreadyRunning if workers of a fleet use a database (`database.url`)."""
    url = database_url(database, root=root)
    if url.get_backend_name() == "sqlite":
        return
    with closing(Database(url, check_schema=False)) as there, translated(url):
        busy = living_workers(there, stalled=stalled) if there.schema() == HEAD else []
    if busy:
        raise AlreadyRunning(f"workers of this site are running ({', '.join(busy)}); stop them all")


def _is_empty(url: URL) -> bool:
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return True
    with closing(Database(url, check_schema=False)) as database, translated(url):
        if database.schema() == "none":
            return True
        with database.engine.connect() as connection:
            rows = connection.execution_options(readonly=True)
            return not any(
                rows.scalar(select(func.count()).select_from(table))
                for table in (articles, seeds, audit, forgotten)
            )


def copy_rows(source: Connection, target: Connection) -> int:
    """Copy every row of a site into empty tables; return how many.

    The index of full-text search is each engine's own: the target makes its own of the articles.
    """
    copied = 0
    for table in carried_tables():
        for rows in read_rows(source, table):
            add_rows(target, table, rows)
            copied += len(rows)
        resume_numbering(target, table)
    target.execute(unindexed.insert().from_select(["article_id"], select(articles.c.id)))
    return copied


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
