"""Laws of searches as feeds: what a search finds, in every format, is a feed like all others."""

from __future__ import annotations

import json
from datetime import timedelta

import feedparser
import pytest

from feedsvc import jobs
from tests.web.conftest import NOON, Library, Served

FORMATS = ("/search.rss", "/search.atom", "/search.feed.json")


@pytest.fixture
def filled(library: Library) -> Library:
    for number in range(60):
        library.article(
            f"Ferry <number> {number}", text="A ferry.", published=NOON + timedelta(hours=number)
        )
    library.article("Weather", text="It rains.")
    jobs.index_articles(library.runtime)
    return library


def test_the_latest_that_a_search_finds_is_a_feed_in_every_format(
    filled: Library, web: Served
) -> None:
    feeds = []
    for path in FORMATS:
        answer = web.get(f"{path}?q=ferry%20-rain")
        assert answer.status_code == 200
        if path.endswith(".json"):
            said = json.loads(answer.content)
            feeds.append([one["id"] for one in said["items"]])
            own = said["feed_url"]
        else:
            read = feedparser.parse(answer.content)
            assert not read.bozo
            feeds.append([one.id for one in read.entries])
            own = next(one.href for one in read.feed.links if one.rel == "self")
        assert own == f"{filled.runtime.site.base_url}{path}?q=ferry+-rain"
    assert feeds[0] == feeds[1] == feeds[2]
    assert len(feeds[0]) == 50
    with filled.runtime.database.reading() as store:
        wanted = [f"urn:uuid:{one.id}" for one in store.newest(61) if one.title != "Weather"]
    assert feeds[0] == wanted[:50]


def test_the_same_search_is_the_same_feed_and_unchanged_until_it_finds_more(
    filled: Library, web: Served
) -> None:
    first = web.get("/search.atom?q=ferry&author=")
    assert web.get("/search.atom?author=&q=ferry").content == first.content
    tag = {"if-none-match": first.headers["etag"]}
    assert web.get("/search.atom?q=ferry", headers=tag).status_code == 304
    filled.article("A new ferry", published=NOON + timedelta(days=30))
    jobs.index_articles(filled.runtime)
    second = web.get("/search.atom?q=ferry", headers=tag)
    assert second.status_code == 200
    before, after = feedparser.parse(first.content), feedparser.parse(second.content)
    assert (after.feed.id, after.entries[0].title) == (before.feed.id, "A new ferry")
    other = feedparser.parse(web.get("/search.atom?q=rain").content)
    assert other.feed.id != before.feed.id


def test_what_asks_for_nothing_is_told_so(filled: Library, web: Served) -> None:
    for path in FORMATS:
        assert web.get(path).status_code == 400
        assert web.get(f"{path}?q=%00%22(((&topic=%FF").status_code in {200, 400}


def test_the_page_leads_to_its_feeds(filled: Library, web: Served) -> None:
    page = web.get("/search?q=ferry%20%26%20boat").text
    for path in FORMATS:
        assert f'href="{path}?q=ferry+%26+boat"' in page
