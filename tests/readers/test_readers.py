"""Laws that readers rely on, held by feedparser and by `reader`, over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import feedparser
import httpx
import pytest
import reader

from tests.readers.served import FORMATS, TOPIC, ServedSite, served_site

ARTICLES = 23
SLUGS = ("all", TOPIC)


def everything(site: ServedSite) -> list[str]:
    """Return the address of every feed document that is published."""
    folder = site.root / "feeds"
    return [
        f"{site.base}/feeds/{path.relative_to(folder).as_posix()}"
        for path in sorted(folder.rglob("*"))
        if path.suffix[1:] in FORMATS
    ]


class Subscriber:
    """`reader`, subscribed to feeds."""

    def __init__(self, path: Path, feeds: list[str]) -> None:
        self._reader = reader.make_reader(str(path), plugins=[])
        for feed in feeds:
            self._reader.add_feed(feed)

    def poll(self) -> dict[str, tuple[int, int]]:
        """Fetch every feed; return how many entries are new and modified in each."""
        found = {}
        for result in self._reader.update_feeds_iter(scheduled=False):
            value: Any = result.value
            assert not isinstance(value, Exception), value
            found[result.url] = (value.new, value.modified) if value else (0, 0)
        return found

    def entries(self, feed: str) -> list[Any]:
        return list(self._reader.get_entries(feed=feed))


def news(site: ServedSite) -> list[str]:
    return [site.feed(slug, form) for slug in SLUGS for form in FORMATS]


@pytest.fixture
def subscriber(site: ServedSite, tmp_path: Path) -> Subscriber:
    return subscribed(site, tmp_path)


def subscribed(site: ServedSite, tmp_path: Path) -> Subscriber:
    """Subscribe to the news and read it once."""
    subscriber = Subscriber(tmp_path / "reader.sqlite", news(site))
    first = subscriber.poll()
    assert set(first) == set(news(site))
    assert len(set(first.values())) == 1  # all formats show the same
    assert first.popitem()[1][0] > 0
    site.asked()
    return subscriber


def test_reader_gets_the_same_entries_from_every_format(still: ServedSite, tmp_path: Path) -> None:
    subscriber = subscribed(still, tmp_path)
    seen = []
    for form in FORMATS:
        entries = subscriber.entries(still.feed("all", form))
        seen.append({(one.id, one.title, one.link, one.published) for one in entries})
        assert all(one.content and "left the harbour" in one.content[0].value for one in entries)
    assert seen[0] == seen[1] == seen[2]


def test_the_second_poll_is_304_for_every_document(still: ServedSite, tmp_path: Path) -> None:
    subscriber = subscribed(still, tmp_path)
    assert set(subscriber.poll().values()) == {(0, 0)}
    answers = still.asked()
    assert len(answers) == len(news(still))
    assert {status for _, status in answers} == {304}


def test_feedparser_gets_304_by_tag_and_by_date_for_every_document(still: ServedSite) -> None:
    for url in everything(still):
        if url.endswith(".json"):
            continue
        first = feedparser.parse(url)
        assert (first.status, first.bozo) == (200, False), url
        for known in ({"etag": first.etag}, {"modified": first.modified}):
            assert feedparser.parse(url, **known).status == 304, url


def test_after_an_edit_one_entry_is_modified_and_none_is_new(
    site: ServedSite, subscriber: Subscriber
) -> None:
    site.clock.advance(hours=1)
    site.article(ARTICLES - 1, body="The ferry left the harbour an hour late.\n")
    site.publish()
    assert set(subscriber.poll().values()) == {(0, 1)}


def test_one_more_article_is_one_new_entry(site: ServedSite, subscriber: Subscriber) -> None:
    site.clock.advance(hours=1)
    site.article(ARTICLES)
    site.publish()
    assert set(subscriber.poll().values()) == {(1, 0)}


def test_after_the_site_moved_nothing_is_new(site: ServedSite, subscriber: Subscriber) -> None:
    site.open(base_url=f"http://localhost:{site.port}/news")
    assert {new for new, _ in subscriber.poll().values()} == {0}


def test_after_the_database_was_lost_nothing_is_new_or_modified(
    site: ServedSite, subscriber: Subscriber
) -> None:
    site.lose_the_database()
    site.clock.advance(days=1)
    site.open()
    assert set(subscriber.poll().values()) == {(0, 0)}


def test_after_a_topic_was_renamed_nothing_is_new(site: ServedSite, subscriber: Subscriber) -> None:
    site.vocabulary("ports", TOPIC)
    site.clock.advance(hours=1)
    site.publish()
    assert {new for new, _ in subscriber.poll().values()} == {0}
    moved = {path: status for path, status in site.asked() if status == 301}
    assert set(moved) == {f"/feeds/{TOPIC}.{form}" for form in FORMATS}
    # What was answered by the new name is remembered as the old one's.
    subscriber.poll()
    assert {status for _, status in site.asked()} == {301, 304}


# --- whole history --------------------------------------------------------------------------


def walk_xml(url: str) -> list[list[str]]:
    """Return the ids of each document from the head back, as RFC 5005 §4 links them."""
    documents = []
    while url:
        feed = feedparser.parse(url)
        documents.append([entry.id for entry in feed.entries])
        url = next((link.href for link in feed.feed.links if link.rel == "prev-archive"), "")
    return documents


def walk_json(url: str) -> list[list[str]]:
    """Return the ids of each document from the head back, as JSON Feed's next_url links them."""
    documents = []
    while url:
        feed = httpx.get(url, trust_env=False).json()
        documents.append([item["id"] for item in feed["items"]])
        url = feed.get("next_url", "")
    return documents


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize(
    ("form", "walk"), [("rss", walk_xml), ("atom", walk_xml), ("json", walk_json)]
)
def test_a_walk_through_the_archive_finds_every_entry_once(
    still: ServedSite, slug: str, form: str, walk: Callable[[str], list[list[str]]]
) -> None:
    documents = walk(still.feed(slug, form))
    ids = [one for document in documents for one in document]
    assert len(documents) > 2
    assert len(ids) == len(set(ids)) == ARTICLES


def test_every_listed_feed_leads_to_a_page_that_leads_back(tmp_path: Path) -> None:
    with served_site(tmp_path) as site:
        site.article(1)
        site.open(also=("authors", "agencies", "hosts", "changes", "gone"))
        outline = httpx.get(f"{site.base}/feeds/index.opml", trust_env=False).text
        feeds = re.findall(r'xmlUrl="([^"]+)"', outline)
        pages = re.findall(r'htmlUrl="([^"]+)"', outline)
        assert any("/authors/" in feed for feed in feeds)
        assert any("/hosts/" in feed for feed in feeds)
        assert len(feeds) == len(pages) > 4
        for feed, page in zip(feeds, pages, strict=True):
            assert httpx.get(feed, trust_env=False).status_code == 200
            shown = httpx.get(page, trust_env=False)
            assert shown.status_code == 200, page
            assert feed.removeprefix(site.base) in shown.text
            bare = httpx.get(feed.rpartition(".")[0], trust_env=False)
            assert (bare.status_code, bare.headers["location"]) == (
                308,
                page.removeprefix(site.base),
            )
