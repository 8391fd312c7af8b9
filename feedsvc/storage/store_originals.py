"""How each original is on the web, and what changed in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select, text

from feedsvc.model import Change, Difference, Original, OriginalState
from feedsvc.storage.dialect import among, chunks, is_shared, upsert
from feedsvc.storage.tables import articles, changes, originals


class OriginalStore:
    """One row per original, one per change of its text."""

    connection: Connection

    def original(self, article_id: str) -> Original | None:
        """Return how the original of an article is, None before anybody looked."""
        return self.originals([article_id]).get(article_id)

    def originals(self, article_ids: Collection[str]) -> dict[str, Original]:
        """Return how those originals are, by article id."""
        found: dict[str, Original] = {}
        for part in chunks(sorted(article_ids)):
            query = _ONE_BY_ONE if is_shared(self.connection) else _ORIGINALS
            rows = self.connection.execute(query, {"ids": part})
            found |= {row.article_id: _to_original(row) for row in rows}
        return found

    def put_originals(self, seen: Sequence[Original]) -> None:
        """Record how originals are."""
        upsert(self.connection, originals, [_row(one) | {"state": str(one.state)} for one in seen])

    def originals_in(
        self, state: OriginalState, *, limit: int, after: Original | None = None
    ) -> list[Original]:
        """Return the originals of published articles in a state, the latest to get there first.

        ``after`` is the last one of the page before.
        """
        query = (
            select(originals)
            .join(articles, articles.c.id == originals.c.article_id)
            .where(originals.c.state == str(state), articles.c.withdrawn.is_(None))
        )
        if after is not None:
            same = and_(originals.c.since == after.since, originals.c.article_id < after.article_id)
            query = query.where(
                originals.c.since <= after.since, or_(originals.c.since < after.since, same)
            )
        order = (originals.c.since.desc(), originals.c.article_id.desc())
        rows = self.connection.execute(query.order_by(*order).limit(limit))
        return [_to_original(row) for row in rows]

    def count_originals(
        self, states: Collection[OriginalState] = tuple(OriginalState)
    ) -> dict[str, int]:
        """Return how many originals of published articles are in which of those states."""
        named = list(map(str, states))
        counting = select(originals.c.state, func.count()).group_by(originals.c.state)
        # Those of withdrawn articles, which are few, stay.
        withdrawn = select(articles.c.id).where(articles.c.withdrawn.is_not(None))
        those = counting.where(originals.c.state.in_(named))
        at_once = self.connection.dialect.name != "sqlite"
        if at_once:
            those = those.where(originals.c.article_id.not_in(withdrawn))
        counted = dict.fromkeys(named, 0) | {
            row[0]: row[1] for row in self.connection.execute(those)
        }
        if at_once:
            return counted
        for part in chunks(list(self.connection.scalars(withdrawn))):
            for row in self.connection.execute(counting.where(originals.c.article_id.in_(part))):
                if row[0] in counted:
                    counted[row[0]] -= row[1]
        return counted

    # --- changes ----------------------------------------------------------------------------

    def add_changes(self, found: Sequence[Change]) -> None:
        """Record changes between snapshots that are recorded."""
        rows = [
            _row(one)
            | {
                "difference": one.difference.as_json(),
                "added": one.difference.added,
                "removed": one.difference.removed,
            }
            for one in found
        ]
        if rows:
            self.connection.execute(changes.insert(), rows)

    def change(self, change_id: str) -> Change | None:
        """Return a change by id."""
        row = self.connection.execute(select(changes).where(changes.c.id == change_id)).first()
        return _to_change(row) if row else None

    def changes_of(self, article_id: str, *, limit: int | None = None) -> list[Change]:
        """Return the changes of an article's original, the newest first."""
        rows = self.connection.execute(
            select(changes)
            .where(changes.c.article_id == article_id)
            .order_by(changes.c.at.desc(), changes.c.id.desc())
            .limit(limit)
        )
        return [_to_change(row) for row in rows]

    def recent_changes(self, *, limit: int, before: Change | None = None) -> list[Change]:
        """Return the last changes in originals of published articles, the newest first.

        ``before`` is the last one of the page before.
        """
        query = (
            select(changes)
            .join(articles, articles.c.id == changes.c.article_id)
            .where(articles.c.withdrawn.is_(None))
        )
        if before is not None:
            same = and_(changes.c.at == before.at, changes.c.id < before.id)
            query = query.where(changes.c.at <= before.at, or_(changes.c.at < before.at, same))
        rows = self.connection.execute(
            query.order_by(changes.c.at.desc(), changes.c.id.desc()).limit(limit)
        )
        return [_to_change(row) for row in rows]


_ORIGINALS = select(originals).where(among(originals.c.article_id, "ids", shared=False))
# A look into the index for each: a plan made while the table was small is kept while it grows.
_ONE_BY_ONE = text("""
SELECT o.* FROM generate_subscripts(CAST(:ids AS varchar[]), 1) AS number
CROSS JOIN LATERAL (
  SELECT * FROM originals WHERE article_id = (CAST(:ids AS varchar[]))[number] LIMIT 1
) AS o
""").columns(**{column.name: column.type for column in originals.columns})


def _row(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def _to_original(row: Row[Any]) -> Original:
    return Original(**row._asdict() | {"state": OriginalState(row.state)})


def _to_change(row: Row[Any]) -> Change:
    return Change(
        id=row.id,
        article_id=row.article_id,
        at=row.at,
        before_id=row.before_id,
        after_id=row.after_id,
        difference=Difference.from_json(row.difference),
    )
