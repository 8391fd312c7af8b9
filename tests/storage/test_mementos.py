"""Captures are found by address and time, whatever the spelling of the address."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from feedsvc.model import Judgement, Snapshot, Verdict
from feedsvc.storage.database import Database
from feedsvc.storage.store_mementos import Neighbours
from tests.storage.build import NOW, add, put

URL = "https://example.org/a"
DAY = timedelta(days=1)


def snapshot(
    name: str,
    captured: datetime,
    *,
    url: str = URL,
    final_url: str = URL,
    verdict: Verdict = Verdict.VERIFIED,
) -> Snapshot:
    return Snapshot(
        id=name,
        article_id=put().id,
        url=url,
        final_url=final_url,
        captured=captured,
        status=200,
        judgement=Judgement(verdict, 1.0),
        key=name,
        size=1,
        sha256="",
        records=1,
    )


def stored(database: Database, *snapshots: Snapshot) -> None:
    with database.transaction() as store:
        add(store, put())
        for one in snapshots:
            store.add_snapshot(one, ())


def near(database: Database, moment: datetime | None, url: str = URL) -> str | None:
    with database.reading() as store:
        found = store.memento_near(url, moment)
    return found.snapshot_id if found else None


@pytest.fixture
def three(database: Database) -> Database:
    stored(database, *(snapshot(f"s{n}", NOW + n * DAY) for n in range(3)))
    return database


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        pytest.param(None, "s2", id="none-is-last"),
        pytest.param(NOW - 9 * DAY, "s0", id="before-all"),
        pytest.param(NOW + 9 * DAY, "s2", id="after-all"),
        pytest.param(NOW + DAY, "s1", id="exact"),
        pytest.param(NOW + 0.4 * DAY, "s0", id="nearer-to-earlier"),
        pytest.param(NOW + 0.6 * DAY, "s1", id="nearer-to-later"),
    ],
)
def test_the_nearest_capture_is_offered(
    three: Database, moment: datetime | None, expected: str
) -> None:
    assert near(three, moment) == expected


def test_a_capture_within_the_second_asked_for_is_the_one(database: Database) -> None:
    early = snapshot("early", NOW - timedelta(milliseconds=500))
    stored(database, early, snapshot("late", NOW + timedelta(milliseconds=900)))
    assert near(database, NOW) == "late"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a",
        "https://www.example.org/A/",
        "https://example.org:443/a?utm_source=x#part",
    ],
)
def test_other_spellings_find_the_same(three: Database, url: str) -> None:
    assert near(three, None, url) == "s2"


def test_the_address_it_led_to_is_found_too(database: Database) -> None:
    stored(database, snapshot("s", NOW, final_url="https://example.org/moved"))
    assert near(database, None, "https://example.org/moved") == "s"


def test_what_is_not_the_article_is_not_offered(database: Database) -> None:
    stored(
        database,
        snapshot("wall", NOW + DAY, verdict=Verdict.MISMATCH),
        snapshot("part", NOW, verdict=Verdict.PARTIAL),
    )
    assert near(database, None) == "part"


@pytest.mark.parametrize("url", ["https://example.org/b", "ftp://example.org/a", "nonsense", ""])
def test_an_unknown_address_has_no_captures(three: Database, url: str) -> None:
    assert near(three, None, url) is None
    with three.reading() as store:
        assert store.mementos(url, limit=9) == []
        assert store.memento_neighbours(url, "s0") is None


def test_captures_know_their_neighbours(three: Database) -> None:
    def ids(around: Neighbours | None) -> list[str | None]:
        assert around is not None
        return [
            one.snapshot_id if one else None
            for one in (around.first, around.prev, around.here, around.next, around.last)
        ]

    with three.reading() as store:
        assert ids(store.memento_neighbours(URL, "s0")) == ["s0", None, "s0", "s1", "s2"]
        assert ids(store.memento_neighbours(URL, "s1")) == ["s0", "s0", "s1", "s2", "s2"]
        assert ids(store.memento_neighbours(URL, "s2")) == ["s0", "s1", "s2", None, "s2"]
        assert store.memento_neighbours(URL, "other") is None


def test_captures_of_one_moment_are_all_neighbours(database: Database) -> None:
    stored(database, *(snapshot(name, NOW) for name in ("a", "b", "c")))
    with database.reading() as store:
        around = store.memento_neighbours(URL, "b")
    assert around is not None
    assert around.prev is not None
    assert around.next is not None
    assert (around.prev.snapshot_id, around.next.snapshot_id) == ("a", "c")


def test_the_latest_are_listed_in_order(three: Database) -> None:
    with three.reading() as store:
        assert [one.snapshot_id for one in store.mementos(URL, limit=9)] == ["s0", "s1", "s2"]
        assert [one.snapshot_id for one in store.mementos(URL, limit=2)] == ["s1", "s2"]


def test_a_snapshot_that_is_dropped_is_offered_no_more(three: Database) -> None:
    with three.transaction() as store:
        store.drop_snapshots(["s2"])
    assert near(three, None) == "s1"


def test_a_very_long_address_is_kept_and_told_from_others(database: Database) -> None:
    long = URL + "/" + "x" * 3900
    stored(database, snapshot("s", NOW, url=long + "1"))
    assert near(database, None, long + "1") == "s"
    assert near(database, None, long + "2") is None
