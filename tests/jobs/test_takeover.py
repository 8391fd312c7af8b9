"""Laws of the takeover and of dispatching: work goes on without whoever fell silent."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.jobs.dispatch import dispatch_due
from feedsvc.jobs.takeover import take_over
from feedsvc.model import Kind, Tally, Task, Worker
from feedsvc.model.fleet_state import REAP
from feedsvc.runtime import Runtime, utc_now
from feedsvc.storage.store import Store
from tests.jobs.site import Seeds, open_site

pytestmark = pytest.mark.fleet


@pytest.fixture
def fleet(site: Path, postgresql: str) -> Iterator[Runtime]:
    """A site of a fleet, as any of its machines sees it."""
    with open_site(site, database=postgresql, now=utc_now, fleet={"enabled": True}) as runtime:
        yield runtime


@pytest.fixture
def second(site: Path, postgresql: str, fleet: Runtime) -> Iterator[Runtime]:
    """The same site from another machine, whose clock is an hour ahead."""
    hour = timedelta(hours=1)
    with open_site(
        site, database=postgresql, now=lambda: utc_now() + hour, fleet={"enabled": True}
    ) as runtime:
        yield runtime


def enter(runtime: Runtime, id_: str, *, silent: float = 0.0) -> None:
    seen = runtime.now() - timedelta(seconds=silent)
    worker = Worker(id_, f"{id_}.example", 7, "1", seen, seen, 0.0)
    with runtime.database.transaction() as store:
        store.put_worker(worker)


def lease(runtime: Runtime, holder: str, *, worker: str | None = None) -> list[str]:
    """Claim every capture that is due, as a worker does."""
    now = runtime.now()
    with runtime.database.transaction() as store:
        due = [id_ for id_, _ in store.due_captures(now=now, limit=10)]
        until = now + timedelta(minutes=10)
        claimed = store.claim_captures(due, now=now, lease=holder, until=until, worker=worker)
    return [job.article_id for job in claimed]


def test_what_a_silent_worker_holds_is_free_again(fleet: Runtime, seeds: Seeds) -> None:
    seeds.many(3)
    jobs.ingest_seeds(fleet)
    enter(fleet, "alive")
    enter(fleet, "dead", silent=9.5)
    assert len(lease(fleet, "dead")) == 3
    assert take_over(fleet) == 1
    assert len(lease(fleet, "alive")) == 3
    with fleet.database.reading() as store:
        assert [one.id for one in store.workers()] == ["alive"]
        assert [one.id for one, _ in store.lost_workers()] == ["dead"]
        assert store.totals()[Tally.TAKEOVERS] == 1


def test_a_worker_that_was_heard_of_lately_keeps_what_it_holds(
    fleet: Runtime, second: Runtime, seeds: Seeds
) -> None:
    seeds.many(2)
    jobs.ingest_seeds(fleet)
    enter(fleet, "alive", silent=3.0)
    lease(fleet, "alive")
    # A reaper whose own clock is an hour ahead goes by the database's.
    assert [take_over(second), lease(fleet, "thief")] == [0, []]


def test_a_worker_that_was_given_up_learns_it(fleet: Runtime) -> None:
    enter(fleet, "dead", silent=60.0)
    take_over(fleet)
    with fleet.database.transaction() as store:
        assert not store.see_worker("dead", now=fleet.now(), skew=0.0, stopping=False, numbers=[])


def test_a_worker_that_was_given_up_claims_nothing(fleet: Runtime, seeds: Seeds) -> None:
    seeds.many(1)
    jobs.ingest_seeds(fleet)
    enter(fleet, "dead", silent=60.0)
    enter(fleet, "alive")
    take_over(fleet)
    assert lease(fleet, "dead", worker="dead") == []
    assert len(lease(fleet, "alive", worker="alive")) == 1


def test_a_worker_that_is_being_given_up_claims_nothing_and_waits_for_nobody(
    fleet: Runtime, seeds: Seeds
) -> None:
    seeds.many(1)
    jobs.ingest_seeds(fleet)
    enter(fleet, "dead", silent=60.0)
    with fleet.database.transaction() as store:
        assert store.silent_workers(before=fleet.now()) == ["dead"]
        assert lease(fleet, "dead", worker="dead") == []


def test_several_reapers_take_over_once(fleet: Runtime, second: Runtime) -> None:
    for number in range(5):
        enter(fleet, f"dead{number}", silent=60.0)
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda each=runtime: counts.append(take_over(each)))
        for runtime in (fleet, second, fleet, second)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sum(counts) == 5
    assert len(counts) == 4


def test_after_a_time_without_a_database_everybody_may_speak_first(fleet: Runtime) -> None:
    with fleet.database.transaction() as store:
        store.note_tick(REAP, fleet.now() - timedelta(minutes=5))
    enter(fleet, "cut-off", silent=300.0)
    assert [take_over(fleet), take_over(fleet)] == [0, 0]


def test_only_one_dispatcher_looks_at_a_time(fleet: Runtime, second: Runtime) -> None:
    looked: list[str] = []

    def first_look(runtime: Runtime, store: Store) -> Iterable[Task]:
        looked.append("first")
        # Another tick comes while this one is in the middle of its transaction.
        dispatch_due(second, also=(second_look,))
        return [Task(Kind.FIND)]

    def second_look(runtime: Runtime, store: Store) -> Iterable[Task]:
        looked.append("second")
        return []

    assert dispatch_due(fleet, also=(first_look,)) >= 1
    assert looked == ["first"]
    dispatch_due(second, also=(second_look,))
    assert looked == ["first", "second"]


def test_what_is_queued_already_is_not_dispatched_again(fleet: Runtime) -> None:
    def look(runtime: Runtime, store: Store) -> Iterable[Task]:
        return [Task(Kind.FIND), Task(Kind.VERIFY)]

    dispatch_due(fleet, also=(look,))
    before: datetime | None = None
    with fleet.database.reading() as store:
        assert fleet.queue is not None
        before = {one.kind: one for one in fleet.queue.counts(store)}[Kind.FIND].oldest
    dispatch_due(fleet, also=(look,))
    with fleet.database.reading() as store:
        found = {one.kind: one for one in fleet.queue.counts(store)}[Kind.FIND]
    assert (found.waiting, found.oldest) == (1, before)
