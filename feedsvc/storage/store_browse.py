"""What pages leaf through: articles and channels from anywhere on, and how much there is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from feedsvc.model import Article, Channel, ChannelKind, Revision
from feedsvc.storage.dialect import chunks
from feedsvc.storage.feed_tables import channels, sequence
from feedsvc.storage.store_articles import current_articles, to_article
from feedsvc.storage.store_channels import channel_rows, to_channel
from feedsvc.storage.tables import articles, revisions


class BrowseStore:
    """Lists in pages by keyset: each costs the same, however far it is from the first."""

    connection: Connection

    def newest(
        self, limit: int, *, channel: str | None = None, after: Article | None = None
    ) -> list[Article]:
        """Return articles that are not withdrawn, the newest first; of a channel, its own.

        ``after`` is the last one of the page before.
        """
        ids = list(self.connection.scalars(self._newest_ids(limit, channel, after)))
        found: dict[str, Article] = {}
        for part in chunks(ids):
            rows = self.connection.execute(current_articles().where(articles.c.id.in_(part)))
            found |= {row.id: to_article(row) for row in rows}
        return [found[one] for one in ids]

    def revisions(self, article_id: str) -> list[Revision]:
        """Return every text an article has had, the newest first."""
        rows = self.connection.execute(
            select(*(revisions.c[name] for name in Revision.__slots__))
            .where(revisions.c.article_id == article_id)
            .order_by(revisions.c.number.desc())
        )
        return [Revision(**row._asdict()) for row in rows]

    # --- channels ---------------------------------------------------------------------------

    def channels_from(
        self, kind: ChannelKind, *, limit: int, after: str = ""
    ) -> list[tuple[Channel, int]]:
        """Return the channels of a kind by slug, those after ``after``, each with its mark.

        A mark counts up whenever an article comes into a channel or leaves it.
        """
        query = channel_rows().where(channels.c.kind == str(kind), channels.c.slug > after)
        return [(to_channel(row), row.dirty) for row in self.connection.execute(query.limit(limit))]

    def marked_channel(self, slug: str) -> tuple[Channel, int] | None:
        """Return a channel and its mark, None if there is none of that name."""
        row = self.connection.execute(channel_rows().where(channels.c.slug == slug)).first()
        return (to_channel(row), row.dirty) if row else None

    def channels_of(self, article_id: str) -> list[Channel]:
        """Return the channels an article is in, by slug."""
        query = (
            channel_rows()
            .join(sequence, sequence.c.slug == channels.c.slug)
            .where(sequence.c.article_id == article_id, sequence.c.member == 1)
        )
        return [to_channel(row) for row in self.connection.execute(query)]

    def count_members(self, slugs: Collection[str]) -> dict[str, int]:
        """Return how many published articles those channels hold; reads nothing but an index."""
        counted = dict.fromkeys(slugs, 0)
        counting = select(sequence.c.slug, func.count()).where(sequence.c.member == 1)
        counting = counting.group_by(sequence.c.slug)
        # Withdrawn articles, which are few, keep their places.
        withdrawn = select(articles.c.id).where(articles.c.withdrawn.is_not(None))
        at_once = self.connection.dialect.name != "sqlite"
        for part in chunks(sorted(counted)):
            members = counting.where(sequence.c.slug.in_(part))
            if at_once:
                members = members.where(sequence.c.article_id.not_in(withdrawn))
            for row in self.connection.execute(members):
                counted[row[0]] = row[1]
        if at_once:
            return counted
        for part in chunks(list(self.connection.scalars(withdrawn)) if counted else []):
            for row in self.connection.execute(counting.where(sequence.c.article_id.in_(part))):
                if row[0] in counted:
                    counted[row[0]] -= row[1]
        return counted

    def _newest_ids(self, limit: int, channel: str | None, after: Article | None) -> Select[Any]:
        if channel is None:
            moment, key = articles.c.published, articles.c.id
            query = select(key)
        else:
            moment, key = sequence.c.published, sequence.c.article_id
            query = (
                select(key)
                .join(articles, articles.c.id == key)
                .where(sequence.c.slug == channel, sequence.c.member == 1)
            )
        if after is not None:
            same = and_(moment == after.published, key < after.id)
            query = query.where(moment <= after.published, or_(moment < after.published, same))
        published = articles.c.withdrawn.is_(None)
        if self.connection.dialect.name == "sqlite":
            # Said so that it does not think of going through the withdrawn ones, which is no list.
            published = func.coalesce(articles.c.withdrawn, None).is_(None)
        return query.where(published).order_by(moment.desc(), key.desc()).limit(limit)
