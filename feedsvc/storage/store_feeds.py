"""What entries are composed from, and which files were written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, delete, func, select, update

from feedsvc.model import Article, FeedItem, Snapshot, Topic, Verdict
from feedsvc.storage.dialect import chunks, is_shared, upsert
from feedsvc.storage.feed_tables import (
    article_topics,
    channels,
    feed_files,
    mended,
    pages,
    topics,
)
from feedsvc.storage.store_captures import to_snapshot
from feedsvc.storage.store_topics import to_topic
from feedsvc.storage.tables import articles, facts, snapshots

FILES_CHANGED = "feedsvc_files"
"""Under this name PostgreSQL tells web servers which files changed, one name a line."""
EVERY_FILE = "*"
LONGEST_NOTE = 7900
"""PostgreSQL takes 8,000 bytes."""


@dataclass(frozen=True, slots=True)
class FeedFile:
    """A file of feeds as it was written."""

    sha256: str
    size: int
    slug: str | None = None
    """The channel it shows; None for the list of all feeds and for the stylesheet."""
    page: int | None = None
    """None for the head."""
    doomed: bool = False
    """True: nothing needs it, as far as is known."""


class FeedStore:
    """Items and files of feeds."""

    connection: Connection

    def feed_items(self, found: Mapping[str, Article]) -> dict[str, FeedItem]:
        """Return what entries are composed from, by article id."""
        ids = sorted(found)
        in_topics = self.topics_of(ids)
        good = self.good_snapshots(ids)
        return {
            id_: FeedItem(article, tuple(in_topics[id_]), good.get(id_))
            for id_, article in found.items()
        }

    def topics_of(self, article_ids: Sequence[str]) -> dict[str, list[Topic]]:
        """Return the topics of articles in order of rank, by article id."""
        found: dict[str, list[Topic]] = {one: [] for one in article_ids}
        for part in chunks(article_ids):
            rows = self.connection.execute(
                select(article_topics.c.article_id, topics)
                .join(topics, topics.c.slug == article_topics.c.slug)
                .where(article_topics.c.article_id.in_(part))
                .order_by(article_topics.c.article_id, article_topics.c.rank)
            )
            for row in rows:
                found[row.article_id].append(to_topic(row))
        return found

    def good_snapshots(self, article_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Return the last verified snapshot of each article, else the last partial one.

        Damaged ones do not count, nor do those that only found a page unchanged.
        """
        found: dict[str, Snapshot] = {}
        better = case((snapshots.c.verdict == "verified", 1), else_=0)
        for part in chunks(article_ids):
            rows = self.connection.execute(
                select(snapshots)
                .where(
                    snapshots.c.article_id.in_(part),
                    # Not "is one of": SQLite would go through all that are, of every article.
                    snapshots.c.verdict != str(Verdict.MISMATCH),
                    snapshots.c.damaged.is_(None),
                    snapshots.c.repeats.is_(None),
                )
                .order_by(better, snapshots.c.captured, snapshots.c.id)
            )
            found |= {row.article_id: to_snapshot(row) for row in rows}
        return found

    def feed_files(self) -> dict[str, tuple[str, int]]:
        """Return SHA-256 and size of every feed file written, by name."""
        rows = self.connection.execute(
            select(feed_files.c.name, feed_files.c.sha256, feed_files.c.size)
        )
        return {row.name: (row.sha256, row.size) for row in rows}

    def known_files(self, names: Sequence[str]) -> dict[str, FeedFile]:
        """Return what is recorded of those files, by name."""
        found: dict[str, FeedFile] = {}
        for part in chunks(names):
            rows = self.connection.execute(select(feed_files).where(feed_files.c.name.in_(part)))
            found |= {row.name: _to_file(row) for row in rows}
        return found

    def files_after(self, name: str, *, limit: int) -> dict[str, FeedFile]:
        """Return what is recorded of the files that follow a name, in order."""
        rows = self.connection.execute(
            select(feed_files)
            .where(feed_files.c.name > name)
            .order_by(feed_files.c.name)
            .limit(limit)
        )
        return {row.name: _to_file(row) for row in rows}

    def put_feed_files(self, written: Mapping[str, FeedFile], *, now: datetime) -> None:
        """Record files that were written; none of them is doomed any more, unless it says so."""
        upsert(
            self.connection,
            feed_files,
            [
                {
                    "name": name,
                    "sha256": file.sha256,
                    "size": file.size,
                    "written": now,
                    "slug": file.slug,
                    "page": file.page,
                    "doomed": int(file.doomed),
                }
                for name, file in sorted(written.items())
            ],
        )

    def doom_files(self) -> None:
        """Let every file of a channel go that is not written again from now on."""
        self.connection.execute(
            update(feed_files).where(feed_files.c.slug.is_not(None)).values(doomed=1)
        )

    def doomed_files(self, *, limit: int, after: str = "") -> dict[str, str]:
        """Return names of files that nothing needs, each with its channel's slug, in order.

        What a channel needs is known only once all of its documents are written.
        """
        heads = select(channels.c.slug).where(
            channels.c.slug == feed_files.c.slug, channels.c.dirty > channels.c.clean
        )
        closed = select(pages.c.slug).where(
            pages.c.slug == feed_files.c.slug, pages.c.dirty > pages.c.clean
        )
        rows = self.connection.execute(
            select(feed_files.c.name, feed_files.c.slug)
            .where(feed_files.c.doomed == 1, feed_files.c.name > after)
            .where(~heads.exists(), ~closed.exists())
            .order_by(feed_files.c.name)
            .limit(limit)
        )
        return {row.name: row.slug or "" for row in rows}

    def tell_files(self, names: Collection[str]) -> None:
        """Tell whoever serves them that files were written or removed, once this is committed."""
        if names and is_shared(self.connection):
            payload = "\n".join(sorted(names))
            said = payload if len(payload) < LONGEST_NOTE else EVERY_FILE
            self.connection.execute(select(func.pg_notify(FILES_CHANGED, said)))

    def file_versions(self, names: Sequence[str]) -> dict[str, tuple[str, datetime]]:
        """Return SHA-256 of those files and when they were written, by name."""
        found: dict[str, tuple[str, datetime]] = {}
        query = select(feed_files.c.name, feed_files.c.sha256, feed_files.c.written)
        for part in chunks(names):
            rows = self.connection.execute(query.where(feed_files.c.name.in_(part)))
            found |= {row.name: (row.sha256, row.written) for row in rows}
        return found

    def drop_feed_files(self, names: Sequence[str]) -> None:
        """Forget files that were removed."""
        self.tell_files(names)
        for part in chunks(names):
            self.connection.execute(delete(feed_files).where(feed_files.c.name.in_(part)))

    def tell_mended(self, told: Mapping[str, str]) -> set[str]:
        """Remember what is told of articles (id -> digest); return of which it was not told yet."""
        new: set[str] = set()
        for part in chunks(sorted(told)):
            rows = self.connection.execute(
                select(articles.c.id, mended.c.sha256)
                .outerjoin(mended, mended.c.article_id == articles.c.id)
                .where(articles.c.id.in_(part))
            )
            new |= {row.id for row in rows if row.sha256 != told[row.id]}
        said = [{"article_id": one, "sha256": told[one]} for one in sorted(new)]
        upsert(self.connection, mended, said)
        return new

    def fact(self, name: str) -> str | None:
        """Return something remembered about the whole site."""
        return self.connection.scalar(select(facts.c.value).where(facts.c.name == name))

    def set_fact(self, name: str, value: str) -> None:
        """Remember something about the whole site."""
        upsert(self.connection, facts, [{"name": name, "value": value}])

    def forget_fact(self, name: str) -> None:
        """Forget a value by its name."""
        self.connection.execute(delete(facts).where(facts.c.name == name))


def _to_file(row: Row[Any]) -> FeedFile:
    return FeedFile(row.sha256, row.size, row.slug, row.page, bool(row.doomed))
