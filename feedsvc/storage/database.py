"""Connections, transactions and everything that differs between SQLite and PostgreSQL."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    inspect,
    make_url,
    select,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError as BadURL
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from feedsvc.errors import (
    ConfigurationError,
    DamageFound,
    DatabaseAway,
    FeedsvcError,
    OutOfSpace,
    SchemaMismatch,
)
from feedsvc.storage.advisory import lock_until_commit
from feedsvc.storage.postgresql import (
    FLEET_OVERFLOW,
    OVERFLOW,
    POOL,
    local_settings,
    look_before_use,
    postgresql_arguments,
)
from feedsvc.storage.readonly import forbidden, is_disk_full, is_file, reading_engine
from feedsvc.storage.store import Store
from feedsvc.storage.tables import HEAD, alembic_version, metadata

BUSY_SECONDS = 30.0
MIGRATIONS = Path(__file__).parent / "migrations"
_ABSENT = re.compile(r'\b(database|role) "([^"]+)" does not exist')
_FORBIDDEN = ("readonly", "unable to open", "authentication", "permission denied", "no password")
_FELL_SILENT = "25P03"
_REVISION = re.compile(r"[0-9]{4}")
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    f"busy_timeout={int(BUSY_SECONDS * 1000)}",
    "foreign_keys=ON",
    "trusted_schema=OFF",
    "cache_size=-16000",
    "temp_store=MEMORY",
)


class Database:
    """A database of the right schema; hands out transactions.

    One process may share it among threads. Writing transactions of one process queue up here
    instead of polling SQLite's lock. An SQLite file that cannot be written can still be read.
    """

    def __init__(self, url: URL, *, check_schema: bool = True, silent: float | None = None) -> None:
        """``silent``: after how many seconds without a word from a process in the middle of a
        writing transaction PostgreSQL ends it, so that one that was paused holds up nobody.
        """
        self.url = url
        self._silent = silent
        self.ending: Callable[[Store], None] | None = None
        """Called at the end of each transaction that leaves something for a fleet to do."""
        self._obstacle: FeedsvcError | None = forbidden(url)
        self.engine = _reading_engine(url) if self._obstacle else _engine(url, silent=silent)
        self._writing = threading.Lock() if self.is_sqlite else None
        if check_schema:
            try:
                self._begin()
            except BaseException:
                self.close()
                raise

    @property
    def is_sqlite(self) -> bool:
        """True for SQLite, false for PostgreSQL."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path | None:
        """The database file, or None where there is none of ours."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    @property
    def is_read_only(self) -> bool:
        """True where every writing transaction would be refused."""
        return self._obstacle is not None

    def require_writing(self) -> None:
        """Raise what keeps this database from being written: ConfigurationError or OutOfSpace."""
        if self._obstacle is None:
            return
        if isinstance(self._obstacle, OutOfSpace) and not is_disk_full(self.url):
            self.engine.dispose()
            self.engine, self._obstacle = _engine(self.url), None
            return
        raise type(self._obstacle)(str(self._obstacle))

    @contextmanager
    def transaction(self) -> Iterator[Store]:
        """Open a writing transaction: committed at the end, rolled back by an exception.

        Raises DatabaseAway when the database is locked or away, OutOfSpace when the disk is full,
        ConfigurationError where this user may not write.
        """
        if self._writing is None:
            with translated(self.url), self.engine.begin() as connection:
                yield (store := Store(connection))
                self._settle(store)
            return
        with self._writing, translated(self.url):
            self.require_writing()
            with self.engine.begin() as connection:
                yield (store := Store(connection))
                self._settle(store)

    def _settle(self, store: Store) -> None:
        store.settle()
        if self.ending is not None and (store.marked or store.listed or store.wanted):
            self.ending(store)

    @contextmanager
    def reading(self) -> Iterator[Store]:
        """Open a read-only transaction that sees one state of the database throughout."""
        with translated(self.url), self.engine.connect() as connection:
            if self.is_sqlite:
                connection = connection.execution_options(readonly=True)
            else:
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                if not self.is_sqlite and (first := local_settings(silent=self._silent)):
                    connection.exec_driver_sql(first)
                yield Store(connection)

    @contextmanager
    def glance(self) -> Iterator[Store]:
        """Read what takes one statement: each sees the database as it is at that moment.

        On PostgreSQL this takes a third of what `reading` takes there.
        """
        if self.is_sqlite:
            with self.reading() as store:
                yield store
            return
        with translated(self.url), self.engine.connect() as connection:
            yield Store(connection.execution_options(isolation_level="AUTOCOMMIT"))

    def schema(self) -> str:
        """Return the version of the schema that is there, or `none`."""
        with self.engine.connect() as connection:
            return _schema(connection.execution_options(readonly=True)) or "none"

    def size(self) -> int | None:
        """Return the database file's bytes, its write-ahead log included."""
        if self.file is None:
            return None
        parts = (self.file, Path(f"{self.file}-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())

    def integrity(self) -> list[str]:
        """Return what SQLite's own check finds wrong; nothing on PostgreSQL, which checks pages."""
        if not self.is_sqlite:
            return []
        try:
            with self.engine.connect() as connection:
                readonly = connection.execution_options(readonly=True)
                rows = readonly.exec_driver_sql("PRAGMA quick_check(20)").scalars().all()
        except DBAPIError as error:
            return [str(error.orig)]
        return [str(row) for row in rows if row != "ok"]

    def copy_file(self, target: Path) -> None:
        """Write what an SQLite database holds at this moment into a new file."""
        with self.engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None  # noqa: S101 - an open connection has one
            raw.execute("VACUUM INTO ?", (str(target),))

    def settle(self) -> None:
        """Put everything that SQLite's log holds into the database file itself."""
        with self.engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None  # noqa: S101 - an open connection has one
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _begin(self) -> None:
        try:
            with translated(self.url):
                self._ensure_schema()
        except OutOfSpace as error:
            if not is_file(self.url):
                raise
            # SQLite needs some room even to read, unless it is told that nobody will write.
            self.engine.dispose()
            self.engine, self._obstacle = _reading_engine(self.url), error
            with translated(self.url):
                self._ensure_schema()

    def _ensure_schema(self) -> None:
        """Create the schema in an empty database; refuse any but ours."""
        with self.engine.connect() as connection:
            found = _schema(connection.execution_options(readonly=True))
        if found is None:
            self.require_writing()
            with self.engine.begin() as connection:
                # Another process may have come first: the write lock decides.
                if not self.is_sqlite:
                    lock_until_commit(connection, "schema")
                found = _schema(connection)
                if found is None:
                    metadata.create_all(connection, checkfirst=False)
                    connection.execute(alembic_version.insert().values(version_num=HEAD))
                    return
        if found != HEAD:
            raise mismatch(found)


def mismatch(found: str) -> SchemaMismatch:
    """Return the error for a schema that is not the one this release works with."""
    says = f"the database has schema {found}, this feedsvc needs {HEAD}"
    if found in revisions():
        return SchemaMismatch(f"{says}: run `feedsvc upgrade`")
    if _REVISION.fullmatch(found) and found > HEAD:
        return SchemaMismatch(f"{says}: install the feedsvc release that wrote it, or a newer one")
    return SchemaMismatch(
        f"{says}: {found} is no schema of feedsvc that this release knows; restore a backup, or "
        "give feedsvc a database of its own"
    )


def revisions() -> set[str]:
    """Return the schemas that this release can upgrade or use."""
    return {path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")}


def database_url(url: str, *, root: Path) -> URL:
    """Return url with SQLite's relative path resolved against root; raise ConfigurationError."""
    try:
        parsed = make_url(url)
    except BadURL as error:
        raise ConfigurationError(
            f"database.url {url!r} is not a database URL; write sqlite:///data/feedsvc.db "
            "or postgresql+psycopg://user@host/name"
        ) from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigurationError(
                "database.url must name a file: an SQLite database in memory is lost at the end"
            )
        return parsed.set(database=str(root / parsed.database))
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigurationError(
        f"database.url names {backend!r}; feedsvc works on sqlite and postgresql"
    )


def _engine(url: URL, *, silent: float | None = None) -> Engine:
    if url.get_backend_name() != "sqlite":
        try:
            engine = create_engine(
                url,
                # The one used last knows most statements already.
                pool_use_lifo=True,
                connect_args=postgresql_arguments(url, silent=silent),
                pool_size=POOL,
                max_overflow=OVERFLOW if silent is None else FLEET_OVERFLOW,
            )
        except NoSuchModuleError as error:  # pragma: no cover - database_url fixes the driver
            raise ConfigurationError(str(error)) from error
        look_before_use(engine)
        return engine
    folder = Path(url.database or "").parent
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"cannot make the database's folder {folder}: {error.strerror}"
        ) from error
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, pool_size=16)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _reading_engine(url: URL) -> Engine:
    return reading_engine(url, seconds=BUSY_SECONDS)


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver must not open transactions of its own: a deferred BEGIN that writes later
    # fails at once with SQLITE_BUSY_SNAPSHOT, whatever the busy timeout.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    readonly = connection.get_execution_options().get("readonly")
    connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")


def _schema(connection: Connection) -> str | None:
    """Return the schema's version; None if the database is empty."""
    names = inspect(connection).get_table_names()
    if "alembic_version" in names:
        version = connection.execute(select(alembic_version.c.version_num)).scalar()
        return str(version) if version is not None else None
    if names:
        raise SchemaMismatch(
            "the database holds tables that are not feedsvc's; give feedsvc one of its own"
        )
    return None


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """Translate what the driver raises into what a caller can act on."""
    try:
        yield
    except OperationalError as error:
        raise _translate(error, url) from error
    except PoolExhausted as error:
        where = url.render_as_string(hide_password=True)
        raise DatabaseAway(
            f"{where}: every connection of this process has been in use for half a minute; try again"
        ) from error
    except DBAPIError as error:
        text = str(error.orig).lower()
        if "malformed" in text or "not a database" in text:
            raise _damaged(url, str(error.orig)) from error
        if getattr(error.orig, "sqlstate", None) == _FELL_SILENT:
            raise _translate(error, url) from error
        raise


def _translate(error: DBAPIError, url: URL) -> Exception:
    text = " ".join(str(error.orig).split())
    lowered = text.lower()
    where = url.render_as_string(hide_password=True)
    if absent := _ABSENT.search(text):
        command = {"database": "createdb", "role": "createuser"}[absent[1]]
        return ConfigurationError(
            f"{where}: there is no {absent[1]} {absent[2]}; make it (`{command} {absent[2]}`), "
            "or correct database.url"
        )
    if "full" in lowered or "no space" in lowered or is_disk_full(url):
        return OutOfSpace(f"{where}: the disk is full ({text}); free some space, nothing is lost")
    if "malformed" in lowered or "not a database" in lowered:
        return _damaged(url, text)
    if any(sign in lowered for sign in _FORBIDDEN):
        return ConfigurationError(f"{where}: {text}; check database.url and permissions")
    return DatabaseAway(f"{where}: {text}; try again")


def _damaged(url: URL, text: str) -> DamageFound:
    return DamageFound(
        f"{url.render_as_string(hide_password=True)}: {text}; restore a backup, or move the file "
        "away and run `feedsvc rebuild` to load every seed again"
    )
