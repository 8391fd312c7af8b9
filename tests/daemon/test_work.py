"""Laws of the daemon's jobs: one causes the next, and none of them can end the daemon."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedsvc.daemon.generation import Generation
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
    work.ingest(quiet=0.0)
    assert "The first article" in (site / "feeds" / "all.atom").read_text()
    assert [name for name, _, _ in later] == ["capture-now"]


def test_a_named_seed_is_loaded_alone(work: Work, site: Path) -> None:
    work.first()
    write(site, "second.md", "# The second\n\n2026-01-03\n\nA gale again.\n")
    write(site, "third.md", "# The third\n\n2026-01-03\n\nA gale again.\n")
    work.ingest({"seeds/second.md"}, quiet=0.0)
    feed = (site / "feeds" / "all.atom").read_text()
    assert "The second" in feed
    assert "The third" not in feed


def test_a_new_seed_that_may_still_be_written_is_looked_at_again(
    work: Work, later: Later, site: Path
) -> None:
    work.first()
    later.clear()
    write(site, "second.md", "# The second\n\n2026-01-03\n\nA gale again.\n")
    work.ingest({"seeds/second.md"}, quiet=60.0)
    assert "The second" not in (site / "feeds" / "all.atom").read_text()
    assert [name for name, _, _ in later] == ["ingest-again"]


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


def test_what_is_off_never_runs_whatever_would_cause_it(site: Path, later: Later) -> None:
    write(site, "a.md", "# A\n\n2026-01-03\n\nA gale.\n\nOriginal url: http://127.0.0.1:9/a\n")

    def begin(*off: str) -> tuple[list[str], int]:
        environ = {f"FEEDSVC_SCHEDULE__{job.upper()}": "off" for job in off}
        with open_runtime(load_settings(site, environ=environ)) as runtime:
            work = Work(runtime, later=lambda *one: later.append(one))
            work.first()
            work.capture()
            work.recheck()
            work.verify()
            with runtime.database.reading() as store:
                return [run.job for run in store.runs()], store.counts().articles

    assert begin("ingest", "capture", "publish", "recheck", "verify") == ([], 0)
    assert begin("capture", "publish", "recheck", "verify") == (["ingest"], 2)
    assert later == []
    assert begin("capture", "recheck", "verify")[0] == ["ingest", "publish"]
    assert not (site / "data" / "snapshots").exists()
    assert begin()[0] == ["capture", "ingest", "publish", "recheck", "verify"]


def test_no_folder_is_watched_where_loading_is_off(site: Path) -> None:
    before = set(threading.enumerate())
    settings = load_settings(site, environ={"FEEDSVC_SCHEDULE__INGEST": "off"})
    generation, announced = Generation(settings, working=True), threading.Event()
    generation.start(then=announced.set)
    try:
        assert announced.wait(10)
        assert "feedsvc-watch" not in {one.name for one in set(threading.enumerate()) - before}
    finally:
        generation.stop()
        assert generation.finish(seconds=10)


def test_a_seeds_folder_that_is_not_there_is_logged_once(
    site: Path, later: Later, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(site, environ={"FEEDSVC_SEEDS__PATHS": "seedz"})
    with open_runtime(settings) as runtime:
        work = Work(runtime, later=lambda *one: later.append(one))
        work.ingest()
        assert "seeds.absent" in (said := capsys.readouterr().err)
        assert "seedz" in said
        work.ingest()
        assert "seeds.absent" not in capsys.readouterr().err


def test_a_vocabulary_that_is_being_saved_sorts_nothing_anew(
    work: Work, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work.first()
    feeds = {path.name for path in (site / "feeds").iterdir()}
    for broken in (b"", b"# nothing yet\n", b"[[topic]]\nslug = '\xff'\n"):
        (site / "config" / "topics.toml").write_bytes(broken)
        work.publish()
        assert "topics.wrong" in capsys.readouterr().err
        assert {path.name for path in (site / "feeds").iterdir()} == feeds
