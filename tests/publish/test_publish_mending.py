"""What is done to articles no feed could hold as they are is told, once and in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from lxml import etree

from feedsvc.model import Category, Feed, FeedItem, Image, Site, Topic
from feedsvc.publish import FEED_FORMATS, Kept, compose_feed, render, topic_channel
from feedsvc.publish.entries import ENTRY_LIMIT
from feedsvc.publish.safe import plain
from tests.publish.feed_reading import read

MakeItem = Callable[..., FeedItem]
Complaints = Callable[[bytes], list[str]]


@pytest.fixture
def compose(conflict: Topic, site: Site) -> Callable[..., Feed]:
    """Return a maker of feeds: `compose(items, kept)`."""

    def compose(items: list[FeedItem], kept: Kept | None = None) -> Feed:
        return compose_feed(
            topic_channel(conflict), items, site=site, entry_link="article", kept=kept
        )

    return compose


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"title": "Bell\x07"}, "title cleaned", id="control"),
        pytest.param({"title": "\u202eevil"}, "title cleaned", id="bidi"),
        pytest.param({"title": "The </p> tag"}, "title cleaned", id="markup"),
        pytest.param({"title": "x" * 600}, "title cut to 500 characters", id="long"),
        pytest.param({"title": "\x00"}, "title missing, another found; title cleaned", id="none"),
        pytest.param({"author": "A\ud800B"}, "author cleaned", id="surrogate"),
        pytest.param({"summary": "a\x1bb"}, "summary cleaned", id="summary"),
        pytest.param(
            {"html": "<p>\ufffd\x00</p>"}, "unreadable characters of the text replaced", id="text"
        ),
        pytest.param(
            {"published": datetime(9999, 1, 2, tzinfo=UTC)},
            "date 9999-01-02 not believed",
            id="date",
        ),
        pytest.param(
            {"url": "javascript:alert(1)"},
            "original address left out, which is none of the web",
            id="address",
        ),
        pytest.param(
            {"image": "file:///etc/passwd"},
            "picture left out, whose address is none of the web",
            id="picture",
        ),
        pytest.param(
            {"language": "tlhIngan"},
            "language 'tlhIngan' left out, which is unknown",
            id="language",
        ),
        pytest.param(
            {"html": "x" * (ENTRY_LIMIT + 1)},
            f"text of {ENTRY_LIMIT + 1:,} characters published as summary and link",
            id="length",
        ),
    ],
)
def test_repair_is_told_in_words(
    fields: dict[str, Any], told: str, make_item: MakeItem, compose: Callable[..., Feed]
) -> None:
    feed = compose([make_item(1), make_item(2, **fields)])
    entry = feed.entries[0]
    key = entry.id.removeprefix("urn:uuid:")
    assert feed.mended == {key: f"entry {entry.id} ({entry.title!r}) mended: {told}"}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"title": "  Two \n lines "}, id="white-space"),
        pytest.param({"title": "Füße 👩\u200d💻 العربية 3 < 4 & 5"}, id="scripts"),
        pytest.param({"html": "<p>line\r\nends\r</p>"}, id="line-ends"),
        pytest.param({"summary": "word " * 900}, id="long-summary"),
        pytest.param({"url": None, "author": None, "language": "pt_BR"}, id="nothing-known"),
        pytest.param({"html": "<pre>]]&gt;</pre>"}, id="cdata"),
    ],
)
def test_nothing_is_told_of_an_article_that_is_whole(
    fields: dict[str, Any], make_item: MakeItem, compose: Callable[..., Feed]
) -> None:
    assert compose([make_item(1, **fields)]).mended == {}


def test_repair_is_told_in_the_same_words_by_every_feed(
    make_item: MakeItem, compose: Callable[..., Feed]
) -> None:
    kept = Kept()
    bad = make_item(1, title="\x00Bad")
    alone, among = compose([bad], kept), compose([make_item(2), bad, make_item(3)], kept)
    assert alone.mended == among.mended == compose([bad]).mended != {}


HOSTILE: list[dict[str, Any]] = [
    {"title": "Control \x00\x01\x08\x0b\x0c\x1b\x1f\x7f\x85\x9f end"},
    {"title": "End ]]> of <![CDATA[ x ]]> \x00", "html": "<p>]]&gt; &lt;![CDATA[ \x00</p>"},
    {"title": "<script>alert(1)</script>", "html": "<p>&lt;script&gt;\ufffe</p>"},
    {"title": "Unclosed </b>", "html": "<p><b><i>unclosed \x07<div>"},
    {"title": "Emoji 👩\u200d💻🇺🇦 \ufffd", "html": "<p>👩\u200d💻\U0001ffff</p>"},
    {"title": "\u200f\u202eright to left\u2066 שלום", "html": "<p dir='rtl'>\u202e\x02</p>"},
    {"title": "Year 1", "published": datetime.min.replace(tzinfo=UTC)},
    {"title": "Year 9999", "updated": datetime.max.replace(tzinfo=UTC)},
    {"title": "Huge " * 20_000},
    {"title": "Lone \ud800 surrogates \udfff", "html": "<p>\ud800</p>", "author": "\udc80"},
    {"title": "", "summary": "", "html": "", "text": ""},
    {"title": "Entity", "html": "<p>&nbsp;&bogus;&#0;&#xD800;\x00</p>", "url": "//[::1"},
    {"title": "e" + "\u0301" * 300, "html": "<p>e\u0301\x00</p>"},
    {"title": "Address", "url": "https://user:pass@example.org/", "image": "data:,x"},
    {"title": "Language", "language": "x" * 300, "credit": "</p>\x00"},
    {"title": "Nul", "summary": "\x00" * 50, "agency": "\ufffe"},
]
LONG = {"title": "A megabyte \x00", "html": "<p>" + "word &amp; ]]&gt; " * 70_000 + "</p>"}


@pytest.mark.no_cover  # tracing makes the time two or three times what it is
def test_a_thousand_hostile_articles_leave_every_document_valid_and_are_told_once_each(
    make_item: MakeItem,
    compose: Callable[..., Feed],
    complaints: Complaints,
) -> None:
    items = [
        make_item(number, **(LONG if number % 200 == 0 else HOSTILE[number % len(HOSTILE)]))
        for number in range(1000)
    ]
    kept = Kept()
    told: list[str] = []
    for start in range(0, 1000, 50):
        feed = compose(items[start : start + 50], kept)
        told += feed.mended.values()
        rendered = [render(feed, name, kept=kept) for name in FEED_FORMATS]
        assert [one.problems for one in rendered] == [(), (), ()]
        for one in rendered:
            assert complaints(one.data) == []
        assert [_ids(one.data) for one in rendered] == [[entry.id for entry in feed.entries]] * 3
    assert len(told) == len(set(told)) == 1000
    assert all(sum(item.article.entry_id in line for line in told) == 1 for item in items[::97])


def _ids(data: bytes) -> list[str]:
    if data.startswith(b"{"):
        return [item["id"] for item in json.loads(data)["items"]]
    root = etree.fromstring(data, etree.XMLParser(huge_tree=True))
    found = [*root.iter("guid"), *root.iterfind("{*}entry/{*}id")]
    return [str(one.text) for one in found]


@pytest.mark.parametrize("name", list(FEED_FORMATS))
def test_feed_reader_takes_one_of_every_hostile_kind(
    name: str, make_item: MakeItem, compose: Callable[..., Feed]
) -> None:
    feed = compose([make_item(n, **fields) for n, fields in enumerate(HOSTILE)])
    assert [seen.id for seen in read(render(feed, name).data).entries] == [
        entry.id for entry in feed.entries
    ]


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param({name: bad}, id=f"{name}-{number}")
        for name in ("id", "title", "link", "summary", "content", "author", "original", "language")
        for number, bad in enumerate(["\x00", "a\x0bb", "\ud800", "\uffff"])
    ]
    + [
        pytest.param({"categories": (Category("a", "b", "urn:\x01"),)}, id="scheme"),
        pytest.param({"categories": (Category("a\ufffe", "b"),)}, id="term"),
        pytest.param({"image": Image("https://e.org/\x02", "a/b", 1)}, id="image"),
        pytest.param({"image": Image("https://e.org/", "a/\x02", 1)}, id="type"),
        pytest.param({"thumbnail": Image("https://e.org/\x02")}, id="thumbnail"),
    ],
)
def test_what_cannot_be_written_is_told_in_the_same_words_by_every_format(
    spoilt: dict[str, Any], make_item: MakeItem, compose: Callable[..., Feed]
) -> None:
    feed = compose([make_item(1), make_item(2), make_item(3)])
    first, second, third = feed.entries
    second = replace(second, **spoilt)
    broken = replace(feed, entries=(first, second, replace(third, summary="\x00")))
    problems = {render(broken, name).problems for name in FEED_FORMATS}
    assert problems == {
        tuple(
            f"entry {plain(entry.id)} ({plain(entry.title)!r}) left out:"
            " it holds characters that no XML document can hold"
            for entry in (second, third)
        )
    }
