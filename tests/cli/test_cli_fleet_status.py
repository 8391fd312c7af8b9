"""Laws of `feedsvc status` in a fleet: one screen, other machines' words made harmless."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from feedsvc.cli.display import plain, plain_lines, width
from feedsvc.cli.overview import describe_in_full, describe_status
from feedsvc.model import Busy, FailedTask, FleetState, Kind, Liveness, Queued, StoreState
from feedsvc.model.fleet import SITE_KEY
from feedsvc.model.fleet_state import DISPATCH
from feedsvc.runtime import utc_now
from feedsvc.storage.blobs import DiskBlobs
from feedsvc.storage.database import Database, database_url
from feedsvc.storage.store import Store
from tests.cli.test_cli_json import SCHEMA, misfits
from tests.cli.test_cli_status import FREE, MACHINE, NOW, status
from tests.jobs.test_fleet_status import ALIVE, WELL, worker

HOSTILE = "evil\x1b[31m[red]<script>alert(1)</script>\r\n\t漢" + "x" * 300
Command = Callable[..., Any]


def everything_wrong() -> FleetState:
    """Return a fleet with every trouble, told by machines that mean no good."""
    one = replace(worker("w", now=NOW, skew=3600.0), host=HOSTILE, release=HOSTILE)
    busy = [Busy(Kind.HOST, HOSTILE, NOW - timedelta(minutes=n)) for n in range(40)]
    silent = replace(ALIVE, worker=replace(one, busy=busy), liveness=Liveness.SILENT, held=3)
    gone = replace(ALIVE, worker=one, liveness=Liveness.GONE, lost=NOW)
    return replace(
        WELL,
        workers=[silent] * 20 + [replace(ALIVE, worker=one)] * 30 + [gone] * 20,
        queue=[Queued(kind, 9, 8, 7, 6, NOW - timedelta(days=1)) for kind in Kind],
        failed=[FailedTask("host", HOSTILE, NOW, NOW, 3, HOSTILE)] * 50,
        failing=500,
        dispatched=None,
        reaped=NOW - timedelta(days=1),
        releases=[HOSTILE, "2"],
        oldest_capture=NOW - timedelta(days=1),
        oldest_look=NOW - timedelta(days=1),
        stores=[StoreState("archive", "s3://bucket/" + "x" * 200, HOSTILE)],
    )


def shown(found: FleetState, each: int = 0) -> list[str]:
    whole = replace(status(each), fleet=found)
    return list(plain_lines(describe_status(whole, min_free=FREE, now=NOW, machine=MACHINE)))


@pytest.mark.parametrize("each", [0, 50])
def test_it_fits_on_one_screen_whatever_is_wrong_in_the_fleet(each: int) -> None:
    lines = shown(everything_wrong(), each)
    assert len(lines) <= 23
    assert max(map(width, lines)) <= 80
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert "\r" not in text
    assert lines[0].startswith("Not well: the store of snapshots does not answer; due work")


def test_a_fleet_that_is_well_says_who_works_what_waits_and_how_fast() -> None:
    queue = [
        replace(one, waiting=3, running=1) if one.kind is Kind.HOST else one for one in WELL.queue
    ]
    lines = shown(replace(WELL, queue=queue))
    assert lines[0] == "Healthy"
    assert "workers   1 alive: w.example:7" in lines
    assert "tasks     host 3+1 (waiting+running); dispatch 0 s ago, takeover 0 s ago" in lines
    assert "pace      1 captures in the last minute" in lines
    assert not [line for line in lines if "daemon" in line]


def test_in_full_every_worker_and_task_is_told_and_nothing_reaches_the_terminal() -> None:
    whole = replace(status(0), fleet=everything_wrong())
    blocks = describe_in_full(whole, min_free=FREE, now=NOW, machine=MACHINE)
    text = "\n".join(plain_lines(blocks))
    assert "\x1b" not in text
    for word in ("silent", "alive", "gone", "+3600.0 s", "stalled", "last hour", "taken over"):
        assert word in text


@pytest.mark.parametrize("found", [WELL, everything_wrong()])
def test_json_is_what_the_schema_says(found: FleetState) -> None:
    value = json.loads(json.dumps(plain(found)))
    assert list(misfits(value, SCHEMA["$defs"]["FleetState"])) == []


@pytest.fixture
def fleet_site(site: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FEEDSVC_DATABASE__URL", postgresql)
    monkeypatch.setenv("FEEDSVC_FLEET__ENABLED", "true")
    return site


def change(url: str, act: Callable[[Store], object]) -> None:
    database = Database(database_url(url, root=Path()))
    with database.transaction() as store:
        act(store)
    database.close()


def test_status_tells_of_real_workers(command: Command, fleet_site: Path, postgresql: str) -> None:
    answer = command("status", "--root", fleet_site, "--json")
    assert answer.json["troubles"][0] == "no worker is alive"
    for folder in ("data/snapshots", "feeds"):
        DiskBlobs(fleet_site / folder).put(SITE_KEY, b"{}")
    now = utc_now()
    change(postgresql, lambda store: store.put_worker(worker("one", now=now)))
    change(postgresql, lambda store: store.note_tick(DISPATCH, now))
    found = command("status", "--root", fleet_site, "--json").json
    assert found["troubles"] == ["silent workers are not looked for"]
    (one,) = found["fleet"]["workers"]
    assert (one["worker"]["host"], one["liveness"]) == ("one.example", "alive")
    assert "1 alive: one.example:7" in command("status", "--root", fleet_site).out


def test_while_the_database_is_away_it_says_what_workers_do_and_to_try_again(
    command: Command, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDSVC_DATABASE__URL", "postgresql+psycopg://me:geheim@127.0.0.1:1/none")
    monkeypatch.setenv("FEEDSVC_FLEET__ENABLED", "true")
    answer = command("status", "--root", site)
    assert answer.code == 75
    assert "Workers wait for it and go on by themselves" in answer.err
    assert "geheim" not in answer.err
