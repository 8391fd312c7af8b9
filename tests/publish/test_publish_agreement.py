"""Laws of the writers: formats agree, order makes no difference, nothing kept is out of date."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedsvc.model import Feed, FeedItem, Image, Place, Site, Tombstone, Topic
from feedsvc.publish import FEED_FORMATS, Kept, compose_feed, render, topic_channel
from feedsvc.publish.dates import EMPTY
from feedsvc.publish.safe import address
from feedsvc.urls import InvalidURL, absolute
from tests.publish.feed_reading import read
from tests.publish.test_publish_hostile import fields

MakeItem = Callable[..., FeedItem]
Complaints = Callable[[bytes], list[str]]

lawful = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
pictures = st.none() | st.builds(
    Image,
    st.just("https://example.org/p.jpg"),
    st.sampled_from([None, "image/jpeg"]),
    st.sampled_from([None, 0, 77]),
    st.sampled_from([None, 640]),
    st.sampled_from([None, 480]),
)


@lawful
@given(
    articles=st.lists(st.tuples(fields, pictures, pictures, st.booleans()), min_size=1, max_size=4),
    place=st.sampled_from([Place(), Place(older=2), Place(1, newer=2), Place(2, 1)]),
)
def test_formats_agree_entry_by_entry(
    articles: list[tuple[dict[str, Any], Image | None, Image | None, bool]],
    place: Place,
    conflict: Topic,
    site: Site,
    make_item: MakeItem,
    complaints: Complaints,
) -> None:
    items = [
        make_item(
            number,
            picture=picture,
            thumbnail=thumbnail,
            archived=archived,
            # feedparser takes whatever stands where an RSS entry without a summary has its text.
            **(values | {"summary": f"Said: {values['summary']}"}),
        )
        for number, (values, picture, thumbnail, archived) in enumerate(articles, start=1)
    ]
    feed = compose_feed(
        topic_channel(conflict), items, site=site, entry_link="original", place=place
    )
    written = [render(feed, name) for name in FEED_FORMATS]
    assert [complaint for one in written for complaint in complaints(one.data)] == []
    assert [one.problems for one in written] == [(), (), ()]
    rss, atom, jsonfeed = (read(one.data) for one in written)
    assert rss.entries == atom.entries == jsonfeed.entries
    assert len(rss.entries) == len(items)
    for other in (atom, jsonfeed):
        assert (other.title, other.subtitle, other.home) == (rss.title, rss.subtitle, rss.home)
        assert (other.older is None) == (rss.older is None)


@pytest.mark.parametrize("name", list(FEED_FORMATS))
def test_same_data_in_any_order_gives_the_same_bytes(
    name: str, conflict: Topic, site: Site, samples: list[FeedItem]
) -> None:
    chance = random.Random(11)
    tombstones = [
        Tombstone(f"urn:uuid:{number:08x}-0000-5000-8000-000000000000", EMPTY + timedelta(number))
        for number in range(4)
    ]

    def written() -> bytes:
        feed = compose_feed(
            topic_channel(conflict),
            chance.sample(samples, k=len(samples)),
            site=site,
            entry_link="article",
            tombstones=chance.sample(tombstones, k=len(tombstones)),
        )
        return render(feed, name).data

    assert len({written() for _ in range(8)}) == 1


# --- what was kept --------------------------------------------------------------------------


def everything(feed: Feed, kept: Kept | None = None) -> list[bytes]:
    return [render(feed, name, kept=kept).data for name in FEED_FORMATS]


def test_kept_entries_give_the_bytes_of_new_ones(
    conflict: Topic, syndication: Topic, every: Topic, site: Site, samples: list[FeedItem]
) -> None:
    kept = Kept()
    places = [Place(), Place(older=1), Place(3, older=2, newer=4)]
    for topic in (conflict, syndication, every):
        for n, place in enumerate(places):
            arguments: dict[str, Any] = {
                "site": replace(site, language=("en", "ru")[n % 2]),
                "entry_link": "article",
                "place": place,
            }
            channel, items = topic_channel(topic), samples[n:]
            feed = compose_feed(channel, items, kept=kept, **arguments)
            assert feed == compose_feed(channel, items, **arguments)
            assert everything(feed, kept) == everything(feed)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param({"title": "Another title"}, id="title"),
        pytest.param({"html": "<p>Another text.</p>"}, id="text"),
        pytest.param({"author": None}, id="author"),
        pytest.param({"language": "de"}, id="language"),
        pytest.param({"picture": Image("https://e.org/p", "image/png", 5)}, id="picture"),
    ],
)
def test_nothing_kept_outlives_an_edit(
    edit: dict[str, Any], conflict: Topic, site: Site, make_item: MakeItem
) -> None:
    kept = Kept()

    def composed(item: FeedItem, kept: Kept | None) -> Feed:
        items = [item, make_item(2)]
        return compose_feed(
            topic_channel(conflict), items, site=site, entry_link="article", kept=kept
        )

    before = composed(make_item(1), kept)
    everything(before, kept)
    after = composed(make_item(1, **edit), kept)
    assert after == composed(make_item(1, **edit), None)
    assert everything(after, kept) == everything(after) != everything(before)


def test_entry_that_cannot_be_written_spoils_nothing_kept(
    conflict: Topic, site: Site, samples: list[FeedItem]
) -> None:
    kept = Kept()
    feed = compose_feed(topic_channel(conflict), samples, site=site, entry_link="article")
    broken = replace(feed.entries[2], content="\x00")
    spoiled = replace(feed, entries=(*feed.entries[:2], broken, *feed.entries[3:]))
    for _ in range(2):
        assert everything(spoiled, kept) == everything(spoiled)
    assert everything(feed, kept) == everything(feed)


def test_what_is_kept_stays_within_its_budget() -> None:
    kept = Kept(100)
    for number in range(10):
        kept.put(number, str(number), size=30)
        assert kept.get(0) == ("0" if number < 3 or number else None)
    assert [number for number in range(10) if kept.get(number)] == [0, 8, 9]
    kept.put("larger than all", "x", size=101)
    assert kept.get("larger than all") is None


# --- the short way for usual addresses ------------------------------------------------------

_parts = st.text("aZ09./~-_?&=+%#:@é ", max_size=12)


@given(st.tuples(st.sampled_from(["http://", "https://", "HTTP://", ""]), _parts, _parts))
def test_short_way_gives_the_address_the_long_way_gives(parts: tuple[str, str, str]) -> None:
    scheme, host, path = parts
    url = f"{scheme}{host}example.org{path}"
    try:
        expected: str | None = absolute(url)
    except InvalidURL:
        expected = None
    assert address(url) == expected
