"""Laws of `feedsvc worker` as a process: who dies is taken over, who sleeps wakes as another."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from feedsvc.model import Kind, Task
from feedsvc.runtime import Runtime
from feedsvc.storage.fleet_tables import host_places
from tests.fleet.cluster import Fleet, Process, eventually

pytestmark = pytest.mark.fleet

TAKEOVER_SECONDS = 15.0
"""The longest time after which somebody else has what a killed worker held, at default settings."""


@pytest.fixture
def make_fleet(tmp_path: Path, postgresql: str) -> Iterator[Callable[..., Fleet]]:
    """Make a fleet on a database and shared folders; more settings by name."""
    made: list[Fleet] = []

    def make(**more: str) -> Fleet:
        settings = {
            "FLEET__ENABLED": "true",
            "DATABASE__URL": postgresql,
            "ARCHIVE__STORE": str(tmp_path / "snapshots"),
            "FEEDS__DIR": str(tmp_path / "feeds"),
            "SEEDS__PATHS": str(tmp_path / "seeds"),
            **more,
        }
        (tmp_path / "seeds").mkdir(exist_ok=True)
        made.append(Fleet(tmp_path, settings))
        return made[-1]

    yield make
    for fleet in made:
        fleet.close()


def worker_of(runtime: Runtime, process: Process, *, besides: str = "") -> str:
    """Wait until a process is a worker of the fleet and knows its numbers; return its id."""

    def look() -> str:
        with runtime.database.reading() as store:
            query = text(
                "SELECT id FROM workers WHERE pid = :pid AND lost IS NULL AND numbers > ''"
            )
            found = store.connection.scalars(query, {"pid": process.pid})
            return next((id_ for id_ in found if id_ != besides), "")

    return eventually(look, seconds=60, what=f"a worker of {process.pid}")


def give_work(runtime: Runtime, worker: str) -> None:
    """Let a worker hold a place at a host and be at a task that it never ends."""
    until = runtime.now() + timedelta(minutes=10)
    row = {"host": "example.org", "number": 1, "holder": worker, "until": until}
    with runtime.database.transaction() as store:
        store.connection.execute(host_places.insert().values(row))
        assert runtime.queue is not None
        runtime.queue.put(store, [Task(Kind.INDEX, "held")])
        store.connection.execute(
            text(
                "UPDATE procrastinate_jobs SET status = 'doing', worker_id ="
                " (SELECT split_part(numbers, ',', 1)::bigint FROM workers WHERE id = :worker)"
                " WHERE queueing_lock = 'index:held'"
            ),
            {"worker": worker},
        )


def is_free(runtime: Runtime, worker: str) -> bool:
    """Tell whether a worker holds nothing any more and is at nothing."""
    with runtime.database.reading() as store:
        held = store.held_by([worker])[worker]
        query = (
            "SELECT 1 FROM procrastinate_jobs j WHERE status = 'doing' AND queueing_lock = :lock"
        )
        return not held and store.connection.scalar(text(query), {"lock": "index:held"}) is None


def test_what_a_killed_worker_held_is_taken_over_in_time(
    make_fleet: Callable[..., Fleet],
) -> None:
    fleet = make_fleet()
    killed, other = fleet.start_worker(), fleet.start_worker()
    with fleet.opened() as runtime:
        worker_of(runtime, other)
        dead = worker_of(runtime, killed)
        killed.send(signal.SIGSTOP)
        give_work(runtime, dead)
        killed.kill()
        began = time.monotonic()
        eventually(lambda: is_free(runtime, dead), seconds=60, what="the takeover")
        took = time.monotonic() - began
    assert other.end() == 0
    # The one bound of time in these tests: it is what a fleet promises.
    assert took < TAKEOVER_SECONDS, f"{took:.1f} s\n{other.said()}"


def test_who_slept_too_long_wakes_as_another_and_leaves_in_good_order(
    make_fleet: Callable[..., Fleet],
) -> None:
    fleet = make_fleet(FLEET__HEARTBEAT="0.5s", FLEET__STALLED="2s")
    sleeper, other = fleet.start_worker(), fleet.start_worker()
    with fleet.opened() as runtime:
        worker_of(runtime, other)
        first = worker_of(runtime, sleeper)
        sleeper.send(signal.SIGSTOP)

        def given_up() -> bool:
            with runtime.database.reading() as store:
                return first in {one.id for one, _ in store.lost_workers()}

        eventually(given_up, seconds=60, what="giving it up")
        sleeper.send(signal.SIGCONT)
        second = worker_of(runtime, sleeper, besides=first)
        assert second != first
        assert [sleeper.end(), other.end()] == [0, 0]
        with runtime.database.reading() as store:
            assert store.workers() == []
            assert store.connection.scalar(text("SELECT count(*) FROM procrastinate_workers")) == 0
    assert "worker.was_given_up" in sleeper.said()
    assert "Traceback" not in sleeper.said() + other.said()


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        pytest.param(["worker"], {"DATABASE__URL": "sqlite:///x.db"}, "needs a PostgreSQL"),
        pytest.param(["worker"], {"FLEET__STALLED": "4s"}, "less than two heartbeats"),
        pytest.param(["worker"], {"FLEET__ENABLED": "false"}, "enabled = true"),
        pytest.param(["worker", "--queues", "hots"], {}, "no queue 'hots'"),
        pytest.param(["run"], {}, "start that, on as many machines"),
        pytest.param(["daemon"], {}, "start that, on as many machines"),
    ],
)
def test_what_cannot_work_is_refused_at_start(
    make_fleet: Callable[..., Fleet], arguments: list[str], settings: dict[str, str], says: str
) -> None:
    fleet = make_fleet(**settings)
    process = Process(fleet.machine(), fleet.environ(), *arguments)
    assert (process.ended(), says in process.said()) == (4, True), process.said()


def test_one_machine_alone_imports_nothing_of_a_fleet(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    code = (
        "import sys; from feedsvc.cli import main\n"
        f"assert main(['--root', {str(tmp_path)!r}, 'status']) == 0\n"
        "found = {'procrastinate', 'obstore', 'psycopg', 'feedsvc.fleet'} & set(sys.modules)\n"
        "sys.exit(repr(found) if found else 0)"
    )
    environ = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
