"""Hosts worked on in rounds: polite together, nothing lost, nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedsvc import jobs
from feedsvc.jobs.host_round import MOST, work_host
from feedsvc.jobs.presence import present
from feedsvc.jobs.takeover import release
from feedsvc.model import Kind, Purpose
from feedsvc.runtime import Runtime
from tests.fleet.press import AGENCY, host, running
from tests.jobs.host_rig import PATIENCE, fleet_environ, load, opened, settled, workers
from tests.jobs.site import Seeds
from tests.origin import Origin

pytestmark = pytest.mark.fleet


@pytest.fixture
def environ(site: Path, postgresql: str) -> dict[str, str]:
    return fleet_environ(site, postgresql)


def test_processes_that_share_hosts_are_polite_together_whatever_their_clocks_say(
    site: Path, environ: dict[str, str]
) -> None:
    with running(hosts=2) as press:
        environ["FEEDSVC_ARCHIVE__ALLOW_HOSTS"] = press.allow_hosts
        articles = load(site, environ, press, range(3))
        with workers(site, environ, press, (1, 2), (2, 1), skews="01") as started:
            for one in started:
                one.wait(PATIENCE)
        settled(site, environ, press, articles)
        assert host(AGENCY) in press.counted()


# --- one process ----------------------------------------------------------------------------


@pytest.fixture
def working(site: Path, environ: dict[str, str], origin: Origin) -> Iterator[Runtime]:
    """This process as a worker, on an origin of its own."""
    environ["FEEDSVC_ARCHIVE__ALLOW_HOSTS"] = origin.host
    environ["FEEDSVC_ARCHIVE__PER_HOST_DELAY"] = "0s"
    with opened(site, environ) as runtime, present(runtime):
        yield runtime


def publish(runtime: Runtime, seeds: Seeds, origin: Origin, articles: int) -> None:
    for number in range(articles):
        page = f"<h1>Report {number}</h1><p>The council met on day {number} about the ferry.</p>"
        origin.page(f"/{number}", f"<link rel=icon href=/i>{page * 5}".encode())
        seeds.write(
            f"{number}.md",
            title=f"Report {number}",
            url=origin.url(f"/{number}"),
            body=f"The council met on day {number} about the ferry.\n",
        )
    jobs.ingest_seeds(runtime)


def queued(runtime: Runtime, kind: Kind) -> set[str]:
    with runtime.database.reading() as store:
        rows = store.connection.exec_driver_sql(
            "SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo'"
        ).scalars()
        return {key for lock in rows for of, _, key in [lock.partition(":")] if of == str(kind)}


def empty_queue(runtime: Runtime) -> None:
    with runtime.database.transaction() as store:
        store.connection.exec_driver_sql("DELETE FROM procrastinate_jobs")


def test_a_round_takes_some_and_queues_the_host_again_while_more_is_due(
    working: Runtime, seeds: Seeds, origin: Origin
) -> None:
    publish(working, seeds, origin, MOST + 3)
    empty_queue(working)
    assert work_host(working, origin.host)
    assert jobs.status(working).archived == MOST
    assert queued(working, Kind.HOST) == {origin.host}
    empty_queue(working)
    assert not work_host(working, origin.host)
    assert jobs.status(working).archived == MOST + 3
    assert queued(working, Kind.HOST) == set()
    assert not work_host(working, origin.host)


def test_channels_that_captures_changed_are_queued_with_them(
    working: Runtime, seeds: Seeds, origin: Origin
) -> None:
    publish(working, seeds, origin, 1)
    jobs.publish_feeds(working)
    empty_queue(working)
    work_host(working, origin.host)
    assert "all" in queued(working, Kind.PUBLISH)


def test_only_the_hosts_own_originals_are_captured(
    working: Runtime, seeds: Seeds, origin: Origin
) -> None:
    publish(working, seeds, origin, 2)
    seeds.write("elsewhere.md", url="https://elsewhere.example/1")
    jobs.ingest_seeds(working)
    assert not work_host(working, origin.host)
    with working.database.reading() as store:
        assert store.count_due(now=working.now()) == 1


def test_who_lost_its_leases_records_nothing_and_leaves_no_bytes(
    working: Runtime, seeds: Seeds, origin: Origin
) -> None:
    publish(working, seeds, origin, 1)
    reply = origin.replies["/0"]

    def lose(connection: Any, _seen: object) -> None:
        with working.database.transaction() as store:
            release(store, [working.worker or ""])
        connection.sendall(reply)

    origin.raw("/0", lose)
    assert work_host(working, origin.host)
    assert list(working.archive.stored()) == []
    with working.database.reading() as store:
        (article,) = store.newest(5)
        assert store.snapshots(article.id) == []
        assert store.attempts_at(article.id, limit=5) == []


def test_a_stop_hands_back_what_was_not_done(
    working: Runtime, seeds: Seeds, origin: Origin
) -> None:
    publish(working, seeds, origin, 3)
    stop, reply = threading.Event(), origin.replies["/0"]

    def stopping(connection: Any, _seen: object) -> None:
        stop.set()
        connection.sendall(reply)

    for number in range(3):
        origin.raw(f"/{number}", stopping)
    assert work_host(working, origin.host, stop=stop)
    with working.database.reading() as store:
        assert store.leases() == []
    assert queued(working, Kind.HOST) == {origin.host}


def test_a_host_that_wants_a_pause_is_left_alone(
    working: Runtime, seeds: Seeds, origin: Origin
) -> None:
    publish(working, seeds, origin, MOST + 6)
    empty_queue(working)
    for number in range(MOST + 6):
        origin.page(f"/{number}", status=429, headers=(("Retry-After", "600"),))
    assert not work_host(working, origin.host)
    asked = len(origin.seen)
    assert not work_host(working, origin.host)
    assert len(origin.seen) == asked <= 2
    assert queued(working, Kind.HOST) == set()
    with working.database.reading() as store:
        assert store.count_due(now=working.now()) >= 6
        assert 590 < store.held_for(origin.host) <= 600


def test_the_runs_of_all_rounds_are_told_as_one(
    working: Runtime, seeds: Seeds, origin: Origin
) -> None:
    publish(working, seeds, origin, 2)
    work_host(working, origin.host)
    run = next(one for one in jobs.status(working).runs if one.job == "capture")
    assert (run.ok, run.summary["attempts"], run.summary["archived"]) == (True, 2, 2)


def test_a_capture_by_hand_is_a_worker_for_as_long_as_it_takes(
    site: Path, environ: dict[str, str], seeds: Seeds, origin: Origin
) -> None:
    environ["FEEDSVC_ARCHIVE__ALLOW_HOSTS"] = origin.host
    with opened(site, environ) as runtime:
        publish(runtime, seeds, origin, 1)
        reply, seen = origin.replies["/0"], []

        def look(connection: Any, _seen: object) -> None:
            with runtime.database.reading() as store:
                seen.append((store.leases(), [one.id for one in store.workers()]))
            connection.sendall(reply)

        origin.raw("/0", look)
        report = jobs.capture_due(runtime)
        assert report.archived == 1
        ((leases, there),) = seen
        assert leases == there
        with runtime.database.reading() as store:
            assert store.workers() == []
            assert (
                store.due_at_host(origin.host, now=runtime.now(), limit=1, purpose=Purpose.CAPTURE)
                == []
            )
