"""What may befall a fleet besides death: nothing is lost, nothing doubled, and `status` tells."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fleet import press as press_
from tests.fleet.cluster import Fleet, eventually
from tests.fleet.conftest import MakeFleet
from tests.fleet.press import Press
from tests.fleet.relay import Relay, State
from tests.fleet.servers import Postgresql
from tests.fleet.stored import archived, check_snapshots, is_at_rest, put_seeds
from tests.object_store import Fault, ObjectStore, faulty_proxy

HOSTS = 12
ARTICLES = 8
TOTAL = HOSTS * ARTICLES
DELAY = 0.4
"""So long that the work lasts until the fault has come and gone."""
SLACK = 0.3
FAKETIME = next(
    (str(one) for one in Path("/usr/lib").glob("*/faketime/libfaketime.so.1")),
    "",
)


@pytest.fixture(scope="module")
def press() -> Iterator[Press]:
    with press_.running(hosts=HOSTS) as running:
        yield running


def begin(fleet: Fleet, press: Press, *, workers: int = 2) -> None:
    """Start workers and wait until some articles are archived."""
    put_seeds(fleet, press, hosts=HOSTS, articles=ARTICLES)
    for _ in range(workers):
        fleet.start_worker()
    wait_for(fleet, 5)


def wait_for(fleet: Fleet, count: int, *, seconds: float = 120) -> None:
    """Wait until so many articles are archived."""
    eventually(lambda: archived(fleet) >= count, seconds=seconds, what=f"{count} archived")


def check_end(fleet: Fleet, press: Press, before: Mapping[str, int]) -> None:
    """Everything is archived once and published, and no newspaper was pressed."""
    wait_for(fleet, TOTAL, seconds=240)
    with fleet.opened() as runtime:
        eventually(lambda: is_at_rest(runtime), what="an end of all work")
        check_snapshots(runtime, expected=TOTAL)
        with runtime.feeds.open("all.atom") as feed:
            assert feed.read().count(b"<entry") >= 50
    for name, counted in press.counted().items():
        ours = press_.Counted(counted.starts[before.get(name, 0) :], counted.most, {})
        assert ours.most <= 1, f"{name} had {ours.most} requests at a time"
        assert ours.too_soon(delay=DELAY, slack=SLACK) == [], name


def asked_before(press: Press) -> dict[str, int]:
    """Return how many requests each newspaper has had, by earlier tests."""
    return {name: len(one.starts) for name, one in press.counted().items()}


def status(fleet: Fleet) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fleet.command("status", "--json"))
    return found


def told(fleet: Fleet, words: str) -> bool:
    """Tell whether `status` speaks of it."""
    return words in json.dumps(status(fleet)["troubles"])


def test_postgresql_may_crash_and_come_back(
    make_fleet: MakeFleet, press: Press, postgresql_server: Postgresql
) -> None:
    before = asked_before(press)
    fleet = make_fleet(press, ARCHIVE__PER_HOST_DELAY=f"{DELAY}s")
    begin(fleet, press)
    for _ in range(2):
        postgresql_server.stop(mode="immediate")
        asked = subprocess.run(
            [sys.executable, "-m", "feedsvc", "--root", str(fleet.machine()), "status"],
            env=fleet.environ(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert asked.returncode == 75, asked.stdout + asked.stderr
        postgresql_server.start()
        wait_for(fleet, min(archived(fleet) + 5, TOTAL))
    assert all(one.is_alive() for one in fleet.workers)
    check_end(fleet, press, before)


def test_a_store_may_be_busy_silent_and_lose_its_answers(
    make_fleet: MakeFleet, press: Press, object_store: ObjectStore
) -> None:
    before = asked_before(press)
    with faulty_proxy(object_store.port) as proxy:
        fleet = make_fleet(
            press,
            ARCHIVE__PER_HOST_DELAY=f"{DELAY}s",
            S3__ENDPOINT=object_store.endpoint(proxy.port),
        )
        begin(fleet, press)
        # What was put and not heard of is neither lost nor there twice.
        proxy.fail(Fault.LOST, method="PUT", path="/snapshots/", times=5)
        wait_for(fleet, min(archived(fleet) + 10, TOTAL))
        proxy.fail(Fault.BUSY)
        eventually(lambda: told(fleet, "does not answer"), what="words about the store")
        proxy.mend()
        proxy.fail(Fault.STALLED, method="PUT", times=3)
        fleet.command("capture", "--failed")
        check_end(fleet, press, before)


def test_a_worker_that_was_paused_for_a_minute_does_no_harm(
    make_fleet: MakeFleet, press: Press
) -> None:
    before = asked_before(press)
    fleet = make_fleet(press, ARCHIVE__PER_HOST_DELAY=f"{DELAY}s")
    begin(fleet, press)
    paused = fleet.workers[0]
    paused.send(signal.SIGSTOP)
    stopped = time.monotonic()
    eventually(lambda: told(fleet, f":{paused.pid}"), seconds=40, what="words about the pause")
    eventually(lambda: archived(fleet) == TOTAL, what="the work of both, done by one")
    time.sleep(max(0.0, 60 - (time.monotonic() - stopped)))
    paused.send(signal.SIGCONT)

    def is_back() -> bool:
        workers = status(fleet)["fleet"]["workers"]
        alive = [one for one in workers if one["liveness"] == "alive"]
        return any(one["worker"]["pid"] == paused.pid for one in alive)

    eventually(is_back, what="its return")
    check_end(fleet, press, before)


def test_clocks_may_be_an_hour_wrong(make_fleet: MakeFleet, press: Press) -> None:
    if not FAKETIME:
        pytest.skip("no libfaketime: install faketime")  # .ci/run installs it
    before = asked_before(press)
    fleet = make_fleet(press, ARCHIVE__PER_HOST_DELAY=f"{DELAY}s")
    put_seeds(fleet, press, hosts=HOSTS, articles=ARTICLES)
    for offset in ("+3600s", "-3600s", "+0s"):
        faked = {"LD_PRELOAD": FAKETIME, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        fleet.start_worker(faked)
    wait_for(fleet, 5)
    assert told(fleet, "3,600 s ahead")
    assert told(fleet, "3,600 s behind")
    check_end(fleet, press, before)
    with fleet.opened() as runtime, runtime.database.reading() as store:
        moments = [one.captured for one in store.all_snapshots()]
    assert (max(moments) - min(moments)).total_seconds() < 600


@pytest.mark.parametrize("state", [State.CUT, State.STALLED])
def test_the_network_to_the_database_may_break(
    make_fleet: MakeFleet, press: Press, postgresql_server: Postgresql, state: State
) -> None:
    before = asked_before(press)
    fleet = make_fleet(press, ARCHIVE__PER_HOST_DELAY=f"{DELAY}s")
    relay = Relay(postgresql_server.port)
    try:
        put_seeds(fleet, press, hosts=HOSTS, articles=ARTICLES)
        address = fleet.environ()["FEEDSVC_DATABASE__URL"]
        through = address.replace(f":{postgresql_server.port}/", f":{relay.port}/")
        cut_off = fleet.start_worker({"FEEDSVC_DATABASE__URL": through})
        fleet.start_worker()
        wait_for(fleet, 5)
        relay.set(state)
        eventually(lambda: told(fleet, f":{cut_off.pid}"), seconds=60, what="words about the cut")
        wait_for(fleet, TOTAL, seconds=240)
        relay.set(State.OPEN)
        if state is State.CUT:
            assert cut_off.is_alive()
        check_end(fleet, press, before)
        assert cut_off.end() == 0
    finally:
        relay.close()


def test_seeds_may_change_while_workers_die(make_fleet: MakeFleet, press: Press) -> None:
    fleet = make_fleet(press, ARCHIVE__PER_HOST_DELAY="50ms")
    begin(fleet, press)
    fleet.workers[0].kill()
    put_seeds(fleet, press, hosts=HOSTS, articles=ARTICLES + 2, first=ARTICLES)
    fleet.start_worker()
    fleet.workers[1].kill()
    wait_for(fleet, HOSTS * (ARTICLES + 2), seconds=240)
    with fleet.opened() as runtime:
        eventually(lambda: is_at_rest(runtime), what="an end of all work")
        check_snapshots(runtime, expected=HOSTS * (ARTICLES + 2))
