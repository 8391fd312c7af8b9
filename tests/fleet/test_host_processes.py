"""Processes that share hosts while one is killed and another paused."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedsvc.jobs.takeover import release
from tests.fleet.press import AGENCY, Press, host, running
from tests.jobs.host_rig import (
    PATIENCE,
    count,
    eventually,
    fleet_environ,
    load,
    opened,
    settled,
    workers,
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "seeds").mkdir()
    return tmp_path


@pytest.fixture(scope="module")
def press() -> Iterator[Press]:
    """Three newspapers, whose pages show pictures of a fourth."""
    with running(hosts=3) as served:
        yield served


@pytest.fixture
def environ(site: Path, postgresql: str) -> dict[str, str]:
    return fleet_environ(site, postgresql)


def test_three_processes_that_share_hosts_are_polite_together_whatever_their_clocks_say(
    site: Path, environ: dict[str, str], press: Press
) -> None:
    environ["FEEDSVC_ARCHIVE__ALLOW_HOSTS"] = press.allow_hosts
    articles = load(site, environ, press, range(4))
    with workers(site, environ, press, (1, 2, 3), (2, 3, 1), (3, 1, 2), skews="019") as started:
        for one in started:
            one.wait(PATIENCE)
    settled(site, environ, press, articles)
    assert host(AGENCY) in press.counted()


def test_what_a_killed_and_a_paused_process_held_is_done_by_others_once(
    site: Path, environ: dict[str, str], press: Press
) -> None:
    environ["FEEDSVC_ARCHIVE__ALLOW_HOSTS"] = press.allow_hosts
    articles = load(site, environ, press, range(100, 104))
    leased = "SELECT count(DISTINCT lease) FROM captures WHERE lease IS NOT NULL"
    with workers(site, environ, press, (1,), (2,)) as (killed, paused):
        eventually(lambda: count(environ, leased) == 2)
        os.kill(killed.pid, signal.SIGKILL)
        os.kill(paused.pid, signal.SIGSTOP)
        with opened(site, environ) as runtime:
            with runtime.database.transaction() as store:
                gone = [one.id for one in store.workers()]
                release(store, gone)
                store.lose_workers(gone, now=runtime.now())
            with workers(site, environ, press, (1, 2, 3)) as (other,):
                other.wait(PATIENCE)
                os.kill(paused.pid, signal.SIGCONT)
                paused.wait(PATIENCE)
    settled(site, environ, press, articles)
