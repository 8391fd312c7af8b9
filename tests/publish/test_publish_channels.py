"""Channels of every kind, the documents of one, and feeds of notices."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape
from itertools import pairwise
from typing import Any

import pytest

from feedsvc.model import (
    Category,
    Channel,
    ChannelKind,
    Feed,
    FeedItem,
    Notice,
    Place,
    Site,
    Tombstone,
    Topic,
)
from feedsvc.publish import (
    FEED_FORMATS,
    compose_feed,
    compose_notices,
    feed_path,
    render,
    topic_channel,
)
from feedsvc.publish.compose import FEED_LIMIT
from tests.publish.feed_reading import read

MakeItem = Callable[..., FeedItem]
Complaints = Callable[[bytes], list[str]]

BASE = "http://127.0.0.1:8080"
NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
HUB = "https://hub.example.org/"


@pytest.mark.parametrize(
    ("channel", "title", "page", "subtitle"),
    [
        pytest.param(
            Channel(ChannelKind.ALL, "all", "all"),
            "Standards Digest",
            "/",
            "Every article of Standards Digest, with links to originals and archived copies.",
            id="all",
        ),
        pytest.param(
            Channel(ChannelKind.TOPIC, "arts", "arts"),
            "Standards Digest: Arts",
            "/topics/arts",
            "Articles about Arts.",
            id="topic",
        ),
        pytest.param(
            Channel(ChannelKind.AUTHOR, "authors/ada-writer", "Ada Writer"),
            "Standards Digest: Ada Writer",
            "/authors/ada-writer",
            "Articles by Ada Writer.",
            id="author",
        ),
        pytest.param(
            Channel(ChannelKind.AGENCY, "agencies/dpa", "dpa"),
            "Standards Digest: dpa",
            "/agencies/dpa",
            "Articles from dpa.",
            id="agency",
        ),
        pytest.param(
            Channel(ChannelKind.HOST, "hosts/example.org", "example.org"),
            "Standards Digest: example.org",
            "/hosts/example.org",
            "Articles first published at example.org.",
            id="host",
        ),
        pytest.param(
            Channel(ChannelKind.SEARCH, "searches/atom", "atom", "All about Atom."),
            "Standards Digest: atom",
            "/searches/atom",
            "All about Atom.",
            id="search",
        ),
        pytest.param(
            Channel(ChannelKind.GONE, "gone", ""),
            "Standards Digest: Originals that are gone",
            "/gone",
            "Originals of Standards Digest that vanished, moved or are blocked.",
            id="gone",
        ),
    ],
)
def test_channel_of_any_kind_has_title_page_and_subtitle(
    channel: Channel, title: str, page: str, subtitle: str, site: Site
) -> None:
    feed = compose_feed(channel, [], site=site, entry_link="article")
    assert (feed.title, feed.home, feed.subtitle) == (title, BASE + page, subtitle)
    assert feed.urls["json"] == f"{BASE}/feeds/{channel.slug}.json"


def test_site_says_whose_it_is_what_it_looks_like_and_how_often_to_ask(site: Site) -> None:
    said = replace(site, rights="CC BY <4.0>\x00", logo=f"{BASE}/logo.png", ttl_minutes=15)
    feed = compose_feed(Channel(ChannelKind.ALL, "all", ""), [], site=said, entry_link="article")
    rss, atom, json = (render(feed, name).data.decode() for name in FEED_FORMATS)
    assert "<copyright>CC BY &lt;4.0&gt;</copyright>" in rss
    assert f"<url>{BASE}/logo.png</url>" in rss
    assert "<ttl>15</ttl>" in rss
    assert f"<logo>{BASE}/logo.png</logo>" in atom
    assert "<rights>CC BY &lt;4.0&gt;</rights>" in atom
    assert f'"icon":"{BASE}/logo.png"' in json
    assert '"rights":"CC BY <4.0>"' in json


def test_rss_shows_no_logo_it_has_no_word_for(site: Site, complaints: Complaints) -> None:
    said = replace(site, logo=f"{BASE}/logo.svg")
    feed = compose_feed(Channel(ChannelKind.ALL, "all", ""), [], site=said, entry_link="article")
    assert [complaints(render(feed, name).data) for name in FEED_FORMATS] == [[], [], []]
    assert b"logo.svg" not in render(feed, "rss").data
    assert b"logo.svg" in render(feed, "atom").data


# --- the documents of a channel -------------------------------------------------------------


@pytest.fixture
def documents(conflict: Topic, site: Site, make_item: MakeItem) -> list[Feed]:
    """Return the documents of a channel, the oldest archive page first, the head last."""
    places = [Place(1, newer=2), Place(2, older=1, newer=3), Place(3, older=2), Place(older=3)]
    return [
        compose_feed(
            topic_channel(conflict),
            [make_item(3 * n + i) for i in (1, 2, 3)],
            site=site,
            entry_link="article",
            place=place,
            hubs=[HUB],
            tombstones=[Tombstone("urn:uuid:0d8f6d47-5f0e-5b3f-8a5a-111111111111", NOON, "gone")],
        )
        for n, place in enumerate(places)
    ]


@pytest.mark.parametrize("name", list(FEED_FORMATS))
def test_validator_has_nothing_to_say_of_archives(
    name: str, documents: list[Feed], complaints: Complaints
) -> None:
    assert [complaints(render(feed, name).data) for feed in documents] == [[]] * 4


@pytest.mark.parametrize("name", list(FEED_FORMATS))
def test_whole_channel_is_walked_back_from_its_head(name: str, documents: list[Feed]) -> None:
    written = {feed.urls[name]: read(render(feed, name).data) for feed in documents}
    at: str | None = f"{BASE}/feeds/conflict-war-peace.{name}"
    seen: list[str] = []
    while at is not None:
        assert written[at].own == at
        seen += [entry.id for entry in written[at].entries]
        at = written[at].older
    assert len(seen) == len(set(seen)) == 12


def test_archive_pages_name_each_other_both_ways_and_the_head(documents: list[Feed]) -> None:
    *pages, head = documents
    assert [feed.archive for feed in documents] == [True, True, True, False]
    for older, newer in pairwise(documents):
        assert newer.prev_archive == older.urls
        assert older.next_archive == ({} if newer is head else newer.urls)
    assert all(page.current == head.urls for page in pages)
    assert (pages[0].prev_archive, head.next_archive, head.current) == ({}, {}, {})


def test_archive_page_does_not_change_with_hubs_and_tombstones(documents: list[Feed]) -> None:
    *pages, head = documents
    assert [(page.hubs, page.tombstones) for page in pages] == [((), ())] * 3
    assert head.hubs == (HUB,)
    assert len(head.tombstones) == 1


def test_all_documents_of_a_channel_are_one_feed(
    documents: list[Feed], conflict: Topic, site: Site
) -> None:
    shared = compose_feed(
        topic_channel(conflict), [], site=site, entry_link="article", root="feeds/private/t0ken"
    )
    assert {feed.id for feed in documents} == {shared.id}


def test_private_feed_names_no_public_address_but_the_front_page(
    conflict: Topic, site: Site
) -> None:
    feed = compose_feed(
        topic_channel(conflict),
        [],
        site=site,
        entry_link="article",
        place=Place(2, older=1),
        root="feeds/private/t0ken",
    )
    root = f"{BASE}/feeds/private/t0ken/conflict-war-peace"
    assert feed.urls["atom"] == f"{root}/0002.atom"
    assert feed.prev_archive["json"] == f"{root}/0001.json"
    assert feed.current["rss"] == f"{root}.rss"
    assert feed.home == f"{BASE}/"
    public = f"{BASE}/feeds/conflict".encode()
    assert all(public not in render(feed, name).data for name in FEED_FORMATS)


@pytest.mark.parametrize(
    ("page", "path"),
    [(None, "sport.atom"), (1, "sport/0001.atom"), (12_345, "sport/12345.atom")],
)
def test_document_has_a_path_of_four_digits_or_more(page: int | None, path: str) -> None:
    assert feed_path("sport", "atom", page=page) == path


def test_hub_is_named_once_and_only_if_it_is_an_address(
    conflict: Topic, site: Site, complaints: Complaints
) -> None:
    hubs = ["not an address", HUB, HUB, "https://other.example.org/"]
    feed = compose_feed(topic_channel(conflict), [], site=site, entry_link="article", hubs=hubs)
    assert feed.hubs == (HUB, "https://other.example.org/")
    for name in FEED_FORMATS:
        data = render(feed, name).data
        assert complaints(data) == []
        assert read(data).hub == HUB


def test_tombstones_are_the_newest_of_what_is_not_there(
    conflict: Topic, site: Site, make_item: MakeItem, complaints: Complaints
) -> None:
    item = make_item(1)
    gone = "urn:uuid:0d8f6d47-5f0e-5b3f-8a5a-111111111111"
    tombstones = [
        Tombstone(item.article.entry_id, NOON, "it is back"),
        Tombstone(gone, NOON, "first"),
        Tombstone(gone, NOON + timedelta(days=1), "then\x00 <b>"),
    ]

    def composed(order: list[Tombstone]) -> Feed:
        return compose_feed(
            topic_channel(conflict), [item], site=site, entry_link="article", tombstones=order
        )

    feed = composed(tombstones)
    assert feed.tombstones == (Tombstone(gone, NOON + timedelta(days=1), "then <b>"),)
    assert composed(tombstones[::-1]) == feed
    atom = render(feed, "atom").data
    assert complaints(atom) == []
    assert f'ref="{gone}" when="2024-06-02T12:00:00+00:00"'.encode() in atom
    assert b"tombstones" not in render(replace(feed, tombstones=()), "atom").data
    assert gone.encode() not in render(feed, "rss").data


# --- notices --------------------------------------------------------------------------------


def make_notice(number: int, **fields: Any) -> Notice:
    when = NOON + timedelta(hours=number)
    notice = Notice(
        id=f"0d8f6d47-5f0e-5b3f-8a5a-{number:012x}",
        title=f"Original {number} is gone",
        link=f"{BASE}/articles/{number}",
        html=f"<p>It answers with 404 since {number} o'clock.</p>",
        summary="It answers with 404.",
        published=when,
        updated=when,
        categories=(Category("gone", "gone", f"{BASE}/gone"),),
        original=f"https://example.org/{number}",
        author="feedsvc",
    )
    return replace(notice, **fields)


GONE = Channel(ChannelKind.GONE, "gone", "")


@pytest.mark.parametrize("name", list(FEED_FORMATS))
def test_notices_become_entries(name: str, site: Site, complaints: Complaints) -> None:
    feed = compose_notices(GONE, [make_notice(1), make_notice(2)], site=site, hubs=[HUB])
    data = render(feed, name).data
    assert complaints(data) == []
    newest, _ = read(data).entries
    assert newest.id == "urn:uuid:0d8f6d47-5f0e-5b3f-8a5a-000000000002"
    assert newest.title == "Original 2 is gone"
    assert newest.link == f"{BASE}/articles/2"
    assert newest.original == "https://example.org/2"
    assert newest.content == "<p>It answers with 404 since 2 o'clock.</p>"
    assert newest.published == NOON + timedelta(hours=2)
    assert read(data).hub == HUB


def test_order_of_notices_makes_no_difference(site: Site) -> None:
    notices = [make_notice(number) for number in range(9)]
    shuffled = random.Random(3).sample([*notices, notices[0]], k=10)
    assert compose_notices(GONE, shuffled, site=site) == compose_notices(GONE, notices, site=site)


def test_hostile_notice_does_no_harm(site: Site, complaints: Complaints) -> None:
    bad = "\x00</p>]]>\ud800\u202e <script>"
    hostile = make_notice(
        1,
        title=bad,
        html=f"<p>{escape(bad)}</p>",
        summary=bad,
        author=bad,
        original=bad,
        categories=(Category(bad, bad, bad), Category("", "", None), Category(bad, bad, bad)),
        published=datetime.min.replace(tzinfo=UTC),
    )
    feed = compose_notices(GONE, [hostile, make_notice(2, title="", html="")], site=site)
    rendered = [render(feed, name) for name in FEED_FORMATS]
    assert [complaints(one.data) for one in rendered] == [[], [], []]
    assert [len(read(one.data).entries) for one in rendered] == [2, 2, 2]


def test_notices_that_are_too_long_are_shortened(site: Site) -> None:
    long = "<p>" + "x" * (FEED_LIMIT // 3) + "</p>"
    notices = [make_notice(number, html=long) for number in range(4)]
    feed = compose_notices(GONE, notices, site=site)
    assert [len(entry.content) > 1_000 for entry in feed.entries] == [True, True, False, False]
    assert f'<a href="{BASE}/articles/0">Read the whole article</a>' in feed.entries[-1].content
