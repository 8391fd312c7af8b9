"""Laws of a fleet's locks: one holder, freed with its session, and a loss is never kept quiet."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import URL

from feedsvc.errors import Temporary
from feedsvc.storage.advisory import lock_key
from feedsvc.storage.database import Database, database_url
from feedsvc.storage.session_lock import holding_lock
from feedsvc.storage.tables import HEAD
from tests.databases import connection

pytestmark = pytest.mark.fleet

_HOLDERS = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND (classid::bigint << 32) | objid::bigint = %s"
)


@pytest.fixture
def url(postgresql: str) -> URL:
    return database_url(postgresql, root=Path())


@pytest.fixture
def admin(url: URL) -> Iterator[psycopg.Connection]:
    with connection(url) as connected:
        yield connected


def end_holder(admin: psycopg.Connection, name: str) -> None:
    """End the session that holds a lock, as a cut network or a restart does."""
    for (pid,) in admin.execute(_HOLDERS, (lock_key(name),)).fetchall():
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def test_one_holds_a_lock_and_another_waits_only_so_long(url: URL) -> None:
    with holding_lock(url, "publish", wait=5.0):
        for wait in (0.0, 0.1):
            with (
                pytest.raises(Temporary, match="at publish for"),
                holding_lock(url, "publish", wait=wait),
            ):
                pass
        with holding_lock(url, "ingest", wait=0.0):
            pass
    with holding_lock(url, "publish", wait=0.0):
        pass


def test_who_waits_gets_the_lock_as_soon_as_it_is_free(url: URL) -> None:
    order: list[str] = []

    def second() -> None:
        with holding_lock(url, "publish", wait=30.0):
            order.append("second")

    waiting = threading.Thread(target=second)
    with holding_lock(url, "publish", wait=5.0):
        waiting.start()
        order.append("first")
    waiting.join(timeout=30)
    assert order == ["first", "second"]


def test_a_block_that_fails_frees_the_lock_and_its_error_comes_through(url: URL) -> None:
    with pytest.raises(ValueError, match="mine"), holding_lock(url, "publish", wait=5.0):
        raise ValueError("mine")
    with holding_lock(url, "publish", wait=5.0):
        pass


def test_a_lock_that_was_lost_is_told_at_the_end(url: URL, admin: psycopg.Connection) -> None:
    def work() -> None:
        with holding_lock(url, "publish", wait=5.0):
            end_holder(admin, "publish")
            with holding_lock(url, "publish", wait=5.0):
                pass

    with pytest.raises(Temporary, match="forgot that this process was at publish"):
        work()


def test_a_lock_has_the_same_number_everywhere() -> None:
    assert lock_key("publish") == -7249223781017518020


def test_a_new_database_gets_its_schema_once_however_many_come_first(bare_postgresql: str) -> None:
    url, opened = database_url(bare_postgresql, root=Path()), []

    def first() -> None:
        with closing(Database(url)) as database:
            opened.append(database.schema())

    threads = [threading.Thread(target=first) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert opened == [HEAD] * 4
