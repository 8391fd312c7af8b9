"""Seeds read by two processes at once, on PostgreSQL with the real queue."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from feedsvc import jobs
from feedsvc.jobs.find_seeds import find_seeds
from feedsvc.runtime import Runtime, open_runtime
from feedsvc.settings import load_settings
from tests.jobs.site import Seeds, open_site

pytestmark = pytest.mark.fleet

_READER = """
import sys
from pathlib import Path
from feedsvc.jobs.find_seeds import load_seeds
from feedsvc.runtime import open_runtime
from feedsvc.settings import load_settings
with open_runtime(load_settings(Path(sys.argv[1]))) as runtime:
    for line in sys.stdin:
        load_seeds(runtime, line.split())
"""
_STATE = {
    "seeds": 'SELECT name, digest, state, article_id, reason FROM seeds ORDER BY name COLLATE "C"',
    "articles": "SELECT id, url_key, seed, revision, digest FROM articles ORDER BY id",
    "topics": "SELECT article_id, slug, source FROM article_topics ORDER BY 1, 2",
    "sequence": "SELECT slug, article_id, position FROM sequence ORDER BY 1, 2",
}


@contextmanager
def member(root: Path, address: str) -> Iterator[Runtime]:
    (root / "config").mkdir(parents=True, exist_ok=True)
    (root / "config/feedsvc.toml").write_text(
        f'[fleet]\nenabled = true\n[database]\nurl = "{address}"\n', encoding="utf-8"
    )
    with open_runtime(load_settings(root)) as runtime:
        yield runtime


def state(runtime: Runtime, *, collated: bool) -> dict[str, list[tuple[object, ...]]]:
    with runtime.database.reading() as store:
        return {
            name: [
                tuple(row)
                for row in store.connection.execute(
                    text(query if collated else query.replace(' COLLATE "C"', ""))
                )
            ]
            for name, query in _STATE.items()
        }


def test_two_processes_that_read_seeds_at_once_end_as_one(tmp_path: Path, postgresql: str) -> None:
    folders = [Seeds(tmp_path / one / "seeds") for one in ("alone", "shared")]
    for seeds in folders:
        for number in range(60):
            seeds.write(
                f"{number % 7}/{number:02}.md",
                title=f"Report number {number}",
                url=f"https://host{number % 5}.example/{number % 40}",
                date=f"2024-05-{number % 28 + 1:02}",
            )
    with open_site(tmp_path / "alone") as alone:
        jobs.ingest_seeds(alone)
        jobs.publish_feeds(alone)
        expected = state(alone, collated=False)
    with member(tmp_path / "shared", postgresql) as runtime:
        find_seeds(runtime, few=0, batch=3)
        with runtime.database.reading() as store:
            query = text("SELECT args->'names' FROM procrastinate_jobs WHERE lock LIKE 'load:%'")
            batches = [list(names) for names in store.connection.scalars(query)]
        assert sorted(name for names in batches for name in names) == sorted(
            f"seeds/{number % 7}/{number:02}.md" for number in range(60)
        )
        readers = [
            subprocess.Popen(
                [sys.executable, "-c", _READER, str(tmp_path / "shared")],
                stdin=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        # Some come to both, as they do when a worker is given up that was only slow.
        for turn, reader in enumerate(readers):
            assert reader.stdin is not None
            for names in batches[turn::2] + batches[: 4 + turn]:
                reader.stdin.write(f"{' '.join(names)}\n")
            reader.stdin.close()
        assert [reader.wait(timeout=120) for reader in readers] == [0, 0]
        with runtime.database.reading() as store:
            waiting = text("SELECT count(*) FROM procrastinate_jobs WHERE lock = 'find:'")
            assert store.connection.scalar(waiting) == 1
        assert find_seeds(runtime).new == 40
        jobs.publish_feeds(runtime)
        assert state(runtime, collated=True) == expected
        with runtime.database.reading() as store:
            hosts = text("SELECT count(*) FROM procrastinate_jobs WHERE lock LIKE 'host:%'")
            assert store.connection.scalar(hosts) == 5


def test_a_rehearsal_in_a_fleet_changes_nothing(tmp_path: Path, postgresql: str) -> None:
    Seeds(tmp_path / "seeds").write("a.md")
    with member(tmp_path, postgresql) as runtime:
        report, _ = jobs.rehearse_ingest(runtime)
        assert report.new == 1
        with runtime.database.reading() as store:
            assert store.seed_stamps() == {}
            tasks = text("SELECT count(*) FROM procrastinate_jobs")
            assert store.connection.scalar(tasks) == 0
