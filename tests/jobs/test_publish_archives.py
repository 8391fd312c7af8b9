from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from feedsvc import jobs
from feedsvc.runtime import Runtime
from feedsvc.storage.store_sequence import closed_pages
from feedsvc.urls import article_id
from tests.jobs.reading import ids, json_ids, link, published, walk
from tests.jobs.site import Clock, Seeds, only, open_site

E = 2
TOPICS = ("sport", "weather")


class History:
    """A site and what a reader who never missed anything would know of it."""

    def __init__(self, root: Path, runtime: Runtime, clock: Clock) -> None:
        (root / "seeds").mkdir()
        self.root, self.runtime, self.clock = root, runtime, clock
        self.seeds = Seeds(root / "seeds")
        self.topics: dict[int, str] = {}
        self.away: dict[int, str] = {}
        self.made = self.edits = 0

    def write(self, number: int, topic: str) -> None:
        self.edits += 1
        self.seeds.write(
            f"{number}.md",
            text=f"---\ntitle: Report {number}\nurl: https://example.org/{number}\n"
            f"date: 2024-05-{number % 28 + 1:02}\ntopics: [{topic}]\n---\n\nEdit {self.edits}.\n",
        )
        jobs.ingest_seeds(self.runtime, names=[f"seeds/{number}.md"])

    def add(self, pick: int) -> None:
        self.made += 1
        self.topics[self.made] = TOPICS[pick % 2]
        self.write(self.made, self.topics[self.made])

    def edit(self, pick: int) -> None:
        if self.topics:
            number = sorted(self.topics)[pick % len(self.topics)]
            self.write(number, self.topics[number])

    def move(self, pick: int) -> None:
        if self.topics:
            number = sorted(self.topics)[pick % len(self.topics)]
            self.topics[number] = TOPICS[1 - TOPICS.index(self.topics[number])]
            self.write(number, self.topics[number])

    def withdraw(self, pick: int) -> None:
        if self.topics:
            number = sorted(self.topics)[pick % len(self.topics)]
            self.away[number] = self.topics.pop(number)
            (self.seeds.folder / f"{number}.md").unlink()
            jobs.ingest_seeds(self.runtime, names=[f"seeds/{number}.md"], accept_deletions=True)

    def bring_back(self, pick: int) -> None:
        if self.away:
            number = sorted(self.away)[pick % len(self.away)]
            self.topics[number] = self.away.pop(number)
            self.write(number, self.topics[number])

    def publish(self, pick: int) -> None:
        del pick
        jobs.publish_feeds(self.runtime)

    def check(self) -> None:
        """Compare what a reader finds on the way back from the heads with what there is."""
        for slug in ("all", *TOPICS):
            wanted = {
                article_id(f"https://example.org/{number}", seed="")
                for number, topic in self.topics.items()
                if slug in {"all", topic}
            }
            if not wanted and slug != "all":
                assert not published(self.root, f"{slug}*")
                continue
            documents = walk(self.root, slug)
            found = [one for name in documents for one in ids(self.root, name)]
            assert sorted(found) == sorted(wanted)
            for name in documents:
                assert json_ids(self.root, name) == ids(self.root, name)
            self._check_pages(slug, documents)

    def _check_pages(self, slug: str, documents: list[str]) -> None:
        with self.runtime.database.reading() as store:
            last = store.last_position(slug)
        pages = closed_pages(last, E)
        assert documents[1:] == [f"{slug}/{number:04}" for number in range(pages, 0, -1)]
        assert published(self.root, f"{slug}/*.atom") == {f"{one}.atom" for one in documents[1:]}
        for newer, older in pairwise(documents[1:]):
            assert link(self.root, older, "next-archive") == newer
            assert link(self.root, older, "current") == slug


@contextmanager
def history() -> Iterator[History]:
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        with open_site(Path(folder), feeds={"entries": E}, now=clock) as runtime:
            yield History(Path(folder), runtime, clock)


ACTIONS = st.sampled_from(
    ["add"] * 8 + ["publish"] * 3 + ["edit", "move", "withdraw", "bring_back"]
)


@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(st.tuples(ACTIONS, st.integers(0, 40)), min_size=25, max_size=40))
def test_a_reader_finds_every_entry_once_whatever_happened(
    actions: list[tuple[str, int]],
) -> None:
    with history() as site:
        for action, pick in actions:
            getattr(site, action)(pick)
        site.publish(0)
        site.check()
        assert only(jobs.publish_feeds(site.runtime)) == {}
        assert jobs.verify(site.runtime).damage == ()
        # What was written bit by bit is what a rebuild writes.
        assert jobs.rebuild(site.runtime).written == 0


def digests(site: Path) -> dict[str, str]:
    return {
        name: hashlib.sha256((site / "feeds" / name).read_bytes()).hexdigest()
        for name in published(site)
    }


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    return {name.partition(".")[0] for name in names}


def test_a_closed_page_changes_only_with_its_articles_or_its_successor() -> None:
    with history() as site:
        for _ in range(9):
            site.add(0)
        site.publish(0)
        assert walk(site.root, "all") == ["all", "all/0003", "all/0002", "all/0001"]
        before = digests(site.root)
        site.add(0)
        site.publish(0)
        now = digests(site.root)
        # Ten entries: the fourth page closes, and the third tells where it is.
        assert changed(before, now) == {
            f"{slug}{part}" for slug in ("all", "sport") for part in ("", "/0003", "/0004")
        }
        site.add(0)
        site.publish(0)
        assert changed(now, digests(site.root)) == {"all", "sport"}
        before = digests(site.root)
        site.edit(2)
        site.publish(0)
        now = digests(site.root)
        assert changed(before, now) == {"all/0002", "sport/0002"}
        site.withdraw(0)
        site.publish(0)
        # Its page loses it, and the heads tell of it.
        after = digests(site.root)
        assert changed(now, after) == {"all", "sport", "all/0001", "sport/0001"}


@pytest.mark.parametrize(
    ("last", "pages"),
    [(0, 0), (149, 0), (150, 2), (199, 2), (200, 3), (249, 3), (250, 4), (10_000, 199)],
)
def test_the_head_keeps_one_to_two_pages_and_no_archive_stands_alone(last: int, pages: int) -> None:
    assert closed_pages(last, 50) == pages


def test_another_number_of_entries_cuts_all_pages_anew_and_leaves_no_file_behind(
    tmp_path: Path,
) -> None:
    (tmp_path / "seeds").mkdir()
    Seeds(tmp_path / "seeds").many(20)
    with open_site(tmp_path, feeds={"entries": 2}) as runtime:
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
        before = sorted(one for name in walk(tmp_path, "all") for one in ids(tmp_path, name))
        assert len(walk(tmp_path, "all")) == 10
    with open_site(tmp_path, feeds={"entries": 5}) as runtime:
        assert jobs.publish_feeds(runtime).removed > 0
        assert walk(tmp_path, "all") == ["all", "all/0003", "all/0002", "all/0001"]
        assert (
            sorted(one for name in walk(tmp_path, "all") for one in ids(tmp_path, name)) == before
        )
        assert jobs.verify(runtime).damage == ()
        assert only(jobs.publish_feeds(runtime)) == {}


def test_what_is_interrupted_goes_on_where_it_stopped(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    Seeds(tmp_path / "seeds").many(130)

    class Stopped(Exception):
        pass

    def stop(stage: str, done: int, total: int | None, detail: str = "") -> None:
        if stage == "publishing" and done > 70:
            raise Stopped(detail)

    with open_site(tmp_path, feeds={"entries": 2}) as runtime:
        jobs.ingest_seeds(runtime)
        with pytest.raises(Stopped):
            jobs.publish_feeds(runtime, progress=stop)
        done = len(published(tmp_path, "*.atom"))
        rest = jobs.publish_feeds(runtime)
        assert rest.written + rest.unchanged <= 3 * (len(published(tmp_path, "*.atom")) - 60) + 3
        assert done >= 60
        assert len({one for name in walk(tmp_path, "all") for one in ids(tmp_path, name)}) == 130
        assert jobs.verify(runtime).damage == ()


def test_a_lost_page_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    Seeds(tmp_path / "seeds").many(8)
    with open_site(tmp_path, feeds={"entries": 2}) as runtime:
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
        before = digests(tmp_path)
        (tmp_path / "feeds/all/0001.json").unlink()
        (tmp_path / "feeds/all/0002.rss").write_bytes(b"cut")
        assert jobs.verify(runtime).damage != ()
        assert jobs.publish_feeds(runtime).written == 2
        assert digests(tmp_path) == before
