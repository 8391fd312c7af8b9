from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import feedparser
import pytest

from feedsvc import jobs
from feedsvc.errors import ConfigurationError, NotFound
from feedsvc.model import TopicSource
from feedsvc.runtime import Runtime
from tests.jobs.site import Clock, Seeds, only, open_site

FOOTBALL = (
    "The football team won the match after a late goal by the striker, and the coach praised "
    "the players of the club before the championship.\n"
)
COURT = (
    "Police arrested a suspect after the robbery, and the court heard the detective before the "
    "judge sentenced him to prison for the murder.\n"
)


def tree(site: Path) -> dict[str, str]:
    """Return name → digest of every file published."""
    return {
        path.relative_to(site / "feeds").as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (site / "feeds").rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def stamps(site: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (site / "feeds").iterdir()}


FORMATS = ("rss", "atom", "json")
BESIDE = {"index.opml", "style.css", "about.txt"}


def files(*slugs: str) -> set[str]:
    """Return what is published of those channels, and what always is."""
    return {f"{slug}.{form}" for slug in (*slugs, "changes", "gone") for form in FORMATS} | BESIDE


def entries(site: Path, slug: str, form: str = "atom") -> list[str]:
    feed = feedparser.parse((site / "feeds" / f"{slug}.{form}").read_bytes())
    assert not feed.bozo
    return [entry.title for entry in feed.entries]


def load(runtime: Runtime, seeds: Seeds) -> None:
    seeds.write("a.md", title="Late goal", url="https://example.org/a", body=FOOTBALL)
    seeds.write("b.md", title="Prison", url="https://example.org/b", body=COURT)
    jobs.ingest_seeds(runtime)
    jobs.publish_feeds(runtime)


def test_every_topic_and_all_have_feeds_in_every_format(
    any_runtime: Runtime, seeds: Seeds, site: Path
) -> None:
    load(any_runtime, seeds)
    assert set(tree(site)) == files("all", "sport", "crime-law-justice")
    assert entries(site, "sport") == entries(site, "sport", "rss") == ["Late goal"]
    assert sorted(entries(site, "all")) == ["Late goal", "Prison"]


def test_publishing_twice_writes_nothing(any_runtime: Runtime, seeds: Seeds, site: Path) -> None:
    load(any_runtime, seeds)
    before = stamps(site)
    assert only(jobs.publish_feeds(any_runtime)) == {}
    report = jobs.rebuild(any_runtime)
    assert (report.written, report.removed) == (0, 0)
    assert report.unchanged == 18
    assert stamps(site) == before


def test_a_change_touches_its_topics_only(runtime: Runtime, seeds: Seeds, site: Path) -> None:
    load(runtime, seeds)
    before = stamps(site)
    seeds.write("a.md", title="Later goal", url="https://example.org/a", body=FOOTBALL)
    jobs.ingest_seeds(runtime)
    assert only(jobs.publish_feeds(runtime)) == {"topics": 1, "written": 6}
    after = stamps(site)
    assert {name for name in after if after[name] != before[name]} == {
        f"{slug}.{form}" for slug in ("all", "sport") for form in FORMATS
    }


def test_what_changes_no_article_makes_nothing_wait_for_publication(
    runtime: Runtime, seeds: Seeds
) -> None:
    load(runtime, seeds)
    bad = seeds.write("bad.md", text="# Only a title\n")
    jobs.ingest_seeds(runtime)
    assert jobs.status(runtime).dirty == 0
    bad.unlink()
    jobs.ingest_seeds(runtime)
    assert jobs.status(runtime).dirty == 0


def test_the_same_seeds_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    trees = []
    for number, order in enumerate((range(8), reversed(range(8)))):
        root = tmp_path / str(number)
        (root / "seeds").mkdir(parents=True)
        seeds = Seeds(root / "seeds")
        with open_site(root) as runtime:
            for index in order:
                seeds.write(
                    f"{index}.md",
                    title=f"Match {index}",
                    url=f"https://example.org/{index}",
                    date=f"2024-05-{index + 1:02}",
                    body=FOOTBALL,
                )
                jobs.ingest_seeds(runtime, names=[f"seeds/{index}.md"])
            jobs.publish_feeds(runtime)
        trees.append(tree(root))
    assert trees[0] == trees[1]


def test_a_database_lost_and_rebuilt_from_seeds_gives_the_same_feeds(
    site: Path, seeds: Seeds
) -> None:
    with open_site(site) as runtime:
        load(runtime, seeds)
    before = tree(site)
    shutil.rmtree(site / "data")
    with open_site(site) as runtime:
        report = jobs.rebuild(runtime)
    assert tree(site) == before
    assert (report.articles, report.written) == (2, 0)


def test_damaged_or_lost_files_are_written_again_by_a_rebuild(
    runtime: Runtime, seeds: Seeds, site: Path
) -> None:
    load(runtime, seeds)
    before = tree(site)
    (site / "feeds" / "sport.rss").write_bytes(b"garbage")
    (site / "feeds" / "all.atom").unlink()
    assert jobs.rebuild(runtime).written == 2
    assert tree(site) == before


def test_a_topic_that_vanished_loses_its_files(
    any_runtime: Runtime, seeds: Seeds, site: Path
) -> None:
    load(any_runtime, seeds)
    (seeds.folder / "a.md").unlink()
    seeds.write("c.md", title="Jail", url="https://example.org/c", body=COURT)
    jobs.ingest_seeds(any_runtime, accept_deletions=True)
    report = jobs.publish_feeds(any_runtime)
    assert report.removed == 3
    assert {name for name in tree(site) if name.startswith("sport")} == set()
    assert "sport" not in (site / "feeds" / "index.opml").read_text()
    assert sorted(entries(site, "all")) == ["Jail", "Prison"]


def test_an_edit_modifies_its_entry_and_makes_none_new(
    runtime: Runtime, seeds: Seeds, site: Path
) -> None:
    load(runtime, seeds)
    before = feedparser.parse((site / "feeds" / "all.atom").read_bytes()).entries
    seeds.write("a.md", title="Later goal", url="https://example.org/a", body=FOOTBALL)
    jobs.ingest_seeds(runtime)
    jobs.publish_feeds(runtime)
    after = feedparser.parse((site / "feeds" / "all.atom").read_bytes()).entries
    assert {entry.id for entry in after} == {entry.id for entry in before}
    changed = {a.id for a in after for b in before if a.id == b.id and a.updated != b.updated}
    assert len(changed) == 1


def test_another_address_of_the_site_keeps_every_id(site: Path, seeds: Seeds) -> None:
    with open_site(site) as runtime:
        load(runtime, seeds)
    before = {e.id for e in feedparser.parse((site / "feeds" / "all.rss").read_bytes()).entries}
    feed_id = feedparser.parse((site / "feeds" / "all.atom").read_bytes()).feed.id
    with open_site(site, site={"base_url": "https://feeds.example.org"}) as runtime:
        assert jobs.publish_feeds(runtime).written == 16
    text = (site / "feeds" / "all.rss").read_text()
    assert "127.0.0.1" not in text
    moved = (site / "feeds" / "all.atom").read_text()
    assert feedparser.parse(moved).feed.id == feed_id
    assert {entry.id for entry in feedparser.parse(text).entries} == before


def test_a_feed_holds_the_last_entries_and_archive_pages_the_others(
    site: Path, seeds: Seeds
) -> None:
    seeds.many(16)
    with open_site(site, feeds={"entries": 5}) as runtime:
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
        assert len(entries(site, "all")) == 6
        assert len(entries(site, "all/0001")) == len(entries(site, "all/0002")) == 5
        # An old piece that is added now is news to subscribers.
        seeds.write("old.md", title="Old", url="https://example.org/old", date="1999-01-01")
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
        assert "Old" in entries(site, "all")
        assert len(entries(site, "all")) == 7


def test_a_changed_vocabulary_sorts_again_and_touches_only_what_changes(
    any_runtime: Runtime, seeds: Seeds, site: Path
) -> None:
    load(any_runtime, seeds)
    before = feedparser.parse((site / "feeds" / "all.atom").read_bytes()).entries
    own = '\n[[topic]]\nslug = "goals"\nlabel = "Goals"\nkeywords = ["late goal^9", "striker^9", "championship^9"]\n'
    (site / "config").mkdir(exist_ok=True)
    from feedsvc.classify import default_vocabulary

    (site / "config" / "topics.toml").write_text(default_vocabulary() + own)
    report = jobs.publish_feeds(any_runtime)
    assert report.resorted == 1
    assert entries(site, "goals") == ["Late goal"]
    assert entries(site, "crime-law-justice") == ["Prison"]
    after = feedparser.parse((site / "feeds" / "all.atom").read_bytes()).entries
    assert [(e.id, e.updated) for e in after] == [(e.id, e.updated) for e in before]
    assert only(jobs.publish_feeds(any_runtime)) == {}


def test_a_wrong_vocabulary_is_an_error_but_never_stops_a_running_site(
    runtime: Runtime, seeds: Seeds, site: Path
) -> None:
    load(runtime, seeds)
    (site / "config").mkdir(exist_ok=True)
    (site / "config" / "topics.toml").write_text("[[topic]\n")
    seeds.write("c.md", title="Jail", url="https://example.org/c", body=COURT)
    jobs.ingest_seeds(runtime)
    jobs.publish_feeds(runtime)
    assert "Jail" in entries(site, "all")
    with (
        open_site(site) as fresh,
        pytest.raises(ConfigurationError, match=r"config/topics\.toml:1"),
    ):
        jobs.ingest_seeds(fresh)


def test_a_persons_word_is_sticky_and_can_be_taken_back(
    any_runtime: Runtime, seeds: Seeds, site: Path
) -> None:
    load(any_runtime, seeds)
    scores = jobs.set_topics(any_runtime, "seeds/a.md", ["politics", "weather"])
    assert [(one.topic.slug, one.source) for one in scores] == [
        ("politics", TopicSource.PERSON),
        ("weather", TopicSource.PERSON),
    ]
    jobs.publish_feeds(any_runtime)
    assert entries(site, "politics") == entries(site, "weather") == ["Late goal"]
    assert not (site / "feeds" / "sport.atom").exists()
    seeds.write("a.md", title="Another goal", url="https://example.org/a", body=FOOTBALL)
    jobs.ingest_seeds(any_runtime)
    jobs.publish_feeds(any_runtime)
    assert entries(site, "weather") == ["Another goal"]
    jobs.reset_topics(any_runtime, "seeds/a.md")
    jobs.publish_feeds(any_runtime)
    assert entries(site, "sport") == ["Another goal"]


def test_an_unknown_article_or_topic_is_named(runtime: Runtime, seeds: Seeds) -> None:
    load(runtime, seeds)
    with pytest.raises(NotFound, match="seeds/zzz"):
        jobs.set_topics(runtime, "seeds/zzz.md", ["sport"])
    with pytest.raises(NotFound, match="sport"):
        jobs.rebuild(runtime, topic="spord")


def test_a_mistyped_topic_is_refused_unless_it_is_meant_to_be_new(
    runtime: Runtime, seeds: Seeds
) -> None:
    load(runtime, seeds)
    with pytest.raises(NotFound, match="did you mean 'sport'"):
        jobs.set_topics(runtime, "seeds/a.md", ["sprot"])
    (score,) = jobs.set_topics(runtime, "seeds/a.md", ["Local derbies"], new=True)
    assert (score.topic.slug, score.topic.label) == ("local-derbies", "Local derbies")
    # Known from now on, with the label it was given.
    (score,) = jobs.set_topics(runtime, "seeds/b.md", ["local-derbies"])
    assert score.topic.label == "Local derbies"


def test_front_matter_has_the_last_word_and_says_so(runtime: Runtime, seeds: Seeds) -> None:
    seeds.write("own.md", text="---\ntitle: T\ntopics: [weather]\n---\n\nIt rained all day.\n")
    jobs.ingest_seeds(runtime)
    with pytest.raises(ConfigurationError, match="front matter"):
        jobs.set_topics(runtime, "seeds/own.md", ["sport"])


def test_an_explanation_names_the_words_that_decided(runtime: Runtime, seeds: Seeds) -> None:
    load(runtime, seeds)
    article, explanation, stored = jobs.explain_topics(runtime, "seeds/a.md")
    assert article.title == "Late goal"
    assert [one.topic.slug for one in stored] == ["sport"]
    assert "goal" in repr(explanation)


def test_an_empty_site_has_an_empty_feed_of_everything(
    runtime: Runtime, seeds: Seeds, site: Path
) -> None:
    assert seeds.folder.exists()
    jobs.ingest_seeds(runtime)
    jobs.publish_feeds(runtime)
    assert set(tree(site)) == files("all")
    assert entries(site, "all") == []


def test_hostile_articles_never_spoil_a_feed(runtime: Runtime, seeds: Seeds, site: Path) -> None:
    seeds.write("nul.md", title="Nul \0 and \x1b[31m", url="https://example.org/1")
    seeds.write("cdata.md", title="End ]]> of", url="https://example.org/2", body="]]>\n<b>x")
    seeds.write("long.md", title="word " * 200_000, url="https://example.org/3")
    seeds.write("markup.md", title="<script>x</script> & co", url="https://example.org/4")
    seeds.write("bidi.md", title="abc \u202e def", url="https://example.org/5")
    seeds.write("good.md", title="Good", url="https://example.org/6")
    jobs.ingest_seeds(runtime)
    jobs.publish_feeds(runtime)
    for form in ("rss", "atom"):
        assert "Good" in entries(site, "all", form)
        assert len(entries(site, "all", form)) >= 5


def test_ids_in_feeds_are_those_of_the_original_url(
    runtime: Runtime, seeds: Seeds, site: Path
) -> None:
    seeds.write("ferry.md")
    jobs.ingest_seeds(runtime)
    jobs.publish_feeds(runtime)
    (entry,) = feedparser.parse((site / "feeds" / "all.rss").read_bytes()).entries
    import uuid

    expected = uuid.uuid5(uuid.NAMESPACE_URL, "https://example.org/ferry")
    assert entry.id == f"urn:uuid:{expected}"
    assert Clock()().isoformat() not in (site / "feeds" / "all.rss").read_text()


def test_feed_files_that_were_lost_are_written_by_the_next_publish(
    runtime: Runtime, seeds: Seeds, site: Path
) -> None:
    load(runtime, seeds)
    before = tree(site)
    shutil.rmtree(site / "feeds")
    assert jobs.publish_feeds(runtime).written == 18
    assert tree(site) == before
    (site / "feeds" / "index.opml").unlink()
    (site / "feeds" / "sport.rss").write_bytes(b"cut")
    jobs.publish_feeds(runtime)
    assert tree(site) == before
    assert only(jobs.publish_feeds(runtime)) == {}


def test_what_was_mended_in_an_article_is_told_once_until_it_is_edited(
    runtime: Runtime, seeds: Seeds
) -> None:
    text = "---\ntitle: One\nauthor: Ada\ndate: 0412-03-02\n---\n\n{words}\n"
    seeds.write("one.md", text=text.format(words="Words."))
    seeds.write("two.md", title="Two", url="https://example.org/2")
    jobs.ingest_seeds(runtime)
    (told,) = jobs.publish_feeds(runtime).mended
    assert "0412-03-02 not believed" in told
    with runtime.database.transaction() as store:
        store.mark_whole()
    assert jobs.publish_feeds(runtime).mended == ()
    seeds.write("one.md", text=text.replace("title: One", "title: Uno").format(words="Words."))
    jobs.ingest_seeds(runtime)
    (again,) = jobs.publish_feeds(runtime).mended
    assert "Uno" in again
