"""Laws of a database that cannot be written: it is read all the same, and says what it lacks."""

from __future__ import annotations

import sqlite3
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedsvc.storage.database import Database, database_url
from tests.powerless import run_powerless
from tests.storage.build import add, put


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A database with one article, closed, that can only be read."""
    database = Database(database_url("sqlite:///data/site.db", root=tmp_path))
    with database.transaction() as store:
        add(store, put())
    database.close()
    forbid(tmp_path)
    yield tmp_path
    (tmp_path / "data").chmod(0o700)


def forbid(root: Path) -> None:
    (root / "data" / "site.db").chmod(0o400)
    (root / "data").chmod(0o500)


def run(root: Path, program: str) -> str:
    """Run a program on the site and return what it prints."""
    done = run_powerless("-c", BEGIN + textwrap.dedent(program), str(root))
    assert done.returncode == 0, done.stderr
    return done.stdout


BEGIN = """
import sys
from pathlib import Path
from feedsvc.errors import ConfigurationError, OutOfSpace
from feedsvc.storage.database import Database, database_url
url = database_url("sqlite:///data/site.db", root=Path(sys.argv[1]))
"""


def test_what_may_only_be_read_is_read_and_writing_names_file_and_remedy(site: Path) -> None:
    said = run(
        site,
        """
        database = Database(url)
        with database.reading() as store:
            print(store.counts().articles, database.is_read_only, database.integrity())
        try:
            with database.transaction():
                print("it was written")
        except ConfigurationError as error:
            print(error)
        """,
    ).splitlines()
    assert said[0] == "1 True []"
    assert f"{site}/data/site.db can only be read" in said[1]
    assert "give the user the right" in said[1]
    assert sorted(one.name for one in (site / "data").iterdir()) == ["site.db"]


def test_what_a_writer_has_not_moved_into_the_file_yet_is_read_too(site: Path) -> None:
    (site / "data").chmod(0o700)
    (site / "data" / "site.db").chmod(0o600)
    writer = Database(database_url("sqlite:///data/site.db", root=site))
    with writer.transaction() as store:
        add(store, put("https://example.org/b", seed="seeds/b.md"))
    forbid(site)
    try:
        assert (site / "data" / "site.db-wal").stat().st_size > 0
        said = run(
            site,
            """
            with Database(url).reading() as store:
                print(store.counts().articles)
            """,
        )
    finally:
        (site / "data").chmod(0o700)
        writer.close()
    assert said == "2\n"


def test_an_upgrade_of_what_may_only_be_read_is_refused(site: Path) -> None:
    (site / "data").chmod(0o700)
    (site / "data" / "site.db").chmod(0o600)
    with sqlite3.connect(site / "data" / "site.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    forbid(site)
    said = run(
        site,
        """
        from datetime import UTC, datetime
        from feedsvc.storage.upgrade import upgrade_database
        try:
            upgrade_database(url, backups=Path(sys.argv[1]) / "backups", now=datetime.now(UTC))
        except ConfigurationError as error:
            print(error)
        """,
    )
    assert "can only be read" in said
    assert not (site / "backups").exists()


def test_a_full_disk_can_be_read_and_is_written_again_once_there_is_room(site: Path) -> None:
    (site / "data").chmod(0o700)
    (site / "data" / "site.db").chmod(0o600)
    # No file may grow, which is what SQLite meets on a full disk; only statvfs would know of it.
    said = run(
        site,
        """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        import feedsvc.storage.database as module
        module.is_disk_full = lambda url: resource.getrlimit(resource.RLIMIT_FSIZE) != limit
        database = Database(url)
        with database.reading() as store:
            print(store.counts().articles)
        try:
            with database.transaction():
                print("it was written")
        except OutOfSpace as error:
            print("full")
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        with database.transaction():
            print("written")
        """,
    )
    assert said == "1\nfull\nwritten\n"
