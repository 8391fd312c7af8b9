"""What a feed says, and in which order, before any format."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from feedsvc.model import Archived, Category, FeedItem, Site, Topic, Verdict
from feedsvc.publish import compose_feed, topic_channel
from feedsvc.publish.compose import FEED_LIMIT
from feedsvc.publish.dates import EMPTY
from feedsvc.publish.entries import ENTRY_LIMIT

MakeItem = Callable[..., FeedItem]


def test_entries_stand_newest_first_and_ties_are_broken_by_id(
    conflict: Topic, site: Site, make_item: MakeItem
) -> None:
    noon = datetime(2024, 6, 3, 12, tzinfo=UTC)
    items = [make_item(1), make_item(2, published=noon), make_item(3, published=noon)]
    feed = compose_feed(topic_channel(conflict), items, site=site, entry_link="article")
    ids = [entry.id for entry in feed.entries]
    assert ids[2] == items[0].article.entry_id
    assert ids[:2] == sorted(ids[:2], reverse=True)


def test_same_items_in_any_order_give_the_same_feed(
    conflict: Topic, site: Site, samples: list[FeedItem]
) -> None:
    feed = compose_feed(topic_channel(conflict), samples, site=site, entry_link="article")
    shuffled = random.Random(7).sample([*samples, samples[0]], k=len(samples) + 1)
    assert compose_feed(topic_channel(conflict), shuffled, site=site, entry_link="article") == feed


def test_withdrawn_articles_are_left_out(conflict: Topic, site: Site, make_item: MakeItem) -> None:
    items = [make_item(1), make_item(2, withdrawn=datetime(2024, 7, 1, tzinfo=UTC))]
    feed = compose_feed(topic_channel(conflict), items, site=site, entry_link="article")
    assert [entry.id for entry in feed.entries] == [items[0].article.entry_id]


def test_feed_is_as_new_as_its_last_changed_entry(
    conflict: Topic, site: Site, make_item: MakeItem
) -> None:
    edited = datetime(2025, 1, 1, 8, 30, tzinfo=UTC)
    items = [make_item(1, updated=edited), make_item(2)]
    assert (
        compose_feed(topic_channel(conflict), items, site=site, entry_link="article").updated
        == edited
    )


def test_empty_feed_has_a_fixed_date_that_is_plausible(every: Topic, site: Site) -> None:
    feed = compose_feed(topic_channel(every), [], site=site, entry_link="article")
    assert feed.entries == ()
    assert feed.updated == EMPTY
    assert feed.updated.year >= 1990


def test_topic_feed_names_its_page_and_its_addresses(conflict: Topic, site: Site) -> None:
    feed = compose_feed(topic_channel(conflict), [], site=site, entry_link="article")
    assert feed.title == "Standards Digest: Conflict, war and peace"
    assert feed.subtitle == conflict.definition
    assert feed.home == "http://127.0.0.1:8080/topics/conflict-war-peace"
    assert feed.urls == {
        "rss": "http://127.0.0.1:8080/feeds/conflict-war-peace.rss",
        "atom": "http://127.0.0.1:8080/feeds/conflict-war-peace.atom",
        "json": "http://127.0.0.1:8080/feeds/conflict-war-peace.json",
    }
    assert feed.id.startswith("urn:uuid:")


def test_feed_of_everything_is_named_after_the_site(every: Topic, site: Site) -> None:
    feed = compose_feed(topic_channel(every), [], site=site, entry_link="article")
    assert (feed.title, feed.home) == ("Standards Digest", "http://127.0.0.1:8080/")


def test_feed_id_differs_by_topic_and_by_site(conflict: Topic, every: Topic, site: Site) -> None:
    elsewhere = replace(site, base_url="https://mirror.example.org")
    ids = {
        compose_feed(topic_channel(topic), [], site=where, entry_link="article").id
        for topic in (conflict, every)
        for where in (site, elsewhere)
    }
    assert len(ids) == 4


def test_entry_id_does_not_change_with_the_address_of_the_site(
    conflict: Topic, site: Site, make_item: MakeItem
) -> None:
    elsewhere = replace(site, base_url="https://mirror.example.org")
    here, there = (
        compose_feed(
            topic_channel(conflict), [make_item(1)], site=where, entry_link="article"
        ).entries[0]
        for where in (site, elsewhere)
    )
    assert here.id == there.id
    assert here.link != there.link


@pytest.mark.parametrize(
    ("entry_link", "url", "link"),
    [
        pytest.param("article", "https://example.org/a", "article", id="article"),
        pytest.param("original", "https://example.org/a", "https://example.org/a", id="original"),
        pytest.param("original", None, "article", id="no-original"),
    ],
)
def test_entry_leads_where_the_setting_says(
    conflict: Topic, site: Site, make_item: MakeItem, entry_link: str, url: str | None, link: str
) -> None:
    item = make_item(1, url=url)
    entry = compose_feed(topic_channel(conflict), [item], site=site, entry_link=entry_link).entries[
        0
    ]
    page = f"http://127.0.0.1:8080/articles/{item.article.id}"
    assert entry.link == (page if link == "article" else link)


def test_content_ends_with_original_and_snapshot(
    conflict: Topic, site: Site, make_item: MakeItem
) -> None:
    item = make_item(
        1, url="https://www.example.org/a?b=1&c=2", agency="Example Press", credit="J & L"
    )
    entry = compose_feed(topic_channel(conflict), [item], site=site, entry_link="article").entries[
        0
    ]
    assert entry.content.startswith(item.article.html)
    assert entry.content.endswith(
        '<p><em>Originally published at <a href="https://www.example.org/a?b=1&amp;c=2"'
        ' rel="via external">example.org</a>.'
        ' <a href="http://127.0.0.1:8080/snapshots/01HZ0001/" rel="related">'
        "Archived copy of 1 June 2024</a>."
        " Agency: Example Press. Photo: J &amp; L.</em></p>"
    )
    assert entry.original == "https://www.example.org/a?b=1&c=2"
    assert entry.snapshot == Archived(
        url="http://127.0.0.1:8080/snapshots/01HZ0001/",
        date=datetime(2024, 6, 1, 23, 30, tzinfo=UTC),
        verdict=Verdict.VERIFIED,
        digest="sha256:" + "0" * 64,
        size=4096,
    )


@pytest.mark.parametrize(
    ("url", "archived", "says", "is_silent_about"),
    [
        pytest.param("https://example.org/a", False, "Originally", "Archived", id="no-snapshot"),
        pytest.param(None, True, "Archived", "Originally", id="no-original"),
        pytest.param("javascript:alert(1)", False, "", "Originally", id="no-web-address"),
    ],
)
def test_closing_line_says_only_what_is_true(
    conflict: Topic,
    site: Site,
    make_item: MakeItem,
    url: str | None,
    archived: bool,
    says: str,
    is_silent_about: str,
) -> None:
    item = make_item(1, url=url, archived=archived)
    content = (
        compose_feed(topic_channel(conflict), [item], site=site, entry_link="article")
        .entries[0]
        .content
    )
    assert says in content
    assert is_silent_about not in content


def test_closing_line_is_marked_as_english_in_a_foreign_article(
    conflict: Topic, site: Site, make_item: MakeItem
) -> None:
    item = make_item(1, language="ar")
    entry = compose_feed(topic_channel(conflict), [item], site=site, entry_link="article").entries[
        0
    ]
    assert '<p lang="en" dir="ltr"><em>Originally' in entry.content
    assert entry.language == "ar"


def test_categories_are_iptc_codes_or_slugs_of_our_own(
    conflict: Topic, syndication: Topic, site: Site, make_item: MakeItem
) -> None:
    item = make_item(1, topics=(conflict, syndication, conflict))
    entry = compose_feed(topic_channel(conflict), [item], site=site, entry_link="article").entries[
        0
    ]
    assert entry.categories == (
        Category("16000000", "conflict, war and peace", "http://cv.iptc.org/newscodes/mediatopic/"),
        Category("syndication", "syndication & feeds", "http://127.0.0.1:8080/topics/"),
    )


def test_agency_signs_an_article_without_author(
    conflict: Topic, site: Site, make_item: MakeItem
) -> None:
    items = [make_item(1, author=None, agency="Example Press"), make_item(2, author=None)]
    feed = compose_feed(topic_channel(conflict), items, site=site, entry_link="article")
    assert [entry.author for entry in feed.entries] == [None, "Example Press"]


def test_picture_leads_the_content_unless_the_text_shows_it(
    conflict: Topic, site: Site, make_item: MakeItem
) -> None:
    picture = "https://example.org/p.png"
    shown = f'<p><img src="{picture}"></p>'
    items = [make_item(1, image=picture), make_item(2, image=picture, html=shown)]
    second, first = compose_feed(
        topic_channel(conflict), items, site=site, entry_link="article"
    ).entries
    assert first.content.startswith(f'<p><img src="{picture}" alt=""></p>\n<p>The body')
    assert second.content.count("<img") == 1


def test_article_over_the_limit_is_published_as_summary_and_link(
    conflict: Topic, site: Site, make_item: MakeItem
) -> None:
    items = [make_item(1, html="<p>" + "x" * ENTRY_LIMIT + "</p>"), make_item(2)]
    small, large = compose_feed(
        topic_channel(conflict), items, site=site, entry_link="article"
    ).entries
    assert "The body of article 2" in small.content
    assert len(large.content) < 2_000
    assert "What article 1 says." in large.content
    assert f'<a href="{large.link}">Read the whole article</a>' in large.content
    assert "Archived copy of" in large.content


def test_feed_of_long_articles_stays_below_the_limit_of_readers(
    conflict: Topic, site: Site, make_item: MakeItem
) -> None:
    body = "<p>" + "x&amp;" * 60_000 + "</p>"
    items = [make_item(number, html=body) for number in range(1, 12)]
    feed = compose_feed(topic_channel(conflict), items, site=site, entry_link="article")
    whole = [body in entry.content for entry in feed.entries]
    assert sum(len(entry.content) for entry in feed.entries) < FEED_LIMIT
    assert whole == sorted(whole, reverse=True)
    assert 0 < whole.count(True) < 11


@pytest.mark.parametrize(
    "absurd",
    [
        pytest.param(datetime.min.replace(tzinfo=UTC), id="year-1"),
        pytest.param(datetime.max.replace(tzinfo=UTC), id="year-9999"),
        pytest.param(datetime.min.replace(tzinfo=timezone(timedelta(hours=9))), id="underflow"),
        pytest.param(datetime.max.replace(tzinfo=timezone(timedelta(hours=-9))), id="overflow"),
    ],
)
def test_absurd_date_neither_leads_the_feed_nor_dates_it(
    conflict: Topic, site: Site, make_item: MakeItem, absurd: datetime
) -> None:
    items = [make_item(1), make_item(2, published=absurd, updated=absurd)]
    feed = compose_feed(topic_channel(conflict), items, site=site, entry_link="article")
    assert feed.entries[0].id == items[0].article.entry_id
    assert feed.updated == items[0].article.updated
    assert feed.entries[1].published == EMPTY


def test_date_without_zone_is_in_utc(conflict: Topic, site: Site, make_item: MakeItem) -> None:
    naive = datetime(2024, 5, 31, 12)  # noqa: DTZ001 - naive on purpose
    item = make_item(1, published=naive, updated=naive)
    feed = compose_feed(topic_channel(conflict), [item], site=site, entry_link="article")
    assert feed.updated == datetime(2024, 5, 31, 12, tzinfo=UTC)


def test_historical_date_is_kept(conflict: Topic, site: Site, make_item: MakeItem) -> None:
    old = datetime(1865, 4, 15, 12, tzinfo=UTC)
    item = make_item(1, published=old, updated=old)
    assert (
        compose_feed(topic_channel(conflict), [item], site=site, entry_link="article").updated
        == old
    )


def test_entry_without_title_and_text_still_says_something(
    conflict: Topic, site: Site, make_item: MakeItem
) -> None:
    nothing = {"title": " \u202e", "html": "", "summary": "", "text": "", "url": None}
    items = [
        make_item(1, archived=False, **nothing),
        make_item(2, archived=False, **(nothing | {"summary": "First words."})),
    ]
    second, first = compose_feed(
        topic_channel(conflict), items, site=site, entry_link="article"
    ).entries
    assert (first.title, first.content) == ("Untitled", "<p>Untitled</p>")
    assert second.title == "First words."


def test_long_title_is_cut(conflict: Topic, site: Site, make_item: MakeItem) -> None:
    item = make_item(1, title="word " * 200_000)
    title = (
        compose_feed(topic_channel(conflict), [item], site=site, entry_link="article")
        .entries[0]
        .title
    )
    assert len(title) <= 500
    assert title.endswith("word…")


def test_nameless_site_still_has_feeds_with_names(every: Topic) -> None:
    site = Site(title="", base_url="http://feeds.example.org", author="", language="klingon")
    feed = compose_feed(topic_channel(every), [], site=site, entry_link="article")
    assert (feed.title, feed.author, feed.language) == (
        "feeds.example.org",
        "feeds.example.org",
        "",
    )
