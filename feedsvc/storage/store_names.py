"""What stays of feeds and entries that are gone, and private addresses of feeds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, select, update

from feedsvc.model import Tombstone
from feedsvc.storage.dialect import chunks, insert_missing, upsert
from feedsvc.storage.feed_tables import (
    feed_files,
    feed_names,
    former_feeds,
    sequence,
    shares,
    tombstones,
)
from feedsvc.storage.store_channels import ChannelStore
from feedsvc.storage.tables import articles, changes, originals

PRIVATE = "private/"
"""Names of feed files that nobody can guess begin so."""


_NAMING = frozenset({"changes", "gone", "status"})
"""Feeds that name articles without holding them."""


@dataclass(frozen=True, slots=True)
class FormerFeed:
    """A feed that is not under its name any more."""

    slug: str
    successor: str | None
    """The name it goes on under; None: it is gone."""


@dataclass(frozen=True, slots=True)
class Share:
    """A private address of a channel."""

    token: str
    slug: str
    created: datetime


class NameStore(ChannelStore):
    """Tombstones, former names, shares."""

    connection: Connection

    # --- entries ----------------------------------------------------------------------------

    def bury(self, article_ids: Sequence[str], *, now: datetime) -> None:
        """Note, before articles are withdrawn or forgotten, in which feeds readers saw them.

        Marks the documents they stand in, and the heads, which tell of it.
        """
        for part in chunks(article_ids):
            seen = self.connection.execute(
                select(sequence.c.slug, sequence.c.article_id)
                .join(articles, articles.c.id == sequence.c.article_id)
                .where(
                    sequence.c.article_id.in_(part),
                    sequence.c.position.is_not(None),
                    sequence.c.member == 1,
                    articles.c.withdrawn.is_(None),
                )
            ).all()
            rows = [{"slug": one.slug, "article_id": one.article_id, "at": now} for one in seen]
            upsert(self.connection, tombstones, rows)
            self.mark_articles_dirty(part)
            self.mark_dirty({one.slug for one in seen} | _NAMING)

    def mark_naming(self, article_ids: Sequence[str]) -> None:
        """Have the feeds written again that name those articles by title without holding them."""
        told = {"changes": changes, "gone": originals}
        for slug, table in told.items():
            for part in chunks(article_ids):
                query = select(table.c.article_id).where(table.c.article_id.in_(part)).limit(1)
                if self.connection.scalar(query) is not None:
                    self.mark_dirty([slug])
                    break

    def unbury(self, article_ids: Sequence[str]) -> None:
        """Take tombstones of articles away that are published again."""
        for part in chunks(article_ids):
            self._drop_tombstones(tombstones.c.article_id.in_(part))

    def expire_tombstones(self, before: datetime) -> None:
        """Take tombstones away that have been told long enough."""
        self._drop_tombstones(tombstones.c.at < before)

    def _drop_tombstones(self, which: ColumnElement[bool]) -> None:
        slugs = self.connection.scalars(
            delete(tombstones).where(which).returning(tombstones.c.slug)
        ).all()
        self.mark_dirty(set(slugs))

    def has_expired(self, before: datetime) -> bool:
        """Tell whether a tombstone has been told long enough."""
        query = select(tombstones.c.slug).where(tombstones.c.at < before).limit(1)
        return self.connection.scalar(query) is not None

    def tombstones(self, slug: str, *, limit: int) -> list[Tombstone]:
        """Return what was taken back from a channel lately, the last first."""
        rows = self.connection.execute(
            select(tombstones)
            .where(tombstones.c.slug == slug)
            .order_by(tombstones.c.at.desc(), tombstones.c.article_id)
            .limit(limit)
        )
        return [Tombstone(f"urn:uuid:{row.article_id}", row.at) for row in rows]

    # --- feeds ------------------------------------------------------------------------------

    def former_feed(self, slug: str) -> FormerFeed | None:
        """Return what became of a feed; None if there is, or never was, one of that name."""
        row = self.connection.execute(
            select(former_feeds).where(former_feeds.c.slug == slug)
        ).first()
        return FormerFeed(row.slug, row.successor) if row else None

    def put_gone(self, slugs: Collection[str], *, now: datetime) -> None:
        """Remember of those feeds that are published that they are gone."""
        for part in chunks(sorted(slugs)):
            seen = select(feed_files.c.slug).where(
                feed_files.c.slug.in_(part), feed_files.c.name.not_like(f"{PRIVATE}%")
            )
            rows = [
                {"slug": slug, "successor": None, "since": now}
                for slug in self.connection.scalars(seen.distinct())
            ]
            upsert(self.connection, former_feeds, rows)

    def put_renamed(self, old: str, new: str, *, now: datetime) -> None:
        """Remember the name a feed goes on under; what led to the old one leads to the new one."""
        self.connection.execute(
            update(former_feeds).where(former_feeds.c.successor == old).values(successor=new)
        )
        upsert(self.connection, former_feeds, [{"slug": old, "successor": new, "since": now}])
        self.connection.execute(delete(former_feeds).where(former_feeds.c.slug == new))

    def feed_names(self) -> dict[str, str]:
        """Return the names that feeds have their ids from, by slug, where those are not the slugs."""
        return {row.slug: row.named for row in self.connection.execute(select(feed_names))}

    def swap_feed_names(self, old: str, new: str) -> None:
        """Let a feed that goes on under another slug keep its id (RFC 4287 §4.2.6).

        What comes under the old slug has the other one, so that no two feeds ever share an id.
        """
        known = self.feed_names()
        upsert(
            self.connection,
            feed_names,
            [
                {"slug": old, "named": known.get(new, new)},
                {"slug": new, "named": known.get(old, old)},
            ],
        )

    # --- private addresses ------------------------------------------------------------------

    def put_share(self, share: Share) -> None:
        """Give a channel a private address."""
        row = {"token": share.token, "slug": share.slug, "created": share.created}
        insert_missing(self.connection, shares, [row])

    def shares(self) -> list[Share]:
        """Return every private address, by channel and age."""
        rows = self.connection.execute(
            select(shares).order_by(shares.c.slug, shares.c.created, shares.c.token)
        )
        return [Share(row.token, row.slug, row.created) for row in rows]

    def tokens_of(self, slugs: Collection[str]) -> dict[str, list[str]]:
        """Return the tokens of those channels that have some, by slug."""
        found: dict[str, list[str]] = {}
        for part in chunks(sorted(slugs)):
            query = select(shares).where(shares.c.slug.in_(part)).order_by(shares.c.token)
            for row in self.connection.execute(query):
                found.setdefault(row.slug, []).append(row.token)
        return found

    def drop_shares(self, tokens: Collection[str]) -> list[str]:
        """Take private addresses back; return their files, which nothing needs any more."""
        doomed: list[str] = []
        for token in sorted(tokens):
            self.connection.execute(delete(shares).where(shares.c.token == token))
            first = f"{PRIVATE}{token}/"
            doomed += self.connection.scalars(
                update(feed_files)
                # `0` follows `/`.
                .where(feed_files.c.name >= first, feed_files.c.name < f"{first[:-1]}0")
                .values(doomed=1)
                .returning(feed_files.c.name)
            )
        return doomed
