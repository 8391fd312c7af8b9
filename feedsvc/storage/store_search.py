"""Full-text search: what a query finds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    func,
    literal_column,
    not_,
    or_,
    select,
    table,
)

from feedsvc.model.search import Filters, Found
from feedsvc.query import Condition, Query, Term
from feedsvc.storage.search_language import Asked, asked, fts5, tsquery
from feedsvc.storage.search_tables import documents
from feedsvc.storage.tables import articles, originals

RANKED = 3000
"""Articles that are put in order by how well they fit; of more, the latest stored come first."""
_USUAL = "alive"
"""The state nearly all originals are in."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(
    r"r(?P<rank>-?\d{1,6}(?:\.\d{1,12})?)_(?P<worse>\d{1,15})"
    r"|n(?P<number>\d{1,15})"
    r"|p(?P<moment>-?\d{1,17})_(?P<id>[0-9a-f-]{36})"
)


@dataclass(frozen=True, slots=True)
class _Hits:
    """What matches: its number, its rank (less is better), and the condition itself."""

    number: ColumnElement[int]
    rank: ColumnElement[float]
    matches: ColumnElement[bool]
    query: Select[Any]
    """Number and article of everything that matches."""


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
        ranked: int = RANKED,
    ) -> Found:
        """Return a page of what a query finds and filters let through.

        With words to look for, the best come first, or of more than ``ranked`` the latest stored;
        without, the latest published. ``after`` is what the page before said; one that cannot be
        understood begins anew.
        """
        wanted = asked(query, filters)
        cursor = _CURSOR.fullmatch(after or "")
        if not any(want for want, _ in wanted.conditions):
            return self._latest_published(wanted, limit, cursor)
        hits = self._hits_of(wanted.conditions)
        few = hits.query.limit(ranked + 1).subquery()
        if self._number_of(select(func.count()).select_from(few)) > ranked:
            return self._newest_matching(hits, wanted, limit, cursor)
        return self._best_matching(hits, wanted, limit, cursor)

    def latest_found(self, query: Query, filters: Filters, *, limit: int) -> tuple[str, ...]:
        """Return the articles, latest published first, that a query finds and filters let through.

        Of more than RANKED that match, those that came into the index last are looked at.
        """
        wanted = asked(query, filters)
        if not any(want for want, _ in wanted.conditions):
            return self._latest_published(wanted, limit, None).ids
        hits = self._hits_of(wanted.conditions)
        some = hits.query.order_by(hits.number.desc()).limit(RANKED).subquery()
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
        query = self._narrowed(hits.query.add_columns(hits.rank.label("rank")), wanted)
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
        query = self._narrowed(hits.query, wanted).order_by(hits.number.desc())
        if cursor is not None and cursor["number"]:
            query = query.where(hits.number < int(cursor["number"]))
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
            barred = self._hits_of([(True, terms)]).query.subquery()
            query = query.where(documents.c.number.not_in(select(barred.c.number)))
        counted = query.limit(RANKED + 1).subquery()
        count = self._number_of(select(func.count()).select_from(counted))
        if cursor is not None and cursor["id"]:
            moment = _EPOCH + timedelta(microseconds=int(cursor["moment"]))
            earlier = articles.c.published < moment
            same = and_(articles.c.published == moment, articles.c.id < cursor["id"])
            query = query.where(earlier | same)
        order = query.order_by(articles.c.published.desc(), articles.c.id.desc())
        rows = self.connection.execute(order.limit(limit + 1)).all()
        following = None
        if len(rows) > limit:
            last = rows[limit - 1]
            following = f"p{(last.published - _EPOCH) // timedelta(microseconds=1)}_{last.id}"
        ids = tuple(row.id for row in rows[:limit])
        return Found(ids, following, min(count, RANKED), more=count > RANKED)

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
            number = documents.c.number
            words: ColumnElement[Any] = literal_column("documents.words")
            sought = func.to_tsquery(literal_column("'simple'"), tsquery(conditions))
            matches = words.op("@@", is_comparison=True)(sought)
            rank = -func.ts_rank(words, sought)
            origin = documents
        query = (
            select(number.label("number"), documents.c.article_id)
            .select_from(origin)
            .where(matches)
        )
        return _Hits(number, rank, matches, query)

    def _narrowed(self, query: Select[Any], wanted: Asked) -> Select[Any]:
        return self._limited(query.join(articles, articles.c.id == documents.c.article_id), wanted)

    def _limited(self, query: Select[Any], wanted: Asked) -> Select[Any]:
        """Let only articles through that are published and pass the filters."""
        query = query.where(articles.c.withdrawn.is_(None))
        if wanted.after is not None:
            query = query.where(articles.c.published >= wanted.after)
        if wanted.before is not None:
            query = query.where(articles.c.published < wanted.before)
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
        if term.moment is None:
            matching = self._hits_of([(True, (term,))]).query.subquery()
            return documents.c.number.in_(select(matching.c.number))
        if term.field == "after":
            return articles.c.published >= term.moment
        return articles.c.published < term.moment
