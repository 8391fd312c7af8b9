"""Whatever an article holds, the feed stays well formed and no other entry suffers."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from html import escape
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from feedsvc.model import FeedItem, Site, Topic
from feedsvc.publish import FEED_FORMATS, compose_feed, opml, topic_channel
from tests.publish.feed_reading import read

MakeItem = Callable[..., FeedItem]
Complaints = Callable[[bytes], list[str]]

BAD = [
    pytest.param("Control \x00\x01\x08\x0b\x0c\x1b\x1f\x7f\x85\x9f end", id="control"),
    pytest.param("End of CDATA ]]> and <![CDATA[ x ]]>", id="cdata"),
    pytest.param("Lone \ud800 and \udfff surrogates", id="surrogates"),
    pytest.param("Noncharacters \ufffe \uffff \ufdd0 \U0001ffff \U0010fffe", id="noncharacters"),
    pytest.param("Replacement \ufffd\ufffd characters", id="replacement"),
    pytest.param("\u202eOverridden\u202d \u2066direction\u2069 \u200f", id="bidi"),
    pytest.param("<script>alert(1)</script> <b>bold</b> </p> &amp; &#60; &copy;", id="markup"),
    pytest.param("<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;", id="entity"),
    pytest.param("e\u0301" * 3000, id="combining"),
    pytest.param("Title " * 180_000, id="one-megabyte"),
    pytest.param("\U0001f469\u200d\U0001f4bb \U0001f1fa\U0001f1e6", id="emoji"),
    pytest.param("", id="empty"),
    pytest.param("\r\n\t \u2028\u2029\u00a0", id="white-space"),
]

SHORT = [str(bad.values[0]) for bad in BAD if len(str(bad.values[0])) < 200]
texts = st.text(st.characters(exclude_categories=()), max_size=60) | st.sampled_from(SHORT)
dates = st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=-23))))
fields = st.fixed_dictionaries(
    {
        "title": texts,
        "summary": texts,
        "html": texts.map(lambda text: f"<p title='{escape(text)}'>{escape(text)}</p>"),
        "url": st.none() | texts | texts.map(lambda text: f"https://example.org/{text}"),
        "author": st.none() | texts,
        "agency": st.none() | texts,
        "credit": st.none() | texts,
        "language": st.none() | texts | st.sampled_from(["en", "DE-at", "x-y", "yue", "sr-latn"]),
        "image": st.none() | texts,
        "published": dates,
        "updated": dates,
    }
)


def parse(data: bytes) -> None:
    """Raise what a parser raises."""
    if data.startswith(b"{"):
        json.loads(data)
    else:
        etree.fromstring(data)


def broken(feed: Any, complaints: Complaints) -> list[str]:
    """Return what is wrong with any format of a feed."""
    wrong: list[str] = []
    for write in FEED_FORMATS.values():
        rendered = write(feed)
        wrong += [*complaints(rendered.data), *rendered.problems]
    return wrong


@pytest.mark.parametrize("text", BAD)
def test_hostile_text_in_every_field_does_no_harm(
    text: str, conflict: Topic, site: Site, make_item: MakeItem, complaints: Complaints
) -> None:
    hostile = make_item(
        2,
        title=text,
        summary=text,
        html=f"<p>{escape(text)}</p>",
        author=text,
        agency=text,
        credit=text,
        language=text,
        image=text,
        url=f"https://example.org/{text}",
        topics=(conflict, Topic(slug="own", label=text), Topic(text, text, text, text, text)),
    )
    feed = compose_feed(
        topic_channel(conflict), [make_item(1), hostile], site=site, entry_link="original"
    )
    assert broken(feed, complaints) == []
    for write in FEED_FORMATS.values():
        entries = read(write(feed).data).entries
        assert len(entries) == 2
        assert "The body of article 1" in entries[1].content


@pytest.mark.parametrize("text", BAD)
def test_hostile_words_for_the_site_and_its_topics_do_no_harm(
    text: str, make_item: MakeItem, complaints: Complaints
) -> None:
    site = Site(title=text, base_url="https://example.org", author=text, language=text)
    topic = Topic(slug="own", label=text, definition=text)
    feed = compose_feed(topic_channel(topic), [make_item(1)], site=site, entry_link="article")
    assert broken(feed, complaints) == []
    etree.fromstring(opml(site, [topic_channel(topic)]))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(articles=st.lists(fields, min_size=1, max_size=3), seed=st.integers())
def test_any_article_leaves_the_feed_well_formed_and_stable(
    articles: list[dict[str, Any]],
    seed: int,
    conflict: Topic,
    site: Site,
    make_item: MakeItem,
) -> None:
    items = [make_item(number, **values) for number, values in enumerate(articles, start=1)]
    shuffled = random.Random(seed).sample(items, k=len(items))
    first, second = (
        compose_feed(topic_channel(conflict), order, site=site, entry_link="original")
        for order in (items, shuffled)
    )
    for write in FEED_FORMATS.values():
        rendered = write(first)
        assert len(read(rendered.data).entries) == len(items)
        assert rendered.problems == ()
        assert write(second) == rendered


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values=fields)
def test_any_article_satisfies_the_validator(
    values: dict[str, Any],
    conflict: Topic,
    site: Site,
    make_item: MakeItem,
    complaints: Complaints,
) -> None:
    item = make_item(1, **(values | {"summary": f"Said: {values['summary']}"}))
    feed = compose_feed(topic_channel(conflict), [item], site=site, entry_link="article")
    assert broken(feed, complaints) == []


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(title=texts, content=texts, author=st.none() | texts, moment=dates)
def test_any_entry_is_written_or_reported(
    title: str,
    content: str,
    author: str | None,
    moment: datetime,
    conflict: Topic,
    site: Site,
    make_item: MakeItem,
) -> None:
    feed = compose_feed(
        topic_channel(conflict), [make_item(1), make_item(2)], site=site, entry_link="article"
    )
    raw = replace(feed.entries[0], title=title, content=content, author=author, published=moment)
    for write in FEED_FORMATS.values():
        rendered = write(replace(feed, entries=(raw, feed.entries[1])))
        shown = rendered.data.count(feed.entries[0].id.encode())
        assert len(rendered.problems) == (not shown)
        assert feed.entries[1].id.encode() in rendered.data
        parse(rendered.data)


def test_feed_with_a_hostile_body_of_five_megabytes_stays_readable(
    conflict: Topic, site: Site, make_item: MakeItem, complaints: Complaints
) -> None:
    items = [make_item(1), make_item(2, html="<p>" + "]]&gt; " * 800_000 + "</p>")]
    feed = compose_feed(topic_channel(conflict), items, site=site, entry_link="article")
    assert broken(feed, complaints) == []
    assert all(len(write(feed).data) < 20_000 for write in FEED_FORMATS.values())


def test_feed_of_very_many_articles_stays_below_the_limit_of_validators(
    conflict: Topic, site: Site, make_item: MakeItem, complaints: Complaints
) -> None:
    body = "<p>" + "Word &amp; word. " * 600 + "</p>"
    items = [make_item(number, html=body) for number in range(1, 500)]
    feed = compose_feed(topic_channel(conflict), items, site=site, entry_link="article")
    assert broken(feed, complaints) == []
