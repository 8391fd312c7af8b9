from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import pytest

from feedsvc.errors import NotFound, Temporary
from feedsvc.web.documents import Document, Memory
from feedsvc.web.feeds import FeedCache
from feedsvc.web.folder_shelf import FolderShelf
from feedsvc.web.former import Elsewhere
from feedsvc.web.names import feed_name
from feedsvc.web.store_shelf import StoreShelf, Unreadable
from tests.web.test_web_feeds import Answer, ask, nowhere

pytestmark = pytest.mark.fleet

NOON = datetime(2026, 11, 1, 12, 0, 0, 123, tzinfo=UTC)


class Store:
    """An object store, and the database that tells what ought to be there."""

    def __init__(self) -> None:
        self.bytes: dict[str, bytes] = {}
        self.recorded: dict[str, tuple[str, datetime]] = {}
        self.looks = 0
        self.fetches = 0
        self.is_away = False
        self.door = threading.Event()
        self.door.set()

    def put(self, name: str, body: bytes, *, written: datetime = NOON) -> None:
        self.bytes[name] = body
        self.recorded[name] = (sha256(body).hexdigest(), written)

    def versions(self, names: Sequence[str]) -> Mapping[str, tuple[str, datetime]]:
        self.looks += 1
        return {name: self.recorded[name] for name in names if name in self.recorded}

    def fetch(self, name: str) -> bytes:
        self.fetches += 1
        assert self.door.wait(10)
        if self.is_away:
            raise Temporary("the store is away")
        try:
            return self.bytes[name]
        except KeyError:
            raise NotFound(name) from None


@pytest.fixture
def store() -> Store:
    return Store()


def shelf(store: Store, **more: Any) -> StoreShelf:
    memory = Memory(link="https://example.org/feeds/", max_age=60, now=lambda: NOON, **more)
    return StoreShelf(store.versions, store.fetch, memory)


async def find(shelf: StoreShelf, name: str = "all.atom") -> Document | None:
    parsed = feed_name(name)
    assert parsed is not None
    return await shelf.find(parsed)


async def body(shelf: StoreShelf, name: str = "all.atom") -> bytes:
    found = await find(shelf, name)
    assert found is not None
    return found.body


def run(what: Callable[[], Awaitable[None]]) -> None:
    anyio.run(what)


def test_what_is_held_is_served_without_a_question_to_anybody(store: Store) -> None:
    store.put("all.atom", b"<feed/>")
    held = shelf(store)

    async def twice() -> None:
        assert await body(held) == b"<feed/>"
        asked = (store.looks, store.fetches)
        assert await body(held) == b"<feed/>"
        assert held.current("all.atom") is not None
        assert (store.looks, store.fetches) == asked == (1, 1)

    run(twice)


def test_a_crowd_fetches_a_document_once(store: Store) -> None:
    store.put("all.atom", b"<feed/>" * 1000)
    store.door.clear()

    async def crowd() -> list[Answer]:
        app = FeedCache(nowhere, shelf(store), Counter())
        answers: list[Answer] = []

        async def one() -> None:
            answers.append(await ask(app, "/feeds/all.atom"))

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(one)
            await anyio.sleep(0)
            store.door.set()
        return answers

    answers = anyio.run(crowd)
    assert [answer.status for answer in answers] == [200] * 20
    assert store.fetches == 1


def test_what_is_doubted_is_fetched_again_only_if_other_bytes_are_recorded(store: Store) -> None:
    store.put("all.atom", b"one")
    held = shelf(store)

    async def published() -> None:
        assert await body(held) == b"one"
        held.doubt(["all.atom", "never-asked-for.atom"])
        assert await body(held) == b"one"
        assert store.fetches == 1
        store.put("all.atom", b"two", written=NOON + timedelta(minutes=1))
        assert await body(held) == b"one"
        held.doubt(["all.atom"])
        assert held.current("all.atom") is None
        assert await body(held) == b"two"
        del store.recorded["all.atom"]
        held.doubt(None)
        assert await find(held) is None
        assert held.memory.size == 0

    run(published)


def test_a_check_finds_what_nobody_was_told_of(store: Store) -> None:
    store.put("all.atom", b"one")
    store.put("all.rss", b"one")
    held = shelf(store)

    async def checked() -> None:
        assert await body(held) == await body(held, "all.rss") == b"one"
        assert await find(held, "new.atom") is None
        store.put("all.atom", b"two")
        store.put("new.atom", b"new")
        held.check()
        assert held.current("all.rss") is not None
        assert await body(held) == b"two"
        assert await body(held, "new.atom") == b"new"

    run(checked)


def test_a_name_without_a_document_never_reaches_the_store_and_takes_no_memory(
    store: Store,
) -> None:
    held = shelf(store)

    async def guess() -> None:
        for number in range(50):
            assert await find(held, f"guess-{number}.atom") is None
            assert await find(held, f"guess-{number}.atom") is None
        assert (store.looks, store.fetches, held.memory.size) == (50, 0, 0)
        store.put("guess-7.atom", b"here")
        held.doubt(["guess-7.atom"])
        assert await body(held, "guess-7.atom") == b"here"

    run(guess)


def test_bytes_of_an_older_publication_are_fetched_again(store: Store) -> None:
    store.put("all.atom", b"new")
    store.bytes["all.atom"] = b"old"
    calm = store.fetch

    def fetch(name: str) -> bytes:
        found = calm(name)
        store.bytes["all.atom"] = b"new"
        return found

    held = StoreShelf(store.versions, fetch, shelf(store).memory)

    async def once() -> None:
        assert await body(held) == b"new"
        assert store.fetches == 2

    run(once)


def test_bytes_that_are_recorded_later_are_served_and_looked_at_again(store: Store) -> None:
    store.put("all.atom", b"recorded")
    store.bytes["all.atom"] = b"newer"
    held = shelf(store)

    async def early() -> None:
        assert await body(held) == b"newer"
        fetches = store.fetches
        store.put("all.atom", b"newer")
        held.doubt_unsettled()
        assert await body(held) == b"newer"
        assert store.fetches == fetches

    run(early)


def test_where_the_store_is_away_what_is_held_is_served_and_all_else_is_an_error(
    store: Store,
) -> None:
    store.put("all.atom", b"one")
    store.put("all.rss", b"one")
    held = shelf(store)

    async def away() -> None:
        assert await body(held) == b"one"
        store.is_away = True
        store.put("all.atom", b"two")
        held.doubt(None)
        assert await body(held) == b"one"
        with pytest.raises(Unreadable):
            await find(held, "all.rss")
        answer = await ask(FeedCache(nowhere, held, Counter()), "/feeds/all.rss")
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        store.is_away = False
        held.doubt_unsettled()
        assert await body(held) == b"two"

    run(away)


def test_where_the_database_cannot_tell_where_a_name_leads_it_is_to_be_asked_again(
    store: Store,
) -> None:
    async def elsewhere(_path: str) -> Elsewhere:
        raise Temporary("the database is away")

    async def away() -> None:
        app = FeedCache(nowhere, shelf(store), Counter(), elsewhere=elsewhere)
        answer = await ask(app, "/feeds/gone.atom")
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")

    run(away)


def test_what_is_told_during_a_fetch_counts_again(store: Store) -> None:
    store.put("all.atom", b"one")
    store.door.clear()
    held = shelf(store)

    async def meanwhile() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(find, held)
            while not store.fetches:
                await anyio.sleep(0.001)
            store.bytes["all.atom"] = b"one"
            held.doubt(["all.atom"])
            store.door.set()
        store.put("all.atom", b"two")
        assert held.current("all.atom") is None
        assert await body(held) == b"two"

    run(meanwhile)


def test_memory_stays_within_the_budget(store: Store) -> None:
    for number in range(10):
        store.put(f"topic-{number}.atom", bytes(30_000))
    held = shelf(store, budget=100_000)

    async def all_of_them() -> None:
        for number in range(10):
            assert len(await body(held, f"topic-{number}.atom")) == 30_000
            assert held.memory.size <= 100_000

    run(all_of_them)


def test_last_modified_is_when_the_bytes_were_recorded(store: Store) -> None:
    store.put("all.atom", b"one", written=NOON - timedelta(hours=1))
    held = shelf(store)

    async def modified() -> None:
        answer = await ask(FeedCache(nowhere, held, Counter()), "/feeds/all.atom")
        assert answer.headers["last-modified"] == "Sun, 01 Nov 2026 11:00:00 GMT"

    run(modified)


NAMES = (
    "all.rss",
    "all.json",
    "index.opml",
    "style.css",
    "science/0001.atom",
    "private/0123456789abcdef/science.atom",
    "private/0123456789abcdef/science/0001.rss",
    "never.atom",
)


def test_both_kinds_of_shelves_give_the_same_answers(store: Store, tmp_path: Path) -> None:
    for name in NAMES[:-1]:
        body = f"<feed>{name}</feed>".encode() * 50
        store.put(name, body, written=NOON - timedelta(days=1))
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        os.utime(path, ((NOON - timedelta(days=1)).timestamp(),) * 2)
    far = shelf(store)
    near = FolderShelf(tmp_path.joinpath, shelf(store).memory)

    async def compare() -> None:
        apps = [FeedCache(nowhere, one, Counter()) for one in (far, near)]
        for name in NAMES:
            for coding in ("identity", "gzip", "br", "zstd"):
                first = await both(apps, name, coding)
                if first.status == 200:
                    tag = (b"if-none-match", first.headers["etag"].encode())
                    since = (b"if-modified-since", first.headers["last-modified"].encode())
                    for condition in (tag, since):
                        assert (await both(apps, name, coding, condition)).status == 304
                await both(apps, name, coding, (b"sec-fetch-dest", b"document"))

    run(compare)


async def both(apps: list[FeedCache], name: str, coding: str, *more: tuple[bytes, bytes]) -> Answer:
    far, near = [await ask(app, f"/feeds/{name}", coding, *more) for app in apps]
    assert (far.status, far.headers, far.body) == (near.status, near.headers, near.body)
    return far
