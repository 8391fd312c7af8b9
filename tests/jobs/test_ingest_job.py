from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from feedsvc import jobs
from feedsvc.model import Article, SeedState
from feedsvc.runtime import Runtime
from feedsvc.urls import article_id
from tests.jobs.site import Clock, Seeds, only, open_site

FERRY = article_id("https://example.org/ferry", seed="")


def the_article(runtime: Runtime, id_: str = FERRY) -> Article:
    with runtime.database.reading() as store:
        found = store.article(id_)
    assert found is not None
    return found


def published(runtime: Runtime) -> list[str]:
    with runtime.database.reading() as store:
        return sorted(article.title for article in store.newest(100))


def test_a_seed_becomes_an_article_with_everything_it_says(
    any_runtime: Runtime, seeds: Seeds
) -> None:
    seeds.write("ferry.md")
    assert only(jobs.ingest_seeds(any_runtime)) == {"new": 1}
    article = the_article(any_runtime)
    assert (article.title, article.author) == ("A ferry for the harbour", "Jane Roe")
    assert article.published.isoformat() == "2024-05-31T12:00:00+00:00"
    assert article.updated == article.published
    assert article.url == "https://example.org/ferry"
    assert article.seed == "seeds/ferry.md"


def test_loading_twice_is_loading_once(any_runtime: Runtime, seeds: Seeds) -> None:
    seeds.write("ferry.md")
    jobs.ingest_seeds(any_runtime)
    assert only(jobs.ingest_seeds(any_runtime)) == {"unmodified": 1}
    assert only(jobs.ingest_seeds(any_runtime, force=True)) == {"unmodified": 1}


def test_an_unchanged_file_is_not_read_again(runtime: Runtime, seeds: Seeds) -> None:
    path = seeds.write("ferry.md")
    jobs.ingest_seeds(runtime)
    path.chmod(0)
    stat = path.stat()
    assert only(jobs.ingest_seeds(runtime)) == {"unmodified": 1}
    assert path.stat().st_atime_ns == stat.st_atime_ns


def test_a_touched_file_with_the_same_bytes_is_unmodified(runtime: Runtime, seeds: Seeds) -> None:
    path = seeds.write("ferry.md")
    jobs.ingest_seeds(runtime)
    seeds.age(path)
    assert only(jobs.ingest_seeds(runtime)) == {"unmodified": 1}
    with runtime.database.reading() as store:
        stamp, _, _ = store.seed_stamps()["seeds/ferry.md"]
    assert stamp.mtime_ns == path.stat().st_mtime_ns


def test_an_edit_is_a_new_revision_of_the_same_article(any_runtime: Runtime, seeds: Seeds) -> None:
    seeds.write("ferry.md")
    jobs.ingest_seeds(any_runtime)
    seeds.write("ferry.md", title="A ferry after all")
    assert only(jobs.ingest_seeds(any_runtime)) == {"modified": 1}
    article = the_article(any_runtime)
    assert (article.title, article.revision) == ("A ferry after all", 2)
    assert article.updated == Clock()()
    with any_runtime.database.reading() as store:
        assert store.counts().revisions == 2


def test_a_moved_file_is_the_same_article(any_runtime: Runtime, seeds: Seeds) -> None:
    path = seeds.write("ferry.md")
    jobs.ingest_seeds(any_runtime)
    (seeds.folder / "2024").mkdir()
    path.rename(seeds.folder / "2024" / "renamed.md")
    assert only(jobs.ingest_seeds(any_runtime)) == {"moved": 1}
    assert the_article(any_runtime).seed == "seeds/2024/renamed.md"
    assert the_article(any_runtime).revision == 1


def test_a_moved_file_without_a_url_is_the_same_article(runtime: Runtime, seeds: Seeds) -> None:
    path = seeds.write("note.md", url=None)
    jobs.ingest_seeds(runtime)
    with runtime.database.reading() as store:
        before = store.newest(1)[0]
    path.rename(seeds.folder / "renamed.md")
    assert only(jobs.ingest_seeds(runtime)) == {"moved": 1}
    with runtime.database.reading() as store:
        after = store.newest(1)[0]
    assert (after.id, after.seed) == (before.id, "seeds/renamed.md")


def test_two_files_that_swap_their_articles_keep_both(runtime: Runtime, seeds: Seeds) -> None:
    first = seeds.write("a.md", title="One", url="https://example.org/1")
    second = seeds.write("b.md", title="Two", url="https://example.org/2")
    jobs.ingest_seeds(runtime)
    one, two = first.read_text(), second.read_text()
    seeds.write("a.md", text=two)
    seeds.write("b.md", text=one)
    report = jobs.ingest_seeds(runtime)
    assert (report.failed, report.withdrawn, report.new) == (0, 0, 0)
    assert the_article(runtime, article_id("https://example.org/1", seed="")).seed == "seeds/b.md"
    assert the_article(runtime, article_id("https://example.org/2", seed="")).seed == "seeds/a.md"


def test_the_second_file_with_one_url_is_reported_and_takes_over(
    any_runtime: Runtime, seeds: Seeds
) -> None:
    first = seeds.write("a.md", title="The first")
    seeds.write("b.md", title="The second")
    report = jobs.ingest_seeds(any_runtime)
    assert only(report) == {"new": 1, "failed": 1}
    (problem,) = report.problems
    assert problem.seed == "seeds/b.md"
    assert "seeds/a.md" in problem.reason
    assert published(any_runtime) == ["The first"]
    first.unlink()
    report = jobs.ingest_seeds(any_runtime)
    assert report.failed == 0
    assert published(any_runtime) == ["The second"]
    assert the_article(any_runtime).seed == "seeds/b.md"


def test_an_equal_url_in_another_spelling_is_the_same_article(
    runtime: Runtime, seeds: Seeds
) -> None:
    seeds.write("a.md")
    seeds.write("b.md", url="http://EXAMPLE.org:80/ferry?utm_source=x#top")
    assert jobs.ingest_seeds(runtime).failed == 1


def test_a_deleted_file_withdraws_its_article_and_brings_it_back(
    any_runtime: Runtime, seeds: Seeds
) -> None:
    seeds.write("other.md", title="Other", url="https://example.org/other")
    path = seeds.write("ferry.md")
    jobs.ingest_seeds(any_runtime)
    text = path.read_text()
    path.unlink()
    assert only(jobs.ingest_seeds(any_runtime)) == {"withdrawn": 1, "unmodified": 1}
    assert the_article(any_runtime).withdrawn is not None
    assert published(any_runtime) == ["Other"]
    seeds.write("ferry.md", text=text)
    assert only(jobs.ingest_seeds(any_runtime)) == {"returned": 1, "unmodified": 1}
    article = the_article(any_runtime)
    assert article.withdrawn is None
    assert article.updated == article.published


def test_a_missing_folder_withdraws_nothing(runtime: Runtime, seeds: Seeds) -> None:
    seeds.many(5)
    jobs.ingest_seeds(runtime)
    seeds.folder.rename(seeds.folder.with_name("unmounted"))
    report = jobs.ingest_seeds(runtime)
    assert (report.withdrawn, report.held) == (0, 5)
    assert report.partial
    assert "--accept-deletions" in report.problems[0].remedy
    seeds.folder.with_name("unmounted").rename(seeds.folder)
    assert only(jobs.ingest_seeds(runtime)) == {"unmodified": 5}


def test_what_lies_in_a_folder_that_cannot_be_listed_is_not_gone(
    runtime: Runtime, seeds: Seeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds.write("a.md", title="A", url="https://example.org/a")
    seeds.write("sub/b.md", title="B", url="https://example.org/b")
    jobs.ingest_seeds(runtime)
    # Root may list every folder, so the refusal has to come from the rim: the system call.
    listing = os.scandir

    def refusing(path: Any = ".") -> Any:
        if str(path).rstrip("/").endswith("/sub"):
            raise PermissionError(13, "Permission denied")
        return listing(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refusing)
        report = jobs.ingest_seeds(runtime)
    assert (report.withdrawn, report.held, report.failed) == (0, 1, 1)
    assert any("Permission" in problem.reason for problem in report.problems)
    assert published(runtime) == ["A", "B"]
    report = jobs.ingest_seeds(runtime)
    assert only(report) == {"unmodified": 2}


def test_a_new_file_that_was_just_written_to_waits_for_its_end(
    runtime: Runtime, seeds: Seeds
) -> None:
    path = seeds.write("slow.md", url=None)
    os.utime(path)
    assert only(jobs.ingest_seeds(runtime, quiet=60)) == {"busy": 1}
    assert published(runtime) == []
    seeds.age(path)
    assert only(jobs.ingest_seeds(runtime, quiet=60)) == {"new": 1}


def test_an_empty_folder_withdraws_nothing(runtime: Runtime, seeds: Seeds) -> None:
    path = seeds.write("ferry.md")
    jobs.ingest_seeds(runtime)
    path.unlink()
    assert only(jobs.ingest_seeds(runtime)) == {"held": 1}


def test_more_than_a_tenth_gone_at_once_waits_for_a_person(
    any_runtime: Runtime, seeds: Seeds
) -> None:
    paths = seeds.many(20)
    jobs.ingest_seeds(any_runtime)
    for path in paths[:3]:
        path.unlink()
    assert only(jobs.ingest_seeds(any_runtime)) == {"held": 3, "unmodified": 17}
    assert len(published(any_runtime)) == 20
    report = jobs.ingest_seeds(any_runtime, accept_deletions=True)
    assert only(report) == {"withdrawn": 3, "unmodified": 17}
    assert only(jobs.ingest_seeds(any_runtime)) == {"unmodified": 17}


def test_a_tenth_gone_is_an_edit(runtime: Runtime, seeds: Seeds) -> None:
    paths = seeds.many(20)
    jobs.ingest_seeds(runtime)
    for path in paths[:2]:
        path.unlink()
    assert only(jobs.ingest_seeds(runtime)) == {"withdrawn": 2, "unmodified": 18}


def test_a_slow_mass_deletion_is_seen_as_one(site: Path, seeds: Seeds) -> None:
    paths = seeds.many(60)
    with open_site(site) as runtime:
        jobs.ingest_seeds(runtime)
        removed = held = 0
        while paths and not held:
            for path in paths[:5]:
                path.unlink()
            paths = paths[5:]
            report = jobs.ingest_seeds(runtime)
            removed += report.withdrawn
            held = report.held
    assert removed <= 20
    assert held


def test_a_broken_edit_loses_nothing_and_is_shown_until_it_is_mended(
    any_runtime: Runtime, seeds: Seeds
) -> None:
    path = seeds.write("ferry.md")
    text = path.read_text()
    jobs.ingest_seeds(any_runtime)
    seeds.write("ferry.md", text="\n\n")
    assert jobs.ingest_seeds(any_runtime).failed == 1
    again = jobs.ingest_seeds(any_runtime)
    assert again.failed == 1
    assert published(any_runtime) == ["A ferry for the harbour"]
    (problem,) = jobs.status(any_runtime).problems
    assert (problem.name, problem.state) == ("seeds/ferry.md", SeedState.REJECTED)
    assert problem.reason
    assert problem.remedy
    seeds.write("ferry.md", text=text)
    assert only(jobs.ingest_seeds(any_runtime)) == {"unmodified": 1}
    assert list(jobs.status(any_runtime).problems) == []


def test_bad_seeds_never_stop_good_ones(runtime: Runtime, seeds: Seeds) -> None:
    seeds.write("good.md")
    seeds.write("empty.md", text="")
    seeds.write("nothing.md", text="# Only a title\n")
    seeds.write("ambiguous.md", url="https://example.org/x", date="03/04/2024")
    (seeds.folder / "link.md").symlink_to("/etc/passwd")
    os.mkfifo(seeds.folder / "pipe.txt")
    (seeds.folder / "large.txt").write_bytes(b"x" * (9 << 20))
    seeds.age(seeds.folder / "large.txt")
    report = jobs.ingest_seeds(runtime)
    assert report.new == 1
    assert {problem.seed for problem in report.problems} == {
        f"seeds/{name}"
        for name in (
            "empty.md",
            "nothing.md",
            "ambiguous.md",
            "link.md",
            "pipe.txt",
            "large.txt",
        )
    }
    assert all(problem.reason and problem.remedy for problem in report.problems)


def test_a_corrected_url_keeps_the_article(runtime: Runtime, seeds: Seeds) -> None:
    seeds.write("ferry.md", url="https://example.org/fery")
    jobs.ingest_seeds(runtime)
    with runtime.database.reading() as store:
        before = store.newest(1)[0]
    seeds.write("ferry.md", url="https://example.org/ferry")
    assert only(jobs.ingest_seeds(runtime)) == {"modified": 1}
    after = the_article(runtime, before.id)
    assert (after.id, after.url) == (before.id, "https://example.org/ferry")


def test_a_file_that_becomes_another_article_withdraws_the_first(
    runtime: Runtime, seeds: Seeds
) -> None:
    seeds.write("today.md", title="Monday", url="https://example.org/monday")
    jobs.ingest_seeds(runtime)
    seeds.write("today.md", title="Tuesday", url="https://example.org/tuesday")
    assert only(jobs.ingest_seeds(runtime)) == {"new": 1, "withdrawn": 1}
    assert published(runtime) == ["Tuesday"]


def test_a_file_without_a_date_shows_the_files_own(runtime: Runtime, seeds: Seeds) -> None:
    path = seeds.write("ferry.md", date="")
    os.utime(path, (1_600_000_000, 1_600_000_000))
    jobs.ingest_seeds(runtime)
    assert the_article(runtime).published.timestamp() == 1_600_000_000
    os.utime(path, (1_700_000_000, 1_700_000_000))
    jobs.ingest_seeds(runtime, force=True)
    assert the_article(runtime).published.timestamp() == 1_600_000_000


def test_a_date_in_the_future_is_shown_as_the_day_of_loading(
    runtime: Runtime, seeds: Seeds
) -> None:
    seeds.write("ferry.md", date="May 31, 2062")
    report = jobs.ingest_seeds(runtime)
    assert the_article(runtime).published == Clock()()
    assert "future" in report.warnings[0].reason


@pytest.mark.parametrize("names", [["seeds/b.md"], ["seeds/sub"], ["seeds/sub/c.md"]])
def test_a_look_at_some_seeds_leaves_the_others_alone(
    names: list[str], runtime: Runtime, seeds: Seeds
) -> None:
    seeds.write("a.md", title="A", url="https://example.org/a")
    seeds.write("b.md", title="B", url="https://example.org/b")
    seeds.write("sub/c.md", title="C", url="https://example.org/c")
    assert jobs.ingest_seeds(runtime, names=names).new == 1
    assert published(runtime) == (["B"] if names == ["seeds/b.md"] else ["C"])


def test_a_look_at_a_deleted_seed_withdraws_it(runtime: Runtime, seeds: Seeds) -> None:
    seeds.many(20)
    path = seeds.write("ferry.md")
    jobs.ingest_seeds(runtime)
    path.unlink()
    assert only(jobs.ingest_seeds(runtime, names=["seeds/ferry.md"])) == {"withdrawn": 1}


def test_a_look_at_a_renamed_seed_moves_it_in_either_order(runtime: Runtime, seeds: Seeds) -> None:
    path = seeds.write("ferry.md")
    jobs.ingest_seeds(runtime)
    path.rename(seeds.folder / "boat.md")
    names = ["seeds/boat.md", "seeds/ferry.md"]
    assert only(jobs.ingest_seeds(runtime, names=names)) == {"moved": 1}


def test_many_seeds_are_loaded_by_workers_as_by_one(site: Path, seeds: Seeds) -> None:
    seeds.many(1100)
    with open_site(site) as runtime:
        assert only(jobs.ingest_seeds(runtime)) == {"new": 1100}
        assert only(jobs.ingest_seeds(runtime)) == {"unmodified": 1100}


def test_a_run_is_recorded_with_its_numbers(runtime: Runtime, seeds: Seeds) -> None:
    seeds.write("ferry.md")
    jobs.ingest_seeds(runtime)
    (run,) = jobs.status(runtime).runs
    assert (run.job, run.ok, run.summary["new"]) == ("ingest", True, 1)
