"""Laws of moving rows: every value of every table arrives, and nothing else is in the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from sqlalchemy import insert, null, select, text, update

from feedsvc.errors import AlreadyRunning, ConfigurationError, DamageFound, Temporary
from feedsvc.storage.columns import UTCDateTime
from feedsvc.storage.database import Database, database_url, translated
from feedsvc.storage.rows import OF_PLACE, Digest, carried_tables, read_rows
from feedsvc.storage.tables import articles, audit, facts, snapshots, unindexed
from feedsvc.storage.transfer import Transfer
from feedsvc.storage.transfer_guards import sole_mover, unwritten
from tests.databases import PostgresqlDatabase, put_new_file
from tests.storage.generated import Rows, put, sites

pytestmark = pytest.mark.fleet

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ARTICLE = {
    "seed": "a.md",
    "revision": 1,
    "digest": "0",
    "published": NOW,
    "updated": NOW,
    "first_seen": NOW,
    "topics_version": "1",
}


@contextmanager
def opened(folder: Path, name: str) -> Iterator[Database]:
    file = folder / f"{name}.db"
    put_new_file(file)
    database = Database(database_url(f"sqlite:///{file}", root=folder))
    yield database
    database.close()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path, "source") as database:
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        with opened(tmp_path, "target") as database:
            yield database
        return
    database = Database(database_url(request.getfixturevalue("postgresql"), root=tmp_path))
    yield database
    database.close()


def moved(source: Database, target: Database) -> Transfer:
    transfer = Transfer(source, target)
    transfer.begin(now=NOW)
    for table in carried_tables():
        transfer.copy(table, lambda done: None)
    transfer.hand_over()
    return transfer


def differences(transfer: Transfer) -> list[str]:
    return [
        f"{one.table} {one.key}: {one.what}"
        for table in carried_tables()
        for one in transfer.compare(table)[1]
    ]


def everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every value as the database returns it, JSON as the text it is."""
    with database.reading() as store:
        return {
            table.name: [tuple(row) for part in read_rows(store.connection, table) for row in part]
            for table in carried_tables()
        }


def fill(database: Database, count: int) -> None:
    with database.transaction() as store:
        rows = [ARTICLE | {"id": f"{number:05}", "url_key": None} for number in range(count)]
        store.connection.execute(articles.insert(), rows)


@settings(
    max_examples=8,
    deadline=None,
    # Every example makes a database anew, so that a smaller failing one takes minutes to find.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=sites())
def test_a_site_arrives_on_the_other_engine_and_back_value_by_value(
    rows: Rows, postgresql_database: PostgresqlDatabase, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("generated")
    postgresql_database.make_new()
    with opened(folder, "one") as one, opened(folder, "two") as two:
        middle = Database(database_url(postgresql_database.address, root=folder))
        try:
            with one.transaction() as store:
                put(store.connection, rows)
            assert differences(moved(one, middle)) == []
            assert everything(middle) == everything(one)
            assert differences(moved(middle, two)) == []
            assert everything(two) == everything(one)
        finally:
            middle.close()


def test_an_absent_value_is_not_the_json_null(source: Database, target: Database) -> None:
    fill(source, 1)
    snapshot = {
        "article_id": "00000",
        "url": "u",
        "final_url": "u",
        "captured": NOW,
        "status": 200,
        "verdict": "full",
        "share": 0.1 + 0.2,
        "evidence": "",
        "size": 1,
        "sha256": "0",
        "records": 1,
        "requisites": 0,
        "missing": 0,
    }
    with source.transaction() as store:
        for id_, refers in (("a", null()), ("b", None)):
            values = snapshot | {"id": id_, "key": id_, "refers": refers}
            store.connection.execute(insert(snapshots).values(values))
    moved(source, target)
    query = text("SELECT id, refers IS NULL, share FROM snapshots ORDER BY id")
    with target.reading() as store:
        found = [tuple(row) for row in store.connection.execute(query)]
    assert found == [("a", True, 0.1 + 0.2), ("b", False, 0.1 + 0.2)]


def test_a_table_that_numbers_its_rows_goes_on_after_the_last(
    source: Database, target: Database
) -> None:
    entry = {"at": NOW, "who": "w", "action": "forget", "subject": "s", "reason": "", "details": {}}
    with source.transaction() as store:
        store.connection.execute(audit.insert(), [entry | {"id": 3}, entry | {"id": 41}])
    moved(source, target)
    with target.transaction() as store:
        store.connection.execute(audit.insert(), [entry])
        assert list(store.connection.scalars(select(audit.c.id).order_by(audit.c.id))) == [
            3,
            41,
            42,
        ]


def test_every_article_is_to_be_indexed_where_it_arrived(
    source: Database, target: Database
) -> None:
    fill(source, 3)
    moved(source, target).hand_over()
    with target.reading() as store:
        found = store.connection.scalars(select(unindexed.c.article_id)).all()
    assert sorted(found) == ["00000", "00001", "00002"]


def test_what_tells_where_a_site_is_stays_behind(source: Database, target: Database) -> None:
    with source.transaction() as store:
        for name in (*OF_PLACE, "first_url"):
            store.set_fact(name, "here")
    moved(source, target)
    with target.reading() as store:
        assert store.fact("first_url") == "here"
        assert all(store.fact(name) != "here" for name in OF_PLACE)


def test_every_row_that_differs_is_named(source: Database, target: Database) -> None:
    fill(source, 600)
    transfer = moved(source, target)
    with target.transaction() as store:
        store.connection.execute(articles.delete().where(articles.c.id == "00001"))
        store.connection.execute(
            update(articles).where(articles.c.id == "00300").values(seed="b.md")
        )
        store.connection.execute(articles.insert(), [ARTICLE | {"id": "zzz", "url_key": None}])
    assert differences(transfer) == [
        "articles 00001: the target has no such row",
        "articles 00300: seed differ",
        "articles zzz: the source has no such row",
    ]


class Killed(Exception):
    """The end of a process, as far as its database can tell."""


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_an_interrupted_copy_goes_on_after_the_last_batch(
    source: Database, target: Database, batches: int
) -> None:
    fill(source, 1_200)
    first = Transfer(source, target, at_once=500)
    first.begin(now=NOW)
    left = iter(range(batches))

    def interrupt(done: int) -> None:
        if next(left, None) is None:
            raise Killed

    with pytest.raises(Killed):
        first.copy(articles, interrupt)
    there = everything(target)["articles"]

    second = Transfer(source, target)
    second.begin(now=NOW)
    assert second.resumed
    assert second.copy(articles, lambda done: None) == 1_200 - len(there)
    assert len(there) == min(500 * (batches + 1), 1_200)
    assert second.copy(articles, lambda done: None) == 0
    assert differences(second) == []


def test_a_database_that_holds_a_site_is_not_moved_into(source: Database, target: Database) -> None:
    fill(source, 1)
    with target.transaction() as store:
        store.connection.execute(articles.insert(), [ARTICLE | {"id": "other", "url_key": None}])
    before = everything(target)
    with pytest.raises(ConfigurationError, match="already holds a site"):
        Transfer(source, target).begin(now=NOW)
    assert everything(target) == before


def test_the_half_of_another_site_is_not_added_to(
    source: Database, target: Database, tmp_path: Path
) -> None:
    fill(source, 1)
    Transfer(source, target).begin(now=NOW)
    with opened(tmp_path, "another") as another:
        fill(another, 1)
        with pytest.raises(ConfigurationError, match="part of another site"):
            Transfer(another, target).begin(now=NOW)


def test_a_value_the_target_cannot_hold_is_named(source: Database, postgresql: str) -> None:
    fill(source, 3)
    with source.transaction() as store:
        store.connection.execute(
            update(articles).where(articles.c.id == "00001").values(seed="a\0b")
        )
    target = Database(database_url(postgresql, root=Path()))
    try:
        with pytest.raises(DamageFound, match=r"articles, between 00000 and 00002.*NUL"):
            moved(source, target)
    finally:
        target.close()


def test_one_process_at_a_time_moves_into_a_database(target: Database) -> None:
    with sole_mover(target), pytest.raises(AlreadyRunning), sole_mover(target):
        pass
    with sole_mover(target):
        pass


def test_nobody_writes_to_a_site_that_moves_and_everybody_reads(
    target: Database,
) -> None:
    fill(target, 1)
    other = Database(target.url)
    try:
        with unwritten(target):
            with other.reading() as store:
                assert store.counts().articles == 1
            with pytest.raises(Temporary), _impatient(other) as connection:
                connection.execute(facts.insert().values(name="late", value=""))
    finally:
        other.close()


@contextmanager
def _impatient(database: Database) -> Iterator[Any]:
    """A transaction that waits for nobody's lock."""
    with translated(database.url), database.engine.connect() as connection:
        if database.is_sqlite:
            raw: Any = connection.connection.driver_connection
            raw.execute("PRAGMA busy_timeout=10")
        with connection.begin():
            if not database.is_sqlite:
                connection.execute(text("SET LOCAL lock_timeout = '10ms'"))
            yield connection


def test_a_digest_knows_the_order_and_every_column(source: Database) -> None:
    fill(source, 2)
    with source.reading() as store:
        rows = [list(row) for part in read_rows(store.connection, articles) for row in part]
    versions = [rows, rows[::-1], rows[:1], []]
    for place, value in enumerate(rows[0]):
        is_moment = isinstance(articles.columns[place].type, UTCDateTime)
        other = NOW + timedelta(microseconds=place + 1) if is_moment else f"{value}?"
        versions.append([[*rows[0][:place], other, *rows[0][place + 1 :]], rows[1]])
    values = set()
    for version in versions:
        digest = Digest(articles)
        digest.add(version)
        values.add(digest.value)
    assert len(values) == len(versions)
