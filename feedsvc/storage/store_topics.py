"""Which article belongs to which topic, and which topic's feeds have to be written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, func, select, update

from feedsvc.model import ALL, Topic, TopicCount, TopicScore, TopicSource
from feedsvc.storage.dialect import chunks, insert_missing, upsert
from feedsvc.storage.feed_tables import (
    article_topics,
    channels,
    feed_files,
    pages,
    sequence,
    shares,
    tombstones,
    topic_choices,
    topics,
)
from feedsvc.storage.store_captures import withdrawn_ids
from feedsvc.storage.store_channels import EVERYTHING, SORTED, topic_channel
from feedsvc.storage.store_index import await_index
from feedsvc.storage.store_names import NameStore
from feedsvc.storage.store_sequence import SequenceStore
from feedsvc.storage.tables import articles


class TopicStore(NameStore, SequenceStore):
    """Topics of articles, in order of rank."""

    connection: Connection

    def put_topics(
        self, scores: Mapping[str, Sequence[TopicScore]], *, fresh: Collection[str] = ()
    ) -> None:
        """Replace the topics of articles; mark what they leave, what they join and where they stand.

        ``fresh`` articles have none yet, which saves looking.
        """
        if not scores:
            return
        self.keep_channels()
        old = [article for article in scores if article not in fresh]
        for part in chunks(old):
            self.connection.execute(
                delete(article_topics).where(article_topics.c.article_id.in_(part))
            )
        await_index(self.connection, old)
        joined = {score.topic.slug: score.topic for list_ in scores.values() for score in list_}
        self.ensure_topics(joined.values())
        self.ensure_channels([EVERYTHING])
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
        slugs = {article: [one.topic.slug for one in list_] for article, list_ in scores.items()}
        self.put_members(slugs, fresh=fresh, scope=SORTED)
        self.put_members({one: [ALL] for one in scores}, fresh=fresh, scope=sequence.c.slug == ALL)
        self.mark_articles_dirty(old)
        self.mark_naming(old)

    def ensure_topics(self, wanted: Iterable[Topic]) -> None:
        """Make sure that a row, and a channel, stands for each of those topics."""
        there = sorted(wanted, key=lambda one: one.slug)
        self.ensure_channels(map(topic_channel, there))
        insert_missing(self.connection, topics, [_row(topic) for topic in there])

    def relabel_topics(self, wanted: Mapping[str, Topic]) -> bool:
        """Bring labels and addresses of topics in use up to date; tell whether any changed."""
        changed = [
            wanted[topic.slug]
            for topic in self.topics_in_use()
            if topic.slug in wanted and wanted[topic.slug] != topic
        ]
        upsert(self.connection, topics, [_row(topic) for topic in changed])
        self.relabel_channels(map(topic_channel, changed))
        return bool(changed)

    def topics_in_use(self) -> list[Topic]:
        """Return every topic that has feeds, by slug."""
        rows = self.connection.execute(select(topics).order_by(topics.c.slug))
        return [to_topic(row) for row in rows]

    def rename_topic(self, old: str, new: Topic, *, now: datetime) -> None:
        """Let a topic go on under another slug: articles, places and pages go with it.

        If readers know a feed of the new name already, the articles join that one at its end.
        """
        self.ensure_topics([new])
        numbering = self.connection.execute(
            select(channels.c.entries, channels.c.closed).where(channels.c.slug == old)
        ).first()
        first = self.last_position(new.slug) == 0
        if first and numbering is not None:
            self.connection.execute(
                update(channels)
                .where(channels.c.slug == new.slug)
                .values(entries=numbering.entries, closed=numbering.closed)
            )
            self.swap_feed_names(old, new.slug)
        else:
            statement = update(sequence).where(sequence.c.slug == old)
            self.connection.execute(statement.values(position=None))
        self._move(pages, old, new.slug, keep=old if first else new.slug)
        self._move(sequence, old, new.slug, keep=old if first else new.slug)
        self._move(article_topics, old, new.slug, keep=new.slug)
        self._move(tombstones, old, new.slug, keep=new.slug)
        self.connection.execute(update(shares).where(shares.c.slug == old).values(slug=new.slug))
        self._choose_instead(old, new.slug)
        self.put_renamed(old, new.slug, now=now)
        self.drop_channels([old])
        self.mark_whole([new.slug])

    def _move(self, table: Table, old: str, new: str, *, keep: str) -> None:
        """Give rows of a slug another one; where both have one, that of the slug ``keep`` stays."""
        key = next(one for one in table.primary_key if one.name != "slug").name
        also = table.alias()
        lose = new if keep == old else old
        both = select(also.c[key]).where(also.c.slug == keep)
        self.connection.execute(delete(table).where(table.c.slug == lose, table.c[key].in_(both)))
        self.connection.execute(update(table).where(table.c.slug == old).values(slug=new))

    def _choose_instead(self, old: str, new: str) -> None:
        """Let what a person chose mean the topic's new slug."""
        for row in self.connection.execute(select(topic_choices)).all():
            if old in row.slugs:
                slugs = list(dict.fromkeys(new if one == old else one for one in row.slugs))
                self.connection.execute(
                    update(topic_choices)
                    .where(topic_choices.c.article_id == row.article_id)
                    .values(slugs=slugs)
                )

    def empty_channels(self, slugs: Collection[str]) -> list[str]:
        """Return those of the slugs that hold no article which is published."""
        held: set[str] = set()
        for part in chunks(sorted(slugs)):
            some = (
                select(sequence.c.slug)
                .join(articles, articles.c.id == sequence.c.article_id)
                .where(
                    sequence.c.slug == channels.c.slug,
                    sequence.c.member == 1,
                    articles.c.withdrawn.is_(None),
                )
            )
            held.update(
                self.connection.scalars(
                    select(channels.c.slug).where(channels.c.slug.in_(part), some.exists())
                )
            )
        return sorted(set(slugs) - held)

    def drop_channels(self, slugs: Sequence[str]) -> None:
        """Remove channels; their files go with the next publication.

        Articles keep their places, should the channel come back; withdrawn ones stay sorted
        nowhere.
        """
        for part in chunks(slugs):
            for statement in (
                delete(article_topics).where(article_topics.c.slug.in_(part)),
                delete(sequence).where(sequence.c.slug.in_(part), sequence.c.position.is_(None)),
                delete(tombstones).where(tombstones.c.slug.in_(part)),
                delete(pages).where(pages.c.slug.in_(part)),
                delete(channels).where(channels.c.slug.in_(part)),
                delete(topics).where(topics.c.slug.in_(part)),
                update(feed_files).where(feed_files.c.slug.in_(part)).values(doomed=1),
            ):
                self.connection.execute(statement)
        if slugs:
            self.note_listing()

    def drop_places(self, slugs: Sequence[str]) -> None:
        """Forget the order of channels that do not come back as they were."""
        for part in chunks(slugs):
            self.connection.execute(delete(sequence).where(sequence.c.slug.in_(part)))

    def topic_counts(self) -> list[TopicCount]:
        """Return topics in use with how many published articles each holds, the largest first."""
        shown = article_topics.c.article_id.not_in(withdrawn_ids())
        held_by = func.count().label("held_by")
        rows = self.connection.execute(
            select(topics, held_by)
            .join(article_topics, article_topics.c.slug == topics.c.slug)
            .where(shown)
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
