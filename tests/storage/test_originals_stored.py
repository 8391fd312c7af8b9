"""Originals and their changes are listed page by page; older databases begin to look."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select, text

from feedsvc.model import Change, Difference, Original, OriginalState, Purpose
from feedsvc.storage.database import Database, database_url
from feedsvc.storage.tables import captures
from feedsvc.storage.upgrade import upgrade_database
from tests.storage.build import NOW, add, put

DAY = timedelta(days=1)
GONE = OriginalState.GONE


def articles(database: Database, count: int) -> list[str]:
    puts = [put(f"https://example.org/{n}", seed=f"seeds/{n}.md") for n in range(count)]
    with database.transaction() as store:
        add(store, *puts)
    return [one.id for one in puts]


def gone(article_id: str, since: datetime) -> Original:
    return Original(article_id, GONE, since, since, 404, "not found", missed=since - DAY)


def test_originals_are_listed_by_state_page_by_page(database: Database) -> None:
    ids = articles(database, 7)
    # Three of a time, so that a page ends among equals.
    known = [gone(id_, NOW - DAY * (number // 3)) for number, id_ in enumerate(ids[:6])]
    alive = Original(ids[6], OriginalState.ALIVE, NOW, NOW)
    with database.transaction() as store:
        store.put_originals([*known, alive])
        store.put_originals([alive])
    listed: list[Original] = []
    with database.reading() as store:
        while part := store.originals_in(GONE, limit=2, after=listed[-1] if listed else None):
            listed += part
        assert store.original(ids[6]) == alive
        counted = store.count_originals()
    assert listed == sorted(known, key=lambda one: (one.since, one.article_id), reverse=True)
    assert (counted["gone"], counted["alive"], counted["blocked"]) == (6, 1, 0)


def test_withdrawn_articles_are_not_listed(database: Database) -> None:
    (id_,) = articles(database, 1)
    with database.transaction() as store:
        store.put_originals([gone(id_, NOW)])
        store.add_changes([Change("c", id_, NOW, "x", "y", Difference(added=1))])
        store.withdraw([id_], now=NOW)
    with database.reading() as store:
        assert store.originals_in(GONE, limit=9) == []
        assert store.count_originals()["gone"] == 0
        assert store.recent_changes(limit=9) == []
        assert len(store.changes_of(id_)) == 1


def test_changes_are_listed_page_by_page(database: Database) -> None:
    ids = articles(database, 2)
    known = [
        Change(f"c{n}", ids[n % 2], NOW - DAY * (n // 3), "x", "y", Difference(("a", "b"), n, 1))
        for n in range(6)
    ]
    listed: list[Change] = []
    with database.transaction() as store:
        store.add_changes(known)
    with database.reading() as store:
        while part := store.recent_changes(limit=2, before=listed[-1] if listed else None):
            listed += part
        assert store.change("c4") == known[4]
        assert [one.id for one in store.changes_of(ids[0])] == ["c2", "c0", "c4"]
    assert listed == sorted(known, key=lambda one: (one.at, one.id), reverse=True)


def test_captures_and_looks_are_claimed_apart(database: Database) -> None:
    ids = articles(database, 2)
    with database.transaction() as store:
        store.connection.execute(
            captures.update().where(captures.c.article_id == ids[0]).values(purpose="look")
        )
        for purpose, id_ in ((Purpose.CAPTURE, ids[1]), (Purpose.LOOK, ids[0])):
            assert store.count_due(now=NOW, purpose=purpose) == 1
            due = store.due_captures(now=NOW, limit=9, purpose=purpose)
            assert [one for one, _ in due] == [id_]
            jobs = store.claim_captures(
                ids, now=NOW, lease=purpose, until=NOW + DAY, purpose=purpose
            )
            assert [(one.article_id, one.purpose) for one in jobs] == [(id_, purpose)]


def test_an_upgrade_lets_what_is_archived_be_looked_at_and_nothing_at_once(
    tmp_path: Path,
) -> None:
    url = database_url("sqlite:///site.db", root=tmp_path)
    upgrade_database(url, backups=tmp_path, now=NOW, to="0003")
    older = Database(url, check_schema=False)
    with older.engine.begin() as connection:
        for number in range(60):
            verdict, state = ("mismatch", "due") if number % 3 == 2 else ("verified", "done")
            _archived(connection, number, verdict=verdict, state=state)
    older.close()
    upgrade_database(url, backups=tmp_path, now=NOW)
    now = Database(url)
    with now.reading() as store:
        rows = store.connection.execute(
            select(captures.c.purpose, captures.c.due, captures.c.step, captures.c.state)
        ).all()
    now.close()
    looks = [row for row in rows if row.purpose == "look"]
    assert len(looks) == 40
    assert {row.state for row in rows} == {"due"}
    assert len({row.due for row in looks}) == 40
    assert max(row.due for row in looks) - min(row.due for row in looks) > DAY * 10
    assert {row.step for row in looks} >= {0, 1, 2, 3, 4}


def _archived(connection: object, number: int, *, verdict: str, state: str) -> None:
    """Insert an article as an older release stored it, captured up to 300 days ago."""
    values = {
        "id": f"a{number:02}",
        "url": f"https://example.org/{number}",
        "verdict": verdict,
        "state": state,
        "days": f"-{number * 5} days",
    }
    for statement in _ROWS:
        connection.execute(text(statement), values)  # type: ignore[attr-defined]  # a Connection


_ROWS = (
    "INSERT INTO articles (id, url_key, seed, revision, digest, published, updated, first_seen,"
    " topics_version) VALUES (:id, :id, :id, 1, '', datetime('now'), datetime('now'),"
    " datetime('now'), '')",
    "INSERT INTO captures (article_id, url, host, state, due, attempts, outcome, cause)"
    " VALUES (:id, :url, 'example.org', :state,"
    " CASE :state WHEN 'due' THEN datetime('now') END, 1, :verdict, '')",
    "INSERT INTO snapshots (id, article_id, url, final_url, captured, status, verdict, share,"
    " evidence, key, size, sha256, records, requisites, missing) VALUES (:id, :id, :url, :url,"
    " strftime('%Y-%m-%d %H:%M:%f', 'now', :days), 200, :verdict, 1.0, '', :id, 1, '', 1, 0, 0)",
)
