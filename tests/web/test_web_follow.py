"""Following what others publish, on a real PostgreSQL and on SQLite."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import anyio
import psycopg
import pytest
from sqlalchemy import make_url

from feedsvc.storage.database import Database, database_url
from feedsvc.storage.store_feeds import FeedFile
from feedsvc.web.documents import Memory
from feedsvc.web.follow import CHECK_SECONDS, Follower
from feedsvc.web.names import feed_name
from feedsvc.web.store_shelf import StoreShelf
from tests.databases import put_new_file

pytestmark = pytest.mark.fleet

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SOON = CHECK_SECONDS / 2
"""Sooner than by the usual check."""


class Followed:
    """A shelf that follows a database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.bytes: dict[str, bytes] = {}
        memory = Memory(link="https://example.org/feeds/", max_age=60, now=lambda: NOON)
        self.shelf = StoreShelf(self.versions, self.bytes.__getitem__, memory)
        self.follower = Follower(database, self.shelf)

    def versions(self, names: Sequence[str]) -> Mapping[str, tuple[str, datetime]]:
        with self.database.reading() as store:
            return store.file_versions(names)

    def publish(self, *names: str, body: bytes, quietly: bool = False) -> None:
        """Record documents as a publisher does; ``quietly``: and tell nobody."""
        self.bytes |= dict.fromkeys(names, body)
        file = FeedFile(sha256(body).hexdigest(), len(body))
        with self.database.transaction() as store:
            store.put_feed_files(dict.fromkeys(names, file), now=NOON)
            if not quietly:
                store.tell_files(names)

    def read(self, *names: str) -> None:
        async def find() -> None:
            for name in names:
                parsed = feed_name(name)
                assert parsed is not None
                assert await self.shelf.find(parsed) is not None

        anyio.run(find)

    def is_doubted(self, name: str) -> bool:
        return self.shelf.current(name) is None

    def until_doubted(self, *names: str, seconds: float = SOON) -> None:
        ends = time.monotonic() + seconds
        while not all(map(self.is_doubted, names)):
            assert time.monotonic() < ends
            time.sleep(0.01)


@pytest.fixture
def followed(postgresql: str, tmp_path: Path) -> Iterator[Followed]:
    with ExitStack() as stack:
        database = stack.enter_context(
            closing(Database(database_url(postgresql, root=tmp_path), silent=15))
        )
        made = Followed(database)
        made.follower.start()
        stack.callback(made.follower.stop)
        listeners(postgresql, seconds=SOON)
        yield made


def listeners(address: str, *, seconds: float) -> list[int]:
    """Wait until somebody listens; return their process ids."""
    url = make_url(address).set(drivername="postgresql").render_as_string(hide_password=False)
    ends = time.monotonic() + seconds
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < ends:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN %'"
                " AND datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle'"
            ).fetchall()
            if rows:
                return [pid for (pid,) in rows]
            time.sleep(0.01)
    raise AssertionError("nobody listens")


def cut(address: str) -> None:
    url = make_url(address).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        for pid in listeners(address, seconds=SOON):
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])


def test_what_is_published_is_doubted_and_nothing_else(followed: Followed) -> None:
    followed.publish("all.atom", "all.rss", body=b"one", quietly=True)
    followed.read("all.atom", "all.rss")
    followed.publish("all.atom", body=b"two")
    followed.until_doubted("all.atom")
    assert not followed.is_doubted("all.rss")


def test_more_names_than_a_word_can_hold_are_told_as_all(followed: Followed) -> None:
    names = [f"topic-{number}-{'x' * 90}.atom" for number in range(100)]
    followed.publish(*names, body=b"one", quietly=True)
    followed.read(*names[:3])
    followed.publish(*names, body=b"two")
    followed.until_doubted(*names[:3])


def test_what_was_told_while_nobody_listened_is_found_after_it(
    followed: Followed, postgresql: str
) -> None:
    followed.publish("all.atom", "all.rss", body=b"one", quietly=True)
    followed.read("all.atom", "all.rss")
    followed.publish("all.atom", body=b"two", quietly=True)
    assert not followed.is_doubted("all.atom")
    cut(postgresql)
    followed.until_doubted("all.atom")
    assert not followed.is_doubted("all.rss")


def test_a_publication_that_is_taken_back_is_told_to_nobody(followed: Followed) -> None:
    followed.publish("all.atom", "all.rss", body=b"one", quietly=True)
    followed.read("all.atom", "all.rss")

    def fail() -> None:
        with followed.database.transaction() as store:
            store.tell_files(["all.atom"])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    followed.publish("all.rss", body=b"two")
    followed.until_doubted("all.rss")
    assert not followed.is_doubted("all.atom")


def test_where_nothing_is_told_the_database_is_asked(tmp_path: Path) -> None:
    put_new_file(tmp_path / "site.db")
    url = database_url("sqlite:///site.db", root=tmp_path)
    with closing(Database(url)) as database:
        followed = Followed(database)
        followed.publish("all.atom", body=b"one", quietly=True)
        followed.read("all.atom")
        followed.follower.start()
        try:
            followed.publish("all.atom", body=b"two")
            followed.until_doubted("all.atom")
        finally:
            followed.follower.stop()
