"""Laws of /status and /metrics in a fleet: other machines' words are text, numbers are bounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from feedsvc.model import Kind, Tally, Task
from feedsvc.model.fleet import SITE_KEY
from feedsvc.model.fleet_state import DISPATCH, REAP
from feedsvc.runtime import Runtime, utc_now
from tests.jobs.test_fleet_status import worker
from tests.web.conftest import Library, Served
from tests.web.test_web_health import numbers

HOSTILE = 'evil"<script>alert(1)</script>\\\n\x1b[31m\u202e{{ 7 * 7 }}' + "x" * 300
OpenFleet = Callable[[], tuple[Runtime, Served]]


@pytest.fixture
def open_fleet(postgresql: str, open_site: Callable[..., tuple[Library, Served]]) -> OpenFleet:
    def start() -> tuple[Runtime, Served]:
        library, web = open_site(database={"url": postgresql}, fleet={"enabled": True})
        for blobs in (library.runtime.archive, library.runtime.feeds):
            blobs.put(SITE_KEY, b"{}")
        return library.runtime, web

    return start


def settle(runtime: Runtime) -> None:
    """Let a fleet of two be at work, one of which does not wish us well."""
    now = utc_now()
    assert runtime.queue is not None
    with runtime.database.transaction() as store:
        store.put_worker(replace(worker("one", now=now, skew=3600.0), host=HOSTILE))
        store.put_worker(replace(worker("two", now=now), release="0.0.1<b>"))
        store.put_worker(worker("old", now=now, seen=600))
        store.lose_workers(["old"], now=now - timedelta(minutes=9))
        runtime.queue.put(store, [Task(Kind.HOST, "a.example"), Task(Kind.PUBLISH, "all")])
        store.note_failed_task(Kind.VERIFY, "", cause=HOSTILE, now=now)
        store.tally(Tally.TAKEOVERS, 4, worker="two", now=now)
        store.note_tick(DISPATCH, now)
        store.note_tick(REAP, now)


def test_the_page_shows_workers_and_tasks_and_no_markup_of_theirs(open_fleet: OpenFleet) -> None:
    runtime, web = open_fleet()
    settle(runtime)
    page = web.get("/status").text
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "evil&#34;&lt;script&gt;" in page
    assert "two.example:7" in page
    assert "from silent workers, 4 times so far" in page
    assert "task verify failed once" in page
    assert "fell silent; its work was taken over" in page
    assert "3,600 s ahead" in page


def test_the_twin_says_the_same_in_fields(open_fleet: OpenFleet) -> None:
    runtime, web = open_fleet()
    settle(runtime)
    twin = web.get("/status.json").json()
    fleet = twin["fleet"]
    assert {one["id"]: one["state"] for one in fleet["workers"]} == {
        "one": "alive",
        "two": "alive",
        "old": "gone",
    }
    assert fleet["tasks"]["host"]["waiting"] == 1
    assert fleet["tasks"]["verify"]["failed"] == fleet["failing_tasks"] == 1
    assert fleet["stores"] == {"archive": True, "feeds": True}
    assert fleet["totals"]["takeovers"] == 4
    assert twin["healthy"] is False


def test_a_site_on_one_machine_has_no_fleet_to_show(web: Served) -> None:
    assert web.get("/status.json").json()["fleet"] is None
    assert "Workers" not in web.get("/status").text
    assert not [name for name in numbers(web) if "worker" in name or "queue" in name]


def test_metrics_tell_of_workers_tasks_ticks_and_stores(open_fleet: OpenFleet) -> None:
    runtime, web = open_fleet()
    settle(runtime)
    found = numbers(web)
    assert found['feedsvc_workers{state="alive"}'] == 2
    assert found['feedsvc_workers{state="gone"}'] == 1
    assert found['feedsvc_clock_skew_seconds{host="two.example",worker="two"}'] == 0
    assert not [name for name in found if 'worker="old"' in name]
    assert found['feedsvc_queue_tasks{kind="publish",state="waiting"}'] == 1
    assert found['feedsvc_queue_tasks{kind="push",state="running"}'] == 0
    assert found['feedsvc_queue_oldest_age_seconds{kind="push"}'] == 0
    assert found["feedsvc_tasks_failing"] == 1
    assert found["feedsvc_takeovers_total"] == 4
    assert found['feedsvc_store_up{store="archive"}'] == 1
    assert found["feedsvc_dispatcher_last_tick_age_seconds"] < 60
    assert found["feedsvc_captures_oldest_due_age_seconds"] == 0


def test_before_anything_happened_ticks_are_endlessly_old(open_fleet: OpenFleet) -> None:
    _, web = open_fleet()
    assert numbers(web)["feedsvc_takeover_last_tick_age_seconds"] == float("inf")


def test_a_folder_of_feeds_that_is_gone_is_told(open_fleet: OpenFleet) -> None:
    runtime, web = open_fleet()
    runtime.feeds.delete(SITE_KEY)
    (runtime.root / "feeds").rmdir()
    assert numbers(web)['feedsvc_store_up{store="feeds"}'] == 0
    assert web.get("/readyz").status_code == 503
