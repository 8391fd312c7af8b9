"""Seeds found by one worker, read by many in any order, and stored as one process would."""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from feedsvc import jobs
from feedsvc.jobs.find_seeds import find_seeds, load_seeds
from feedsvc.model import Kind, SeedState, Task
from feedsvc.runtime import LOCK_SECONDS, Runtime
from feedsvc.storage.store import Store
from tests.jobs.site import Clock, Seeds, open_site

URLS = [None, *(f"https://example.org/{letter}" for letter in "pqrs")]
NAMES = [f"{folder}/{letter}.md" for folder in ("a", "b") for letter in "klmnx"]


class Basket:
    """A queue that keeps tasks until they are taken, each once."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    def put(self, _store: Store, tasks: Iterable[Task]) -> int:
        fresh = [one for one in tasks if one not in self.tasks]
        self.tasks += fresh
        return len(fresh)

    def of(self, kind: Kind) -> list[Task]:
        return [one for one in self.tasks if one.kind is kind]


class OnOneMachine(Runtime):
    """A member of a fleet whose locks are files, so that SQLite will do."""

    @contextmanager
    def lock(self, name: str, *, wait: float = LOCK_SECONDS) -> Iterator[None]:
        fields = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        with Runtime(**fields | {"queue": None}).lock(name, wait=wait):
            yield


@contextmanager
def fleet(folder: Path, **options: Any) -> Iterator[tuple[Runtime, Basket]]:
    basket = Basket()
    with open_site(folder, **options) as opened:
        fields = {one.name: getattr(opened, one.name) for one in dataclasses.fields(opened)}
        yield OnOneMachine(**fields | {"queue": basket}), basket


def work(
    runtime: Runtime, basket: Basket, chance: random.Random, *, wave: int = 100, together: int = 100
) -> None:
    """Find seeds until nothing is left to do, with tasks in a random order, some twice."""

    def find() -> None:
        find_seeds(runtime, few=0, batch=2, wave=wave, together=together)

    find()
    for _ in range(400):
        # Only what is about seeds is done here.
        waiting = [one for one in basket.tasks if one.kind in {Kind.LOAD, Kind.FIND}]
        if not waiting:
            return
        task = chance.choice(waiting)
        if chance.random() < 0.9:
            basket.tasks.remove(task)
        if task.kind is Kind.LOAD:
            load_seeds(runtime, task.names)
        else:
            find()
    raise AssertionError("it never ends")


def state(runtime: Runtime) -> dict[str, Any]:
    """Return everything that seeds made, without the moments at which it was made."""
    queries = {
        "seeds": "SELECT name, digest, state, article_id, line, reason FROM seeds ORDER BY name",
        "articles": "SELECT id, url_key, seed, revision, digest, published, updated,"
        " withdrawn IS NULL AS live FROM articles ORDER BY id",
        "revisions": "SELECT article_id, number, title, text, url FROM revisions"
        " ORDER BY article_id, number",
        "topics": "SELECT article_id, slug, source FROM article_topics ORDER BY 1, 2",
        "captures": "SELECT article_id, url, host, state FROM captures ORDER BY article_id",
        "sequence": "SELECT slug, article_id, position, member FROM sequence ORDER BY 1, 2",
        "tombstones": "SELECT slug, article_id FROM tombstones ORDER BY 1, 2",
    }
    with runtime.database.reading() as store:
        return {
            name: [tuple(row) for row in store.connection.execute(text(query))]
            for name, query in queries.items()
        }


def article(number: int, url: str | None) -> dict[str, Any]:
    return {"title": f"Report number {number % 3}", "url": url, "body": f"Words of {number}.\n"}


seed = st.builds(article, st.integers(0, 5), st.sampled_from(URLS))
step = st.dictionaries(
    st.sampled_from(NAMES), st.one_of(st.none(), st.just("bad"), seed), max_size=8
)
moves = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=2)


def change(folders: list[Seeds], step: dict[str, Any], moves: list[tuple[str, str]]) -> None:
    for seeds in folders:
        for old, new in moves:
            if (seeds.folder / old).exists():
                (seeds.folder / new).parent.mkdir(parents=True, exist_ok=True)
                (seeds.folder / old).rename(seeds.folder / new)
        for name, what in step.items():
            if what is None:
                (seeds.folder / name).unlink(missing_ok=True)
            elif what == "bad":
                seeds.write(name, text="\n")
            else:
                seeds.write(name, **what)


@settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.lists(st.tuples(step, moves), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_seeds_read_by_many_in_any_order_end_as_in_one_process(
    steps: list[tuple[dict[str, Any], list[tuple[str, str]]]], chance: random.Random
) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as many:
        folders = [Seeds(Path(root) / "seeds") for root in (one, many)]
        for seeds in folders:
            for number in range(3):
                seeds.write(f"c/{number:02}.md", **article(9, f"https://example.net/{number}"))
        clock = Clock()
        with (
            open_site(Path(one), now=clock) as alone,
            fleet(Path(many), now=clock) as (
                runtime,
                basket,
            ),
        ):
            for changes, renamed in steps:
                change(folders, changes, renamed)
                clock.advance(hours=1)
                jobs.ingest_seeds(alone)
                work(runtime, basket, chance)
                jobs.publish_feeds(alone)
                jobs.publish_feeds(runtime)
                assert state(runtime) == state(alone)


def test_waves_are_stored_in_order_while_the_next_ones_are_read(tmp_path: Path) -> None:
    folders = [Seeds(tmp_path / one / "seeds") for one in ("alone", "many")]
    for seeds in folders:
        # Each address twice, far apart: the first by name is the article.
        for number in range(24):
            seeds.write(f"{number:02}.md", **article(number, f"https://example.org/{number % 12}"))
    clock = Clock()
    with (
        open_site(tmp_path / "alone", now=clock) as alone,
        fleet(tmp_path / "many", now=clock) as (
            runtime,
            basket,
        ),
    ):
        jobs.ingest_seeds(alone)
        work(runtime, basket, random.Random(7), wave=4, together=4)
        assert state(runtime) == state(alone)
        assert sum(one[2] == "duplicate" for one in state(runtime)["seeds"]) == 12
        # A seed that is another article now gives the old one up, a wave before its heir comes.
        clock.advance(hours=1)
        for seeds in folders:
            (seeds.folder / "13.md").unlink()
            seeds.write("00.md", title="Quite another", url="https://example.org/else")
            for number in range(8):
                seeds.write(f"x/{number}.md", url=f"https://example.com/{number}")
            seeds.write("y.md", **article(5, "https://example.org/0"))
            # Here a duplicate is the heir, once everything else has been looked at.
            seeds.write("05.md", title="A third", url="https://example.org/third")
            # What was known before comes first, whatever the names.
            seeds.write("23.md", title="A fourth", url="https://example.org/fourth")
            seeds.write("000.md", title="Not the fourth", url="https://example.org/fourth")
        jobs.ingest_seeds(alone)
        work(runtime, basket, random.Random(8), wave=4, together=4)
        assert state(runtime) == state(alone)


def test_a_batch_whose_reader_died_is_handed_out_again_and_the_rest_is_not_read_again(
    tmp_path: Path,
) -> None:
    seeds = Seeds(tmp_path / "seeds")
    paths = [seeds.write(f"{n}.md", **article(n, f"https://example.org/{n}")) for n in range(6)]
    with fleet(tmp_path) as (runtime, basket):
        find_seeds(runtime, few=0, batch=2)
        first, second, third = basket.of(Kind.LOAD)
        load_seeds(runtime, first.names)
        load_seeds(runtime, third.names)
        assert basket.of(Kind.FIND) == []
        basket.tasks.clear()  # the queue is lost, and with it who was at the second batch
        find_seeds(runtime, few=0, batch=2)
        assert basket.of(Kind.LOAD) == [second]
        # What was read before is not looked into again: it could not be understood any more.
        for path in paths:
            if f"seeds/{path.name}" not in second.names:
                stamp = path.stat()
                with path.open("r+b") as file:
                    file.write(b"x" * stamp.st_size)
                os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        load_seeds(runtime, second.names)
        assert basket.of(Kind.FIND) == [Task(Kind.FIND)]
        assert find_seeds(runtime).new == 6
        with runtime.database.reading() as store:
            assert not store.is_reading()
            assert store.staged([f"seeds/{n}.md" for n in range(6)]) == {}


def test_few_seeds_are_stored_by_whoever_finds_them_with_tasks_for_their_hosts(
    tmp_path: Path,
) -> None:
    seeds = Seeds(tmp_path / "seeds")
    for number in range(3):
        seeds.write(f"{number}.md", **article(number, f"https://host{number % 2}.example/{number}"))
    with fleet(tmp_path) as (runtime, basket):
        assert find_seeds(runtime).new == 3
        assert basket.tasks == [Task(Kind.HOST, "host0.example"), Task(Kind.HOST, "host1.example")]


def test_a_seed_nobody_was_asked_for_is_loaded_at_once(tmp_path: Path) -> None:
    Seeds(tmp_path / "seeds").write("a.md")
    with fleet(tmp_path) as (runtime, basket):
        load_seeds(runtime, ["seeds/a.md"])
        assert [row[2] for row in state(runtime)["seeds"]] == [SeedState.LOADED]
        assert basket.tasks == [Task(Kind.HOST, "example.org")]
        load_seeds(runtime, ["seeds/a.md"])
        assert jobs.ingest_seeds(runtime).unmodified == 1


def test_nothing_is_withdrawn_from_a_folder_that_seems_to_be_a_lost_disk(tmp_path: Path) -> None:
    seeds = Seeds(tmp_path / "seeds")
    paths = [seeds.write(f"{n}.md", **article(n, f"https://example.org/{n}")) for n in range(6)]
    with fleet(tmp_path) as (runtime, _):
        find_seeds(runtime)
        for path in paths[1:]:
            path.unlink()
        report = find_seeds(runtime)
        assert (report.held, report.withdrawn) == (5, 0)
        paths[0].unlink()
        seeds.folder.rmdir()
        report = find_seeds(runtime)
        assert (report.absent, report.withdrawn) == (("seeds",), 0)
