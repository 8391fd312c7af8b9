from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, inspect, select

from feedsvc.errors import ConfigurationError, SchemaMismatch
from feedsvc.model import Channel, ChannelKind
from feedsvc.storage.database import Database, database_url
from feedsvc.storage.tables import HEAD, articles, documents, metadata, revisions, snapshots
from feedsvc.storage.upgrade import alembic_config, upgrade_database
from tests.storage.build import NOW, add, put


def sqlite(tmp_path: Path, *, check: bool = True) -> Database:
    url = database_url("sqlite:///data/site.db", root=tmp_path)
    return Database(url, check_schema=check)


def test_a_new_database_is_created_with_its_schema(first_database: Database) -> None:
    assert first_database.schema() == HEAD
    with first_database.engine.connect() as connection:
        names = {one for one in inspect(connection).get_table_names() if not is_index(one)}
        assert names == set(metadata.tables)


def test_the_migrations_end_where_the_tables_are(database: Database) -> None:
    metadata.drop_all(database.engine)
    upgrade_database(database.url, backups=Path("unused"), now=NOW)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, _kind, _parents: not is_index(str(name))},
        )
        assert compare_metadata(context, metadata) == []
        made = select(func.count()).select_from(documents)
        assert connection.scalar(made) == 0


def is_index(name: str) -> bool:
    """Tell what full-text search makes of its own in each kind of database."""
    return name.startswith("search_index") or name in {"words", "ix_documents_words"}


def test_head_is_the_last_migration() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == HEAD


def test_an_older_schema_is_refused_with_the_command_to_run(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(SchemaMismatch, match="feedsvc upgrade") as caught:
        Database(database.url)
    assert caught.value.exit_code == 7


def test_a_schema_that_is_none_of_ours_is_refused_and_not_migrated(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'abc'")
    with pytest.raises(SchemaMismatch, match="no schema of feedsvc"):
        Database(database.url)
    with pytest.raises(SchemaMismatch, match="no schema of feedsvc"):
        upgrade_database(database.url, backups=Path("unused"), now=NOW)


def test_a_newer_schema_is_refused(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaMismatch, match="newer"):
        Database(database.url)
    with pytest.raises(SchemaMismatch, match="newer"):
        upgrade_database(database.url, backups=Path("unused"), now=NOW)


def test_what_postgresql_lacks_is_told_in_one_line_with_the_command(postgresql: str) -> None:
    there = database_url(postgresql, root=Path())
    for url, said in (
        (there.set(database="nobody_made_it"), "createdb nobody_made_it"),
        (there.set(username="nobody_made_them"), "createuser nobody_made_them|authentication"),
    ):
        with pytest.raises(ConfigurationError, match=said) as caught:
            Database(url)
        assert len(str(caught.value).splitlines()) == 1


def test_tables_that_are_not_ours_are_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "site.db") as other:
        other.execute("CREATE TABLE theirs (id)")
    other.close()
    with pytest.raises(SchemaMismatch, match="not feedsvc's"):
        Database(database_url("sqlite:///site.db", root=tmp_path))


def older(tmp_path: Path) -> Database:
    """Make a database as the first schema left it, with two snapshots of which one counts."""
    url = database_url("sqlite:///data/site.db", root=tmp_path)
    upgrade_database(url, backups=tmp_path / "none", now=NOW, to="0001")
    database = Database(url, check_schema=False)
    article = put()
    with database.transaction() as store:
        connection = store.connection
        connection.execute(
            articles.insert().values(
                id=article.id,
                url_key=article.url_key,
                seed=article.seed,
                revision=1,
                digest=article.digest,
                published=NOW,
                updated=NOW,
                first_seen=NOW,
                topics_version="v1",
            )
        )
        connection.execute(
            revisions.insert().values(
                article_id=article.id,
                number=1,
                recorded=NOW,
                digest=article.digest,
                title=article.parsed.title,
                html="",
                text="",
                summary="",
                topics=[],
            )
        )
        connection.exec_driver_sql(
            "INSERT INTO topics (slug, label, definition, dirty, clean)"
            " VALUES ('all', 'All', '', 3, 3), ('sport', 'Sport', '', 2, 1)"
        )
        for slug, place in (("all", 1), ("sport", 1), ("politics", 1)):
            connection.exec_driver_sql(
                f"INSERT INTO sequence (slug, article_id, position) VALUES ('{slug}', '{article.id}', {place})"  # noqa: S608 - our own values
            )
        connection.exec_driver_sql(
            f"INSERT INTO article_topics VALUES ('{article.id}', 'sport', 0, 1.0, 'rule')"  # noqa: S608 - our own values
        )
        article_id = article.id
        for name, verdict in (("one", "verified"), ("two", "mismatch")):
            store.connection.execute(
                snapshots.insert().values(
                    id=name,
                    article_id=article_id,
                    url="http://www.example.org/a?utm_source=x",
                    final_url="https://example.org/moved",
                    captured=NOW,
                    status=200,
                    verdict=verdict,
                    share=1.0,
                    evidence="",
                    key=name,
                    size=1,
                    sha256="",
                    records=1,
                    requisites=0,
                    missing=0,
                )
            )
    return database


def test_an_upgrade_keeps_what_there_is_and_a_backup_beside_it(tmp_path: Path) -> None:
    older(tmp_path).close()
    done = upgrade_database(sqlite(tmp_path, check=False).url, backups=tmp_path / "b", now=NOW)
    assert (done.before, done.after) == ("0001", HEAD)
    assert done.backup is not None
    assert done.backup.exists()
    database = sqlite(tmp_path)
    with database.reading() as store:
        assert [one.title for one in store.newest(10)] == ["A title"]
        assert {one.id for one in store.all_snapshots()} == {"one", "two"}
    database.close()


def test_an_upgrade_keeps_topics_as_channels_with_their_members(tmp_path: Path) -> None:
    older(tmp_path).close()
    upgrade_database(sqlite(tmp_path, check=False).url, backups=tmp_path / "b", now=NOW)
    database = sqlite(tmp_path)
    with database.reading() as store:
        found = [(channel.kind, channel.slug) for channel, _ in store.dirty_channels()]
        assert found == [(ChannelKind.ALL, "all"), (ChannelKind.TOPIC, "sport")]
        assert isinstance(store.channel("sport"), Channel)
        assert [one.slug for one in store.topics_in_use()] == ["sport"]
        assert store.between("sport", 1) == [put().id]
        # It left that topic before: its place stays, but it is not in it.
        assert store.between("politics", 1) == []
        assert store.last_position("politics") == 1
    database.close()


def test_an_upgrade_makes_older_snapshots_known_to_the_timegate(tmp_path: Path) -> None:
    older(tmp_path).close()
    upgrade_database(sqlite(tmp_path, check=False).url, backups=tmp_path / "b", now=NOW)
    database = sqlite(tmp_path)
    with database.reading() as store:
        for url in ("https://example.org/a", "https://example.org/moved"):
            assert [one.snapshot_id for one in store.mementos(url, limit=9)] == ["one"]
    database.close()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("nonsense", id="no-url"),
        pytest.param("mysql://localhost/x", id="other-database"),
        pytest.param("sqlite://", id="in-memory"),
    ],
)
def test_a_wrong_database_url_is_a_configuration_error(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"database\.url"):
        database_url(url, root=tmp_path)


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as store:
            add(store, put())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.reading() as store:
        assert store.newest(10) == []


def test_a_reader_sees_one_state_while_others_write(database: Database) -> None:
    with database.transaction() as store:
        add(store, put())
    with database.reading() as reader:
        before = len(reader.newest(10))
        with database.transaction() as store:
            add(store, put("https://example.org/b", seed="seeds/b.md"))
        assert len(reader.newest(10)) == before
    with database.reading() as store:
        assert len(store.newest(10)) == 2


def test_writers_of_two_processes_wait_for_each_other(tmp_path: Path) -> None:
    first, second = sqlite(tmp_path), sqlite(tmp_path)
    failures: list[BaseException] = []

    def write(database: Database, start: int) -> None:
        try:
            for number in range(start, start + 25):
                with database.transaction() as store:
                    # Reading before writing is what makes a deferred BEGIN fail.
                    store.newest(1)
                    add(store, put(f"https://example.org/{number}", seed=f"seeds/{number}.md"))
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    threads = [
        threading.Thread(target=write, args=(first, 0)),
        threading.Thread(target=write, args=(second, 100)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with first.reading() as store:
        assert len(store.newest(100)) == 50
    first.close()
    second.close()


def test_times_come_back_aware_and_in_utc(database: Database) -> None:
    with database.transaction() as store:
        add(store, put())
        assert store.newest(1)[0].published == NOW
        assert store.newest(1)[0].published.tzinfo is UTC


def test_a_naive_time_is_refused(database: Database) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - that is the point
    with pytest.raises(Exception, match="no time zone"), database.transaction() as store:
        add(store, put(published=naive))


def test_every_commit_is_flushed_to_disk(tmp_path: Path) -> None:
    database = sqlite(tmp_path)
    with database.engine.connect() as connection:
        pragma = connection.exec_driver_sql
        assert pragma("PRAGMA synchronous").scalar() == 2
        assert pragma("PRAGMA journal_mode").scalar() == "wal"
        assert pragma("PRAGMA foreign_keys").scalar() == 1
    database.close()
