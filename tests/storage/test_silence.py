"""Laws of silence: whoever falls silent in the middle of a transaction holds up nobody."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from feedsvc.errors import Temporary
from feedsvc.storage.database import Database, database_url
from tests.databases import connection
from tests.fleet.cluster import eventually

pytestmark = pytest.mark.fleet

_MINE = text("SELECT pg_backend_pid()")


def is_gone(database: Database, pid: int) -> bool:
    with connection(database.url) as other:
        query = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
        return other.execute(query, (pid,)).fetchone() is None


def test_a_writer_that_says_nothing_loses_its_transaction_and_is_told(postgresql: str) -> None:
    url = database_url(postgresql, root=Path())
    with closing(Database(url, silent=0.2)) as database:

        def fall_silent() -> None:
            with database.transaction() as store:
                store.set_fact("seen", "yes")
                pid = store.connection.scalar(_MINE) or 0
                eventually(lambda: is_gone(database, pid), what="the end of the session")
                store.set_fact("seen", "again")

        with pytest.raises(Temporary):
            fall_silent()
        with database.reading() as store:
            assert store.fact("seen") is None


def test_a_dispatcher_that_says_nothing_gives_way(postgresql: str) -> None:
    url = database_url(postgresql, root=Path())
    with closing(Database(url)) as first, closing(Database(url)) as second:

        def fall_silent() -> None:
            with first.transaction() as store:
                assert store.try_alone("dispatch", silent=0.2)
                pid = store.connection.scalar(_MINE) or 0
                with second.transaction() as other:
                    assert not other.try_alone("dispatch")
                eventually(lambda: is_gone(second, pid), what="the end of the session")
                with second.transaction() as other:
                    assert other.try_alone("dispatch")
                store.set_fact("dispatched", "late")

        with pytest.raises(Temporary):
            fall_silent()


def test_a_reader_may_take_its_time(postgresql: str) -> None:
    url = database_url(postgresql, root=Path())
    with closing(Database(url, silent=0.2)) as database, database.reading() as store:
        query = text("SELECT setting FROM pg_settings WHERE name LIKE 'idle_in_tran%'")
        assert store.connection.scalar(query) == "0"
