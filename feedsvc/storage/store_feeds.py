"""What a topic's feeds hold, and which files were written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, case, delete, func, select, update

from feedsvc.model import ALL, Article, FeedItem, Snapshot, Topic
from feedsvc.storage.dialect import chunks, upsert
from feedsvc.storage.store_captures import GOOD, to_snapshot
from feedsvc.storage.store_topics import to_topic
from feedsvc.storage.tables import (
    article_topics,
    articles,
    facts,
    feed_files,
    sequence,
    snapshots,
    topics,
)


class FeedStore:
    """Sequences, items and files of feeds."""

    connection: Connection

    def join_sequences(self, slugs: Iterable[str]) -> None:
        """Give waiting entries their place at the end of each topic's sequence, by date."""
        for slug in sorted(slugs):
            waiting = (
                select(
                    sequence.c.article_id,
                    func.row_number()
                    .over(order_by=(articles.c.published, articles.c.id))
                    .label("n"),
                )
                .join(articles, articles.c.id == sequence.c.article_id)
                .where(
                    sequence.c.slug == slug,
                    sequence.c.position.is_(None),
                    articles.c.withdrawn.is_(None),
                )
                .subquery()
            )
            last = self.connection.scalar(
                select(func.max(sequence.c.position)).where(sequence.c.slug == slug)
            )
            self.connection.execute(
                update(sequence)
                .where(sequence.c.slug == slug, sequence.c.article_id == waiting.c.article_id)
                .values(position=waiting.c.n + (last or 0))
            )

    def head(self, slug: str, *, limit: int) -> list[str]:
        """Return the ids of the last ``limit`` articles of a topic's sequence."""
        published = and_(articles.c.id == sequence.c.article_id, articles.c.withdrawn.is_(None))
        query = select(sequence.c.article_id).join(articles, published)
        if slug != ALL:
            query = query.join(
                article_topics,
                and_(
                    article_topics.c.article_id == sequence.c.article_id,
                    article_topics.c.slug == sequence.c.slug,
                ),
            )
        return list(
            self.connection.scalars(
                query.where(sequence.c.slug == slug, sequence.c.position.is_not(None))
                .order_by(sequence.c.position.desc())
                .limit(limit)
            )
        )

    def feed_items(self, found: Mapping[str, Article]) -> dict[str, FeedItem]:
        """Return what entries are composed from, by article id."""
        ids = sorted(found)
        in_topics = self._topics_of(ids)
        good = self.good_snapshots(ids)
        return {
            id_: FeedItem(article, tuple(in_topics.get(id_, ())), good.get(id_))
            for id_, article in found.items()
        }

    def _topics_of(self, article_ids: Sequence[str]) -> dict[str, list[Topic]]:
        by_slug: dict[str, Topic] = {}
        found: dict[str, list[Topic]] = {}
        for row in self.connection.execute(select(topics)):
            by_slug[row.slug] = to_topic(row)
        for part in chunks(article_ids):
            rows = self.connection.execute(
                select(article_topics.c.article_id, article_topics.c.slug)
                .where(article_topics.c.article_id.in_(part))
                .order_by(article_topics.c.article_id, article_topics.c.rank)
            )
            for row in rows:
                found.setdefault(row.article_id, []).append(by_slug[row.slug])
        return found

    def good_snapshots(self, article_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Return the last verified snapshot of each article, else the last partial one.

        Damaged ones do not count.
        """
        found: dict[str, Snapshot] = {}
        better = case((snapshots.c.verdict == "verified", 1), else_=0)
        for part in chunks(article_ids):
            rows = self.connection.execute(
                select(snapshots)
                .where(
                    snapshots.c.article_id.in_(part),
                    snapshots.c.verdict.in_(GOOD),
                    snapshots.c.damaged.is_(None),
                )
                .order_by(better, snapshots.c.captured, snapshots.c.id)
            )
            found |= {row.article_id: to_snapshot(row) for row in rows}
        return found

    def feed_files(self) -> dict[str, tuple[str, int]]:
        """Return SHA-256 and size of every feed file written, by name."""
        rows = self.connection.execute(select(feed_files))
        return {row.name: (row.sha256, row.size) for row in rows}

    def put_feed_files(self, written: Mapping[str, tuple[str, int]], *, now: datetime) -> None:
        """Record files that were written."""
        upsert(
            self.connection,
            feed_files,
            [
                {"name": name, "sha256": sha256, "size": size, "written": now}
                for name, (sha256, size) in sorted(written.items())
            ],
        )

    def drop_feed_files(self, names: Sequence[str]) -> None:
        """Forget files that were removed."""
        for part in chunks(names):
            self.connection.execute(delete(feed_files).where(feed_files.c.name.in_(part)))

    def fact(self, name: str) -> str | None:
        """Return something remembered about the whole site."""
        return self.connection.scalar(select(facts.c.value).where(facts.c.name == name))

    def set_fact(self, name: str, value: str) -> None:
        """Remember something about the whole site."""
        upsert(self.connection, facts, [{"name": name, "value": value}])
