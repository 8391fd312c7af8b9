"""The index of full-text search: which articles are in it, and as what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select, text

from feedsvc.query import MOST_CHARACTERS, folded
from feedsvc.storage.dialect import chunks, insert_missing
from feedsvc.storage.search_language import mark_of_topic, marks_of_host
from feedsvc.storage.search_tables import documents, unindexed
from feedsvc.storage.tables import article_topics, articles, captures, revisions

_FTS5_ROW = text(
    "INSERT INTO search_index (rowid, title, body, author, agency, about) "
    "VALUES (:number, :title, :body, :author, :agency, :about)"
)
_FTS5_FORGET = text(
    "INSERT INTO search_index (search_index, rowid, title, body, author, agency, about) "
    "VALUES ('delete', :number, :title, :body, :author, :agency, :about)"
)
_TSVECTOR_ROW = text(
    "UPDATE documents SET words = setweight(to_tsvector('simple', :title), 'A') || "
    "setweight(to_tsvector('simple', :author), 'B') || "
    "setweight(to_tsvector('simple', :agency), 'C') || "
    "to_tsvector('simple', :body) || to_tsvector('simple', :about) WHERE number = :number"
)


class IndexStore:
    """Articles in the index are as they were when it last came to them."""

    connection: Connection

    def await_whole_index(self) -> None:
        """Let every article come into the index again."""
        self.connection.execute(delete(unindexed))
        self.connection.execute(
            unindexed.insert().from_select(["article_id"], select(articles.c.id))
        )

    def unindexed_count(self) -> int:
        """Return how many articles are not in the index as they are."""
        return self.connection.scalar(select(func.count()).select_from(unindexed)) or 0

    def awaits_index(self) -> bool:
        """Tell whether any article is not in the index as it is."""
        return self.connection.scalar(select(unindexed.c.article_id).limit(1)) is not None

    def index_some(self, *, limit: int) -> int:
        """Bring so many articles into the index as they are; return how many that were."""
        ids = list(self.connection.scalars(select(unindexed.c.article_id).limit(limit)))
        if not ids:
            return 0
        numbers = _leave(self.connection, ids)
        rows = self._index_rows(ids, numbers)
        gone = set(ids) - {row["article_id"] for row in rows}
        self.connection.execute(delete(documents).where(documents.c.article_id.in_(gone)))
        if rows:
            self._enter_index(rows)
        self.connection.execute(delete(unindexed).where(unindexed.c.article_id.in_(ids)))
        return len(ids)

    def _index_rows(self, ids: Sequence[str], numbers: dict[str, int]) -> list[dict[str, Any]]:
        """Return what there is to say of those articles that are not withdrawn."""
        current = revisions.c.article_id == articles.c.id
        query = (
            select(
                articles.c.id.label("article_id"),
                articles.c.revision,
                revisions.c.title,
                revisions.c.text,
                revisions.c.author,
                revisions.c.agency,
                captures.c.host,
            )
            .join(revisions, current & (revisions.c.number == articles.c.revision))
            .outerjoin(captures, captures.c.article_id == articles.c.id)
            .where(articles.c.id.in_(ids), articles.c.withdrawn.is_(None))
        )
        topics = self._topic_marks(ids)
        rows = []
        for row in self.connection.execute(query):
            about = {
                "author": folded(row.author or ""),
                "agency": folded(row.agency or ""),
                "about": " ".join(
                    [*topics.get(row.article_id, ()), *marks_of_host(row.host or "")]
                ),
            }
            rows.append(
                {
                    "article_id": row.article_id,
                    "revision": row.revision,
                    "number": numbers.get(row.article_id),
                    "about": about,
                    "indexed": _indexed(row, about),
                }
            )
        return rows

    def _topic_marks(self, ids: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        query = select(article_topics.c.article_id, article_topics.c.slug).where(
            article_topics.c.article_id.in_(ids)
        )
        for row in self.connection.execute(query.order_by(article_topics.c.slug)):
            found.setdefault(row.article_id, []).append(mark_of_topic(row.slug))
        return found

    def _enter_index(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            values = {name: row[name] for name in ("article_id", "revision", "about")}
            if row["number"] is None:
                made = documents.insert().values(values).returning(documents.c.number)
                row["number"] = self.connection.scalar(made)
            else:
                self.connection.execute(
                    documents.update().where(documents.c.number == row["number"]).values(values)
                )
        statement = _FTS5_ROW if self.connection.dialect.name == "sqlite" else _TSVECTOR_ROW
        self.connection.execute(
            statement, [row["indexed"] | {"number": row["number"]} for row in rows]
        )


def _indexed(row: Any, about: dict[str, str]) -> dict[str, Any]:
    """Return a row of the index: the folded words of an article."""
    return {
        "number": getattr(row, "number", None),
        "title": folded(row.title),
        "body": folded(row.text[:MOST_CHARACTERS]),
        **about,
    }


def await_index(connection: Connection, article_ids: Iterable[str]) -> None:
    """Let articles come into the index again, as they are then."""
    rows = [{"article_id": one} for one in dict.fromkeys(article_ids)]
    for part in chunks(rows):
        insert_missing(connection, unindexed, part)


def leave_index(connection: Connection, article_ids: Sequence[str]) -> None:
    """Take articles out of the index, before their revisions are removed."""
    for part in chunks(article_ids):
        _leave(connection, part)
        connection.execute(delete(documents).where(documents.c.article_id.in_(part)))


def _leave(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """Take what is in FTS5's index out of it; return the documents' numbers by article."""
    held = revisions.c.article_id == documents.c.article_id
    query = (
        select(
            documents.c.article_id,
            documents.c.number,
            documents.c.about,
            revisions.c.title,
            revisions.c.text,
        )
        .join(revisions, held & (revisions.c.number == documents.c.revision))
        .where(documents.c.article_id.in_(ids))
    )
    rows = connection.execute(query).all()
    if rows and connection.dialect.name == "sqlite":
        connection.execute(_FTS5_FORGET, [_indexed(row, row.about) for row in rows])
    return {row.article_id: row.number for row in rows}
