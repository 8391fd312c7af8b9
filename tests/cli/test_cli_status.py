"""Laws of `feedsvc status`: one screen, what is wrong first, whatever is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from feedsvc.cli.display import plain_lines, width
from feedsvc.cli.overview import Machine, describe_in_full, describe_status
from feedsvc.cli.spans import roughly
from feedsvc.model import (
    CaptureState,
    FailingPush,
    FileStamp,
    PushKind,
    Run,
    SeedRecord,
    SeedState,
    Status,
    Topic,
    TopicCount,
)
from feedsvc.model.websub import HubState, PushStatus

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MACHINE = Machine("feedsvc 0.1.0, Python 3.11.7, SQLite 3.40.1", 4711)
FREE = 1 << 30
LONG = "A title that goes on and on, as titles do, \x1b[31mred 漢字漢字漢字漢字漢字漢字漢字漢字 and on and on"


def capture(number: int, purpose: str) -> CaptureState:
    return CaptureState(
        article_id=f"a{number}",
        title=f"{number} {LONG}",
        url=f"https://example.org/{number}/{'way/' * 30}",
        state="due",
        attempts=number + 1,
        outcome="failed",
        status=404,
        cause=f"the server answered 404 Not Found for {'a long while ' * 9}",
        tried=NOW - timedelta(hours=1),
        next_at=NOW + timedelta(hours=number),
        purpose=purpose,
        since=NOW - timedelta(days=number),
    )


def seed(number: int, state: SeedState) -> SeedRecord:
    return SeedRecord(
        name=f"seeds/{'folder/' * 12}{number}.md",
        stamp=FileStamp(1, 1, 1),
        digest="",
        state=state,
        line=number,
        reason=f"there is no title in it {'at all ' * 20}",
        remedy="write one",
        since=NOW - timedelta(minutes=number),
    )


def status(each: int) -> Status:
    """Return a status with so many problems of every kind."""
    kinds = (SeedState.REJECTED, SeedState.DUPLICATE, SeedState.MISSING, SeedState.LOADED)
    calls = (PushKind.PING, PushKind.DELIVER)
    return Status(
        articles=12345,
        withdrawn=3,
        revisions=20000,
        topics=[TopicCount(Topic(f"topic-{n}", "x" * 90), n) for n in range(30)],
        snapshots={"verified": 1234, "partial": 12, "mismatch": 3},
        archived=12000,
        due=7,
        in_flight=2,
        dirty=4,
        seeds={SeedState.LOADED.value: 1000, SeedState.REJECTED.value: each},
        problems=[seed(n, state) for state in kinds for n in range(each)],
        failures=[capture(n, "capture") for n in range(each)],
        runs=[
            Run(job, NOW - timedelta(minutes=n), NOW, not each or n % 2 == 0, {}, "because " * 40)
            for n, job in enumerate(("ingest", "capture", "recheck", "publish", "verify", "backup"))
        ],
        archive_size=1 << 40,
        database_size=1 << 30,
        disk_free=1 if each else 2 * FREE,
        schema="0008",
        originals={"alive": 1, "changed": 2, "redirected": 3, "blocked": 4, "gone": 5},
        looks_due=9,
        troubled=[capture(n, "look") for n in range(each)],
        push=PushStatus(
            hubs=[HubState("https://hub.example.org/", 3, NOW)],
            subscriptions=5,
            failing=[
                FailingPush(kind, f"{n}.example.org", "all.atom", 3, "timed out", NOW, None)
                for kind in calls
                for n in range(each)
            ],
        ),
        absent=[f"missing-{n}" for n in range(each)],
        damaged=each,
    )


def lines(found: Status) -> list[str]:
    return list(plain_lines(describe_status(found, min_free=FREE, now=NOW, machine=MACHINE)))


@pytest.mark.parametrize("each", [0, 1, 2, 50])
def test_it_fits_on_one_screen_whatever_is_wrong(each: int) -> None:
    shown = lines(status(each))
    assert len(shown) <= 23
    assert max(map(width, shown)) <= 80
    assert not any("\x1b" in line for line in shown)


def test_the_first_trouble_of_every_kind_is_on_it() -> None:
    shown = "\n".join(lines(status(50)))
    for kind in (
        "disk: 1 B free",
        "folder missing-0",
        "job capture failed",
        "50 snapshots damaged",
        "not archived: 0 A title",
        "rejected seeds/",
        "not told: hub 0.example.org",
        "not looked at again: 0 A title",
        "warning seeds/",
        "more: `feedsvc status --full` shows all",
    ):
        assert kind in shown


def test_a_failure_says_why_since_when_and_when_it_is_tried_again() -> None:
    one = replace(capture(2, "capture"), title="A ferry", cause="404 Not Found")
    healthy = replace(status(0), failures=[one])
    what, why = lines(healthy)[1:3]
    assert what.startswith("not archived: A ferry ")
    assert what.endswith("since 2 d, again in 2 h")
    assert why.startswith("  404 Not Found — https://example.org/2/way")


def test_a_healthy_site_says_so_first_and_then_its_numbers() -> None:
    shown = lines(status(0))
    assert shown[0] == "Healthy"
    assert shown[1].startswith("articles  12,345 in 30 topics, 3 withdrawn; 12,000 archived")
    assert shown[-2].startswith("runs      daemon 4711; ingest 0 s ago, capture 1 min ago")
    assert shown[-1] == "version   feedsvc 0.1.0, Python 3.11.7, SQLite 3.40.1, schema 0008"


def test_numbers_that_were_estimated_say_so() -> None:
    found = lines(replace(status(0), is_estimate=True))
    assert found[1].startswith("articles  about 12,345 in 30 topics")


def test_in_full_nothing_is_left_out() -> None:
    found = status(9)
    text = "\n".join(plain_lines(describe_in_full(found, min_free=FREE, now=NOW, machine=MACHINE)))
    for one in (*found.failures, *found.troubled):
        assert one.url in text
    for record in found.problems:
        assert record.name in text
    assert "topic-29" in text


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59, "59 s"), (61, "1 min"), (7200, "2 h"), (9e5, "10 d")]
)
def test_lengths_of_time_are_rough(seconds: float, said: str) -> None:
    assert roughly(seconds) == said
