"""Pings to other hubs: once for each change, never in a publication's way, tried for a day."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.model import Push, PushKind
from tests.push_rig import Rig, rig_at
from tests.subscriber import Heard, Reply, Subscriber, subscriber_at_work


@pytest.fixture
def hub() -> Iterator[Subscriber]:
    with subscriber_at_work() as hub:
        yield hub


@pytest.fixture
def rig(tmp_path: Path, hub: Subscriber) -> Iterator[Rig]:
    with rig_at(tmp_path, hubs=(hub.url("/"),)) as rig:
        yield rig


def answering(status: int, **headers: str) -> Callable[[Heard], Reply]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _heard: (status, given, b"")


def told(hub: Subscriber) -> list[str]:
    return sorted(one.said["hub.url"].rpartition("/feeds/")[2] for one in hub.posted)


def test_a_hub_is_told_of_every_feed_that_changed(rig: Rig, hub: Subscriber) -> None:
    rig.publish()
    assert hub.heard == []

    report = rig.push()

    assert report is not None
    assert report.pinged == len(hub.posted)
    assert {"all.rss", "all.atom", "all.json"} <= set(told(hub))
    assert {one.said["hub.mode"] for one in hub.posted} == {"publish"}
    assert all(one.said["hub.topic"] == one.said["hub.url"] for one in hub.posted)
    assert hub.posted[0].headers["content-type"] == "application/x-www-form-urlencoded"


def test_nobody_is_told_of_what_did_not_change(rig: Rig, hub: Subscriber) -> None:
    rig.publish()
    rig.push()
    hub.heard.clear()

    jobs.rebuild(rig.runtime)

    assert rig.push() is None
    assert hub.heard == []


def test_only_heads_of_public_feeds_are_told(rig: Rig, hub: Subscriber) -> None:
    rig.publish()
    rig.push()

    assert not [name for name in told(hub) if "private" in name or name.count("/") > 1]
    assert not [name for name in told(hub) if not name.endswith((".rss", ".atom", ".json"))]


def test_several_changes_before_a_push_are_told_once(rig: Rig, hub: Subscriber) -> None:
    for title in ("One ferry", "Two ferries", "Three ferries"):
        rig.change(title)

    rig.push()

    assert told(hub).count("all.atom") == 1


def test_what_is_owed_outlives_the_process(tmp_path: Path, hub: Subscriber) -> None:
    with rig_at(tmp_path, hubs=(hub.url("/"),)) as rig:
        rig.change("one")
    with rig_at(tmp_path, hubs=(hub.url("/"),)) as rig:
        rig.push()

    assert "all.atom" in told(hub)


def test_a_broken_hub_is_no_concern_of_a_publication(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        port = listener.getsockname()[1]
        with rig_at(tmp_path, hubs=(f"http://127.0.0.1:{port}/",)) as rig:
            rig.publish()

            assert (rig.runtime.root / "feeds" / "all.atom").exists()
            with pytest.raises(BlockingIOError):
                listener.accept()


def test_a_hub_that_fails_is_told_again_later_and_less_and_less_often(
    rig: Rig, hub: Subscriber
) -> None:
    hub.takes = answering(500)
    rig.change("one")
    waits = []
    for _ in range(4):
        rig.push()
        failing = [one for one in rig.status().failing if one.name == "all.atom"]
        next_at = failing[0].next_at
        assert next_at is not None
        waits.append((next_at - rig.clock()).total_seconds())
        rig.clock.moment = next_at

    assert failing[0].cause == "the hub answered 500"
    assert 8 <= waits[0] <= 10
    assert all(after > before for before, after in pairwise(waits))


def test_a_hub_that_comes_back_is_told_of_the_newest_state_once(rig: Rig, hub: Subscriber) -> None:
    hub.takes = answering(503)
    rig.change("one")
    rig.push()
    rig.change("two")
    rig.push()
    hub.heard.clear()
    hub.takes = answering(202)

    rig.clock.advance(minutes=5)
    rig.push()

    assert told(hub).count("all.atom") == 1
    assert rig.status().failing == []


def test_a_new_change_does_not_make_a_hub_that_fails_be_asked_sooner(
    rig: Rig, hub: Subscriber
) -> None:
    hub.takes = answering(500)
    rig.change("one")
    rig.push()
    before = {one.name: one.next_at for one in rig.status().failing}

    rig.change("two")

    assert {one.name: one.next_at for one in rig.status().failing}["all.atom"] == before["all.atom"]


def test_after_a_day_a_ping_is_given_up_until_the_feed_changes_again(
    rig: Rig, hub: Subscriber
) -> None:
    hub.takes = answering(500)
    rig.change("one")
    for _ in range(40):
        rig.push()
        rig.clock.advance(hours=1)

    (failing,) = [one for one in rig.status().failing if one.name == "all.atom"]
    assert failing.next_at is None
    assert failing.cause == "the hub answered 500"
    assert rig.push() is None

    hub.takes = answering(204)
    rig.change("two")
    rig.push()
    assert not [one for one in rig.status().failing if one.name == "all.atom"]


def test_a_hub_that_asks_for_a_pause_gets_it(rig: Rig, hub: Subscriber) -> None:
    hub.takes = answering(429, Retry_After="7200")
    rig.change("one")
    rig.push()

    next_at = rig.status().failing[0].next_at
    assert next_at is not None
    assert (next_at - rig.clock()).total_seconds() == 7200


def test_a_redirecting_hub_is_not_followed_and_told_so(rig: Rig, hub: Subscriber) -> None:
    hub.takes = answering(301, Location=hub.url("/elsewhere"))
    rig.change("one")
    rig.push()

    assert {one.path for one in hub.posted} == {"/"}
    assert "not followed" in rig.status().failing[0].cause


def test_a_hub_taken_out_of_the_settings_is_owed_nothing(tmp_path: Path, hub: Subscriber) -> None:
    with rig_at(tmp_path, hubs=(hub.url("/old"),)) as rig:
        rig.change("one")
    with rig_at(tmp_path, hubs=(hub.url("/new"),)) as rig:
        rig.change("two")
        rig.push()

        assert {one.path for one in hub.posted} == {"/new"}
        assert rig.status().failing == []


def test_without_hubs_nothing_is_noted(tmp_path: Path) -> None:
    with rig_at(tmp_path) as rig:
        rig.publish()

        assert rig.push() is None
        assert rig.runtime.push_news.is_set() is False


def test_a_publication_rings_at_once(rig: Rig) -> None:
    rig.runtime.push_news.clear()
    rig.publish()

    assert rig.runtime.push_news.is_set()


def test_status_says_which_hub_cannot_be_told(rig: Rig, hub: Subscriber) -> None:
    hub.takes = answering(500)
    rig.change("one")
    rig.push()

    assert rig.status().deaf == ["127.0.0.1"]
    assert rig.status().hubs[0].told == 0
    hub.takes = answering(200)
    rig.clock.advance(minutes=1)
    rig.push()
    assert rig.status().deaf == []
    assert rig.status().hubs[0].told_at == rig.clock()


def claimed(rig: Rig, *, lease: str) -> list[Push]:
    with rig.runtime.database.transaction() as store:
        ids = [
            one
            for one, _ in store.due_pushes(PushKind.PING, now=rig.clock(), limit=100, failed=False)
        ]
        until = rig.clock().replace(year=2099)
        return store.claim_pushes(ids, now=rig.clock(), lease=lease, until=until)


def test_what_a_killed_process_had_claimed_is_told_by_the_next(rig: Rig, hub: Subscriber) -> None:
    rig.change("one")
    assert claimed(rig, lease="elsewhere.0123456789abcdef")

    rig.push()

    assert "all.atom" in told(hub)
