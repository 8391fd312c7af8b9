"""Two thousand originals of a hundred newspapers, while workers are killed: nothing is lost,
nothing is doubled, nobody is pressed, and feeds are those that one machine would have written."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet import press as press_
from tests.fleet.cluster import Fleet, eventually
from tests.fleet.conftest import MakeFleet
from tests.fleet.press import Press
from tests.fleet.stored import archived, check_snapshots, embedded, is_at_rest, published, put_seeds

HOSTS = 100
ARTICLES = 20
DELAY = 0.2
SLACK = 0.3
"""Seconds by which a request may be late on a busy machine, so that the next comes early after it."""
LONGEST = 540.0


@pytest.fixture
def press() -> Iterator[Press]:
    with press_.running(hosts=HOSTS) as running:
        yield running


def kill_until_archived(fleet: Fleet, *, total: int, seed: int) -> int:
    """Kill a worker every few seconds and start another; return how many were killed."""
    chance = random.Random(seed)
    killed = 0
    deadline = time.monotonic() + LONGEST
    while archived(fleet) < total:
        assert time.monotonic() < deadline, f"{archived(fleet)} of {total} were archived"
        alive = [one for one in fleet.workers if one.is_alive()]
        # On a busy machine a worker takes long to start: it is to do something before it dies.
        eventually(lambda alive=alive: all("worker.ready" in one.said() for one in alive))  # type: ignore[misc]  # mypy cannot infer a lambda's default
        time.sleep(chance.uniform(2, 5))
        victim = chance.choice(alive)
        victim.kill()
        killed += 1
        fleet.start_worker()
    return killed


def test_killed_workers_lose_nothing_double_nothing_and_press_nobody(
    make_fleet: MakeFleet, press: Press, tmp_path: Path
) -> None:
    total = HOSTS * ARTICLES
    # From a shared folder: to put two thousand objects takes longer than to archive their originals.
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    fleet = make_fleet(press, ARCHIVE__PER_HOST_DELAY=f"{DELAY}s", SEEDS__PATHS=str(seeds))
    put_seeds(fleet, press, hosts=HOSTS, articles=ARTICLES)
    for _ in range(3):
        fleet.start_worker()
    webs = [fleet.start_web() for _ in range(2)]

    assert kill_until_archived(fleet, total=total, seed=7) > 3
    with fleet.opened() as runtime:
        eventually(lambda: is_at_rest(runtime), what="an end of all work")
        check_snapshots(runtime, expected=total)
        feeds = published(runtime)

    for web in webs:
        for name in ("all.atom", "all.rss", "all.json", "index.opml"):
            assert fleet.get(web, f"/feeds/{name}") == feeds[name], name

    for name, counted in press.counted().items():
        assert counted.most <= 1, f"{name} had {counted.most} requests at a time"
        assert counted.too_soon(delay=DELAY, slack=SLACK) == [], name

    fleet.check_processes()
    assert len([name for name in feeds if name.startswith("all/")]) >= 3 * (total // 50 - 1)

    site = embedded(tmp_path / "alone", fleet)
    alone = fleet.rebuilt_alone(site)
    assert set(alone) == set(feeds)
    assert [name for name in feeds if alone[name] != feeds[name]] == []
