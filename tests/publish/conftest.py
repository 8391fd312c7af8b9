"""Sample articles, golden files and the judge of feeds."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from feedsvc.model import Article, FeedItem, Image, Judgement, Site, Snapshot, Topic, Verdict
from feedsvc.urls import article_id
from tests.publish.feed_rules import complain

GOLDEN = Path(__file__).parent.parent / "data" / "publish"
IPTC = "http://cv.iptc.org/newscodes/mediatopic/"

MakeItem = Callable[..., FeedItem]
Complaints = Callable[[bytes], list[str]]
Golden = Callable[[str, bytes], None]


@pytest.fixture
def site() -> Site:
    return Site(
        title="Standards Digest",
        base_url="http://127.0.0.1:8080",
        author="The Editors",
        language="en",
    )


@pytest.fixture
def conflict() -> Topic:
    return Topic(
        slug="conflict-war-peace",
        label="conflict, war and peace",
        uri=f"{IPTC}16000000",
        scheme=IPTC,
        code="16000000",
        definition="Wars, and how they end.",
    )


@pytest.fixture
def syndication() -> Topic:
    return Topic(slug="syndication", label="syndication & feeds")


@pytest.fixture
def every() -> Topic:
    return Topic(slug="all", label="all")


@pytest.fixture
def make_item(conflict: Topic) -> MakeItem:
    """Return a maker of items: `make_item(3, title=…, archived=False)`."""

    def make(
        number: int = 1,
        *,
        topics: tuple[Topic, ...] = (conflict,),
        archived: bool = True,
        picture: Image | None = None,
        thumbnail: Image | None = None,
        **fields: Any,
    ) -> FeedItem:
        url = f"https://www.example.org/news/{number}"
        when = datetime(2024, 5, 31, 12, tzinfo=UTC) + timedelta(days=number)
        article = Article(
            id=article_id(url, seed=""),
            title=f"Article {number}",
            html=f"<p>The body of article {number}, with <em>emphasis</em>.</p>",
            text=f"The body of article {number}, with emphasis.",
            summary=f"What article {number} says.",
            url=url,
            author="Ada Writer",
            agency=None,
            credit=None,
            published=when,
            updated=when,
            language=None,
            image=None,
            topics=(),
            revision=1,
            seed=f"seeds/{number}.md",
        )
        article = replace(article, **fields)
        snapshot = Snapshot(
            id=f"01HZ{number:04d}",
            article_id=article.id,
            url=url,
            final_url=url,
            captured=datetime(2024, 6, 1, 23, 30, tzinfo=UTC),
            status=200,
            judgement=Judgement(Verdict.VERIFIED, 1.0),
            key=f"{number}.warc.gz",
            size=4096,
            sha256="0" * 64,
            records=3,
            image=picture,
            thumbnail=thumbnail,
        )
        return FeedItem(article, topics, snapshot if archived else None)

    return make


@pytest.fixture
def samples(make_item: MakeItem, conflict: Topic, syndication: Topic) -> list[FeedItem]:
    """Return articles of every kind a feed meets."""
    return [
        make_item(
            1,
            title="Ceasefire holds: “R&D” of <peace>",
            summary="Guns are silent & 3 < 4, says the ministry.",
            agency="Example Press",
            credit="Jo Lens / Example Press",
            topics=(conflict, syndication),
        ),
        make_item(
            2,
            title="Ленты новостей",
            html="<p>Текст статьи со ссылкой на <a href='https://example.org/?a=1&amp;b=2'>RFC</a>.</p>",
            summary="Текст статьи со ссылкой на RFC.",
            language="ru",
            author=None,
        ),
        make_item(
            3,
            url=None,
            archived=False,
            author=None,
            title="A note of our own",
            image="https://example.org/picture.png",
        ),
        make_item(
            4, archived=False, html="<pre><code>if (a &lt; b) x = y[[0]]&gt;1;\n</code></pre>"
        ),
        make_item(
            5,
            published=datetime(2024, 6, 1, 12, tzinfo=UTC),
            picture=Image("https://example.org/large.jpg", "image/jpeg", 48_213, 1200, 800),
            thumbnail=Image("https://example.org/small.jpg", "image/jpeg", 3_120, 240, 160),
        ),
    ]


@pytest.fixture
def golden() -> Golden:
    """Return a comparison with a file in tests/data/publish (FEEDSVC_WRITE_GOLDEN=1 writes it)."""

    def compare(name: str, data: bytes) -> None:
        path = GOLDEN / name
        if os.environ.get("FEEDSVC_WRITE_GOLDEN"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        assert data.decode() == path.read_bytes().decode()

    return compare


@pytest.fixture
def complaints() -> Complaints:
    """Return the errors and warnings of a feed in any format, by the validator's names."""
    return complain
