"""RSS and Atom, byte for byte and as a feed reader sees them."""

from __future__ import annotations

import calendar
import locale
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import feedparser
import pytest
from lxml import etree

from feedsvc.model import Category, Feed, FeedItem, Site, Topic
from feedsvc.publish import FEED_FORMATS, MEDIA_TYPES, compose_feed, render, topic_channel
from feedsvc.publish.dates import distinct_updates
from tests.publish.feed_reading import read

MakeItem = Callable[..., FeedItem]
Complaints = Callable[[bytes], list[str]]
Golden = Callable[[str, bytes], None]

both_formats = pytest.mark.parametrize("name", ["rss", "atom"])
every_format = pytest.mark.parametrize("name", list(FEED_FORMATS))


@pytest.fixture
def feed(conflict: Topic, site: Site, samples: list[FeedItem]) -> Feed:
    return compose_feed(topic_channel(conflict), samples, site=site, entry_link="article")


@every_format
def test_feed_is_written_as_agreed(name: str, feed: Feed, golden: Golden) -> None:
    golden(f"conflict.{name}", FEED_FORMATS[name](feed).data)


@every_format
def test_empty_feed_is_written_as_agreed(
    name: str, every: Topic, site: Site, golden: Golden, complaints: Complaints
) -> None:
    data = render(
        compose_feed(topic_channel(every), [], site=site, entry_link="article"), name
    ).data
    golden(f"empty.{name}", data)
    assert complaints(data) == []


@every_format
@pytest.mark.parametrize("entry_link", ["article", "original"])
def test_validator_has_nothing_to_say(
    name: str,
    entry_link: str,
    conflict: Topic,
    site: Site,
    samples: list[FeedItem],
    complaints: Complaints,
) -> None:
    feed = compose_feed(topic_channel(conflict), samples, site=site, entry_link=entry_link)
    rendered = FEED_FORMATS[name](feed)
    assert complaints(rendered.data) == []
    assert rendered.problems == ()


@both_formats
def test_feed_reader_sees_every_field(name: str, feed: Feed) -> None:
    parsed: Any = feedparser.parse(FEED_FORMATS[name](feed).data)
    assert not parsed.bozo
    assert parsed.version == {"rss": "rss20", "atom": "atom10"}[name]
    assert parsed.feed.title == feed.title
    assert parsed.feed.subtitle == feed.subtitle
    assert parsed.feed.link == feed.home
    assert parsed.feed.language == "en"
    assert [link.href for link in parsed.feed.links if link.rel == "self"] == [feed.urls[name]]
    assert calendar.timegm(parsed.feed.updated_parsed) == int(feed.updated.timestamp())
    for entry, seen in zip(feed.entries, parsed.entries, strict=True):
        assert seen.id == entry.id
        assert seen.title == entry.title
        assert seen.link == entry.link
        assert seen.content[0].type == "text/html"
        assert "Photo:" in seen.content[0].value or "credit" not in entry.content
        assert calendar.timegm(seen.published_parsed) == int(entry.published.timestamp())
        assert calendar.timegm(seen.updated_parsed) == int(entry.updated.timestamp())
        links = {link.rel: link.href for link in seen.links}
        assert links.get("via") == entry.original
        assert links.get("related") == (entry.snapshot and entry.snapshot.url)
        assert [tag.scheme for tag in seen.tags] == [
            category.scheme for category in entry.categories
        ]


@both_formats
def test_feed_reader_sees_pictures_with_type_and_length(name: str, feed: Feed) -> None:
    parsed: Any = feedparser.parse(FEED_FORMATS[name](feed).data)
    base = "http://127.0.0.1:8080/snapshots/01HZ0005"
    pictures = [
        ([(one.href, one.type, one.length) for one in seen.enclosures], seen.get("media_thumbnail"))
        for seen in parsed.entries
        if seen.get("media_thumbnail")
    ]
    assert pictures == [
        ([], [{"url": "https://example.org/picture.png"}]),
        (
            [(f"{base}/image", "image/jpeg", "48213")],
            [{"url": f"{base}/thumbnail", "width": "240", "height": "160"}],
        ),
    ]


def test_feed_reader_sees_author_summary_and_codes(feed: Feed) -> None:
    rss, atom = (
        feedparser.parse(FEED_FORMATS[name](feed).data).entries for name in ("rss", "atom")
    )
    number = [entry.title.startswith("Ceasefire") for entry in feed.entries].index(True)
    for seen in (rss[number], atom[number]):
        assert seen.author == "Ada Writer"
        assert seen.summary == "Guns are silent &amp; 3 &lt; 4, says the ministry."
    assert [tag.term for tag in atom[number].tags] == ["16000000", "syndication"]
    assert [tag.term for tag in rss[number].tags] == [
        "conflict, war and peace",
        "syndication & feeds",
    ]


def test_every_atom_entry_names_an_author(feed: Feed) -> None:
    root = etree.fromstring(FEED_FORMATS["atom"](feed).data)
    names = [
        entry.findtext("a:author/a:name", namespaces={"a": "http://www.w3.org/2005/Atom"})
        for entry in root.findall("a:entry", {"a": "http://www.w3.org/2005/Atom"})
    ]
    assert names.count("Ada Writer") == 3
    assert names.count("The Editors") == 2


def test_atom_entry_in_another_language_says_so(
    conflict: Topic, site: Site, make_item: MakeItem
) -> None:
    items = [
        make_item(number, language=tag)
        for number, tag in enumerate([None, "en", "pt_br", "zh-hant", "tlhIngan"], start=1)
    ]
    feed = compose_feed(topic_channel(conflict), items, site=site, entry_link="article")
    root = etree.fromstring(FEED_FORMATS["atom"](feed).data)
    key = "{http://www.w3.org/XML/1998/namespace}lang"
    assert root.get(key) == "en"
    said = [entry.get(key) for entry in root.findall("{http://www.w3.org/2005/Atom}entry")]
    assert said == ["", "zh-Hant", "pt-BR", None, None]


def test_no_two_entries_share_atom_updated(
    conflict: Topic, site: Site, make_item: MakeItem, complaints: Complaints
) -> None:
    noon = datetime(2024, 5, 31, 12, tzinfo=UTC)
    items = [make_item(number, published=noon, updated=noon) for number in range(1, 60)]
    feed = compose_feed(topic_channel(conflict), items, site=site, entry_link="article")
    assert complaints(FEED_FORMATS["atom"](feed).data) == []
    moments = distinct_updates(feed.entries)
    assert {moment.replace(microsecond=0) for moment in moments.values()} == {noon}


def test_atom_updated_of_an_entry_is_the_same_in_every_feed(
    conflict: Topic, site: Site, make_item: MakeItem
) -> None:
    feed = compose_feed(
        topic_channel(conflict), [make_item(1), make_item(2)], site=site, entry_link="article"
    )
    alone = distinct_updates(feed.entries[:1])
    assert alone.items() <= distinct_updates(feed.entries).items()


def test_moments_that_collide_are_told_apart(feed: Feed) -> None:
    when = datetime(2024, 5, 31, 12, 0, 0, 5, tzinfo=UTC)
    entries = [replace(entry, updated=when) for entry in feed.entries]
    moments = distinct_updates(entries)
    assert sorted(moment.microsecond for moment in moments.values()) == [5, 6, 7, 8, 9]
    assert distinct_updates(entries[::-1]) == moments


def test_rss_titles_are_written_with_hex_references(feed: Feed) -> None:
    data = FEED_FORMATS["rss"](feed).data
    assert "<title>Ceasefire holds: “R&#x26;D” of &#x3C;peace&gt;</title>".encode() in data
    assert b">syndication &#x26; feeds</category>" in data


@every_format
def test_bytes_depend_neither_on_locale_nor_time_zone_nor_process(
    name: str, feed: Feed, tmp_path: Path
) -> None:
    stored = tmp_path / "feed.pickle"
    stored.write_bytes(pickle.dumps(feed))
    program = (
        "import locale, pathlib, pickle, sys\n"
        "from feedsvc.publish import FEED_FORMATS\n"
        "locale.setlocale(locale.LC_ALL, '')\n"
        "feed = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "sys.stdout.buffer.write(FEED_FORMATS[sys.argv[2]](feed).data)\n"
    )
    environment = os.environ | {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(stored), name],
        env=environment,
        capture_output=True,
        check=True,
    )
    assert done.stdout == FEED_FORMATS[name](feed).data


@every_format
def test_locale_of_the_process_is_left_alone(
    name: str, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    monkeypatch.setattr(locale, "setlocale", lambda *arguments: calls.append(arguments))
    FEED_FORMATS[name](feed)
    assert calls == []


def test_threads_write_the_same_bytes(feed: Feed) -> None:
    written: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: written.append(FEED_FORMATS["rss"](feed).data))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(written) == {FEED_FORMATS["rss"](feed).data}
    assert len(written) == 8


@every_format
def test_entry_that_cannot_be_written_is_left_out_and_reported(
    name: str, feed: Feed, complaints: Complaints
) -> None:
    broken = replace(feed.entries[1], content="lone surrogate \ud800", title="Bad\x1b[0m one")
    entries = (feed.entries[0], broken, *feed.entries[2:])
    rendered = FEED_FORMATS[name](replace(feed, entries=entries))
    assert complaints(rendered.data) == []
    assert len(read(rendered.data).entries) == len(feed.entries) - 1
    assert rendered.problems == (
        f"entry {broken.id} ('Bad[0m one') left out:"
        " it holds characters that no XML document can hold",
    )


@both_formats
def test_category_without_scheme_is_written_without_one(name: str, feed: Feed) -> None:
    entry = replace(feed.entries[0], categories=(Category("loose", "Loose ends"),))
    data = FEED_FORMATS[name](replace(feed, entries=(entry,))).data
    assert {
        "rss": b"<category>Loose ends</category>",
        "atom": b'<category term="loose" label="Loose ends"/>',
    }[name] in data


def test_neither_feedgen_nor_lxml_is_loaded_before_a_feed_is_written() -> None:
    program = (
        "import sys, feedsvc.publish\n"
        "assert not {'lxml', 'feedgen', 'dateutil'} & set(sys.modules), sorted(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_format_has_a_media_type() -> None:
    assert MEDIA_TYPES.keys() >= FEED_FORMATS.keys()
    assert MEDIA_TYPES["rss"].startswith("application/rss+xml")
    assert MEDIA_TYPES["atom"].startswith("application/atom+xml")
    assert MEDIA_TYPES["json"].startswith("application/feed+json")
