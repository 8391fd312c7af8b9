"""Laws of leafing through articles and channels: every article once, from anywhere on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from feedsvc.model import Article, ChannelKind, Topic, TopicScore, TopicSource
from feedsvc.storage.database import Database
from tests.storage.build import put

NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)
SPORT, ARTS = Topic("sport", "Sport"), Topic("arts", "Arts")


def fill(database: Database, count: int) -> list[str]:
    """Store articles, three of a moment; every second one is sport."""
    puts = [
        put(f"https://example.org/{number}", published=NOON + timedelta(hours=number // 3))
        for number in range(count)
    ]
    scores = {
        one.id: [TopicScore(SPORT if number % 2 else ARTS, 1.0, TopicSource.RULE)]
        for number, one in enumerate(puts)
    }
    with database.transaction() as store:
        store.put_articles(puts, now=NOON)
        store.put_topics(scores)
    return [one.id for one in puts]


def walk(database: Database, size: int, channel: str | None) -> list[Article]:
    seen: list[Article] = []
    with database.reading() as store:
        while page := store.newest(size, channel=channel, after=seen[-1] if seen else None):
            assert len(page) <= size
            assert len(seen) < 100
            seen += page
    return seen


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize("channel", [None, "sport"])
def test_pages_hold_every_article_once_and_the_newest_first(
    database: Database, size: int, channel: str | None
) -> None:
    ids = fill(database, 13)
    seen = walk(database, size, channel)
    assert sorted(one.id for one in seen) == sorted(ids if channel is None else ids[1::2])
    order = [(one.published, one.id) for one in seen]
    assert order == sorted(order, reverse=True)


def test_withdrawn_articles_are_on_no_page_and_in_no_count(database: Database) -> None:
    ids = fill(database, 8)
    with database.transaction() as store:
        store.withdraw([ids[1], ids[2]], now=NOON)
    assert ids[1] not in [one.id for one in walk(database, 3, "sport")]
    assert len(walk(database, 3, None)) == 6
    with database.reading() as store:
        counted = store.count_members(["sport", "arts", "none"])
    assert counted == {"sport": 3, "arts": 3, "none": 0}


def test_an_article_with_another_date_moves_in_every_list(database: Database) -> None:
    ids = fill(database, 6)
    moved = put(
        "https://example.org/1", published=NOON + timedelta(days=9), revision=2, revised=True
    )
    with database.transaction() as store:
        store.put_articles([moved], now=NOON)
    assert walk(database, 2, "sport")[0].id == ids[1]
    assert walk(database, 2, None)[0].id == ids[1]


def test_a_mark_tells_whether_a_count_may_be_another(database: Database) -> None:
    fill(database, 2)
    with database.reading() as store:
        before = {one.slug: mark for one, mark in store.channels_from(ChannelKind.TOPIC, limit=9)}
    new = put("https://example.org/new")
    with database.transaction() as store:
        store.put_articles([new], now=NOON)
        store.put_topics({new.id: [TopicScore(SPORT, 1.0, TopicSource.RULE)]})
    with database.reading() as store:
        after = {one.slug: mark for one, mark in store.channels_from(ChannelKind.TOPIC, limit=9)}
        assert [one.slug for one, _ in store.channels_from(ChannelKind.TOPIC, limit=9, after="arts")] == ["sport"]  # fmt: skip
    assert after["sport"] > before["sport"]
    assert after["arts"] == before["arts"]


def test_every_revision_of_an_article_is_told_the_newest_first(database: Database) -> None:
    ids = fill(database, 1)
    again = put("https://example.org/0", revision=2, revised=True)
    with database.transaction() as store:
        store.put_articles([again], now=NOON)
    with database.reading() as store:
        assert [one.number for one in store.revisions(ids[0])] == [2, 1]
        assert store.revisions("none") == []
