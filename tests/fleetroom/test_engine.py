"""Laws of the engine: every task is done, whatever becomes of connections and of workers."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from feedsvc.errors import OutOfSpace
from feedsvc.fleet.tasks import Failed, Tasks
from feedsvc.model import Kind
from feedsvc.runtime import Runtime
from tests.fleetroom.conftest import Rig

pytestmark = pytest.mark.fleet


def cut_all(runtime: Runtime) -> None:
    """End every connection to the database but the one that asks, as its restart would."""
    with runtime.database.transaction() as store:
        store.connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def test_tasks_are_done_and_nothing_of_them_stays(rig: Rig) -> None:
    rig.put("a", "b", "c", "d", "e", "f")
    rig.until_done("a", "b", "c", "d", "e", "f")


def test_a_task_that_queues_itself_again_runs_after_its_end_without_a_wait_for_a_poll(
    rig: Rig,
) -> None:
    def once_more(key: str) -> None:
        if len(rig.calls.begun) < 6:
            rig.put(key)

    rig.calls.then = once_more
    rig.put("a")
    rig.until_done(*"aaaaaa")


def test_the_engine_outlives_its_connections_and_so_does_what_it_is_at(rig: Rig) -> None:
    let_go = rig.calls.hold("slow")
    rig.put("slow")
    rig.until(lambda: rig.calls.begun == ["slow"], "the task")
    numbers = rig.engine.numbers
    for _ in range(3):
        cut_all(rig.runtime)
    rig.put("next")
    rig.until(lambda: rig.calls.ended == ["next"], "another task")
    let_go.set()
    rig.until_done("next", "slow")
    assert rig.engine.numbers == numbers
    assert rig.calls.begun == ["slow", "next"]


def test_a_task_handed_out_over_a_connection_that_broke_is_done(rig: Rig) -> None:
    rig.runtime.database.engine.dispose()
    with rig.runtime.database.transaction() as store:
        # The database gave it to one of ours, and the answer never came.
        store.connection.execute(
            text(
                "INSERT INTO procrastinate_jobs"
                " (queue_name, task_name, lock, queueing_lock, args, status, worker_id)"
                " VALUES ('hosts', 'feedsvc.host', 'host:unheard', 'host:unheard',"
                """ '{"key": "unheard"}', 'doing', :worker)"""
            ),
            {"worker": max(rig.engine.numbers)},
        )
    cut_all(rig.runtime)
    rig.until_done("unheard")


def test_who_was_given_up_goes_on_and_ends_nothing_that_others_have(rig: Rig) -> None:
    first = rig.calls.hold("a")
    rig.put("a")
    rig.until(lambda: rig.calls.begun == ["a"], "the task")
    queue, numbers, second = rig.runtime.queue, rig.engine.numbers, rig.calls.hold("a")
    assert queue is not None
    with rig.runtime.database.transaction() as store:
        store.connection.execute(
            text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
        )
        assert queue.take_back(store) == 1
    # It takes the task again as somebody new, while the old one is still at it.
    rig.until(lambda: rig.calls.begun == ["a", "a"], "the task again")
    rig.until(lambda: not numbers & rig.engine.numbers, "new numbers")
    first.set()
    rig.until(lambda: rig.calls.ended == ["a"], "the end of the old one")
    rig.put("b")
    rig.until(lambda: rig.calls.ended == ["a", "b"] and rig.left() == (0, 1), "only one left")
    rig.put("a")
    assert rig.left() == (1, 1)
    second.set()
    rig.until_done("a", "b", "a", "a")


def test_what_still_runs_when_a_worker_ends_is_queued_again(fleet_runtime: Runtime) -> None:
    rig = Rig(fleet_runtime)
    rig.engine.start()
    let_go = rig.calls.hold("long")
    rig.put("long")
    rig.until(lambda: rig.calls.begun == ["long"], "the task")
    rig.engine.stop()
    rig.put("later")
    assert not rig.engine.finish(seconds=0.2)
    assert fleet_runtime.queue is not None
    with fleet_runtime.database.transaction() as store:
        assert fleet_runtime.queue.hand_back(store, rig.engine.numbers) == 1
    let_go.set()
    assert rig.engine.finish(seconds=30)
    assert (rig.left(), rig.calls.begun) == ((2, 0), ["long"])


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        pytest.param(OutOfSpace("disk full; free some"), "disk full; free some", id="ours"),
        pytest.param(KeyError("x"), "KeyError: 'x'", id="unexpected"),
    ],
)
def test_why_a_task_failed_is_recorded_until_it_ends_well(
    rig: Rig, error: Exception, cause: str
) -> None:
    def fail(_key: str) -> None:
        try:
            raise error
        except Exception as raised:
            Tasks._failed(rig.calls, Kind.HOST, "a", cause)
            raise Failed from raised

    rig.calls.then = fail
    rig.put("a")
    rig.until(lambda: rig.calls.begun == ["a"] and rig.left() == (0, 0), "its end")
    with rig.runtime.database.transaction() as store:
        assert [one.cause for one in store.failed_tasks(5)] == [cause]
        store.connection.execute(text("UPDATE failed_tasks SET tried = tried - interval '1 min'"))
    rig.calls.then = lambda _: None
    rig.put("a")
    rig.until_done("a")
    with rig.runtime.database.reading() as store:
        assert store.failed_tasks(5) == []
