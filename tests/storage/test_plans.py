"""Laws of large databases on PostgreSQL: what is asked all the time is found by an index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from benchmarks import million
from benchmarks.plans import Collected, Plan, collecting, explained
from benchmarks.statements import COUNTING, READING, WHOLE, WRITING, Call, sample
from feedsvc.model.search import Filters
from feedsvc.query import parse_query
from feedsvc.storage.database import Database, database_url
from feedsvc.storage.store import Store
from feedsvc.storage.store_search import Bounds
from tests.databases import PostgresqlDatabase

pytestmark = pytest.mark.fleet

ARTICLES = 10_000
LARGE = 2_500
"""Rows of a table that nothing may read as a whole."""
BOUNDS = Bounds(ranked=100, wide=200, walked=200)
"""As small beside ten thousand articles as the usual ones are beside half a million."""


@pytest.fixture(scope="module")
def filled(postgresql_database: PostgresqlDatabase) -> Iterator[Database]:
    """A database with ten thousand articles and all that belongs to them, as the server made it."""
    postgresql_database.make_bare()
    million.fill(postgresql_database.address, articles=ARTICLES, say=lambda *_, **__: None)
    url = database_url(postgresql_database.address, root=Path())
    with closing(Database(url)) as database:
        event.listen(database.engine, "connect", _on_flash)
        database.engine.dispose()
        yield database
    postgresql_database.make_bare()


def _on_flash(connection: object, _record: object) -> None:
    # A small table is read as a whole sooner than a large one; this makes up for it a little.
    connection.execute("SET random_page_cost = 1.1")  # type: ignore[attr-defined]  # psycopg's
    connection.execute("SET max_parallel_workers_per_gather = 0")  # type: ignore[attr-defined]  # as above
    connection.commit()  # type: ignore[attr-defined]  # as above


def faults(connection: Connection, call: Call) -> list[str]:
    """Run something in a transaction of its own and return what is wrong with its plans."""
    with connection.begin() as taken_back:
        store = Store(connection)
        of = sample(store)
        with collecting(connection.engine) as collected:
            call(store, of)
        found = [
            f"{one} in {said}"
            for said, plan in _plans(connection, collected)
            for one in plan.faults
        ]
        taken_back.rollback()
    return found


def _plans(connection: Connection, collected: Collected) -> Iterator[tuple[str, Plan]]:
    for sent in collected.by_text.values():
        yield " ".join(sent.statement.split())[:300], explained(connection, sent, large=LARGE)


def test_what_is_asked_all_the_time_reads_no_large_table(filled: Database) -> None:
    with filled.engine.connect() as connection:
        found = {name: faults(connection, call) for name, call in {**READING, **WRITING}.items()}
    assert {name: some for name, some in found.items() if some} == {}


def test_the_calls_that_are_looked_at_are_those_the_store_has() -> None:
    known = {*READING, *WRITING, *COUNTING, *WHOLE}
    missing = {name for name in known if not hasattr(Store, name)}
    assert missing == set(), "benchmarks/statements.py names methods that are gone"


def test_a_search_reads_so_many_articles_and_no_more(filled: Database) -> None:
    known = million.words()
    queries = [
        parse_query(form.format(known[rank], known[rank + 1]))
        for form in ("{}", "-{}", '"{} {}"', "title:{}", "{} OR {}")
        for rank in (0, 300)
    ]

    def search(store: Store, _of: object) -> None:
        for query in queries:
            store.search(query, Filters(), limit=20, bounds=BOUNDS)
            store.latest_found(query, Filters(), limit=50, bounds=BOUNDS)

    with filled.engine.connect() as connection:
        assert faults(connection, search) == []


def test_a_page_far_from_the_first_reads_no_more_than_the_first(filled: Database) -> None:
    with filled.engine.connect() as connection, connection.begin():
        store = Store(connection)
        buffers = []
        for channel in (None, "topic-0"):
            far = store.newest(1500, channel=channel)[-1]
            for after in (None, far):
                with collecting(connection.engine) as collected:
                    store.newest(31, channel=channel, after=after)
                buffers.append(sum(plan.buffers for _, plan in _plans(connection, collected)))
        assert max(buffers) < 3 * min(buffers)


def test_what_is_estimated_of_a_large_site_is_about_what_is_counted(filled: Database) -> None:
    with filled.reading() as store:
        counted, expected = store.counts(), store.rough_counts(exact=0)
        assert (counted.is_estimate, expected.is_estimate) == (False, True)
        assert store.rough_counts() == counted
    for name in ("articles", "revisions", "captures", "archive_size"):
        there, guessed = getattr(counted, name), getattr(expected, name)
        assert abs(guessed - there) < there / 10, name
    for name in ("withdrawn", "in_flight", "dirty", "seeds"):
        assert getattr(counted, name) == getattr(expected, name), name
    assert set(expected.snapshots) == set(counted.snapshots)
