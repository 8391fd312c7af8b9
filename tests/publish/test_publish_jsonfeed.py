"""JSON Feed 1.1, and the files that stand beside the feeds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from feedsvc.model import Category, Feed, FeedItem, Image, Place, Site, Topic
from feedsvc.publish import MEDIA_TYPES, assets, compose_feed, render, topic_channel

MakeItem = Callable[..., FeedItem]
Complaints = Callable[[bytes], list[str]]

BASE = "http://127.0.0.1:8080"


@pytest.fixture
def feed(conflict: Topic, site: Site, samples: list[FeedItem]) -> Feed:
    return compose_feed(
        topic_channel(conflict), samples, site=site, entry_link="article", place=Place(older=7)
    )


def document(feed: Feed) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(render(feed, "json").data)
    return parsed


def test_feed_says_what_it_is_and_where_older_entries_are(feed: Feed) -> None:
    said = document(feed)
    assert said.pop("items")
    assert said.pop("user_comment").endswith(f"{BASE}/topics/conflict-war-peace")
    assert said == {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Standards Digest: Conflict, war and peace",
        "home_page_url": f"{BASE}/topics/conflict-war-peace",
        "feed_url": f"{BASE}/feeds/conflict-war-peace.json",
        "description": "Wars, and how they end.",
        "next_url": f"{BASE}/feeds/conflict-war-peace/0007.json",
        "favicon": f"{BASE}/favicon.ico",
        "authors": [{"name": "The Editors"}],
        "language": "en",
        "_feedsvc": {
            "about": f"{BASE}/feeds/about.txt",
            "id": feed.id,
            "updated": "2024-06-05T12:00:00Z",
            "prev_archive": f"{BASE}/feeds/conflict-war-peace/0007.json",
        },
    }


def test_item_names_original_and_snapshot(conflict: Topic, site: Site, make_item: MakeItem) -> None:
    item = make_item(1, language="pt_br", picture=Image("https://e.org/p", "image/png", 9, 1, 2))
    feed = compose_feed(topic_channel(conflict), [item], site=site, entry_link="article")
    [said] = document(feed)["items"]
    assert said.pop("content_html").startswith("<p>The body of article 1, with <em>")
    assert said == {
        "id": item.article.entry_id,
        "url": f"{BASE}/articles/{item.article.id}",
        "external_url": "https://www.example.org/news/1",
        "title": "Article 1",
        "summary": "What article 1 says.",
        "image": f"{BASE}/snapshots/01HZ0001/image",
        "date_published": "2024-06-01T12:00:00Z",
        "date_modified": "2024-06-01T12:00:00Z",
        "authors": [{"name": "Ada Writer"}],
        "tags": ["conflict, war and peace"],
        "language": "pt-BR",
        "attachments": [
            {
                "url": f"{BASE}/snapshots/01HZ0001/image",
                "mime_type": "image/png",
                "size_in_bytes": 9,
            }
        ],
        "_feedsvc": {
            "about": f"{BASE}/feeds/about.txt",
            "snapshot": {
                "url": f"{BASE}/snapshots/01HZ0001/",
                "date": "2024-06-01T23:30:00Z",
                "verdict": "verified",
                "digest": "sha256:" + "0" * 64,
                "size": 4096,
            },
        },
    }


def test_picture_without_bytes_is_shown_but_not_attached(
    conflict: Topic, site: Site, make_item: MakeItem
) -> None:
    item = make_item(1, image="https://example.org/p.png")
    feed = compose_feed(topic_channel(conflict), [item], site=site, entry_link="article")
    [said] = document(feed)["items"]
    assert said["image"] == "https://example.org/p.png"
    assert "attachments" not in said
    assert b"<enclosure" not in render(feed, "rss").data
    assert b"enclosure" not in render(feed, "atom").data


@pytest.mark.parametrize(
    ("named", "shown"),
    [
        pytest.param(None, f"{BASE}/snapshots/01HZ0001/image", id="the-page-has-one"),
        pytest.param("https://e.org/p.png", f"{BASE}/snapshots/01HZ0001/image", id="it-is-kept"),
        pytest.param("https://e.org/q.png", "https://e.org/q.png", id="another-is-kept"),
    ],
)
def test_picture_is_ours_only_if_it_is_the_one_the_article_names(
    named: str | None, shown: str, conflict: Topic, site: Site, make_item: MakeItem
) -> None:
    item = make_item(1, image=named, picture=Image("https://e.org/p.png", "image/png", 9))
    feed = compose_feed(topic_channel(conflict), [item], site=site, entry_link="article")
    [entry] = feed.entries
    assert entry.image is not None
    assert entry.image.url == shown
    assert (shown in entry.content) == (named is not None)


def test_bytes_are_utf_8_without_escapes_and_a_line_per_item(feed: Feed) -> None:
    data = render(feed, "json").data
    assert "Ленты новостей".encode() in data
    assert b"\\u" not in data
    assert data.count(b"\n") == len(feed.entries) + 2
    assert data.endswith(b"\n]}\n")


def test_tags_are_named_once(feed: Feed, complaints: Complaints) -> None:
    twice = (Category("a", "Arts", "urn:x:1"), Category("b", "Arts", "urn:x:2"))
    again = replace(feed, entries=(replace(feed.entries[0], categories=twice),))
    assert document(again)["items"][0]["tags"] == ["Arts"]
    assert complaints(render(again, "json").data) == []


# --- beside the feeds -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rss", "atom"])
def test_document_leads_to_the_stylesheet_that_stands_beside_it(name: str, feed: Feed) -> None:
    root = etree.fromstring(render(feed, name).data)
    instruction = root.getprevious()
    assert instruction is not None
    assert (instruction.get("type"), instruction.get("href")) == (
        "text/css",
        "/feeds/style.css",  # of whatever host the document was asked from
    )
    assert "style.css" in assets()


def test_assets_are_text_with_a_media_type() -> None:
    for name, data in assets().items():
        assert MEDIA_TYPES[name.rpartition(".")[2]].endswith("charset=utf-8")
        assert data.decode().endswith("\n")


def test_everything_of_our_own_in_a_feed_is_explained(feed: Feed) -> None:
    explained = assets()["about.txt"].decode()
    items = document(feed)["items"]
    [snapshot, *_] = [item["_feedsvc"]["snapshot"] for item in items if "_feedsvc" in item]
    ours = {*document(feed)["_feedsvc"], *snapshot} - {"about"}
    assert [name for name in ours if not re.search(rf"^ +{name}  ", explained, re.MULTILINE)] == []
