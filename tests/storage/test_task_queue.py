"""Laws of the queue: tasks come with the rows they are about, at most one waits and one runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from feedsvc.errors import SchemaMismatch
from feedsvc.model import Kind, Queued, Task
from feedsvc.runtime import utc_now
from feedsvc.storage.database import Database, database_url
from feedsvc.storage.task_queue import TaskQueue

pytestmark = pytest.mark.fleet

HOST = Task(Kind.HOST, "example.org")
PUBLISH = Task(Kind.PUBLISH, "all")


@pytest.fixture
def opened(postgresql: str) -> Iterator[Database]:
    with closing(Database(database_url(postgresql, root=Path()))) as database:
        yield database


@pytest.fixture
def queue(opened: Database) -> TaskQueue:
    queue = TaskQueue(stalled=9.0)
    queue.ensure_schema(opened)
    return queue


def waiting(database: Database) -> list[str]:
    query = text("SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo' ORDER BY 1")
    with database.reading() as store:
        return list(store.connection.scalars(query))


def put(database: Database, queue: TaskQueue, *tasks: Task) -> int:
    with database.transaction() as store:
        return queue.put(store, tasks)


def take(database: Database, *, silent: float = 0.0) -> int:
    """Hand the first task out to a worker that was last heard of so many seconds ago."""
    with database.transaction() as store:
        number = store.connection.scalar(
            text(
                "INSERT INTO procrastinate_workers (last_heartbeat)"
                " VALUES (clock_timestamp() - make_interval(secs => :silent)) RETURNING id"
            ),
            {"silent": silent},
        )
        query = text("SELECT id FROM procrastinate_fetch_job_v2(NULL, :worker)")
        assert store.connection.scalar(query, {"worker": number}) is not None
    assert isinstance(number, int)
    return number


def test_a_task_is_queued_only_if_its_transaction_is_committed(
    opened: Database, queue: TaskQueue
) -> None:
    with opened.transaction() as store:
        store.set_fact("seen", "yes")
        assert queue.put(store, [HOST]) == 1
        store.connection.rollback()
    assert waiting(opened) == []
    with opened.transaction() as store:
        store.set_fact("seen", "yes")
        queue.put(store, [HOST])
    assert waiting(opened) == ["host:example.org"]


def test_what_is_queued_is_left_out_and_the_rest_comes(opened: Database, queue: TaskQueue) -> None:
    assert put(opened, queue, HOST, HOST, PUBLISH) == 2
    assert put(opened, queue, Task(Kind.HOST, "b.example"), PUBLISH, HOST) == 1
    with opened.transaction() as store:
        assert queue.put(store, [Task(Kind.FIND)]) == 1
        assert queue.put(store, [Task(Kind.FIND)]) == 0
    assert waiting(opened) == ["find:", "host:b.example", "host:example.org", "publish:all"]


def test_a_task_that_runs_is_queued_once_more(opened: Database, queue: TaskQueue) -> None:
    put(opened, queue, HOST)
    take(opened)
    assert [put(opened, queue, HOST), put(opened, queue, HOST)] == [1, 0]
    # It waits until the first has ended, and nobody gets it meanwhile.
    with opened.transaction() as store:
        query = text("SELECT id FROM procrastinate_fetch_job_v2(NULL, NULL)")
        assert store.connection.scalar(query) is None


def test_two_transactions_with_the_same_tasks_queue_each_once(
    opened: Database, queue: TaskQueue
) -> None:
    counts: list[int] = []
    tasks = [Task(Kind.HOST, f"{number}.example") for number in range(20)]
    with opened.transaction() as store:
        first = queue.put(store, tasks[:10])
        # In the other order, and with some of their own.
        other = threading.Thread(target=lambda: counts.append(put(opened, queue, *tasks[::-1])))
        other.start()
    other.join(timeout=30)
    assert (first, counts, len(waiting(opened))) == (10, [10], 20)


def test_a_task_that_just_failed_rests_first(opened: Database, queue: TaskQueue) -> None:
    with opened.transaction() as store:
        store.note_failed_task(HOST.kind, HOST.key, cause="no space", now=utc_now())
    assert put(opened, queue, HOST, PUBLISH) == 1
    with opened.transaction() as store:
        store.connection.execute(text("UPDATE failed_tasks SET tried = tried - interval '1 min'"))
    assert put(opened, queue, HOST, PUBLISH) == 1


def test_what_a_silent_worker_was_at_is_queued_again(opened: Database, queue: TaskQueue) -> None:
    put(opened, queue, HOST)
    take(opened, silent=60)
    put(opened, queue, PUBLISH)
    take(opened)
    with opened.transaction() as store:
        assert queue.take_back(store) == 1
        assert queue.take_back(store) == 0
    assert waiting(opened) == ["host:example.org"]


def test_what_a_silent_worker_was_at_is_not_queued_twice(
    opened: Database, queue: TaskQueue
) -> None:
    put(opened, queue, HOST)
    take(opened, silent=60)
    put(opened, queue, HOST)
    with opened.transaction() as store:
        queue.take_back(store)
    assert waiting(opened) == ["host:example.org"]
    with opened.reading() as store:
        assert [(one.waiting, one.running) for one in queue.counts(store)] == [(1, 0)]


def test_counts_tell_what_waits_runs_is_stalled_and_failed(
    opened: Database, queue: TaskQueue
) -> None:
    put(opened, queue, HOST)
    take(opened, silent=60)
    put(opened, queue, PUBLISH)
    take(opened)
    put(opened, queue, HOST, Task(Kind.HOST, "b.example"))
    with opened.transaction() as store:
        store.note_failed_task(Kind.VERIFY, "", cause="torn", now=utc_now())
    with opened.reading() as store:
        counts = {one.kind: one for one in queue.counts(store)}
    oldest = counts[Kind.HOST].oldest
    assert oldest is not None
    assert abs((utc_now() - oldest).total_seconds()) < 60
    assert counts == {
        Kind.HOST: Queued(Kind.HOST, 2, 1, 1, 0, oldest),
        Kind.PUBLISH: Queued(Kind.PUBLISH, 0, 1, 0, 0),
        Kind.VERIFY: Queued(Kind.VERIFY, 0, 0, 0, 1),
    }


def test_tables_are_made_once_however_many_workers_start(opened: Database) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            TaskQueue(stalled=9.0).ensure_schema(opened)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    assert waiting(opened) == []


@pytest.mark.parametrize(
    ("note", "says"),
    [
        pytest.param("NULL", "not feedsvc's", id="of-somebody-else"),
        pytest.param("'feedsvc \"99.00.00_01_x.sql\"'", "newer", id="of-a-newer-release"),
    ],
)
def test_tables_that_are_not_ours_are_refused(
    opened: Database, queue: TaskQueue, note: str, says: str
) -> None:
    with opened.transaction() as store:
        store.connection.execute(text(f"COMMENT ON TABLE procrastinate_jobs IS {note}"))
    with pytest.raises(SchemaMismatch, match=says):
        queue.ensure_schema(opened)


def test_tables_of_an_older_release_get_the_migrations_they_lack(
    opened: Database, queue: TaskQueue
) -> None:
    comment = text("SELECT obj_description('procrastinate_jobs'::regclass)")
    with opened.reading() as store:
        newest = store.connection.scalar(comment)
    with opened.transaction() as store:
        # The last migration makes a trigger anew, as often as it is run.
        store.connection.execute(
            text(
                "COMMENT ON TABLE procrastinate_jobs IS"
                " 'feedsvc \"03.04.00_01_pre_add_retry_failed_job_procedure.sql\"'"
            )
        )
    queue.ensure_schema(opened)
    with opened.reading() as store:
        assert store.connection.scalar(comment) == newest
