"""Articles and topics to store in tests."""

from __future__ import annotations

from datetime import UTC, datetime

from feedsvc.model import ParsedArticle, Topic, TopicScore, TopicSource, content_digest
from feedsvc.storage.store import Store
from feedsvc.storage.store_articles import ArticlePut
from feedsvc.urls import article_id, normalise

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SPORT = Topic(
    "sport", "sport", uri="http://example.org/sport", scheme="http://example.org/", code="1"
)
POLITICS = Topic("politics", "politics")


def put(
    url: str = "https://example.org/a",
    *,
    seed: str = "seeds/a.md",
    title: str = "A title",
    revision: int = 1,
    published: datetime = NOW,
    revised: bool = True,
) -> ArticlePut:
    """Return an article to store."""
    parsed = ParsedArticle(
        title=title, html="<p>Words.</p>", text="Words.", summary="Words.", url=url
    )
    return ArticlePut(
        id=article_id(url, seed=seed),
        url_key=normalise(url),
        seed=seed,
        revision=revision,
        digest=content_digest(parsed),
        published=published,
        updated=published,
        parsed=parsed,
        topics_version="v1",
        revised=revised,
    )


def score(topic: Topic, value: float = 1.0) -> TopicScore:
    return TopicScore(topic, value, TopicSource.KEYWORDS)


def add(store: Store, *puts: ArticlePut, topics: tuple[Topic, ...] = (SPORT,)) -> None:
    """Store new articles in topics."""
    store.put_articles(puts, now=NOW)
    store.put_topics(
        {one.id: [score(topic) for topic in topics] for one in puts},
        fresh={one.id for one in puts},
    )
