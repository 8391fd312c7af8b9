"""Laws of what `status` says of a fleet: who works, at what, and what needs a person."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BufferedReader
from pathlib import Path

import pytest

from feedsvc import __version__, jobs
from feedsvc.errors import Temporary
from feedsvc.jobs.fleet_state import StoreProbe
from feedsvc.jobs.fleet_troubles import fleet_troubles
from feedsvc.model import (
    FailedTask,
    FleetState,
    Kind,
    Liveness,
    Pace,
    Queued,
    StoreState,
    Task,
    Worker,
    WorkerState,
)
from feedsvc.model.fleet import SITE_KEY
from feedsvc.model.fleet_state import DISPATCH, NO_FLEET, REAP, Connections
from feedsvc.runtime import Runtime, utc_now
from feedsvc.storage.blobs import DiskBlobs
from feedsvc.storage.listening import listening
from feedsvc.storage.s3 import Bucket
from feedsvc.storage.s3_blobs import S3Blobs
from feedsvc.storage.store_feeds import FILES_CHANGED
from tests.jobs.site import Seeds, open_site
from tests.object_store import Fault, ObjectStore, faulty_proxy

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def fleet(site: Path, postgresql: str) -> Iterator[Runtime]:
    """A site of a fleet, as any of its machines sees it."""
    with open_site(site, database=postgresql, now=utc_now, fleet={"enabled": True}) as runtime:
        yield runtime


def worker(id_: str, *, now: datetime, seen: float = 0.0, skew: float = 0.0) -> Worker:
    """Return a worker that was heard of so many seconds ago."""
    begun, last = now - timedelta(hours=1), now - timedelta(seconds=seen)
    return Worker(id_, f"{id_}.example", 7, __version__, begun, last, skew)


def enter(runtime: Runtime, *workers: Worker) -> None:
    with runtime.database.transaction() as store:
        for one in workers:
            store.put_worker(one)


def state(runtime: Runtime) -> FleetState:
    found = jobs.status(runtime).fleet
    assert found is not None
    return found


def said(found: FleetState, now: datetime) -> list[str]:
    return [one.what for one in fleet_troubles(found, now)]


def test_one_machine_has_no_fleet(runtime: Runtime) -> None:
    assert jobs.status(runtime).fleet is None


def test_each_worker_is_alive_stopping_silent_or_gone(fleet: Runtime) -> None:
    now = fleet.now()
    enter(
        fleet,
        worker("alive", now=now),
        replace(worker("stopping", now=now), stopping=True),
        worker("silent", now=now, seen=30),
        worker("gone", now=now, seen=60),
    )
    with fleet.database.transaction() as store:
        store.lose_workers(["gone"], now=now)
    found = {one.worker.id: one for one in state(fleet).workers}
    assert {id_: one.liveness.value for id_, one in found.items()} == {
        "silent": "silent",
        "alive": "alive",
        "stopping": "stopping",
        "gone": "gone",
    }
    assert found["silent"].age == pytest.approx(30, abs=20)
    assert found["gone"].lost is not None


def test_a_silent_worker_is_told_of_with_what_it_holds_until_that_is_taken_over(
    fleet: Runtime, seeds: Seeds
) -> None:
    seeds.many(3)
    jobs.ingest_seeds(fleet)
    now = fleet.now()
    enter(fleet, worker("silent", now=now, seen=30), worker("alive", now=now))
    with fleet.database.transaction() as store:
        due = [id_ for id_, _ in store.due_captures(now=now, limit=2)]
        store.claim_captures(due, now=now, lease="silent", until=now + timedelta(hours=1))
    (told,) = [one for one in said(state(fleet), now) if "silent.example" in one]
    assert told == "worker silent.example:7 is silent and still holds 2 of what it began"
    with fleet.database.transaction() as store:
        store.release_captures("silent")
        store.lose_workers(["silent"], now=now)
    found = state(fleet)
    assert not [one for one in fleet_troubles(found, now) if one.grave and "silent.ex" in one.what]
    assert "worker silent.example:7 fell silent; its work was taken over" in said(found, now)


def test_tasks_that_wait_are_counted_by_kind(fleet: Runtime) -> None:
    assert fleet.queue is not None
    with fleet.database.transaction() as store:
        fleet.queue.put(store, [Task(Kind.HOST, "a.example"), Task(Kind.HOST, "b.example")])
        fleet.queue.put(store, [Task(Kind.PUBLISH, "all")])
        store.note_failed_task(Kind.VERIFY, "", cause="the bucket said 503", now=fleet.now())
    found = state(fleet)
    queue = {one.kind: one for one in found.queue}
    assert set(queue) == set(Kind)
    assert (queue[Kind.HOST].waiting, queue[Kind.PUBLISH].waiting) == (2, 1)
    assert queue[Kind.HOST].oldest is not None
    assert queue[Kind.VERIFY].failed == found.failing == 1
    (failed,) = [one for one in fleet_troubles(found, fleet.now()) if one.short == "tasks fail"]
    assert (failed.what, failed.why) == ("task verify failed once", "the bucket said 503")


def test_ticks_and_the_oldest_that_is_due_are_told(fleet: Runtime, seeds: Seeds) -> None:
    seeds.many(1)
    jobs.ingest_seeds(fleet)
    now = fleet.now()
    with fleet.database.transaction() as store:
        store.note_tick(DISPATCH, now)
        store.note_tick(REAP, now)
    found = state(fleet)
    assert (found.dispatched, found.reaped) == (now, now)
    assert found.oldest_capture is not None
    assert found.oldest_look is None


def test_it_says_who_is_connected_and_who_follows_feeds(fleet: Runtime) -> None:
    def followers() -> int:
        return state(fleet).connections.followers

    before = state(fleet).connections
    assert sum(before.programs.values()) > 0
    assert 0 < before.total <= before.most
    assert before.followers == 0
    with listening(fleet.database.url, FILES_CHANGED):
        assert followers() == 1


# --- stores that do not answer ----------------------------------------------------------------


class Awkward(DiskBlobs):
    """A store that answers as told, or not."""

    def __init__(self, folder: Path, answer: Callable[[], None]) -> None:
        super().__init__(folder)
        folder.mkdir(exist_ok=True)
        (folder / SITE_KEY).write_text("{}")
        self._answer = answer
        self.asked = 0

    def open(self, key: str, *, at: int = 0) -> BufferedReader:
        self.asked += 1
        self._answer()
        return super().open(key, at=at)


def refuse() -> None:
    raise Temporary("the store answered 503 Slow Down; try again")


def test_a_store_that_refuses_says_why(runtime: Runtime, tmp_path: Path) -> None:
    runtime.archive = Awkward(tmp_path, refuse)
    runtime.feeds = DiskBlobs(tmp_path / "away")
    archive, feeds = StoreProbe(runtime).states()
    assert archive.problem == "the store answered 503 Slow Down; try again"
    assert archive.place == str(tmp_path)
    assert feeds.problem == "the folder is not there: is its disk mounted?"


def test_a_folder_that_is_not_the_fleets_is_told_of(runtime: Runtime, tmp_path: Path) -> None:
    runtime.archive = runtime.feeds = DiskBlobs(tmp_path)
    archive, _ = StoreProbe(runtime).states()
    assert archive.problem.startswith("feedsvc.json is missing in it")


@pytest.mark.parametrize(
    ("fault", "says"),
    [(Fault.BUSY, "503|busy|later"), (Fault.REFUSED, "broke|answer"), (Fault.STALLED, "answer")],
)
def test_a_bucket_that_fails_says_why(
    runtime: Runtime, object_store: ObjectStore, fault: Fault, says: str
) -> None:
    with faulty_proxy(object_store.port) as proxy:
        blobs = object_store.blobs(access=object_store.access(port=proxy.port))
        blobs.put(SITE_KEY, b"{}")
        runtime.archive = runtime.feeds = blobs
        assert [one.problem for one in StoreProbe(runtime, patience=30).states()] == ["", ""]
        proxy.fail(fault)
        probe = StoreProbe(runtime, patience=2)
        found = (probe.states()[0] for _ in range(20))
        archive = next(one for one in found if re.search(says, one.problem))
    assert archive.place.startswith("s3://")


def test_a_bucket_that_is_gone_is_no_answer(runtime: Runtime, object_store: ObjectStore) -> None:
    access = object_store.access()
    runtime.archive = runtime.feeds = S3Blobs(Bucket("there-is-none", "x", access))
    archive, _ = StoreProbe(runtime, patience=30).states()
    assert "there is no such bucket" in archive.problem


def test_a_silent_store_holds_nobody_up_and_is_asked_once_at_a_time(
    runtime: Runtime, tmp_path: Path
) -> None:
    answer = threading.Event()

    def wait() -> None:
        answer.wait(30)

    silent = Awkward(tmp_path, wait)
    runtime.archive, runtime.feeds = silent, DiskBlobs(tmp_path)
    probe = StoreProbe(runtime, patience=0.05)
    for _ in range(3):
        archive, feeds = probe.states()
        assert archive.problem.startswith("no answer within 0.05 s")
        assert feeds.problem == ""
    answer.set()
    patient = StoreProbe(runtime, patience=30)
    assert [one.problem for one in patient.states()] == ["", ""]
    assert silent.asked == 2


def test_an_answer_is_remembered_for_some_seconds(runtime: Runtime, tmp_path: Path) -> None:
    now = [0.0]
    store = Awkward(tmp_path, lambda: None)
    runtime.archive = runtime.feeds = store
    probe = StoreProbe(runtime, patience=30, clock=lambda: now[0])
    for moment in (0.0, 9.0, 11.0):
        now[0] = moment
        probe.states()
    assert store.asked == 4


# --- what needs a person: pure ----------------------------------------------------------------

ALIVE = WorkerState(worker("w", now=NOW), Liveness.ALIVE, 0.0, 0)
WELL = replace(
    NO_FLEET,
    workers=[ALIVE],
    queue=[Queued(kind, 0, 0, 0, 0) for kind in Kind],
    paces=[Pace("captures", 1, 2)],
    dispatched=NOW,
    reaped=NOW,
    totals={"seeds": 0, "publications": 0, "takeovers": 0},
    releases=[__version__],
    stores=[StoreState("archive", "s3://bucket/prefix"), StoreState("feeds", "feeds")],
    stalled=9.0,
)
HOUR = timedelta(hours=1)


def test_a_fleet_that_is_well_has_no_troubles() -> None:
    assert said(WELL, NOW) == []


@pytest.mark.parametrize(
    ("changed", "short", "grave"),
    [
        pytest.param({"workers": []}, "no worker is alive", True, id="nobody"),
        pytest.param(
            {"workers": [replace(ALIVE, liveness=Liveness.STOPPING)]},
            "no worker is alive",
            True,
            id="only-stopping",
        ),
        pytest.param(
            {"workers": [ALIVE, replace(ALIVE, liveness=Liveness.SILENT, held=1)]},
            "a worker is silent",
            True,
            id="silent",
        ),
        pytest.param(
            {"workers": [ALIVE, replace(ALIVE, liveness=Liveness.GONE, lost=NOW)]},
            "a worker fell silent",
            False,
            id="taken-over",
        ),
        pytest.param(
            {"workers": [replace(ALIVE, worker=worker("w", now=NOW, skew=3600))]},
            "clocks differ",
            False,
            id="clock-ahead",
        ),
        pytest.param(
            {"workers": [replace(ALIVE, worker=worker("w", now=NOW, skew=-3))]},
            "clocks differ",
            False,
            id="clock-behind",
        ),
        pytest.param({"releases": ["1", "2"]}, "releases differ", False, id="releases"),
        pytest.param({"dispatched": NOW - HOUR}, "due work is not queued", True, id="dispatcher"),
        pytest.param({"dispatched": None}, "due work is not queued", True, id="never-dispatched"),
        pytest.param(
            {"reaped": NOW - HOUR}, "silent workers are not looked for", True, id="reaper"
        ),
        pytest.param(
            {"queue": [Queued(Kind.HOST, 0, 2, 2, 0)]}, "tasks are stalled", True, id="stalled"
        ),
        pytest.param(
            {"queue": [Queued(Kind.PUBLISH, 1, 0, 0, 0, NOW - HOUR)]},
            "tasks wait for long",
            False,
            id="backlog",
        ),
        pytest.param({"oldest_capture": NOW - HOUR}, "captures wait for long", False, id="due"),
        pytest.param({"oldest_look": NOW - HOUR}, "looks wait for long", False, id="looks"),
        pytest.param(
            {"failed": [FailedTask("publish", "all", NOW, NOW, 3, "because")], "failing": 1},
            "tasks fail",
            True,
            id="failed",
        ),
        pytest.param(
            {"connections": Connections({"feedsvc worker": 95}, 0, 95, 100)},
            "connections run out",
            False,
            id="connections",
        ),
        pytest.param(
            {"stores": [StoreState("archive", "s3://b", "503")]},
            "the store of snapshots does not answer",
            True,
            id="store",
        ),
    ],
)
def test_what_is_wrong_is_told_once_with_what_to_do(
    changed: dict[str, object], short: str, grave: bool
) -> None:
    (found,) = fleet_troubles(replace(WELL, **changed), NOW)  # type: ignore[arg-type]  # fields by name
    assert (found.short, found.grave) == (short, grave)
    assert found.why


def test_a_worker_that_is_long_gone_is_no_trouble() -> None:
    gone = replace(ALIVE, liveness=Liveness.GONE, lost=NOW - 2 * HOUR)
    assert said(replace(WELL, workers=[ALIVE, gone]), NOW) == []


def test_one_that_was_only_paused_is_told_to_be_back() -> None:
    gone = replace(ALIVE, worker=replace(ALIVE.worker, id="old"), liveness=Liveness.GONE, lost=NOW)
    other = replace(gone, worker=replace(gone.worker, pid=8))
    found = fleet_troubles(replace(WELL, workers=[ALIVE, gone, other]), NOW)
    assert ["it is back" in one.why for one in found] == [True, False]
