"""Marks of transactions that run at the same time, on a real PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import text

from feedsvc.model import Channel, ChannelKind
from feedsvc.storage.database import Database, database_url
from feedsvc.storage.store_channels import EVERYTHING

SPORT = Channel(ChannelKind.TOPIC, "sport", "Sport")


@pytest.fixture
def shared(postgresql: str, tmp_path: Path) -> Iterator[Database]:
    with closing(Database(database_url(postgresql, root=tmp_path))) as database:
        with database.transaction() as store:
            store.ensure_channels([EVERYTHING, SPORT])
        yield database


def marks(database: Database) -> dict[str, int]:
    with database.reading() as store:
        return {channel.slug: mark for channel, mark in store.dirty_channels()}


def until_somebody_waits(database: Database) -> None:
    ends = time.monotonic() + 15
    with database.engine.connect() as connection:
        query = text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        while not connection.scalar(query):
            connection.rollback()
            assert time.monotonic() < ends
            time.sleep(0.01)


def test_transactions_that_mark_the_same_channels_in_any_order_both_end_well(
    shared: Database,
) -> None:
    before = marks(shared)
    meeting = Barrier(2)

    def mark(first: str, second: str) -> None:
        with shared.transaction() as store:
            store.mark_dirty([first])
            meeting.wait(15)
            store.mark_dirty([second])

    with ThreadPoolExecutor(2) as pool:
        for one in [pool.submit(mark, "all", "sport"), pool.submit(mark, "sport", "all")]:
            one.result(30)
    assert marks(shared) == {slug: mark + 2 for slug, mark in before.items()}


def test_a_change_waits_for_who_gives_places_and_is_marked_after_it(shared: Database) -> None:
    def change() -> None:
        with shared.transaction() as store:
            store.mark_dirty(["all"])

    with ThreadPoolExecutor(1) as pool:
        with shared.transaction() as store:
            held = store.hold_channels(["all"])["all"]
            changing = pool.submit(change)
            until_somebody_waits(shared)
            assert store.hold_channels(["all"])["all"] == held
        changing.result(30)
    assert marks(shared)["all"] == held.dirty + 1


def test_nobody_drops_channels_while_somebody_fills_one(shared: Database) -> None:
    with shared.transaction() as filling:
        filling.ensure_channels([SPORT])
        with shared.transaction() as other:
            assert not other.try_dropping()
    with shared.transaction() as store:
        assert store.try_dropping()


def test_who_drops_channels_keeps_others_from_filling_them(shared: Database) -> None:
    def fill() -> None:
        with shared.transaction() as store:
            store.ensure_channels([SPORT])

    with ThreadPoolExecutor(1) as pool:
        with shared.transaction() as store:
            store.await_dropping()
            store.drop_channels(["sport"])
            filling = pool.submit(fill)
            until_somebody_waits(shared)
        filling.result(30)
    with shared.reading() as store:
        assert store.channel("sport") == SPORT


def test_of_two_changes_of_the_list_at_once_both_count(shared: Database) -> None:
    from feedsvc.storage.store_marks import LISTED

    with shared.reading() as store:
        before = int(store.fact(LISTED) or 0)
    meeting = Barrier(2)

    def note() -> None:
        with shared.transaction() as store:
            store.note_listing()
            meeting.wait(15)

    with ThreadPoolExecutor(2) as pool:
        for one in [pool.submit(note), pool.submit(note)]:
            one.result(30)
    with shared.reading() as store:
        assert int(store.fact(LISTED) or 0) == before + 2


def test_a_label_that_changed_in_a_transaction_is_known_in_it(shared: Database) -> None:
    shouted = Channel(ChannelKind.AUTHOR, "authors/zoe", "ZOE")
    written = Channel(ChannelKind.AUTHOR, "authors/zoe", "Zoé")
    with shared.transaction() as store:
        store.ensure_channels([shouted])
    with shared.transaction() as store:
        store.ensure_channels([written])
        store.ensure_channels([shouted])
    with shared.reading() as store:
        found = store.channel("authors/zoe")
    assert found is not None
    assert found.label == "Zoé"
