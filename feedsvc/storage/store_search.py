"""Full-text search: what a query finds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    not_,
    or_,
    select,
    table,
)

from feedsvc.model.search import Filters, Found
from feedsvc.query import Condition, Query, Term
from feedsvc.storage.dialect import estimated_rows
from feedsvc.storage.search_language import Asked, asked, fts5, tsquery
from feedsvc.storage.search_tables import documents
from feedsvc.storage.tables import articles, originals

RANKED = 3000
WIDE = 5_000
WALKED = 5_000
_WORDS: ColumnElement[Any] = literal_column("documents.words")
_USUAL = "alive"
"""The state nearly all originals are in."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(
    r"r(?P<rank>-?\d{1,6}(?:\.\d{1,12})?)_(?P<worse>\d{1,15})"
    r"|n(?P<number>\d{1,15})"
    r"|p(?P<moment>-?\d{1,17})_(?P<id>[0-9a-f-]{36})"
)


@dataclass(frozen=True, slots=True)
class _Rows:
    """A query for what matches, and its columns for number and article."""

    query: Select[Any]
    number: ColumnElement[int]
    article: ColumnElement[str]


@dataclass(frozen=True, slots=True)
class _Hits:
    """What matches: in any order, the latest first where that helps, with ranks (less is better)."""

    rows: _Rows
    newest: _Rows
    ranked: _Rows


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a search stops looking, so that it takes no longer among millions."""

    ranked: int = RANKED
    """Articles that are put in order by how well they fit; of more, the latest stored come first."""
    wide: int = WIDE
    """Articles with the words, as PostgreSQL estimates; where there are more, it walks."""
    walked: int = WALKED
    """Articles that a page walks through at most."""


BOUNDS = Bounds()


class SearchStore:
    """Searches in the index."""

    connection: Connection

    def search(
        self,
        query: Query,
        filters: Filters,
        *,
        limit: int,
        after: str | None = None,
        bounds: Bounds = BOUNDS,
    ) -> Found:
        """Return a page of what a query finds and filters let through.

        With words to look for, the best come first, or of more than ``bounds.ranked`` the
        latest stored, or, where the words are nearly everywhere, the latest published; without, the latest published. ``after`` is what the page before said; one that cannot be
        understood begins anew.
        """
        wanted = asked(query, filters)
        cursor = _CURSOR.fullmatch(after or "")
        if self._is_walked(wanted, bounds):
            return self._walk(wanted, limit, cursor, bounds)
        if not any(want for want, _ in wanted.conditions):
            return self._latest_published(wanted, limit, cursor)
        hits = self._hits_of(wanted.conditions)
        few = hits.rows.query.limit(bounds.ranked + 1).subquery()
        if self._number_of(select(func.count()).select_from(few)) > bounds.ranked:
            return self._newest_matching(hits, wanted, limit, cursor)
        return self._best_matching(hits, wanted, limit, cursor)

    def latest_found(
        self, query: Query, filters: Filters, *, limit: int, bounds: Bounds = BOUNDS
    ) -> tuple[str, ...]:
        """Return the articles, latest published first, that a query finds and filters let through.

        Of more than ``bounds.ranked`` that match, those that came into the index last are looked at.
        """
        wanted = asked(query, filters)
        if self._is_walked(wanted, bounds):
            return self._walk(wanted, limit, None, bounds).ids
        if not any(want for want, _ in wanted.conditions):
            return self._latest_published(wanted, limit, None).ids
        hits = self._hits_of(wanted.conditions)
        some = hits.newest.query.order_by(hits.newest.number.desc()).limit(bounds.ranked).subquery()
        latest = select(articles.c.id).join(some, some.c.article_id == articles.c.id)
        if wanted.mixed:
            latest = latest.join(documents, documents.c.number == some.c.number)
        order = self._limited(latest, wanted).order_by(
            articles.c.published.desc(), articles.c.id.desc()
        )
        return tuple(self.connection.scalars(order.limit(limit)))

    def _best_matching(
        self, hits: _Hits, wanted: Asked, limit: int, cursor: re.Match[str] | None
    ) -> Found:
        query = self._narrowed(hits.ranked, wanted)
        rows = sorted(
            (round(row.rank, 6), row.number, row.article_id)
            for row in self.connection.execute(query)
        )
        rest = rows
        if cursor is not None and cursor["worse"]:
            begin = (float(cursor["rank"]), int(cursor["worse"]))
            rest = [row for row in rows if row[:2] > begin]
        page = rest[:limit]
        following = f"r{page[-1][0]:f}_{page[-1][1]}" if len(rest) > limit else None
        return Found(tuple(id_ for _, _, id_ in page), following, len(rows), more=False)

    def _newest_matching(
        self, hits: _Hits, wanted: Asked, limit: int, cursor: re.Match[str] | None
    ) -> Found:
        query = self._narrowed(hits.newest, wanted).order_by(hits.newest.number.desc())
        if cursor is not None and cursor["number"]:
            query = query.where(hits.newest.number < int(cursor["number"]))
        rows = self.connection.execute(query.limit(limit + 1)).all()
        following = f"n{rows[limit - 1].number}" if len(rows) > limit else None
        ids = tuple(row.article_id for row in rows[:limit])
        if following is None and cursor is None:
            # Filters left few of them after all.
            return Found(ids, None, len(ids), more=False)
        return Found(ids, following, RANKED, more=True)

    def _latest_published(self, wanted: Asked, limit: int, cursor: re.Match[str] | None) -> Found:
        """Return the latest: nothing is looked for, or only what must not be there."""
        query: Any = select(articles.c.id, articles.c.published)
        if wanted.conditions or wanted.mixed:
            query = query.join(documents, documents.c.article_id == articles.c.id)
        query = self._limited(query, wanted)
        for _, terms in wanted.conditions:
            barred = self._hits_of([(True, terms)]).rows.query.subquery()
            query = query.where(documents.c.number.not_in(select(barred.c.number)))
        counted = query.limit(RANKED + 1).subquery()
        count = self._number_of(select(func.count()).select_from(counted))
        if cursor is not None and cursor["id"]:
            query = query.where(_earlier(cursor))
        order = query.order_by(articles.c.published.desc(), articles.c.id.desc())
        rows = self.connection.execute(order.limit(limit + 1)).all()
        following = None
        if len(rows) > limit:
            following = _cursor(rows[limit - 1])
        ids = tuple(row.id for row in rows[:limit])
        return Found(ids, following, min(count, RANKED), more=count > RANKED)

    # --- PostgreSQL: words that are nearly everywhere ----------------------------------------

    def _is_walked(self, wanted: Asked, bounds: Bounds) -> bool:
        """Tell whether articles are rather looked through than looked up in PostgreSQL's index.

        Its index has no order, and has to see every article that holds the words before it knows
        whether they stand side by side, or in which field.
        """
        if self.connection.dialect.name == "sqlite" or not (wanted.conditions or wanted.mixed):
            return False
        sought = [one for one in wanted.conditions if one[0]]
        return not sought or estimated_rows(self.connection, _matching(sought)) > bounds.wide

    def _walk(
        self, wanted: Asked, limit: int, cursor: re.Match[str] | None, bounds: Bounds
    ) -> Found:
        """Return the latest published of a piece of all articles; whoever goes on gets the next."""
        first = self._looked_through(wanted, None, bounds.walked)
        piece = first
        if cursor is not None and cursor["id"]:
            piece = self._looked_through(wanted, cursor, bounds.walked)
        rows, last = piece
        following = None
        if len(rows) > limit:
            following = _cursor(rows[limit - 1])
        elif last is not None:
            following = _cursor(last)
        ids = tuple(row.id for row in rows[:limit])
        return Found(ids, following, len(first[0]), more=first[1] is not None)

    def _looked_through(
        self, wanted: Asked, cursor: re.Match[str] | None, walked: int
    ) -> tuple[Sequence[Row[Any]], Row[Any] | None]:
        """Return what is found in a piece, and the end of the piece unless it is the last one."""
        query = _dated(select(articles.c.id, articles.c.published), wanted)
        if cursor is not None:
            query = query.where(_earlier(cursor))
        piece = query.order_by(articles.c.published.desc(), articles.c.id.desc()).limit(walked)
        some = piece.cte("some").prefix_with("MATERIALIZED")
        found = select(some).join(documents, documents.c.article_id == some.c.id)
        if wanted.conditions:
            found = found.where(_matches(wanted.conditions))
        if wanted.state is not None or wanted.mixed:
            found = self._limited(found.join(articles, articles.c.id == some.c.id), wanted)
        order = (some.c.published.desc(), some.c.id.desc())
        rows = self.connection.execute(found.order_by(*order)).all()
        return rows, self.connection.execute(piece.offset(walked - 1).limit(1)).first()

    def _number_of(self, query: Select[int]) -> int:
        return self.connection.scalar(query) or 0

    def _hits_of(self, conditions: list[Condition] | tuple[Condition, ...]) -> _Hits:
        if self.connection.dialect.name == "sqlite":
            index: ColumnElement[Any] = literal_column("search_index")
            number: ColumnElement[int] = literal_column("search_index.rowid")
            matches = index.op("MATCH", is_comparison=True)(fts5(conditions))
            rank: ColumnElement[float] = func.bm25(index, 8.0, 1.0, 4.0, 4.0, 0.0)
            origin: FromClause = documents.join(table("search_index"), documents.c.number == number)
        else:
            return _hits_in_postgresql(conditions)
        query = (
            select(number.label("number"), documents.c.article_id)
            .select_from(origin)
            .where(matches)
        )
        article = documents.c.article_id
        rows = _Rows(query, number, article)
        ranked = query.add_columns(rank.label("rank"))
        return _Hits(rows, rows, _Rows(ranked, number, article))

    def _narrowed(self, rows: _Rows, wanted: Asked) -> Select[Any]:
        query = rows.query.join(articles, articles.c.id == rows.article)
        if wanted.mixed and rows.article is not documents.c.article_id:
            query = query.join(documents, documents.c.article_id == articles.c.id)
        return self._limited(query, wanted)

    def _limited(self, query: Select[Any], wanted: Asked) -> Select[Any]:
        """Let only articles through that are published and pass the filters."""
        query = _dated(query, wanted)
        if wanted.state is not None:
            like = select(originals.c.article_id).where(originals.c.state == wanted.state)
            if wanted.state == _USUAL:
                # Nearly every article is found so: better asked of each than listed first.
                of_it = originals.c.article_id == articles.c.id
                query = query.where(like.where(of_it).correlate(articles).exists())
            else:
                query = query.where(articles.c.id.in_(like))
        for want, terms in wanted.mixed:
            either = or_(*(self._holds(term) for term in terms))
            query = query.where(either if want else not_(either))
        return query

    def _holds(self, term: Term) -> ColumnElement[bool]:
        """Return the condition that one term holds."""
        if term.moment is None and self.connection.dialect.name != "sqlite":
            return _matches([(True, (term,))])
        if term.moment is None:
            matching = self._hits_of([(True, (term,))]).rows.query.subquery()
            return documents.c.number.in_(select(matching.c.number))
        if term.field == "after":
            return articles.c.published >= term.moment
        return articles.c.published < term.moment


def _dated(query: Select[Any], wanted: Asked) -> Select[Any]:
    """Let only articles through that are published, and were at those times."""
    query = query.where(articles.c.withdrawn.is_(None))
    if wanted.after is not None:
        query = query.where(articles.c.published >= wanted.after)
    if wanted.before is not None:
        query = query.where(articles.c.published < wanted.before)
    return query


def _earlier(cursor: re.Match[str]) -> ColumnElement[bool]:
    """Return what stands behind an article in a list by date."""
    moment = _EPOCH + timedelta(microseconds=int(cursor["moment"]))
    same = and_(articles.c.published == moment, articles.c.id < cursor["id"])
    # Said twice, so that the index is entered at the moment.
    return and_(articles.c.published <= moment, or_(articles.c.published < moment, same))


def _cursor(row: Row[Any]) -> str:
    return f"p{(row.published - _EPOCH) // timedelta(microseconds=1)}_{row.id}"


def _sought(conditions: Sequence[Condition]) -> ColumnElement[Any]:
    # Part of the statement: a plan for any words whatever is a bad one for nearly all.
    words: ColumnElement[str] = bindparam(None, tsquery(conditions), literal_execute=True)
    return func.to_tsquery(literal_column("'simple'"), words)


def _matches(conditions: Sequence[Condition]) -> ColumnElement[bool]:
    """Return PostgreSQL's condition that a document is as they say."""
    return _WORDS.op("@@", is_comparison=True)(_sought(conditions))


def _matching(conditions: Sequence[Condition]) -> Select[Any]:
    return select(documents.c.number, documents.c.article_id).where(_matches(conditions))


def _hits_in_postgresql(conditions: Sequence[Condition]) -> _Hits:
    # By themselves, so that no order and no limit tempts the planner to go through all documents.
    matching = _matching(conditions)
    hits = matching.cte("hits").prefix_with("MATERIALIZED")
    rows = select(hits.c.number, hits.c.article_id)
    # In order before articles are asked for, so that only those of one page are.
    newest = rows.order_by(hits.c.number.desc()).subquery()
    rank = (-func.ts_rank(_WORDS, _sought(conditions))).label("rank")
    ranked = matching.add_columns(rank).cte("hits").prefix_with("MATERIALIZED")
    return _Hits(
        _Rows(rows, hits.c.number, hits.c.article_id),
        _Rows(select(newest), newest.c.number, newest.c.article_id),
        _Rows(select(ranked), ranked.c.number, ranked.c.article_id),
    )
