from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.classify import default_vocabulary
from feedsvc.errors import NotFound
from feedsvc.runtime import Runtime
from tests.jobs.reading import feed_id, ids, link, published, tombstones, walk
from tests.jobs.site import Clock, Seeds, open_site
from tests.jobs.test_publish_job import COURT, FOOTBALL, load


def vocabulary(site: Path, *changes: tuple[str, str]) -> None:
    text = default_vocabulary()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (site / "config").mkdir(exist_ok=True)
    (site / "config/topics.toml").write_text(text)


def test_a_renamed_topic_keeps_its_articles_their_order_and_their_pages(
    site: Path, seeds: Seeds
) -> None:
    with open_site(site, feeds={"entries": 2}) as runtime:
        for number in range(7):
            url, date = f"https://example.org/{number}", f"May {20 - number}, 2024"
            seeds.write(f"{number}.md", title=f"Goal {number}", url=url, date=date, body=FOOTBALL)
            jobs.ingest_seeds(runtime, names=[f"seeds/{number}.md"])
            if number in {2, 5}:
                jobs.publish_feeds(runtime)
        seeds.write("own.md", text="---\ntitle: T\ntopics: [sport]\n---\n\nIt rained all day.\n")
        jobs.ingest_seeds(runtime)
        jobs.set_topics(runtime, "seeds/0.md", ["sport", "weather"])
        jobs.publish_feeds(runtime)
        before = [ids(site, name) for name in walk(site, "sport")]
        assert len(before) == 4
        feed = feed_id(site, "sport")
        vocabulary(site, ('slug = "sport"', 'slug = "sports-news"'))
        jobs.publish_feeds(runtime)
        assert [ids(site, name) for name in walk(site, "sports-news")] == before
        assert link(site, "sports-news/0001", "next-archive") == "sports-news/0002"
        assert not published(site, "sport*") - published(site, "sports-news*")
        assert not (site / "feeds/sport").exists()
        assert {feed_id(site, name) for name in walk(site, "sports-news")} == {feed}
        with runtime.database.reading() as store:
            former = store.former_feed("sport")
            assert former is not None
            assert former.successor == "sports-news"
        assert "sports-news.atom" in (site / "feeds/index.opml").read_text()
        # Back again: what led there leads here.
        vocabulary(site)
        jobs.publish_feeds(runtime)
        assert [ids(site, name) for name in walk(site, "sport")] == before
        assert feed_id(site, "sport") == feed
        with runtime.database.reading() as store:
            assert store.former_feed("sport") is None
            assert store.former_feed("sports-news").successor == "sport"  # type: ignore[union-attr]  # there was one


def test_a_topic_that_comes_under_the_old_name_of_a_renamed_one_is_another_feed(
    runtime: Runtime, seeds: Seeds, site: Path
) -> None:
    def write(name: str, topic: str) -> None:
        seeds.write(f"{name}.md", text=f"---\ntitle: {name}\ntopics: [{topic}]\n---\n\nWords.\n")
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)

    write("a", "tides")
    first = feed_id(site, "tides")
    vocabulary(site, ('aliases = ["forecast"', 'aliases = ["tides", "forecast"'))
    jobs.publish_feeds(runtime)
    assert feed_id(site, "weather") == first
    seeds.write("a.md", text="---\ntitle: a\ntopics: [weather]\n---\n\nWords.\n")
    jobs.ingest_seeds(runtime)
    vocabulary(site)
    write("b", "tides")
    assert feed_id(site, "weather") == first
    assert feed_id(site, "tides") not in {first, feed_id(site, "all")}
    jobs.rebuild(runtime)
    assert feed_id(site, "weather") == first


def test_a_topic_that_became_an_alias_of_another_joins_it(
    runtime: Runtime, seeds: Seeds, site: Path
) -> None:
    for name, topic in (("a", "football"), ("b", "sport")):
        seeds.write(f"{name}.md", text=f"---\ntitle: {name}\ntopics: [{topic}]\n---\n\nWords.\n")
    jobs.ingest_seeds(runtime)
    jobs.publish_feeds(runtime)
    vocabulary(site, ('aliases = ["sports"]', 'aliases = ["sports", "football"]'))
    jobs.publish_feeds(runtime)
    assert len(ids(site, "sport")) == 2
    assert not published(site, "football*")
    with runtime.database.reading() as store:
        assert store.former_feed("football").successor == "sport"  # type: ignore[union-attr]  # there is one


def test_a_topic_that_lost_all_its_articles_is_gone_until_it_has_some(
    any_runtime: Runtime, seeds: Seeds, site: Path
) -> None:
    load(any_runtime, seeds)
    jobs.set_topics(any_runtime, "seeds/a.md", ["weather"])
    jobs.publish_feeds(any_runtime)
    with any_runtime.database.reading() as store:
        former = store.former_feed("sport")
        assert former is not None
        assert former.successor is None
        assert store.former_feed("never-was") is None
    assert not published(site, "sport*")
    jobs.reset_topics(any_runtime, "seeds/a.md")
    jobs.publish_feeds(any_runtime)
    with any_runtime.database.reading() as store:
        assert store.former_feed("sport") is None


def withdraw(runtime: Runtime, seeds: Seeds, name: str) -> None:
    (seeds.folder / name).unlink()
    jobs.ingest_seeds(runtime, names=[f"seeds/{name}"], accept_deletions=True)
    jobs.publish_feeds(runtime)


def test_feeds_tell_for_a_while_that_an_entry_was_taken_back(site: Path, seeds: Seeds) -> None:
    clock = Clock()
    seeds.write("c.md", title="Jail", url="https://example.org/c", body=COURT)
    with open_site(site, now=clock) as runtime:
        load(runtime, seeds)
        (gone,) = set(ids(site, "all")) - set(ids(site, "crime-law-justice"))
        court = ids(site, "crime-law-justice")
        seeds.write("d.md", title="Win", url="https://example.org/d", body=FOOTBALL)
        jobs.ingest_seeds(runtime)
        withdraw(runtime, seeds, "a.md")
        assert tombstones(site, "all") == tombstones(site, "sport") == [gone]
        assert tombstones(site, "crime-law-justice") == []
        assert ids(site, "crime-law-justice") == court
        clock.advance(days=89)
        jobs.publish_feeds(runtime)
        assert tombstones(site, "sport") == [gone]
        clock.advance(days=2)
        jobs.publish_feeds(runtime)
        assert tombstones(site, "all") == tombstones(site, "sport") == []


def test_an_article_that_returns_has_no_tombstone(
    any_runtime: Runtime, seeds: Seeds, site: Path
) -> None:
    load(any_runtime, seeds)
    before = ids(site, "all")
    withdraw(any_runtime, seeds, "a.md")
    assert len(tombstones(site, "all")) == 1
    seeds.write("a.md", title="Late goal", url="https://example.org/a", body=FOOTBALL)
    jobs.ingest_seeds(any_runtime)
    jobs.publish_feeds(any_runtime)
    assert tombstones(site, "all") == tombstones(site, "sport") == []
    assert ids(site, "all") == before


def test_a_forgotten_article_leaves_its_id_and_nothing_else(site: Path, seeds: Seeds) -> None:
    with open_site(site, feeds={"entries": 1, "also": ("status", "authors")}) as runtime:
        for number in range(4):
            url = f"https://example.org/{number}"
            seeds.write(
                f"{number}.md", title=f"Zebra{number}", url=url, date=f"May {number + 1}, 2024"
            )
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
        (first,) = ids(site, "all/0001")
        jobs.forget_article(runtime, first, who="me")
        assert tombstones(site, "all") == tombstones(site, "authors/jane-roe") == [first]
        assert ids(site, "all/0001") == []
        texts = [(site / "feeds" / name).read_text() for name in published(site)]
        assert not any("Zebra0" in text for text in texts)
        assert any("Zebra1" in text for text in texts)


# --- private addresses ----------------------------------------------------------------------


def snapshot(site: Path) -> dict[str, str]:
    return {
        name: hashlib.sha256((site / "feeds" / name).read_bytes()).hexdigest()
        for name in published(site)
    }


def test_a_shared_feed_is_published_under_an_address_nobody_can_guess(
    site: Path, seeds: Seeds
) -> None:
    seeds.many(9)
    with open_site(
        site, feeds={"entries": 2}, websub={"hubs": ("https://hub.example/",)}
    ) as runtime:
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
        public = snapshot(site)
        share, other = jobs.share_feed(runtime, "all"), jobs.share_feed(runtime, "all")
        assert len(share.token) * 4 >= 160
        assert share.token != other.token
        root = f"private/{share.token}"
        assert share.url.endswith(f"/feeds/{root}/all.atom")
        assert walk(site, f"{root}/all") == [f"{root}/all"] + [
            f"{root}/all/{number:04}" for number in (3, 2, 1)
        ]
        assert {
            name: one for name, one in snapshot(site).items() if "private" not in name
        } == public
        head = (site / f"feeds/{root}/all.atom").read_text()
        assert "hub.example" not in head
        assert other.token not in head
        assert stat.S_IMODE((site / "feeds/private").stat().st_mode) & 0o007 == 0
        assert [one.token for one in jobs.shared_feeds(runtime)] == sorted(
            [share.token, other.token]
        )
        # It is written at every change like any other.
        seeds.write("late.md", title="Late", url="https://example.org/late")
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
        assert ids(site, f"{root}/all") == ids(site, "all")
        jobs.unshare_feed(runtime, share.url)
        assert {one for one in published(site) if share.token in one} == set()
        assert [one.token for one in jobs.shared_feeds(runtime)] == [other.token]
        jobs.unshare_feed(runtime, "all")
        assert not (site / "feeds/private" / other.token).exists()
        assert jobs.verify(runtime).damage == ()
        with pytest.raises(NotFound, match="feeds shares"):
            jobs.unshare_feed(runtime, "all")


def test_a_private_feed_is_never_written_for_everybody(site: Path, seeds: Seeds) -> None:
    seeds.write("a.md", body=FOOTBALL)
    private = {"private": ("sport",)}
    with open_site(site, feeds=private) as runtime:
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
        assert not published(site, "sport*")
        assert "sport" not in (site / "feeds/index.opml").read_text()
        share = jobs.share_feed(runtime, "sport")
        assert ids(site, f"private/{share.token}/sport") == ids(site, "all")
        with pytest.raises(NotFound, match="did you mean 'sport'"):
            jobs.share_feed(runtime, "sprot")
    with open_site(site) as runtime:
        jobs.publish_feeds(runtime)
        assert published(site, "sport.*")
    with open_site(site, feeds=private) as runtime:
        jobs.publish_feeds(runtime)
        assert not published(site, "sport.*") - {
            name for name in published(site) if name.startswith("private/")
        }


def test_damage_is_told_without_the_secret_of_an_address(site: Path, seeds: Seeds) -> None:
    seeds.write("a.md")
    with open_site(site) as runtime:
        jobs.ingest_seeds(runtime)
        token = jobs.share_feed(runtime, "all").token
        (site / f"feeds/private/{token}/all.rss").write_bytes(b"x")
        (site / f"feeds/private/{token}/foreign").write_bytes(b"x")
        damage = jobs.verify(runtime).damage
    assert len(damage) == 2
    assert token not in repr(damage)
