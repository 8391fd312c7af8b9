from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from feedsvc import jobs
from feedsvc.jobs.dispatch import dispatch_due
from feedsvc.jobs.publish_one import arrange_feeds, publish_channel
from feedsvc.model import Kind, Task
from feedsvc.runtime import Runtime
from feedsvc.storage.publish_tasks import LONGEST_WAIT
from feedsvc.storage.store_channels import EVERYTHING
from tests.jobs.publishing import in_store, open_fleet, publish_by_channel, published
from tests.jobs.site import Seeds, open_site
from tests.object_store import ObjectStore

pytestmark = pytest.mark.fleet


@pytest.fixture
def seeds(tmp_path: Path) -> Seeds:
    return Seeds(tmp_path / "seeds")


Opening = Callable[[], Runtime]


@pytest.fixture
def opening(tmp_path: Path, bare_postgresql: str, moto_store: ObjectStore) -> Iterator[Opening]:
    """Open the same fleet as one more process of it would."""
    sections = in_store(moto_store, moto_store.bucket())
    with ExitStack() as stack:
        yield lambda: stack.enter_context(open_fleet(tmp_path, bare_postgresql, **sections))


class Halting:
    """A store at whose door the first document of a name waits."""

    def __init__(self, blobs: Any, name: str) -> None:
        self._blobs = blobs
        self._name: str | None = name
        self.arrived, self.go = threading.Event(), threading.Event()

    def put(self, key: str, data: bytes, *, attributes: Mapping[str, str] | None = None) -> None:
        if key == self._name:
            self._name = None
            self.arrived.set()
            assert self.go.wait(60)
        self._blobs.put(key, data, attributes=attributes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)


def lose_locks(address: str) -> None:
    """End the sessions that hold locks of the fleet, as when their process was paused."""
    url = make_url(address).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()
    assert ended


def waiting(runtime: Runtime) -> set[str]:
    with runtime.database.reading() as store:
        return set(store.dirty_slugs())


def queued(runtime: Runtime) -> dict[Kind, int]:
    assert runtime.queue is not None
    with runtime.database.transaction() as store:
        return {one.kind: one.waiting for one in runtime.queue.counts(store)}


@pytest.mark.parametrize("seed", [1, 2])
def test_channels_published_in_any_order_have_the_bytes_of_one_process(
    tmp_path: Path, bare_postgresql: str, moto_store: ObjectStore, seed: int
) -> None:
    feeds = {"entries": 5, "also": ["changes", "gone", "authors", "hosts"], "packed": ["gz"]}
    seeds = Seeds(tmp_path / "seeds")
    seeds.many(33)
    with open_site(tmp_path, feeds=feeds) as runtime:
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
        expected = published(runtime)
    sections = in_store(moto_store, moto_store.bucket())
    sections["feeds"] |= feeds
    with open_fleet(tmp_path, bare_postgresql, **sections) as runtime:
        jobs.ingest_seeds(runtime)
        publish_by_channel(runtime, order=random.Random(seed))
        assert published(runtime) == expected


def test_who_was_overtaken_never_has_the_last_word(
    opening: Opening, seeds: Seeds, bare_postgresql: str
) -> None:
    slow, fast = opening(), opening()
    seeds.write("a.md", title="Older", url="https://example.org/a")
    jobs.ingest_seeds(slow)
    door = Halting(slow.feeds, "all.atom")
    slow.feeds = door
    with ThreadPoolExecutor(1) as pool:
        paused = pool.submit(publish_channel, slow, "all")
        assert door.arrived.wait(30)
        lose_locks(bare_postgresql)
        seeds.write("a.md", title="Newer", url="https://example.org/a")
        jobs.ingest_seeds(fast)
        publish_channel(fast, "all")
        newest = published(fast)["all.atom"]
        assert b"Newer" in newest
        door.go.set()
        paused.result(60)
    assert b"Older" in published(fast)["all.atom"]
    assert "all" in waiting(fast)
    publish_channel(fast, "all")
    assert published(fast)["all.atom"] == newest
    assert "all" not in waiting(fast)


def test_who_comes_too_late_to_be_first_is_written_again(
    opening: Opening, seeds: Seeds, bare_postgresql: str
) -> None:
    """The older bytes are stored after the newer ones, but recorded before them."""
    slow, fast = opening(), opening()
    seeds.write("a.md", title="Older", url="https://example.org/a")
    jobs.ingest_seeds(slow)
    first, second = Halting(slow.feeds, "all.atom"), Halting(fast.feeds, "all.json")
    slow.feeds, fast.feeds = first, second
    with ThreadPoolExecutor(2) as pool:
        older = pool.submit(publish_channel, slow, "all")
        assert first.arrived.wait(30)
        lose_locks(bare_postgresql)
        seeds.write("a.md", title="Newer", url="https://example.org/a")
        jobs.ingest_seeds(fast)
        newer = pool.submit(publish_channel, fast, "all")
        assert second.arrived.wait(30)
        first.go.set()
        older.result(60)
        second.go.set()
        newer.result(60)
    assert "all" in waiting(fast)
    publish_channel(fast, "all")
    found = published(fast)
    assert all(b"Newer" in found[f"all.{form}"] for form in ("atom", "rss", "json"))
    assert "all" not in waiting(fast)


def test_loading_arranging_and_publishing_at_the_same_time_lose_nothing(
    opening: Opening, seeds: Seeds, tmp_path: Path
) -> None:
    loader, one, other, arranger = (opening() for _ in range(4))
    loaded = threading.Event()

    def load() -> None:
        try:
            for number in range(12):
                name = f"many/{number:04}.md"
                seeds.write(name, title=f"Report {number}", url=f"https://example.org/{number}")
                seeds.write("same.md", title=f"Edit {number}", url="https://example.org/same")
                jobs.ingest_seeds(loader, names=[f"seeds/{name}", "seeds/same.md"])
        finally:
            loaded.set()

    def publish(runtime: Runtime) -> None:
        while not loaded.is_set():
            for slug in sorted(waiting(runtime)):
                publish_channel(runtime, slug)

    def arrange() -> None:
        while not loaded.is_set():
            arrange_feeds(arranger)

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(load), pool.submit(arrange)]
        work += [pool.submit(publish, runtime) for runtime in (one, other)]
        for each in work:
            each.result(120)
    publish_by_channel(one)
    feed = published(one)["all.atom"].decode()
    assert feed.count("<entry>") == 13
    assert "Edit 11" in feed
    with one.database.reading() as store:
        places = store.between("all", 1)
    assert len(set(places)) == 13


def test_what_a_transaction_marks_is_queued_with_it(opening: Opening, seeds: Seeds) -> None:
    runtime = opening()
    seeds.write("a.md")
    jobs.ingest_seeds(runtime)
    found = queued(runtime)
    assert (found[Kind.PUBLISH], found[Kind.ARRANGE]) == (len(waiting(runtime)), 1)


def test_what_is_taken_back_queues_nothing(opening: Opening) -> None:
    runtime = opening()

    def fail() -> None:
        with runtime.database.transaction() as store:
            store.mark_dirty(["all"])
            raise ZeroDivisionError

    with runtime.database.transaction() as store:
        store.ensure_channels([EVERYTHING])
    before = queued(runtime)
    with pytest.raises(ZeroDivisionError):
        fail()
    assert queued(runtime) == before


def test_nothing_is_published_while_seeds_are_loaded_but_not_for_ever(
    opening: Opening, seeds: Seeds
) -> None:
    runtime = opening()
    assert runtime.queue is not None
    with runtime.database.transaction() as store:
        runtime.queue.put(store, [Task(Kind.LOAD, "some", ("seeds/a.md",))])
    seeds.write("a.md")
    jobs.ingest_seeds(runtime)
    dispatch_due(runtime)
    assert Kind.PUBLISH not in queued(runtime)
    assert publish_channel(runtime, "all").written == 0
    assert "all" in waiting(runtime)
    clock = runtime.now
    runtime.publish_tasks._now = lambda: clock() + LONGEST_WAIT + timedelta(seconds=1)  # type: ignore[union-attr]  # in a fleet it is there
    dispatch_due(runtime)
    assert queued(runtime)[Kind.PUBLISH] == len(waiting(runtime))
    assert publish_channel(runtime, "all").written == 3


def test_objects_that_were_lost_or_changed_are_written_again(
    opening: Opening, seeds: Seeds
) -> None:
    runtime = opening()
    seeds.write("a.md")
    jobs.ingest_seeds(runtime)
    publish_by_channel(runtime)
    before = published(runtime)
    runtime.feeds.delete("all.atom")
    runtime.feeds.put("all.rss", b"cut off")
    runtime.feeds.delete("index.opml")
    clock = runtime.now
    runtime.now = lambda: clock() + timedelta(minutes=1)
    publish_by_channel(runtime)
    assert published(runtime) == before
    # As long as before: only who reads it finds out.
    runtime.feeds.put("all.json", b"x" * len(before["all.json"]))
    assert [one.name for one in jobs.verify(runtime).damage] == ["all.json"]
    jobs.rebuild(runtime)
    assert published(runtime) == before


def test_what_nobody_changed_costs_no_request_to_the_store(opening: Opening, seeds: Seeds) -> None:
    runtime = opening()
    seeds.write("a.md")
    jobs.ingest_seeds(runtime)
    publish_by_channel(runtime)
    with runtime.database.transaction() as store:
        store.mark_whole()
    runtime.feeds = Untouchable()
    for slug in sorted(waiting(runtime)):
        report = publish_channel(runtime, slug)
        assert (report.written, report.unchanged) == (0, 3)


class Untouchable:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)
