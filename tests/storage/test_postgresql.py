"""Laws of connections to PostgreSQL: nobody waits long, nobody waits for the dead."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    MetaData,
    String,
    Table,
    select,
    text,
)

from feedsvc.errors import ConfigurationError, Temporary
from feedsvc.storage.columns import UTCDateTime
from feedsvc.storage.database import Database, database_url
from feedsvc.storage.dialect import insert_missing, insert_rows, upsert
from feedsvc.storage.postgresql import KEEPALIVES, UNACKNOWLEDGED_SECONDS, patience


@pytest.fixture
def database(postgresql: str) -> Iterator[Database]:
    with closing(Database(database_url(postgresql, root=Path()))) as opened:
        yield opened


def setting(database: Database, name: str) -> str:
    with database.reading() as store:
        return str(store.connection.scalar(text("SELECT current_setting(:name)"), {"name": name}))


def test_a_page_that_takes_too_long_is_given_up_and_the_next_one_is_not(database: Database) -> None:
    with patience(0.05), pytest.raises(Temporary), database.reading() as store:
        store.connection.execute(text("SELECT pg_sleep(30)"))
    assert setting(database, "statement_timeout") == "0"
    with database.transaction() as store, patience(0.05):
        assert store.connection.scalar(text("SHOW statement_timeout")) == "0"


def test_both_sides_notice_within_seconds_that_the_other_one_is_cut_off(database: Database) -> None:
    with database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        with socket.socket(fileno=raw.fileno()) as wire:
            ask = wire.getsockopt
            try:
                assert ask(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                told = ask(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                idle = ask(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            finally:
                wire.detach()
    assert told == UNACKNOWLEDGED_SECONDS * 1000
    assert idle == KEEPALIVES["idle"]
    assert setting(database, "tcp_keepalives_idle") == str(KEEPALIVES["idle"])


def test_the_server_knows_who_asks_and_compiles_nothing(database: Database) -> None:
    assert setting(database, "application_name").startswith("feedsvc")
    assert setting(database, "jit") == "off"


def test_what_the_address_says_stands(postgresql: str) -> None:
    url = database_url(
        f"{postgresql}?application_name=mine&prepare_threshold=none&options=-c%20work_mem%3D8MB",
        root=Path(),
    )
    with closing(Database(url)) as database:
        assert setting(database, "application_name") == "mine"
        assert setting(database, "work_mem") == "8MB"
        with database.engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert isinstance(raw, psycopg.Connection)
            assert raw.prepare_threshold is None


def test_a_threshold_that_is_no_number_is_refused(postgresql: str) -> None:
    with pytest.raises(ConfigurationError, match="prepare_threshold"):
        Database(database_url(f"{postgresql}?prepare_threshold=often", root=Path()))


def test_a_process_that_silently_holds_a_transaction_holds_up_nobody_for_long(
    postgresql: str,
) -> None:
    url = database_url(postgresql, root=Path())
    with (
        closing(Database(url, silent=0.2)) as paused,
        closing(Database(url)) as other,
        paused.engine.connect() as connection,
    ):
        connection.execute(text("LOCK TABLE articles IN ACCESS EXCLUSIVE MODE"))
        # Waits for the lock, which the server takes from whoever says nothing.
        with other.reading() as store:
            assert store.newest(1) == []
        with pytest.raises(Exception, match="idle-in-transaction"):
            connection.execute(text("SELECT 1"))
        connection.invalidate()


def test_connections_that_the_server_ended_are_replaced_unnoticed(database: Database) -> None:
    assert setting(database, "jit") == "off"
    with psycopg.connect(database.url.set(drivername="postgresql").render_as_string()) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    assert setting(database, "jit") == "off"


def test_many_rows_at_once_are_what_each_alone_would_be(database: Database) -> None:
    table = Table(
        "many",
        MetaData(),
        Column("id", String(8), primary_key=True),
        Column("at", UTCDateTime),
        Column("share", Float),
        Column("number", BigInteger),
        Column("listed", JSON),
        Column("image", JSON(none_as_null=True)),
    )
    names = [column.name for column in table.columns]
    cells: list[tuple[object, ...]] = [
        ("a", datetime(2026, 1, 1, tzinfo=UTC), 1, 2**40, [], None),
        ("b", None, 0.5, 1, ["x", 'é"{'], {"width": 3}),
        ("c", None, None, None, None, None),
    ]
    rows = [dict(zip(names, values, strict=True)) for values in cells]
    with database.transaction() as store:
        connection = store.connection
        table.create(connection)
        insert_rows(connection, table, rows)
        together = connection.execute(_SHOWN).all()
        connection.execute(table.delete())
        for row in rows:
            insert_rows(connection, table, [row])
        assert connection.execute(_SHOWN).all() == together
        changed = [row | {"number": 7} for row in rows]
        insert_missing(connection, table, changed)
        assert connection.execute(_SHOWN).all() == together
        upsert(connection, table, changed)
        assert connection.scalars(select(table.c.number).distinct()).all() == [7]
        upsert(connection, table, [*changed, rows[0]])
        assert connection.scalar(select(table.c.number).where(table.c.id == "a")) == 2**40
        connection.execute(text("DROP TABLE many"))


_SHOWN = text("SELECT id, at, share, number, listed::text, image::text FROM many ORDER BY id")
