"""The list of all feeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from lxml import etree

from feedsvc.model import Channel, ChannelKind, Site, Topic
from feedsvc.publish import opml, topic_channel

Golden = Callable[[str, bytes], None]

BASE = "http://127.0.0.1:8080"


@pytest.fixture
def channels(conflict: Topic, syndication: Topic, every: Topic) -> list[Channel]:
    """Return a channel of every kind, and two topics."""
    return [
        topic_channel(every),
        topic_channel(conflict),
        topic_channel(syndication),
        Channel(ChannelKind.AUTHOR, "authors/ada-writer", "Ada Writer"),
        Channel(ChannelKind.AGENCY, "agencies/example-press", "Example Press"),
        Channel(ChannelKind.HOST, "hosts/example.org", "example.org"),
        Channel(ChannelKind.SEARCH, "searches/standards", "standards"),
        Channel(ChannelKind.CHANGES, "changes", ""),
        Channel(ChannelKind.GONE, "gone", ""),
        Channel(ChannelKind.STATUS, "status", ""),
    ]


def outlines(data: bytes) -> list[dict[str, str]]:
    return [
        {str(k): str(v) for k, v in found.attrib.items()}
        for found in etree.fromstring(data).iter("outline")
        if found.get("type")
    ]


def test_list_is_written_as_agreed(site: Site, channels: list[Channel], golden: Golden) -> None:
    golden("index.opml", opml(site, channels))


def test_order_of_channels_makes_no_difference(site: Site, channels: list[Channel]) -> None:
    assert opml(site, channels) == opml(site, channels[::-1])


def test_feeds_stand_in_folders_by_kind(site: Site, channels: list[Channel]) -> None:
    root = etree.fromstring(opml(site, channels))
    folders = {found.get("text"): len(found) for found in root.iterfind("body/outline")}
    assert folders == {
        "Standards Digest": 0,
        "Topics": 2,
        "Authors": 1,
        "Agencies": 1,
        "Sources": 1,
        "Searches": 1,
        "Watching": 3,
    }


def test_list_is_opml_2_that_readers_import_in_one_step(
    site: Site, channels: list[Channel]
) -> None:
    root = etree.fromstring(opml(site, channels))
    assert (root.tag, root.get("version")) == ("opml", "2.0")
    assert [child.tag for child in root] == ["head", "body"]
    assert all(found.get("text") for found in root.iter("outline"))
    feeds = outlines(opml(site, channels))
    assert len({feed["xmlUrl"] for feed in feeds}) == len(channels)
    assert all(feed.keys() == {"type", "text", "title", "xmlUrl", "htmlUrl"} for feed in feeds)
    assert {feed["type"] for feed in feeds} == {"rss"}


def test_feed_of_everything_stands_first_even_where_nothing_is_stored(
    site: Site, every: Topic
) -> None:
    assert opml(site, []) == opml(site, [topic_channel(every)])
    [only] = outlines(opml(site, []))
    assert only["xmlUrl"] == f"{BASE}/feeds/all.atom"
    assert only["htmlUrl"] == f"{BASE}/"


def test_outline_has_what_validators_and_readers_want(site: Site, conflict: Topic) -> None:
    outline = outlines(opml(site, [topic_channel(conflict)]))[1]
    assert outline == {
        "type": "rss",
        "text": "Standards Digest: Conflict, war and peace",
        "title": "Standards Digest: Conflict, war and peace",
        "xmlUrl": f"{BASE}/feeds/conflict-war-peace.atom",
        "htmlUrl": f"{BASE}/topics/conflict-war-peace",
    }


def test_markup_in_a_label_reads_the_same_as_text_and_as_html(site: Site) -> None:
    channel = topic_channel(Topic(slug="x", label='<b> & "q"'))
    assert outlines(opml(site, [channel]))[1]["text"] == 'Standards Digest: ‹b› & "q"'


def test_channel_is_listed_once(site: Site, conflict: Topic) -> None:
    channel = topic_channel(conflict)
    again = replace(channel, label="conflict")
    assert len(outlines(opml(site, [channel, again]))) == 2
