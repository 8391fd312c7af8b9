"""Which article belongs to which topic, and which topic's feeds have to be written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, select, update

from feedsvc.model import ALL, Topic, TopicCount, TopicScore, TopicSource
from feedsvc.storage.dialect import chunks, insert_missing, upsert
from feedsvc.storage.tables import article_topics, articles, sequence, topic_choices, topics

EVERYTHING = Topic(slug=ALL, label="All articles")


class TopicStore:
    """Topics of articles, in order of rank."""

    connection: Connection

    def put_topics(
        self, scores: Mapping[str, Sequence[TopicScore]], *, fresh: Collection[str] = ()
    ) -> None:
        """Replace the topics of articles; mark what they leave and what they join.

        ``fresh`` articles have none yet, which saves looking.
        """
        if not scores:
            return
        old = [article for article in scores if article not in fresh]
        left = self._left(old)
        for part in chunks(old):
            self.connection.execute(
                delete(article_topics).where(article_topics.c.article_id.in_(part))
            )
        joined = {score.topic.slug: score.topic for list_ in scores.values() for score in list_}
        joined[ALL] = EVERYTHING
        self.ensure_topics(joined.values())
        rows = [
            {
                "article_id": article,
                "slug": score.topic.slug,
                "rank": rank,
                "score": score.score,
                "source": str(score.source),
            }
            for article, list_ in scores.items()
            for rank, score in enumerate(list_)
        ]
        if rows:
            self.connection.execute(article_topics.insert(), rows)
        self._join(rows, scores)
        self.mark_dirty({*left, *joined})

    def _left(self, article_ids: Sequence[str]) -> set[str]:
        left: set[str] = set()
        for part in chunks(article_ids):
            left.update(
                self.connection.scalars(
                    select(article_topics.c.slug)
                    .where(article_topics.c.article_id.in_(part))
                    .distinct()
                )
            )
        return left

    def _join(self, rows: Sequence[dict[str, Any]], article_ids: Iterable[str]) -> None:
        """Queue entries that no sequence holds yet; they get a position when published."""
        joins = [
            {"slug": row["slug"], "article_id": row["article_id"], "position": None} for row in rows
        ]
        joins += [{"slug": ALL, "article_id": id_, "position": None} for id_ in article_ids]
        insert_missing(self.connection, sequence, joins)

    def ensure_topics(self, wanted: Iterable[Topic]) -> None:
        """Make sure that a row stands for each of those topics."""
        insert_missing(
            self.connection, topics, [_row(topic) | {"dirty": 1, "clean": 0} for topic in wanted]
        )

    def relabel_topics(self, wanted: Mapping[str, Topic]) -> bool:
        """Bring labels and addresses of topics in use up to date; tell whether any changed."""
        rows = [
            _row(wanted[topic.slug]) | {"dirty": dirty, "clean": clean}
            for topic, dirty, clean in self._topics()
            if topic.slug in wanted and wanted[topic.slug] != topic
        ]
        upsert(self.connection, topics, rows)
        return bool(rows)

    def _topics(self) -> list[tuple[Topic, int, int]]:
        rows = self.connection.execute(select(topics).order_by(topics.c.slug)).all()
        return [(to_topic(row), row.dirty, row.clean) for row in rows]

    def topics_in_use(self) -> list[Topic]:
        """Return every topic that has feeds, `all` included, by slug."""
        return [topic for topic, _, _ in self._topics()]

    def mark_dirty(self, slugs: Collection[str] | None = None) -> None:
        """Note that the feeds of those topics, or of every topic, have to be written."""
        statement = update(topics).values(dirty=topics.c.dirty + 1)
        if slugs is None:
            self.connection.execute(statement)
            return
        for part in chunks(sorted(slugs)):
            self.connection.execute(statement.where(topics.c.slug.in_(part)))

    def mark_articles_dirty(self, article_ids: Sequence[str]) -> None:
        """Note that something these articles' entries show has changed."""
        self.mark_dirty({ALL, *self._left(list(article_ids))})

    def dirty_topics(self) -> list[tuple[Topic, int]]:
        """Return topics whose feeds wait to be written, each with its mark."""
        return [(topic, dirty) for topic, dirty, clean in self._topics() if dirty > clean]

    def mark_clean(self, marks: Mapping[str, int]) -> None:
        """Note that feeds show the state of those marks; a later mark stays dirty."""
        for slug, mark in sorted(marks.items()):
            self.connection.execute(
                update(topics)
                .where(topics.c.slug == slug, topics.c.clean < mark)
                .values(clean=mark)
            )

    def empty_topics(self, slugs: Collection[str]) -> list[str]:
        """Return those of the slugs that hold no article which is published."""
        held: set[str] = set()
        for part in chunks(sorted(slugs)):
            some = (
                select(article_topics.c.slug)
                .join(articles, articles.c.id == article_topics.c.article_id)
                .where(article_topics.c.slug == topics.c.slug, articles.c.withdrawn.is_(None))
            )
            held.update(
                self.connection.scalars(
                    select(topics.c.slug).where(topics.c.slug.in_(part), some.exists())
                )
            )
        return sorted(set(slugs) - held - {ALL})

    def drop_topics(self, slugs: Sequence[str]) -> None:
        """Remove topics that hold nothing published; withdrawn articles stay sorted nowhere."""
        for part in chunks(slugs):
            self.connection.execute(delete(article_topics).where(article_topics.c.slug.in_(part)))
            self.connection.execute(
                delete(sequence).where(sequence.c.slug.in_(part), sequence.c.position.is_(None))
            )
            self.connection.execute(delete(topics).where(topics.c.slug.in_(part)))

    def topic_counts(self) -> list[TopicCount]:
        """Return topics in use with how many published articles each holds, the largest first."""
        held = and_(articles.c.id == article_topics.c.article_id, articles.c.withdrawn.is_(None))
        held_by = func.count().label("held_by")
        rows = self.connection.execute(
            select(topics, held_by)
            .join(article_topics, article_topics.c.slug == topics.c.slug)
            .join(articles, held)
            .group_by(*topics.c)
            .order_by(held_by.desc(), topics.c.slug)
        )
        return [TopicCount(to_topic(row), row.held_by) for row in rows]

    def article_topics(self, article_id: str) -> list[TopicScore]:
        """Return the topics of an article, best first."""
        rows = self.connection.execute(
            select(topics, article_topics.c.score, article_topics.c.source)
            .join(article_topics, article_topics.c.slug == topics.c.slug)
            .where(article_topics.c.article_id == article_id)
            .order_by(article_topics.c.rank)
        )
        return [TopicScore(to_topic(row), row.score, TopicSource(row.source)) for row in rows]

    def topic_slugs(self, article_ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """Return slug and source of every topic of those articles, in order of rank."""
        found: dict[str, list[tuple[str, str]]] = {article: [] for article in article_ids}
        for part in chunks(article_ids):
            rows = self.connection.execute(
                select(article_topics.c.article_id, article_topics.c.slug, article_topics.c.source)
                .where(article_topics.c.article_id.in_(part))
                .order_by(article_topics.c.article_id, article_topics.c.rank)
            )
            for row in rows:
                found[row.article_id].append((row.slug, row.source))
        return found

    def topic_choices(self, article_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the slugs a person chose for articles, where one did."""
        found: dict[str, tuple[str, ...]] = {}
        for part in chunks(article_ids):
            rows = self.connection.execute(
                select(topic_choices).where(topic_choices.c.article_id.in_(part))
            )
            found |= {row.article_id: tuple(row.slugs) for row in rows}
        return found

    def choose_topics(self, article_id: str, slugs: Sequence[str], *, now: datetime) -> None:
        """Record a person's choice; it stays until it is taken back."""
        upsert(
            self.connection,
            topic_choices,
            [{"article_id": article_id, "slugs": list(slugs), "chosen": now}],
        )

    def forget_choice(self, article_id: str) -> bool:
        """Take a person's choice back; tell whether there was one."""
        result = self.connection.execute(
            delete(topic_choices).where(topic_choices.c.article_id == article_id)
        )
        return bool(result.rowcount)


def _row(topic: Topic) -> dict[str, Any]:
    return {
        "slug": topic.slug,
        "label": topic.label,
        "uri": topic.uri,
        "scheme": topic.scheme,
        "code": topic.code,
        "definition": topic.definition,
    }


def to_topic(row: Row[Any]) -> Topic:
    return Topic(
        slug=row.slug,
        label=row.label,
        uri=row.uri,
        scheme=row.scheme,
        code=row.code,
        definition=row.definition,
    )
