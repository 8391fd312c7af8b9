"""Deliveries: each to everybody once, none lost, nobody kept waiting by somebody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.jobs.push import PER_HOST, THREADS
from feedsvc.model import PushKind
from tests.push_rig import Rig, rig_at
from tests.subscriber import Heard, Reply, Subscriber, subscriber_at_work

WAIT = 20.0
"""Seconds until a test gives up."""


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    with subscriber_at_work() as subscriber:
        yield subscriber


@pytest.fixture
def other() -> Iterator[Subscriber]:
    with subscriber_at_work() as other:
        yield other


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(
    request: pytest.FixtureRequest, tmp_path: Path, subscriber: Subscriber, other: Subscriber
) -> Iterator[Rig]:
    database = None if request.param == "sqlite" else request.getfixturevalue("postgresql")
    # By another name: of one host only so many are called at a time, whatever their ports.
    other.host = other.host.replace("127.0.0.1", "localhost")
    callbacks = (subscriber.host, other.host)
    with rig_at(tmp_path, database=database, enabled=True, allow_callbacks=callbacks) as rig:
        rig.change("one")
        yield rig


def paths(subscriber: Subscriber) -> list[str]:
    return sorted(one.path for one in subscriber.posted)


def test_everybody_gets_what_changed_once(rig: Rig, subscriber: Subscriber) -> None:
    everybody = sorted(f"/{number}" for number in range(2 * THREADS))
    for path in everybody:
        rig.ask(subscriber.url(path))
    rig.push()
    rig.change("two")

    report = rig.push()

    assert report is not None
    assert report.delivered == len(everybody)
    assert paths(subscriber) == everybody
    assert rig.push() is None


def test_only_subscribers_of_what_changed_get_it(rig: Rig, subscriber: Subscriber) -> None:
    rig.change("one", "sea.atom")
    rig.subscribe(subscriber, "/all")
    rig.subscribe(subscriber, "/sea", topic=rig.topic("sea.atom"))

    rig.change("two", "sea.atom")
    rig.push()

    assert paths(subscriber) == ["/sea"]


def test_two_runs_at_once_share_the_work(rig: Rig, subscriber: Subscriber) -> None:
    everybody = sorted(f"/{number}" for number in range(THREADS))
    for path in everybody:
        rig.ask(subscriber.url(path))
    rig.push()
    rig.change("two")

    with ThreadPoolExecutor(2) as pool:
        for run in [pool.submit(rig.push) for _ in range(2)]:
            run.result()

    assert paths(subscriber) == everybody


def test_what_a_killed_process_may_have_delivered_is_delivered_again(
    rig: Rig, subscriber: Subscriber
) -> None:
    rig.subscribe(subscriber)
    newest = rig.change("two")
    with rig.runtime.database.transaction() as store:
        due = store.due_pushes(PushKind.DELIVER, now=rig.clock(), limit=9, failed=False)
        until = rig.clock().replace(year=2099)
        ids = [one for one, _ in due]
        assert store.claim_pushes(ids, now=rig.clock(), lease=dead_lease(rig), until=until)

    rig.push()

    assert [one.body for one in subscriber.posted] == [newest]


def dead_lease(rig: Rig) -> str:
    """Return a token as a process of this machine had it that is gone."""
    from feedsvc.jobs.recover import holding_lease

    with holding_lease(rig.runtime) as lease:
        return lease


def test_a_change_while_it_is_being_delivered_is_delivered_too(
    rig: Rig, subscriber: Subscriber
) -> None:
    rig.subscribe(subscriber)
    changes = iter(["three"])

    def takes(_heard: Heard) -> Reply:
        for text in changes:
            rig.change(text)
        return 204, {}, b""

    subscriber.takes = takes
    rig.change("two")
    rig.push()

    assert [one.body for one in subscriber.posted] == [
        b"<feed>two</feed>",
        b"<feed>three</feed>",
    ]
    assert rig.push() is None


def test_a_slow_subscriber_keeps_nobody_waiting(
    rig: Rig, subscriber: Subscriber, other: Subscriber
) -> None:
    delivered = threading.Event()
    in_time: list[bool] = []

    def slowly(_heard: Heard) -> Reply:
        in_time.append(delivered.wait(WAIT))
        return 204, {}, b""

    def at_once(_heard: Heard) -> Reply:
        delivered.set()
        return 204, {}, b""

    for number in range(PER_HOST + 1):
        rig.subscribe(subscriber, f"/{number}")
    rig.subscribe(other, "/z")
    subscriber.takes, other.takes = slowly, at_once
    rig.change("two")
    rig.push()

    assert len(other.posted) == 1
    assert in_time == [True] * (PER_HOST + 1)


def test_a_subscriber_that_hangs_does_not_delay_a_publication(
    rig: Rig, subscriber: Subscriber
) -> None:
    published, hanging = threading.Event(), threading.Event()
    in_time: list[bool] = []

    def hang(_heard: Heard) -> Reply:
        hanging.set()
        in_time.append(published.wait(WAIT))
        return 204, {}, b""

    rig.subscribe(subscriber)
    subscriber.takes = hang
    rig.change("two")
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(rig.push)
        assert hanging.wait(WAIT)
        rig.publish()
        published.set()
        run.result()

    assert in_time[0]


def test_what_is_in_flight_when_asked_to_stop_is_handed_back(
    rig: Rig, subscriber: Subscriber
) -> None:
    stop, over = threading.Event(), threading.Event()

    def hang(_heard: Heard) -> Reply:
        stop.set()
        over.wait(WAIT)
        return 204, {}, b""

    rig.subscribe(subscriber)
    subscriber.takes = hang
    newest = rig.change("two")
    jobs.push_due(rig.runtime, stop=stop)
    over.set()
    assert rig.status().failing == []

    subscriber.heard.clear()
    subscriber.takes = lambda _heard: (204, {}, b"")
    rig.push()

    assert [one.body for one in subscriber.posted] == [newest]


def test_nothing_is_delivered_while_the_hub_is_off(tmp_path: Path, subscriber: Subscriber) -> None:
    with rig_at(tmp_path, enabled=True, allow_callbacks=(subscriber.host,)) as rig:
        rig.change("one")
        rig.subscribe(subscriber)
        rig.change("two")
    with rig_at(tmp_path) as rig:
        rig.change("three")
        assert rig.push() is None

    assert subscriber.posted == []


def test_a_document_that_comes_back_to_what_it_was_is_delivered_again(
    rig: Rig, subscriber: Subscriber
) -> None:
    rig.subscribe(subscriber)
    for text in ("two", "three", "two"):
        rig.change(text)
        rig.push()

    assert len(subscriber.posted) == 3
