"""Articles and their revisions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, or_, select, update

from feedsvc.model import Article, ParsedArticle, content_digest
from feedsvc.storage.dialect import chunks, upsert
from feedsvc.storage.store_index import await_index, leave_index
from feedsvc.storage.tables import articles, captures, originals, revisions, sequence
from feedsvc.urls import host_of


@dataclass(frozen=True, slots=True)
class Identity:
    """What deciding about a seed needs to know of a stored article."""

    id: str
    url_key: str | None
    url: str | None
    seed: str
    revision: int
    digest: str
    title: str
    topics: tuple[str, ...]
    published: datetime
    updated: datetime
    withdrawn: datetime | None


@dataclass(frozen=True, slots=True)
class ArticlePut:
    """An article as it is to stand: new (revision 1), revised, moved or returned."""

    id: str
    url_key: str | None
    seed: str
    revision: int
    digest: str
    published: datetime
    updated: datetime
    parsed: ParsedArticle
    topics_version: str
    revised: bool
    """True if ``parsed`` is a revision that is not stored yet."""


class ArticleStore:
    """Articles by id; a revision is never changed, only followed."""

    connection: Connection

    def identities(
        self, *, ids: Collection[str] = (), url_keys: Collection[str] = ()
    ) -> list[Identity]:
        """Return the stored articles that have one of those ids or URL keys."""
        found: dict[str, Identity] = {}
        for column, values in ((articles.c.id, ids), (articles.c.url_key, url_keys)):
            for part in chunks(sorted(values)):
                rows = self.connection.execute(_identity().where(column.in_(part)))
                found |= {row.id: _to_identity(row) for row in rows}
        return list(found.values())

    def put_articles(self, puts: Sequence[ArticlePut], *, now: datetime) -> None:
        """Store articles as they are to stand, and what has to be captured because of it."""
        new = [put for put in puts if put.revision == 1 and put.revised]
        old = [put for put in puts if not (put.revision == 1 and put.revised)]
        if new:
            self.connection.execute(
                articles.insert(), [_row(put) | {"first_seen": now} for put in new]
            )
        if old:
            self.connection.execute(
                update(articles).where(articles.c.id == bindparam("article")),
                [_update_row(put) for put in old],
            )
            self._retopic(old)
            self._redate(old)
        revised = [put for put in puts if put.revised]
        if revised:
            self.connection.execute(revisions.insert(), [_revision(put, now) for put in revised])
        self._enqueue(new, old, now)
        await_index(self.connection, (put.id for put in puts))

    def _retopic(self, puts: Sequence[ArticlePut]) -> None:
        """Bring front matter's topics up to date where nothing else made a revision."""
        rows = [
            {"article": put.id, "revision": put.revision, "topics": list(put.parsed.topics)}
            for put in puts
            if not put.revised
        ]
        if rows:
            self.connection.execute(
                update(revisions).where(
                    revisions.c.article_id == bindparam("article"),
                    revisions.c.number == bindparam("revision"),
                ),
                rows,
            )

    def _redate(self, puts: Sequence[ArticlePut]) -> None:
        """Bring the dates by which channels list articles up to date."""
        there = sequence.c.article_id == bindparam("article")
        moved = or_(sequence.c.published.is_(None), sequence.c.published != bindparam("date"))
        self.connection.execute(
            update(sequence).where(there, moved).values(published=bindparam("date")),
            [{"article": put.id, "date": put.published} for put in puts],
        )

    def _enqueue(self, new: Sequence[ArticlePut], old: Sequence[ArticlePut], now: datetime) -> None:
        """Make the capture of a new original due; a corrected address starts afresh."""
        rows = [_capture(put, now) for put in new if put.parsed.url]
        if rows:
            self.connection.execute(captures.insert(), rows)
        changed = {put.id: put for put in old if put.parsed.url}
        if not changed:
            return
        have: dict[str, str] = {}
        for part in chunks(sorted(changed)):
            query = select(captures.c.article_id, captures.c.url).where(
                captures.c.article_id.in_(part)
            )
            have |= {row.article_id: row.url for row in self.connection.execute(query)}
        moved = [put for put in changed.values() if have.get(put.id) != put.parsed.url]
        for part in chunks([put.id for put in moved]):
            # How the page at the former address is says nothing of the new one.
            self.connection.execute(delete(originals).where(originals.c.article_id.in_(part)))
        afresh = {"purpose": "capture", "step": 0}
        upsert(self.connection, captures, [_capture(put, now) | afresh for put in moved])

    def withdraw(self, article_ids: Sequence[str], *, now: datetime) -> None:
        """Withdraw articles; `bury` tells readers of it."""
        for part in chunks(article_ids):
            self.connection.execute(
                update(articles)
                .where(articles.c.id.in_(part), articles.c.withdrawn.is_(None))
                .values(withdrawn=now)
            )
        await_index(self.connection, article_ids)

    def withdrawn_since(self, moment: datetime) -> int:
        """Return how many articles were withdrawn since then."""
        query = select(func.count()).where(articles.c.withdrawn >= moment)
        return self.connection.scalar(query) or 0

    def article(self, article_id: str) -> Article | None:
        """Return an article in its current revision, withdrawn ones too."""
        row = self.connection.execute(current_articles().where(articles.c.id == article_id)).first()
        return to_article(row) if row else None

    def articles(self, article_ids: Sequence[str]) -> dict[str, Article]:
        """Return articles by id."""
        found: dict[str, Article] = {}
        for part in chunks(article_ids):
            rows = self.connection.execute(current_articles().where(articles.c.id.in_(part)))
            found |= {row.id: to_article(row) for row in rows}
        return found

    def stale_articles(self, version: str, *, limit: int) -> list[Article]:
        """Return articles sorted under another version of the vocabulary, by id."""
        rows = self.connection.execute(
            current_articles()
            # Two ranges of the index; "is not equal" would read every row.
            .where(or_(articles.c.topics_version < version, articles.c.topics_version > version))
            .order_by(articles.c.id)
            .limit(limit)
        )
        return [to_article(row) for row in rows]

    def stale_count(self, version: str) -> int:
        """Return how many articles were sorted under another version of the vocabulary."""
        return (
            self.connection.scalar(
                select(func.count()).where(
                    or_(articles.c.topics_version < version, articles.c.topics_version > version)
                )
            )
            or 0
        )

    def set_topics_version(self, article_ids: Sequence[str], version: str) -> None:
        """Record under which version of the vocabulary articles are sorted now."""
        for part in chunks(article_ids):
            self.connection.execute(
                update(articles).where(articles.c.id.in_(part)).values(topics_version=version)
            )

    def unfiled_articles(self, version: str, *, limit: int) -> list[Article]:
        """Return articles filed under other settings, in any order."""
        rows = self.connection.execute(
            current_articles()
            .where(or_(articles.c.filed < version, articles.c.filed > version))
            .limit(limit)
        )
        return [to_article(row) for row in rows]

    def set_filed(self, article_ids: Sequence[str], version: str) -> None:
        """Record under which settings articles are filed now."""
        for part in chunks(article_ids):
            self.connection.execute(
                update(articles).where(articles.c.id.in_(part)).values(filed=version)
            )

    def unfile_all(self) -> None:
        """Record that no article is filed any more."""
        self.connection.execute(update(articles).where(articles.c.filed > "").values(filed=""))

    def find(self, text: str, *, limit: int = 10) -> list[Article]:
        """Return articles whose id begins so, whose seed is so called or whose URL is that."""
        rows = self.connection.execute(
            current_articles()
            .where(
                or_(
                    articles.c.id.startswith(text, autoescape=True),
                    articles.c.seed == text,
                    revisions.c.url == text,
                )
            )
            .limit(limit)
        )
        return [to_article(row) for row in rows]

    def damaged_revisions(self) -> Iterable[tuple[str, int, str]]:
        """Yield article id, revision and title where a row is not what its digest says."""
        result = self.connection.execute(select(revisions).execution_options(yield_per=500))
        for row in result:
            if content_digest(row) != row.digest:
                yield row.article_id, row.number, row.title

    def drop_articles(self, article_ids: Sequence[str]) -> None:
        """Remove articles with everything that belongs to them."""
        leave_index(self.connection, article_ids)
        for part in chunks(article_ids):
            self.connection.execute(delete(articles).where(articles.c.id.in_(part)))


def current_articles() -> Select[Any]:
    """Return the query for articles in their current revision."""
    return select(
        articles.c.id,
        articles.c.seed,
        articles.c.revision,
        articles.c.published.label("shown"),
        articles.c.updated,
        articles.c.withdrawn,
        revisions.c.title,
        revisions.c.html,
        revisions.c.text,
        revisions.c.summary,
        revisions.c.url,
        revisions.c.author,
        revisions.c.agency,
        revisions.c.credit,
        revisions.c.language,
        revisions.c.image,
        revisions.c.topics,
    ).join_from(
        articles,
        revisions,
        (revisions.c.article_id == articles.c.id) & (revisions.c.number == articles.c.revision),
    )


def to_article(row: Row[Any]) -> Article:
    """Return a row of `current_articles` as a value."""
    return Article(
        id=row.id,
        title=row.title,
        html=row.html,
        text=row.text,
        summary=row.summary,
        url=row.url,
        author=row.author,
        agency=row.agency,
        credit=row.credit,
        published=row.shown,
        updated=row.updated,
        language=row.language,
        image=row.image,
        topics=tuple(row.topics),
        revision=row.revision,
        seed=row.seed,
        withdrawn=row.withdrawn,
    )


def _identity() -> Select[Any]:
    return select(
        articles.c.id,
        articles.c.url_key,
        articles.c.seed,
        articles.c.revision,
        articles.c.digest,
        articles.c.published,
        articles.c.updated,
        articles.c.withdrawn,
        revisions.c.title,
        revisions.c.url,
        revisions.c.topics,
    ).join_from(
        articles,
        revisions,
        (revisions.c.article_id == articles.c.id) & (revisions.c.number == articles.c.revision),
    )


def _to_identity(row: Row[Any]) -> Identity:
    return Identity(
        id=row.id,
        url_key=row.url_key,
        url=row.url,
        seed=row.seed,
        revision=row.revision,
        digest=row.digest,
        title=row.title,
        topics=tuple(row.topics),
        published=row.published,
        updated=row.updated,
        withdrawn=row.withdrawn,
    )


def _row(put: ArticlePut) -> dict[str, Any]:
    return {
        "id": put.id,
        "url_key": put.url_key,
        "seed": put.seed,
        "revision": put.revision,
        "digest": put.digest,
        "published": put.published,
        "updated": put.updated,
        "withdrawn": None,
        "topics_version": put.topics_version,
    }


def _update_row(put: ArticlePut) -> dict[str, Any]:
    row = _row(put)
    row["article"] = row.pop("id")
    return row


def _revision(put: ArticlePut, now: datetime) -> dict[str, Any]:
    parsed = put.parsed
    return {
        "article_id": put.id,
        "number": put.revision,
        "recorded": now,
        "digest": put.digest,
        "title": parsed.title,
        "html": parsed.html,
        "text": parsed.text,
        "summary": parsed.summary,
        "url": parsed.url,
        "author": parsed.author,
        "agency": parsed.agency,
        "credit": parsed.credit,
        "published": parsed.published,
        "language": parsed.language,
        "image": parsed.image,
        "topics": list(parsed.topics),
    }


def _capture(put: ArticlePut, now: datetime) -> dict[str, Any]:
    assert put.parsed.url is not None  # noqa: S101 - callers filter, mypy cannot see it
    return {
        "article_id": put.id,
        "url": put.parsed.url,
        "host": host_of(put.parsed.url),
        "state": "due",
        "due": now,
        "lease": None,
        "lease_until": None,
        "attempts": 0,
        "outcome": None,
        "status": None,
        "cause": "",
        "tried": None,
    }
