"""What is said to hubs and subscribers, and when it is said again. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.jobs.push_calls import Answer, judged, judged_echo, verification
from feedsvc.jobs.push_one import GIVE_UP, LONGEST_WAIT, wait_before_next
from feedsvc.model import Mode, Push, PushKind, PushOutcome, hub_addresses, is_topic

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
TOPIC = "https://feeds.example/feeds/all.atom"


def push(attempts: int = 0, kind: PushKind = PushKind.DELIVER, *, name: str = "a") -> Push:
    return Push(
        id=name,
        kind=kind,
        url="https://reader.example/",
        host="reader.example",
        name="all.atom",
        digest="d",
        mode=None,
        lease_seconds=None,
        since=NOON,
        attempts=attempts,
        lease="l",
    )


@pytest.mark.parametrize(
    "callback",
    [
        "https://reader.example",
        "https://reader.example/?",
        "https://reader.example/?a=1&a=2",
        "https://reader.example/?hub.topic=mine",
        "https://reader.example/?a&",
    ],
)
def test_parameters_come_after_those_of_the_callback(callback: str) -> None:
    said = verification(
        callback, TOPIC, mode=Mode.UNSUBSCRIBE, challenge="c&=#", lease_seconds=None
    )

    assert said.url.startswith(callback)
    query = parse_qsl(urlsplit(said.url).query, keep_blank_values=True)
    assert query[-3:] == [
        ("hub.mode", "unsubscribe"),
        ("hub.topic", TOPIC),
        ("hub.challenge", "c&=#"),
    ]


@pytest.mark.parametrize("status", [200, 201, 299])
def test_every_success_counts(status: int) -> None:
    assert judged(Answer(status), PushKind.DELIVER) == (PushOutcome.DONE, "")
    assert judged_echo(Answer(status, b"c"), "c") == (PushOutcome.DONE, "")


@pytest.mark.parametrize("status", [199, 301, 307, 400, 404, 410, 429, 500])
def test_nothing_else_confirms(status: int) -> None:
    assert judged_echo(Answer(status, b"c"), "c")[0] is PushOutcome.REFUSED


def test_only_a_subscriber_can_be_gone() -> None:
    assert judged(Answer(410), PushKind.DELIVER)[0] is PushOutcome.REFUSED
    assert judged(Answer(410), PushKind.PING)[0] is PushOutcome.FAILED


def test_no_answer_is_no_answer_yet_unless_the_guard_forbids_it() -> None:
    assert judged_echo(Answer(None, cause="timed out"), "c")[0] is PushOutcome.FAILED
    assert judged_echo(Answer(None, forbidden=True), "c")[0] is PushOutcome.REFUSED
    assert judged(Answer(None, forbidden=True), PushKind.DELIVER)[0] is PushOutcome.FAILED


@given(
    attempts=st.integers(0, 200),
    age=st.timedeltas(timedelta(0), timedelta(days=3)),
    retry_after=st.none() | st.floats(0, 10_000),
    kind=st.sampled_from(PushKind),
)
def test_a_wait_is_bounded_and_never_leads_past_the_end(
    attempts: int, age: timedelta, retry_after: float | None, kind: PushKind
) -> None:
    wait = wait_before_next(push(attempts, kind), age=age, retry_after=retry_after)

    if wait is None:
        assert age + max(LONGEST_WAIT, timedelta(seconds=retry_after or 0)) > GIVE_UP[kind]
    else:
        assert age + wait <= GIVE_UP[kind]
        assert timedelta(seconds=8) <= wait
        assert wait <= max(LONGEST_WAIT, timedelta(seconds=retry_after or 0))


def test_what_failed_together_is_not_tried_again_together() -> None:
    waits = {
        wait_before_next(push(name=str(number)), age=timedelta(0), retry_after=None)
        for number in range(20)
    }

    assert len(waits) == 20


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("all.atom", True),
        ("sport.json", True),
        ("authors/ada.rss", True),
        ("hosts/www.example.org.atom", True),
        ("authors/0001.rss", True),
        ("all/0001.atom", False),
        ("authors/ada/0001.rss", False),
        ("private/0123/all.atom", False),
        ("index.opml", False),
        ("feed.css", False),
        ("all.atom.gz", False),
        ("../all.atom", False),
    ],
)
def test_heads_of_public_feeds_are_topics(name: str, answer: bool) -> None:
    assert is_topic(name) is answer


def test_feeds_name_the_configured_hubs_and_ours_each_once() -> None:
    base, hub = "https://feeds.example", "https://hub.example/"

    assert hub_addresses(base, hubs=[hub, hub], enabled=False) == (hub,)
    assert hub_addresses(base, hubs=[hub], enabled=True) == (hub, f"{base}/hub")
    assert hub_addresses(base, hubs=[f"{base}/hub"], enabled=True) == (f"{base}/hub",)
