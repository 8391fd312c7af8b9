"""The order of entries in each channel, and how it is cut into archive pages (RFC 5005 §4)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, and_, delete, func, select, update

from feedsvc.storage.feed_tables import channels, pages, sequence
from feedsvc.storage.tables import articles


def closed_pages(last: int, entries: int) -> int:
    """Return how many pages are closed of a sequence that ends at position ``last``.

    The head keeps from ``entries`` to twice as many. A first page closes only together with a
    second one: an archive page alone, which neither follows nor is followed, is a mistake to
    validators.
    """
    return 0 if last < 3 * entries else (last - entries) // entries


class SequenceStore:
    """Positions, which never change, and pages."""

    connection: Connection

    def join_sequences(self, slugs: Iterable[str]) -> None:
        """Give waiting entries their place at the end of each channel's sequence, by date."""
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
                    sequence.c.member == 1,
                    articles.c.withdrawn.is_(None),
                )
                .subquery()
            )
            self.connection.execute(
                update(sequence)
                .where(sequence.c.slug == slug, sequence.c.article_id == waiting.c.article_id)
                .values(position=waiting.c.n + self.last_position(slug))
            )

    def last_position(self, slug: str) -> int:
        """Return where a channel's sequence ends, 0 before its first entry."""
        query = select(func.max(sequence.c.position)).where(sequence.c.slug == slug)
        return self.connection.scalar(query) or 0

    def close_pages(self, slugs: Iterable[str], *, entries: int) -> None:
        """Close the pages that are full, and number all anew where they hold another number."""
        for slug in sorted(slugs):
            row = self.connection.execute(
                select(channels.c.entries, channels.c.closed).where(channels.c.slug == slug)
            ).one()
            known = row.closed if row.entries == entries else 0
            if row.entries != entries:
                self.connection.execute(delete(pages).where(pages.c.slug == slug))
            closed = max(known, closed_pages(self.last_position(slug), entries))
            if (row.entries, row.closed) == (entries, closed):
                continue
            # The page before now has one after it, and tells so.
            self.connection.execute(
                update(pages)
                .where(pages.c.slug == slug, pages.c.number == known)
                .values(dirty=pages.c.dirty + 1)
            )
            new = [
                {"slug": slug, "number": number, "dirty": 1, "clean": 0}
                for number in range(known + 1, closed + 1)
            ]
            if new:
                self.connection.execute(pages.insert(), new)
            self.connection.execute(
                update(channels)
                .where(channels.c.slug == slug)
                .values(entries=entries, closed=closed)
            )

    def closed(self, slug: str) -> int:
        """Return how many pages of a channel are closed."""
        query = select(channels.c.closed).where(channels.c.slug == slug)
        return self.connection.scalar(query) or 0

    def between(self, slug: str, first: int, last: int | None = None) -> list[str]:
        """Return the ids of the articles published at those positions, both ends included."""
        query = (
            select(sequence.c.article_id)
            .join(
                articles,
                and_(articles.c.id == sequence.c.article_id, articles.c.withdrawn.is_(None)),
            )
            .where(sequence.c.slug == slug, sequence.c.member == 1, sequence.c.position >= first)
            .order_by(sequence.c.position)
        )
        if last is not None:
            query = query.where(sequence.c.position <= last)
        return list(self.connection.scalars(query))
