"""Laws of the daemon's jobs: one causes the next, and none of them can end the daemon."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedsvc.daemon.work import Work
from feedsvc.runtime import Runtime, open_runtime
from feedsvc.settings import load_settings

Later = list[tuple[str, Callable[[], None], float]]


@pytest.fixture
def later() -> Later:
    return []


@pytest.fixture
def runtime(site: Path) -> Iterator[Runtime]:
    with open_runtime(load_settings(site, environ={})) as opened:
        yield opened


@pytest.fixture
def work(runtime: Runtime, later: Later) -> Work:
    return Work(runtime, later=lambda *one: later.append(one))


def write(site: Path, name: str, text: str) -> None:
    (site / "seeds" / name).write_text(text, encoding="utf-8")


def test_what_is_loaded_is_published_and_captured_next(
    work: Work, later: Later, site: Path
) -> None:
    work.ingest()
    assert "The first article" in (site / "feeds" / "all.atom").read_text()
    assert [name for name, _, _ in later] == ["capture-now"]


def test_a_named_seed_is_loaded_alone(work: Work, site: Path) -> None:
    work.first()
    write(site, "second.md", "# The second\n\n2026-01-03\n\nA gale again.\n")
    write(site, "third.md", "# The third\n\n2026-01-03\n\nA gale again.\n")
    work.ingest({"seeds/second.md"})
    feed = (site / "feeds" / "all.atom").read_text()
    assert "The second" in feed
    assert "The third" not in feed


def test_a_deleted_seed_leaves_the_feeds(work: Work, site: Path) -> None:
    for number in range(20):
        write(site, f"{number}.md", f"# Number {number} of many\n\n2026-01-03\n\nA gale.\n")
    work.first()
    (site / "seeds" / "7.md").unlink()
    work.ingest({"seeds/7.md"})
    assert "Number 7 of many" not in (site / "feeds" / "all.rss").read_text()


def test_a_job_that_fails_is_logged_and_ends_nothing(
    work: Work, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "config" / "topics.toml").write_text("[[topic]\n")
    work.first()
    assert "config/topics.toml:1" in capsys.readouterr().err
    (site / "config" / "topics.toml").unlink()
    work.first()
    assert "The first article" in (site / "feeds" / "all.atom").read_text()


def test_a_full_disk_pauses_the_job(
    site: Path, later: Later, capsys: pytest.CaptureFixture[str]
) -> None:
    write(site, "a.md", "# A\n\n2026-01-03\n\nA gale.\n\nOriginal url: http://127.0.0.1:9/a\n")
    settings = load_settings(site, environ={"FEEDSVC_ARCHIVE__MIN_FREE": "100000 TiB"})
    with open_runtime(settings) as runtime:
        work = Work(runtime, later=lambda *one: later.append(one))
        work.first()
        work.capture()
        assert "job.paused" in capsys.readouterr().err
        work.capture()
        assert capsys.readouterr().err == ""


def test_damage_is_logged(work: Work, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work.first()
    work.verify()
    assert "verify.damage" not in capsys.readouterr().err
    os.truncate(site / "feeds" / "all.atom", 10)
    work.verify()
    assert "verify.damage" in capsys.readouterr().err


def test_nothing_starts_after_the_end(work: Work, site: Path) -> None:
    assert work.finish(seconds=1)
    work.first()
    assert not (site / "feeds" / "all.atom").exists()
