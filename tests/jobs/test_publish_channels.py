from __future__ import annotations

from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.errors import ConfigurationError
from feedsvc.model import Original, OriginalState
from feedsvc.runtime import Runtime
from tests.jobs.reading import document, ids, published
from tests.jobs.site import NOON, Seeds, only, open_site

FILED = {"also": ("authors", "agencies", "hosts")}


def seed(seeds: Seeds, number: int, *, by: str, host: str = "news.example.org") -> None:
    seeds.write(
        f"{number}.md",
        text=f"# Report {number}\n\nBy {by}\n\nMay {number}, 2024\n\nThe harbour was closed for a day.\n\n"
        f"Original url: https://{host}/{number}\n",
    )


def fill(seeds: Seeds) -> None:
    seed(seeds, 1, by="Ada Brandt and Bo de Wit for AFP")
    seed(seeds, 2, by="Ada Brandt", host="www.other.example")
    seed(seeds, 3, by="Reuters")


def folders(site: Path) -> set[str]:
    return {name.removesuffix(".atom") for name in published(site, "*.atom") if "/" in name}


def test_articles_are_filed_by_each_author_by_agency_and_by_host(site: Path, seeds: Seeds) -> None:
    fill(seeds)
    with open_site(site, feeds=FILED) as runtime:
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
    assert folders(site) == {
        "authors/ada-brandt",
        "authors/bo-de-wit",
        "agencies/afp",
        "agencies/reuters",
        "hosts/news.example.org",
        "hosts/other.example",
    }
    assert len(ids(site, "authors/ada-brandt")) == 2
    assert set(ids(site, "authors/bo-de-wit")) < set(ids(site, "authors/ada-brandt"))
    assert "authors/bo-de-wit.atom" in (site / "feeds/index.opml").read_text()


def test_what_is_not_turned_on_costs_nothing(runtime: Runtime, seeds: Seeds, site: Path) -> None:
    fill(seeds)
    jobs.ingest_seeds(runtime)
    jobs.publish_feeds(runtime)
    assert folders(site) == set()
    with runtime.database.reading() as store:
        assert {one.slug for one in store.channels()} == {"all", "changes", "gone"} | {
            one.slug for one in store.topics_in_use()
        }
        assert not any("/" in slug for slug in store.member_counts())
        assert store.unfiled_articles("", limit=1) == []


def test_a_kind_turned_on_later_files_what_is_stored_and_turned_off_is_withdrawn(
    site: Path, seeds: Seeds
) -> None:
    fill(seeds)
    with open_site(site) as runtime:
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
    before = published(site)
    with open_site(site, feeds={"also": ("changes", "gone", "hosts")}) as runtime:
        jobs.publish_feeds(runtime)
        assert folders(site) == {"hosts/news.example.org", "hosts/other.example"}
        assert len(ids(site, "hosts/news.example.org")) == 2
        assert only(jobs.publish_feeds(runtime)) == {}
    with open_site(site) as runtime:
        jobs.publish_feeds(runtime)
        assert published(site) == before
        assert not (site / "feeds/hosts").exists()
        with runtime.database.reading() as store:
            gone = store.former_feed("hosts/other.example")
            assert gone is not None
            assert gone.successor is None
    with open_site(site, feeds={"also": ("changes", "gone", "hosts")}) as runtime:
        jobs.publish_feeds(runtime)
        assert folders(site) == {"hosts/news.example.org", "hosts/other.example"}
        with runtime.database.reading() as store:
            assert store.former_feed("hosts/other.example") is None


def test_an_edit_moves_an_article_to_its_other_author(site: Path, seeds: Seeds) -> None:
    fill(seeds)
    with open_site(site, feeds=FILED) as runtime:
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
        seed(seeds, 1, by="Cy Dee for AFP")
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
    assert len(ids(site, "authors/ada-brandt")) == 1
    assert len(ids(site, "authors/cy-dee")) == 1
    assert "authors/bo-de-wit" not in folders(site)


def test_one_name_in_several_spellings_is_one_feed_whatever_came_first(tmp_path: Path) -> None:
    shown = []
    for name, order in (("one", (1, 2)), ("two", (2, 1))):
        site = tmp_path / name
        (site / "seeds").mkdir(parents=True)
        seeds = Seeds(site / "seeds")
        with open_site(site, feeds=FILED) as runtime:
            for number in order:
                seed(seeds, number, by={1: "Zoe Martin", 2: "Zoé Martin"}[number])
                jobs.ingest_seeds(runtime)
            jobs.publish_feeds(runtime)
        shown.append((site / "feeds/authors/zoe-martin.atom").read_bytes())
    assert shown[0] == shown[1]
    assert "Zoé Martin" in shown[0].decode()


FEEDS = """
[[feed]]
name = "harbour"
title = "By the harbour"
query = "harbour -report"

[[feed]]
name = "ada"
authors = ["Ada Brandt"]
hosts = ["*.example.org"]
"""


def configure(site: Path, text: str) -> None:
    (site / "config").mkdir(exist_ok=True)
    (site / "config/feeds.toml").write_text(text)


def test_saved_searches_are_feeds_of_what_they_find(site: Path, seeds: Seeds) -> None:
    fill(seeds)
    seeds.write("boat.md", title="A boat", url="https://x.example/boat", body="In the harbour.\n")
    configure(site, FEEDS)
    with open_site(site) as runtime:
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
        assert folders(site) == {"searches/harbour", "searches/ada"}
        assert len(ids(site, "searches/harbour")) == len(ids(site, "searches/ada")) == 1
        assert "By the harbour" in str(document(site, "searches/harbour").findtext("{*}title"))
        # Another question looks through what is stored, once.
        configure(site, FEEDS.replace("harbour -report", "report"))
        jobs.publish_feeds(runtime)
        assert len(ids(site, "searches/harbour")) == 3
        assert only(jobs.publish_feeds(runtime)) == {}
        configure(site, "")
        jobs.publish_feeds(runtime)
        assert folders(site) == set()


def test_a_search_for_a_topic_follows_a_persons_word(site: Path, seeds: Seeds) -> None:
    fill(seeds)
    configure(site, '[[feed]]\nname = "wet"\ntopics = ["weather"]\n')
    with open_site(site) as runtime:
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
        assert ids(site, "searches/wet") == []
        jobs.set_topics(runtime, "seeds/1.md", ["weather"])
        jobs.publish_feeds(runtime)
        assert len(ids(site, "searches/wet")) == 1
        jobs.reset_topics(runtime, "seeds/1.md")
        jobs.publish_feeds(runtime)
        assert ids(site, "searches/wet") == []


def test_wrong_feeds_toml_is_told_with_its_line_and_stops_no_running_site(
    site: Path, seeds: Seeds
) -> None:
    fill(seeds)
    configure(site, FEEDS)
    with open_site(site) as runtime:
        jobs.ingest_seeds(runtime)
        configure(site, FEEDS + "\n[[feed]]\nname = 'x'\nqeury = 'boat'\n")
        jobs.publish_feeds(runtime)
        assert "searches/ada" in folders(site)
    with (
        open_site(site) as fresh,
        pytest.raises(ConfigurationError, match=r"config/feeds\.toml:14.*Did you mean 'query'"),
    ):
        jobs.publish_feeds(fresh)


def test_originals_that_are_gone_or_moved_are_told_and_withdrawn_ones_are_not(
    runtime: Runtime, seeds: Seeds, site: Path
) -> None:
    fill(seeds)
    jobs.ingest_seeds(runtime)
    jobs.publish_feeds(runtime)
    assert ids(site, "gone") == ids(site, "changes") == []
    with runtime.database.transaction() as store:
        first, second, _ = store.newest(3)
        store.put_originals(
            [
                Original(first.id, OriginalState.GONE, NOON, NOON, status=404),
                Original(second.id, OriginalState.ALIVE, NOON, NOON, status=200),
            ]
        )
        store.mark_dirty(["gone"])
    assert only(jobs.publish_feeds(runtime)) == {"written": 3}
    (told,) = document(site, "gone").findall("{*}entry/{*}title")
    assert told.text == f"Gone: {first.title}"
    # It goes on under the article's new title.
    name = first.seed.removeprefix("seeds/")
    text = (seeds.folder / name).read_text()
    seeds.write(name, text=text.replace(f"# {first.title}", "# Another title"))
    jobs.ingest_seeds(runtime)
    jobs.publish_feeds(runtime)
    (told,) = document(site, "gone").findall("{*}entry/{*}title")
    assert told.text == "Gone: Another title"
    (seeds.folder / first.seed.removeprefix("seeds/")).unlink()
    jobs.ingest_seeds(runtime, accept_deletions=True)
    jobs.publish_feeds(runtime)
    assert ids(site, "gone") == []


def test_status_tells_what_failed_and_is_written_only_when_that_changes(
    site: Path, seeds: Seeds
) -> None:
    bad = seeds.write("bad.md", text="# Only a title\n")
    with open_site(site, feeds={"also": ("status",)}) as runtime:
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
        assert len(ids(site, "status")) == 1
        assert "seeds/bad.md" in (site / "feeds/status.atom").read_text()
        assert only(jobs.publish_feeds(runtime)) == {}
        bad.unlink()
        jobs.ingest_seeds(runtime, accept_deletions=True)
        jobs.publish_feeds(runtime)
        assert ids(site, "status") == []
    assert not (site / "feeds/gone.atom").exists()
