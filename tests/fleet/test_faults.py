"""What may befall a fleet besides death: nothing is lost, nothing doubled, and `status` tells."""

from __future__ import annotations

import json
import shutil
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
_AWAY = (
    r"event=(database\.away|task\.failed|tick\.failed|engine\.failed) "
    r".*(connection|could not receive data|timeout|closed)"
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


def check_end(fleet: Fleet, press: Press, before: Mapping[str, int], *, expected: str = "") -> None:
    """Everything is archived once and published, no newspaper was pressed, nothing is amiss.

    ``expected`` matches the errors in logs that the test itself brought about.
    """
    wait_for(fleet, TOTAL, seconds=120)
    with fleet.opened() as runtime:
        eventually(lambda: is_at_rest(runtime), what="an end of all work")
        check_snapshots(runtime, expected=TOTAL)
        with runtime.feeds.open("all.atom") as feed:
            assert feed.read().count(b"<entry") >= 50
    for name, counted in press.counted().items():
        ours = press_.Counted(counted.starts[before.get(name, 0) :], counted.most, {})
        assert ours.most <= 1, f"{name} had {ours.most} requests at a time"
        assert ours.too_soon(delay=DELAY, slack=SLACK) == [], name
    fleet.check_processes(expected=expected)


def asked_before(press: Press) -> dict[str, int]:
    """Return how many requests each newspaper has had, by earlier tests."""
    return {name: len(one.starts) for name, one in press.counted().items()}


def article_requests(press: Press) -> dict[str, int]:
    """Return how many times each page of an article was asked for, by earlier tests too."""
    counted = press.counted()
    return {
        press.url(number, article): counted[press_.host(number)].paths.get(
            f"/articles/{article}", 0
        )
        if press_.host(number) in counted
        else 0
        for number in range(1, HOSTS + 1)
        for article in range(ARTICLES)
    }


def status(fleet: Fleet) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fleet.command("status", "--json"))
    return found


def told(fleet: Fleet, words: str) -> bool:
    """Tell whether `status` speaks of it, to a person."""
    return words in " ".join(fleet.command("status", "--full", more={"COLUMNS": "400"}).split())


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
    check_end(fleet, press, before, expected=_AWAY)


def test_a_store_may_be_busy_silent_and_lose_its_answers(
    make_fleet: MakeFleet, press: Press, object_store: ObjectStore
) -> None:
    before = asked_before(press)
    with faulty_proxy(object_store.port) as proxy:
        fleet = make_fleet(
            press,
            ARCHIVE__PER_HOST_DELAY=f"{DELAY}s",
            S3__ENDPOINT=object_store.endpoint(proxy.port),
            S3__TIMEOUT="3s",
        )
        begin(fleet, press)
        # What was put and not heard of is neither lost nor there twice.
        proxy.fail(Fault.LOST, method="PUT", path="/snapshots/", times=5)
        wait_for(fleet, min(archived(fleet) + 10, TOTAL))
        proxy.fail(Fault.BUSY)
        eventually(lambda: told(fleet, "does not answer"), what="words about the store")
        proxy.mend()
        proxy.fail(Fault.STALLED, method="PUT", times=3)

        def is_archived_when_asked_again() -> bool:
            fleet.command("capture", "--failed")
            return archived(fleet) == TOTAL

        eventually(is_archived_when_asked_again, what="everything archived")
        check_end(fleet, press, before, expected="could not be|SlowDown|timed out|does not answer")


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
    # What it waited for when it was paused is long over, and the server has ended what it had open.
    over = r"event=engine\.late|does not answer|timed out|idle-in-transaction timeout"
    check_end(fleet, press, before, expected=over)


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes the clock of a process wrong; libfaketime breaks Python's sleep."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: install gcc and libc6-dev")  # .ci/run installs them
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library


def test_clocks_may_be_an_hour_wrong(
    make_fleet: MakeFleet, press: Press, clock: Path, tmp_path: Path
) -> None:
    before = asked_before(press)
    # An object store turns away whose clock is wrong by that much; a shared folder does not.
    shared = {
        "ARCHIVE__STORE": str(tmp_path / "snapshots"),
        "FEEDS__DIR": str(tmp_path / "feeds"),
        "SEEDS__PATHS": str(tmp_path / "seeds"),
    }
    (tmp_path / "seeds").mkdir()
    pages = article_requests(press)
    fleet = make_fleet(press, ARCHIVE__PER_HOST_DELAY=f"{DELAY}s", **shared)
    put_seeds(fleet, press, hosts=HOSTS, articles=ARTICLES)
    for skew in (3600, -3600, 0):
        fleet.start_worker({"LD_PRELOAD": str(clock), "SKEW": str(skew)})
    wait_for(fleet, 5)
    assert told(fleet, "3,600 s ahead")
    assert told(fleet, "3,600 s behind")
    check_end(fleet, press, before)
    assert article_requests(press) == {one: count + 1 for one, count in pages.items()}
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
        check_end(fleet, press, before, expected=_AWAY)
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
