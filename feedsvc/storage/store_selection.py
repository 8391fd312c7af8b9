"""Which snapshots are handed on: those of an article, of a topic, or all of them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from feedsvc.model import Snapshot
from feedsvc.storage.dialect import chunks
from feedsvc.storage.store_captures import GOOD, to_snapshot
from feedsvc.storage.tables import article_topics, articles, revisions, snapshots


class SelectionStore:
    """Snapshots that count, by what they belong to."""

    connection: Connection

    def selected_snapshots(
        self, *, article_id: str | None = None, topic: str | None = None
    ) -> list[str]:
        """Return the ids of the snapshots that count, the oldest first.

        Of one article, of the published articles of one topic, or all there are.
        """
        query = select(snapshots.c.id).where(snapshots.c.verdict.in_(GOOD))
        if article_id is not None:
            query = query.where(snapshots.c.article_id == article_id)
        if topic is not None:
            held = select(article_topics.c.article_id).where(article_topics.c.slug == topic)
            published = select(articles.c.id).where(articles.c.withdrawn.is_(None))
            query = query.where(
                snapshots.c.article_id.in_(held), snapshots.c.article_id.in_(published)
            )
        order = query.order_by(snapshots.c.captured, snapshots.c.id)
        return list(self.connection.scalars(order))

    def article_urls(self) -> list[tuple[str, str]]:
        """Return id and original URL of every published article that names one."""
        current = (revisions.c.article_id == articles.c.id) & (
            revisions.c.number == articles.c.revision
        )
        rows = self.connection.execute(
            select(articles.c.id, revisions.c.url)
            .join(revisions, current)
            .where(articles.c.withdrawn.is_(None), revisions.c.url.is_not(None))
            .order_by(articles.c.id)
        )
        return [(row.id, row.url) for row in rows]

    def snapshot_ids(self) -> list[str]:
        """Return the ids of all snapshots, those that do not count too, the oldest first."""
        order = select(snapshots.c.id).order_by(snapshots.c.captured, snapshots.c.id)
        return list(self.connection.scalars(order))

    def snapshots_by_id(self, snapshot_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Return snapshots by id."""
        found: dict[str, Snapshot] = {}
        for part in chunks(snapshot_ids):
            rows = self.connection.execute(select(snapshots).where(snapshots.c.id.in_(part)))
            found |= {row.id: to_snapshot(row) for row in rows}
        return found
