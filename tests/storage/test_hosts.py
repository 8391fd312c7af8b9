"""Laws of turns and places at hosts, as the database gives them to machines."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from feedsvc.model import Turn, Worker
from feedsvc.storage.database import Database, database_url
from tests.fleet.cluster import eventually

HOST = "news.example"


@pytest.fixture
def database(postgresql: str) -> Iterator[Database]:
    opened = Database(database_url(postgresql, root=Path()))
    yield opened
    opened.close()


def take(database: Database, holder: str, **other: Any) -> Turn:
    asked: dict[str, Any] = {"per_host": 2, "delay": 10.0, "turns": 1, "lease": 60.0} | other
    with database.transaction() as store:
        return store.take_turns(asked.pop("host", HOST), holder=holder, **asked)


def enter(database: Database, id_: str) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with database.transaction() as store:
        store.put_worker(Worker(id_, "one.example", 7, "1", moment, moment, 0.0))


def leave(database: Database, holder: str) -> None:
    with database.transaction() as store:
        store.leave_host(holder, HOST)


def test_turns_follow_each_other_whoever_takes_them(database: Database) -> None:
    first = take(database, "a", turns=2, slack=1.0, within=100.0)
    second = take(database, "b", within=100.0)
    third = take(database, "a", within=100.0)
    assert (first.after, first.granted) == (0.0, 2)
    assert 20.0 < second.after <= 21.0
    assert 30.0 < third.after <= 31.0


def test_a_turn_too_far_ahead_is_not_taken(database: Database) -> None:
    take(database, "a", turns=3)
    refused = take(database, "b", within=5.0)
    assert (refused.granted, refused.places) == (0, 1)
    assert 24.0 < refused.after <= 25.0
    assert take(database, "b", within=40.0).after <= 30.0


def test_no_more_have_places_than_the_host_has(database: Database) -> None:
    assert take(database, "a", places=2).places == 2
    refused = take(database, "b")
    assert (refused.granted, refused.places) == (0, 0)
    assert take(database, "b", host="other.example").places == 1


def test_a_place_is_kept_and_not_taken_twice(database: Database) -> None:
    for _ in range(3):
        assert take(database, "a", within=100.0).places == 1
    assert take(database, "b", places=2, within=100.0).places == 1


def test_who_leaves_makes_room_and_takes_nothing_of_others(database: Database) -> None:
    take(database, "a")
    take(database, "b", within=100.0)
    leave(database, "b")
    assert take(database, "c", within=100.0).places == 1
    assert take(database, "d", within=100.0).places == 0


def test_a_place_whose_time_is_up_is_free(database: Database) -> None:
    take(database, "a", places=2, lease=0.0)
    assert take(database, "b", places=2, within=100.0).places == 2
    assert take(database, "a", within=100.0).places == 0


def test_the_places_of_who_is_gone_are_freed_everywhere(database: Database) -> None:
    take(database, "a", places=2)
    take(database, "a", host="other.example")
    with database.transaction() as store:
        assert store.free_places("a") == 3
    assert take(database, "b", places=2, within=100.0).places == 2


def test_who_has_a_place_learns_that_another_waits_for_one(database: Database) -> None:
    assert not take(database, "a", places=2).wanted
    take(database, "b")
    assert take(database, "a", places=2, within=100.0).wanted
    assert not take(database, "a", places=2, host="other.example").wanted


def test_a_host_that_wants_a_pause_gives_no_turns_and_no_places(database: Database) -> None:
    with database.transaction() as store:
        store.hold_host(HOST, 60.0)
        store.hold_host(HOST, 5.0)
        assert 59.0 < store.held_for(HOST) <= 60.0
        assert store.held_for("other.example") == 0.0
    refused = take(database, "a")
    assert (refused.granted, refused.places, refused.held) == (0, 0, True)
    assert 59.0 < refused.after <= 60.0


def test_a_place_alone_takes_no_turn(database: Database) -> None:
    take(database, "a")
    assert take(database, "a", places=2, turns=0).places == 2
    assert take(database, "a", within=100.0).after <= 10.0


def test_of_many_at_once_each_gets_a_turn_of_its_own(database: Database) -> None:
    together = threading.Barrier(8)

    def ask(number: int) -> Turn:
        together.wait(20)
        # Of those that reach for the same place at once one gets it, the others ask again.
        answers = (take(database, f"w{number}", per_host=8, within=1000.0) for _ in range(50))
        return next(turn for turn in answers if turn.granted)

    with ThreadPoolExecutor(8) as pool:
        turns = sorted(turn.after for turn in pool.map(ask, range(8)))
    assert all(later - earlier > 9.0 for earlier, later in pairwise(turns))


def test_of_many_at_once_no_more_get_places_than_there_are(database: Database) -> None:
    together = threading.Barrier(8)

    def ask(number: int) -> int:
        together.wait(20)
        return max(
            take(database, f"w{number}", per_host=3, places=2, delay=0.0).places for _ in range(9)
        )

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 3


def test_hosts_that_nothing_is_owed_to_are_forgotten(database: Database) -> None:
    take(database, "a", lease=0.0, delay=0.0)
    take(database, "a", host="busy.example", turns=5)
    with database.transaction() as store:
        store.forget_hosts(after=timedelta(0))
        left = store.connection.exec_driver_sql("SELECT host FROM hosts").scalars().all()
        places = store.connection.exec_driver_sql("SELECT host FROM host_places").scalars().all()
    assert (left, places) == (["busy.example"], ["busy.example"])


def test_who_was_given_up_gets_no_place_and_is_in_nobodys_way(database: Database) -> None:
    enter(database, "a")
    assert take(database, "a", delay=0.0).places == 1
    with database.transaction() as store:
        store.free_places("a")
        store.lose_workers(["a"], now=datetime.now(UTC))
    refused = take(database, "a", delay=0.0)
    assert (refused.granted, refused.places) == (0, 0)
    assert not take(database, "b", per_host=1, delay=0.0).wanted
    assert not take(database, "b", per_host=1, delay=0.0).wanted


def test_who_is_being_given_up_gets_no_place_afterwards(database: Database) -> None:
    enter(database, "a")

    def is_waiting() -> bool:
        query = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        with database.reading() as store:
            return bool(store.connection.scalar(query))

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as store:
            assert store.silent_workers(before=datetime.now(UTC)) == ["a"]
            asked = pool.submit(take, database, "a")
            eventually(is_waiting, what="the end of the takeover is waited for")
            assert store.free_places("a") == 0
            store.lose_workers(["a"], now=datetime.now(UTC))
        assert asked.result(timeout=20).places == 0
    with database.transaction() as store:
        assert store.free_places("a") == 0


def test_who_takes_a_place_is_not_given_up_before_it_is_seen(database: Database) -> None:
    enter(database, "a")
    with database.transaction() as store:
        assert store.take_turns(HOST, holder="a", per_host=1, delay=0.0, turns=1, lease=60.0).places
        with database.transaction() as other:
            assert other.silent_workers(before=datetime.now(UTC)) == []
    with database.transaction() as store:
        assert store.silent_workers(before=datetime.now(UTC)) == ["a"]
        assert store.free_places("a") == 1
