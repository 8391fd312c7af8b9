"""Laws of migrations on PostgreSQL: the release before goes on working while they run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import JSON, Connection, Engine, MetaData, Table, create_engine
from sqlalchemy.engine import URL

from feedsvc.errors import Temporary
from feedsvc.storage.database import Database, database_url
from feedsvc.storage.session_lock import holding_lock
from feedsvc.storage.tables import HEAD
from feedsvc.storage.upgrade import LOCK_SECONDS, upgrade_database
from tests.storage.build import NOW

pytestmark = pytest.mark.fleet

BEFORE = "0008"
"""The schema of the release before this one."""
LONGEST = 60.0
"""Seconds after which a condition counts as never met."""
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"
LARGE_INDEX = "ix_captures_purpose_host_due"


@pytest.fixture
def older(bare_postgresql: str) -> URL:
    """A database as the release before left it, with a few rows in its largest tables."""
    url = database_url(bare_postgresql, root=Path())
    upgrade_database(url, backups=None, now=NOW, to=BEFORE)
    return url


def upgraded(url: URL, **options: Any) -> tuple[str, str]:
    done = upgrade_database(url, backups=None, now=NOW, **options)
    return done.before, done.after


def raw(url: URL) -> psycopg.Connection:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address)


# --- the release before, with all its statements ----------------------------------------------


class Former:
    """What the release before does: its tables as they were, every column of them."""

    def __init__(self, engine: Engine) -> None:
        self.metadata = MetaData()
        self.metadata.reflect(engine)
        self._tables = [
            table for table in self.metadata.sorted_tables if table.name != "alembic_version"
        ]

    def work(self, connection: Connection, number: int) -> None:
        """Insert a row into every table, read and change it, and take it out again."""
        rows = {table.name: _row(table, number) for table in self._tables}
        for table in self._tables:
            connection.execute(table.insert().values(rows[table.name]))
        for table in self._tables:
            key = [column == rows[table.name][column.name] for column in table.primary_key]
            assert connection.execute(table.select().where(*key)).one()
            connection.execute(table.update().where(*key).values(rows[table.name]))
        for table in reversed(self._tables):
            key = [column == rows[table.name][column.name] for column in table.primary_key]
            connection.execute(table.delete().where(*key))


def _row(table: Table, number: int) -> dict[str, Any]:
    return {
        column.name: _value(column.type, str(number))
        for column in table.columns
        if column.name != "words"
    }


def _value(kind: Any, number: str) -> Any:
    if isinstance(kind, JSON):
        return []
    if kind.python_type is datetime:
        return datetime.now(UTC)
    return kind.python_type(number)


@contextmanager
def at_work(url: URL, *, hands: int = 3) -> Iterator[Callable[[], None]]:
    """Let the release before work throughout; yields how to wait until each did some more.

    Whoever has to wait for a lock longer than a migration may wait for its own fails.
    """
    engine = create_engine(
        url, connect_args={"options": f"-c lock_timeout={round(2 * LOCK_SECONDS * 1000)}"}
    )
    former = Former(engine)
    failures: list[BaseException] = []
    done = [0] * hands
    ended = threading.Event()

    def work(hand: int) -> None:
        try:
            while not ended.is_set():
                with engine.begin() as connection:
                    former.work(connection, hand + hands * done[hand])
                done[hand] += 1
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    def more() -> None:
        goal = [one + 2 for one in done]
        wait_for(lambda: bool(failures) or all(a >= b for a, b in zip(done, goal, strict=True)))
        assert failures == []

    threads = [threading.Thread(target=work, args=(hand,)) for hand in range(hands)]
    for thread in threads:
        thread.start()
    try:
        more()
        yield more
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        engine.dispose()
    assert failures == []


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def is_valid(url: URL) -> bool | None:
    """Tell whether the index of a large table is there and in use."""
    with raw(url) as connection:
        row = connection.execute(VALID, [LARGE_INDEX]).fetchone()
    return None if row is None else bool(row[0])


def test_the_release_before_works_on_during_and_after_an_upgrade(older: URL) -> None:
    with at_work(older) as more:
        assert upgraded(older) == (BEFORE, HEAD)
        more()
    assert is_valid(older)
    with raw(older) as connection:
        assert connection.execute("SELECT count(*) FROM articles").fetchone() == (0,)


def test_of_two_upgrades_at_once_one_does_it_and_both_end_well(older: URL) -> None:
    done: list[tuple[str, str]] = []
    begin = threading.Barrier(2)

    def run() -> None:
        begin.wait()
        done.append(upgraded(older))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 2
    assert all(after == HEAD for _, after in done)
    assert is_valid(older)


def _upgrade(address: str) -> None:
    upgraded(database_url(address, root=Path()))


def test_an_upgrade_that_was_killed_goes_on_where_it_was(older: URL) -> None:
    with raw(older) as reader:
        # An index is ready when everybody who began before it is gone.
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM captures")
        address = older.render_as_string(hide_password=False)
        process = multiprocessing.get_context("spawn").Process(target=_upgrade, args=(address,))
        process.start()
        wait_for(lambda: is_valid(older) is False)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        # Its session at the server ends by itself, though it waits for the reader.
        wait_for(lambda: not _making_an_index(older))
    assert is_valid(older) is False
    assert upgraded(older)[1] == HEAD
    assert is_valid(older)
    Database(older).close()


def _making_an_index(url: URL) -> bool:
    with raw(url) as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND query LIKE 'CREATE INDEX CONCURRENTLY%'"
        ).fetchone() or (0,)
    return bool(count)


def test_an_upgrade_lets_others_on_where_a_table_is_in_use_and_changes_nothing(older: URL) -> None:
    with raw(older) as holder:
        holder.execute("LOCK TABLE alembic_version IN EXCLUSIVE MODE")
        with pytest.raises(Temporary, match="run `feedsvc upgrade` again"):
            upgraded(older, tries=1)
    with raw(older) as connection:
        assert connection.execute("SELECT to_regclass('workers')").fetchone() == (None,)
    assert upgraded(older) == (BEFORE, HEAD)


def test_an_upgrade_does_not_wait_for_ever_for_another_one(older: URL) -> None:
    with holding_lock(older, "upgrade", wait=0), pytest.raises(Temporary, match="another"):
        upgraded(older, wait=0.0)
