"""Laws of what a fleet tells of itself: tallies, ticks, tasks that fail, how fast it goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from feedsvc.model import Attempt, Outcome, Tally
from feedsvc.model.fleet_state import DISPATCH, REAP
from feedsvc.storage import store_fleet_state
from feedsvc.storage.database import Database
from feedsvc.storage.fleet_tables import tallies
from feedsvc.storage.store import Store
from feedsvc.storage.tables import attempts
from tests.storage.build import add, put

NOW = datetime(2026, 11, 1, 12, 0, 30, tzinfo=UTC)


def test_a_tick_is_remembered_by_name(database: Database) -> None:
    with database.transaction() as store:
        assert store.tick(DISPATCH) is None
        store.note_tick(DISPATCH, NOW - timedelta(minutes=1))
        store.note_tick(DISPATCH, NOW)
        assert (store.tick(DISPATCH), store.tick(REAP)) == (NOW, None)


def test_tallies_add_up_over_workers_and_minutes(database: Database) -> None:
    with database.transaction() as store:
        for worker, number in (("a", 3), ("b", 4), ("a", 5)):
            store.tally(Tally.SEEDS, number, worker=worker, now=NOW)
        store.tally(Tally.SEEDS, 30, worker="a", now=NOW - timedelta(minutes=5))
        store.tally(Tally.PUBLICATIONS, 0, worker="a", now=NOW)
        assert store.totals() == {"seeds": 42, "publications": 0, "takeovers": 0}


def test_old_minutes_become_one_row_and_nothing_is_lost(database: Database) -> None:
    with database.transaction() as store:
        for hours in range(6):
            for worker in "ab":
                moment = NOW - timedelta(hours=hours)
                store.tally(Tally.TAKEOVERS, 1, worker=worker, now=moment)
    for _ in range(2):
        with database.transaction() as store:
            store.fold_tallies(NOW)
    with database.reading() as store:
        assert store.totals()["takeovers"] == 12
        # Two hours of two workers, and the sum of what went before.
        assert store.connection.scalar(select(func.count()).select_from(tallies)) == 5


def stored(store: Store) -> str:
    article = put()
    add(store, article)
    return article.id


def attempted(store: Store, outcome: Outcome, *, ago: float, article: str) -> None:
    started = NOW - timedelta(seconds=ago)
    one = Attempt(article, "https://example.org/", started, 1.0, outcome, "")
    row = {name: getattr(one, name) for name in one.__slots__}
    store.connection.execute(attempts.insert().values(row | {"outcome": str(outcome)}))


def paces(store: Store) -> dict[str, tuple[int, int]]:
    return {one.what: (one.minute, one.hour) for one in store.paces(NOW)}


def test_the_pace_is_that_of_the_last_minute_and_hour(database: Database) -> None:
    with database.transaction() as store:
        article = stored(store)
        assert set(paces(store).values()) == {(0, 0)}
        for ago in (10_000, 3000, 1200, 50, 5):
            attempted(store, Outcome.VERIFIED, ago=ago, article=article)
        attempted(store, Outcome.FAILED, ago=2, article=article)
        attempted(store, Outcome.ALIVE, ago=90, article=article)
        store.tally(Tally.SEEDS, 7, worker="a", now=NOW - timedelta(minutes=1))
        store.tally(Tally.SEEDS, 9, worker="a", now=NOW - timedelta(minutes=50))
        store.tally(Tally.SEEDS, 100, worker="a", now=NOW - timedelta(minutes=70))
        assert paces(store) == {
            "captures": (3, 5),
            "looks": (0, 1),
            "seeds": (7, 16),
            "publications": (0, 0),
        }


def test_the_pace_of_very_many_is_estimated_from_the_last_of_them(database: Database) -> None:
    many = store_fleet_state.SAMPLE
    with database.transaction() as store:
        article = stored(store)
        attempted(store, Outcome.VERIFIED, ago=1800, article=article)
        row = store.connection.execute(select(attempts)).mappings().one()
        rows = [{**row, "id": row["id"] + number} for number in range(1, many + 10)]
        store.connection.execute(attempts.insert(), rows)
        # So many in half an hour: twice as many in an hour.
        assert paces(store)["captures"] == (0, 2 * many)


def test_a_task_that_failed_is_told_with_its_last_cause(database: Database) -> None:
    with database.transaction() as store:
        store.note_failed_task("host", "a.example", cause="first", now=NOW)
        later = NOW + timedelta(minutes=3)
        store.note_failed_task("host", "a.example", cause="then\x00" + "x" * 5000, now=later)
        store.note_failed_task("publish", "all", cause="other", now=NOW)
        first, second = store.failed_tasks(10)
        assert (first.key, first.times, first.since, first.tried) == ("a.example", 2, NOW, later)
        assert first.cause == ("then" + "x" * 5000)[:1000]
        assert second.cause == "other"
        assert store.count_failed_tasks() == 2


def test_one_capture_is_due_the_longest(database: Database) -> None:
    with database.transaction() as store:
        assert store.oldest_due(now=NOW) is None
        stored(store)
        oldest = store.oldest_due(now=datetime(2100, 1, 1, tzinfo=UTC))
        assert oldest is not None
        assert store.oldest_due(now=oldest - timedelta(seconds=1)) is None
