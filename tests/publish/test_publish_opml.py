"""The list of all feeds."""

from __future__ import annotations

from collections.abc import Callable

from lxml import etree

from feedsvc.model import Site, Topic
from feedsvc.publish import opml

Golden = Callable[[str, bytes], None]


def outlines(data: bytes) -> list[dict[str, str]]:
    return [
        {str(k): str(v) for k, v in found.attrib.items()}
        for found in etree.fromstring(data).iter("outline")
    ]


def test_list_is_written_as_agreed(
    site: Site, conflict: Topic, syndication: Topic, golden: Golden
) -> None:
    golden("index.opml", opml(site, [syndication, conflict]))


def test_order_of_topics_makes_no_difference(
    site: Site, conflict: Topic, syndication: Topic, every: Topic
) -> None:
    feeds = [conflict, syndication, every]
    assert opml(site, feeds) == opml(site, feeds[::-1])


def test_feed_of_everything_stands_first_even_where_nothing_is_stored(
    site: Site, every: Topic
) -> None:
    assert opml(site, []) == opml(site, [every])
    [only] = outlines(opml(site, []))
    assert only["xmlUrl"] == "http://127.0.0.1:8080/feeds/all.atom"
    assert only["htmlUrl"] == "http://127.0.0.1:8080/"


def test_outline_has_what_validators_and_readers_want(site: Site, conflict: Topic) -> None:
    outline = outlines(opml(site, [conflict]))[1]
    assert outline == {
        "type": "rss",
        "text": "Standards Digest: Conflict, war and peace",
        "title": "Standards Digest: Conflict, war and peace",
        "xmlUrl": "http://127.0.0.1:8080/feeds/conflict-war-peace.atom",
        "htmlUrl": "http://127.0.0.1:8080/topics/conflict-war-peace",
    }


def test_markup_in_a_label_reads_the_same_as_text_and_as_html(site: Site) -> None:
    outline = outlines(opml(site, [Topic(slug="x", label='<b> & "q"')]))[1]
    assert outline["text"] == 'Standards Digest: ‹b› & "q"'
