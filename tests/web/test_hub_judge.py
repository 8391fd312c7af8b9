"""The hub, judged from outside as a subscriber would: every duty of WebSub §5 and §7."""

from __future__ import annotations

import gzip
import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from feedsvc.web import create_app
from tests.push_rig import SHARED, Rig, rig_at
from tests.subscriber import Heard, Reply, Subscriber, echo, subscriber_at_work
from tests.web.conftest import Served, Servers


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    with subscriber_at_work() as subscriber:
        yield subscriber


@dataclass
class Judge:
    """A site with a hub, served, and somebody who asks."""

    rig: Rig
    web: Served
    subscriber: Subscriber

    def ask(self, **more: str) -> httpx.Response:
        """Send a request to the hub; nobody is asked back yet."""
        callback = more.pop("callback", self.subscriber.url())
        return self.web.client.post("/hub", data=self.rig.form(callback, **more))

    def subscribe(self, **more: str) -> Heard:
        """Subscribe and return how that was verified."""
        assert self.ask(**more).status_code == 202
        self.rig.push()
        return self.subscriber.asked[-1]

    def delivered(self, text: str, name: str = "all.atom") -> list[Heard]:
        """Change a feed; return what that brought the subscriber."""
        self.subscriber.heard.clear()
        self.rig.change(text, name)
        self.rig.push()
        return self.subscriber.posted


@pytest.fixture
def judge(tmp_path: Path, subscriber: Subscriber, servers: Servers) -> Iterator[Judge]:
    with (
        rig_at(tmp_path, enabled=True, allow_callbacks=(subscriber.host,)) as rig,
        servers.serving(create_app(rig.runtime)) as web,
    ):
        rig.change("one")
        rig.push()
        yield Judge(rig, web, subscriber)


def answering(status: int, body: bytes = b"", **headers: str) -> Callable[[Heard], Reply]:
    return lambda _heard: (status, headers, body)


# --- verification ---------------------------------------------------------------------------


def test_a_request_is_accepted_before_its_callback_is_asked(judge: Judge) -> None:
    answer = judge.ask()

    assert answer.status_code == 202
    assert judge.subscriber.heard == []
    assert judge.rig.subscriptions() == []


def test_the_callback_is_asked_with_mode_topic_challenge_and_lease(judge: Judge) -> None:
    heard = judge.subscribe(callback=judge.subscriber.url("/callback?of=mine&hub.mode=x"))

    assert heard.query[:2] == [("of", "mine"), ("hub.mode", "x")]
    assert dict(heard.query[2:]).keys() == {
        "hub.mode",
        "hub.topic",
        "hub.challenge",
        "hub.lease_seconds",
    }
    assert heard.said["hub.mode"] == "subscribe"
    assert heard.said["hub.topic"] == judge.rig.topic()
    assert len(judge.rig.subscriptions()) == 1


def test_every_challenge_is_another(judge: Judge) -> None:
    challenges = {judge.subscribe().said["hub.challenge"] for _ in range(3)}

    assert len(challenges) == 3
    assert min(map(len, challenges)) >= 32


def reordered(heard: Heard) -> Reply:
    return 200, {}, heard.said["hub.challenge"][::-1].encode()


def longer(heard: Heard) -> Reply:
    return 200, {}, heard.said["hub.challenge"].encode() + b"\n"


def packed(heard: Heard) -> Reply:
    return 200, {"Content-Encoding": "gzip"}, gzip.compress(heard.said["hub.challenge"].encode())


def short(heard: Heard) -> Reply:
    return 200, {"Content-Length": "60"}, heard.said["hub.challenge"].encode()


def refused(heard: Heard) -> Reply:
    return 404, {}, heard.said["hub.challenge"].encode()


def redirected(heard: Heard) -> Reply:
    return 302, {"Location": "/callback"}, heard.said["hub.challenge"].encode()


@pytest.mark.parametrize("answer", [reordered, longer, packed, short, refused, redirected])
def test_only_the_very_echo_confirms(judge: Judge, answer: Callable[[Heard], Reply]) -> None:
    judge.subscriber.confirms = answer
    judge.subscribe()

    assert judge.rig.subscriptions() == []
    assert len(judge.subscriber.asked) == 1
    assert judge.delivered("two") == []


def test_any_success_confirms(judge: Judge) -> None:
    judge.subscriber.confirms = lambda heard: (202, {}, echo(heard)[2])
    judge.subscribe()

    assert len(judge.rig.subscriptions()) == 1


# --- lease ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        pytest.param(None, 10 * 86400, id="none"),
        pytest.param("3600", 3600, id="within"),
        pytest.param("1", 300, id="too-short"),
        pytest.param("99999999999999999999", 30 * 86400, id="too-long"),
    ],
)
def test_the_lease_lies_within_bounds(judge: Judge, wanted: str | None, given: int) -> None:
    heard = judge.subscribe(**({"lease_seconds": wanted} if wanted else {}))

    assert heard.said["hub.lease_seconds"] == str(given)
    (subscription,) = judge.rig.subscriptions()
    assert (subscription.expires - judge.rig.clock()).total_seconds() == given


def test_nothing_is_delivered_after_the_lease(judge: Judge) -> None:
    judge.subscribe(lease_seconds="3600")
    judge.rig.clock.advance(seconds=3600)

    assert judge.delivered("two") == []
    assert judge.rig.subscriptions() == []


def test_what_was_due_when_the_lease_ended_is_dropped(judge: Judge) -> None:
    judge.subscribe(lease_seconds="3600")
    judge.rig.change("two")
    judge.rig.clock.advance(seconds=3600)
    judge.rig.push()

    assert judge.subscriber.posted == []
    assert judge.rig.push() is None


def test_a_renewal_lasts_longer_and_is_one_subscription(judge: Judge) -> None:
    judge.subscribe(lease_seconds="3600")
    judge.rig.clock.advance(seconds=3000)
    judge.subscribe(lease_seconds="7200")
    judge.rig.clock.advance(seconds=7000)

    assert len(judge.delivered("two")) == 1
    assert len(judge.rig.subscriptions()) == 1


def test_a_renewal_that_is_not_confirmed_changes_nothing(judge: Judge) -> None:
    judge.subscribe(secret=SHARED)
    (before,) = judge.rig.subscriptions()
    judge.subscriber.confirms = refused
    judge.subscribe(lease_seconds="300")

    assert judge.rig.subscriptions() == [before]
    assert "x-hub-signature" in judge.delivered("two")[0].headers


# --- unsubscribing, denial ------------------------------------------------------------------


def test_unsubscribing_is_verified_too(judge: Judge) -> None:
    judge.subscribe()
    judge.ask(mode="unsubscribe")
    assert len(judge.rig.subscriptions()) == 1

    judge.rig.push()

    assert judge.subscriber.asked[-1].said["hub.mode"] == "unsubscribe"
    assert judge.rig.subscriptions() == []
    assert judge.delivered("two") == []


def test_nobody_else_can_unsubscribe_a_callback(judge: Judge) -> None:
    judge.subscribe()
    judge.subscriber.confirms = refused
    judge.ask(mode="unsubscribe")
    judge.rig.push()

    assert len(judge.delivered("two")) == 1


def test_subscribers_of_a_feed_that_is_gone_are_told_so(judge: Judge) -> None:
    judge.subscribe()
    judge.subscriber.heard.clear()
    judge.rig.remove()
    judge.rig.push()

    (heard,) = judge.subscriber.heard
    assert heard.said["hub.mode"] == "denied"
    assert heard.said["hub.topic"] == judge.rig.topic()
    assert heard.said["hub.reason"]
    assert judge.rig.subscriptions() == []
    assert judge.delivered("two") == []


@pytest.mark.parametrize(
    "name",
    [
        "all.opml",
        "nowhere.atom",
        "all/0001.atom",
        "private/0123/all.atom",
        "../config/feedsvc.toml",
        "",
    ],
)
def test_what_is_no_public_feed_is_no_topic(judge: Judge, name: str) -> None:
    answer = judge.ask(topic=judge.rig.topic(name))

    assert answer.status_code == 400
    assert "hub.topic" in answer.text
    assert judge.rig.push() is None


def test_a_feed_of_another_site_is_no_topic(judge: Judge) -> None:
    assert judge.ask(topic="https://example.org/feeds/all.atom").status_code == 400


def test_needless_escapes_in_a_topic_make_no_difference(judge: Judge) -> None:
    heard = judge.subscribe(topic=judge.rig.topic("%61ll.atom"))

    assert heard.said["hub.topic"] == judge.rig.topic()


# --- distribution ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["all.rss", "all.atom", "all.json"])
def test_a_delivery_is_the_feed_as_it_is_served(judge: Judge, name: str) -> None:
    judge.rig.change("one", name)
    judge.subscribe(topic=judge.rig.topic(name))

    (heard,) = judge.delivered("two", name)

    served = judge.web.get(f"/feeds/{name}")
    assert heard.body == served.content
    assert heard.headers["content-type"] == served.headers["content-type"]
    link = heard.headers["link"]
    assert f'<{judge.rig.topic(name)}>; rel="self"' in link
    assert f'<{judge.rig.runtime.site.base_url}/hub>; rel="hub"' in link


def test_the_hub_is_where_the_feed_says_it_is(judge: Judge) -> None:
    link = judge.web.get("/feeds/all.atom").headers["link"]

    assert f'<{judge.rig.runtime.site.base_url}/hub>; rel="hub"' in link


def test_a_delivery_is_signed_with_the_secret_that_was_given(judge: Judge) -> None:
    judge.subscribe(secret=SHARED)

    (heard,) = judge.delivered("two")

    method, _, signature = heard.headers["x-hub-signature"].partition("=")
    assert method == "sha256"
    assert signature == hmac.new(SHARED.encode(), heard.body, hashlib.sha256).hexdigest()


def test_without_a_secret_nothing_is_signed(judge: Judge) -> None:
    judge.subscribe()

    assert "x-hub-signature" not in judge.delivered("two")[0].headers


def test_subscribing_again_changes_the_secret(judge: Judge) -> None:
    judge.subscribe(secret=SHARED)
    judge.subscribe(secret=SHARED[::-1])
    (heard,) = judge.delivered("two")
    expected = hmac.new(SHARED[::-1].encode(), heard.body, hashlib.sha256).hexdigest()
    assert heard.headers["x-hub-signature"] == f"sha256={expected}"

    judge.subscribe()
    assert "x-hub-signature" not in judge.delivered("three")[0].headers


def test_the_callback_is_called_to_the_letter(judge: Judge) -> None:
    judge.subscribe(callback=judge.subscriber.url("/Call%2Fback?b=2&a=1"))

    (heard,) = judge.delivered("two")

    assert heard.path == "/Call%2Fback"
    assert heard.query == [("b", "2"), ("a", "1")]


def test_a_callback_that_is_gone_ends_the_subscription(judge: Judge) -> None:
    judge.subscribe()
    judge.subscriber.takes = answering(410)
    judge.delivered("two")

    assert judge.rig.subscriptions() == []
    assert judge.delivered("three") == []


@pytest.mark.parametrize("status", [302, 400, 404, 500, 503])
def test_a_delivery_that_fails_is_made_again_with_the_newest_content(
    judge: Judge, status: int
) -> None:
    judge.subscribe()
    judge.subscriber.takes = answering(status, Location="/elsewhere")
    assert len(judge.delivered("two")) == 1
    newest = judge.rig.change("three")
    judge.subscriber.heard.clear()
    judge.subscriber.takes = answering(200)

    judge.rig.clock.advance(seconds=10)
    judge.rig.push()

    assert [heard.body for heard in judge.subscriber.posted] == [newest]
    assert judge.rig.push() is None
    assert len(judge.rig.subscriptions()) == 1


def test_a_subscription_survives_a_delivery_that_was_given_up(judge: Judge) -> None:
    judge.subscribe()
    judge.subscriber.takes = answering(500)
    judge.delivered("two")
    for _ in range(30):
        judge.rig.clock.advance(hours=1)
        judge.rig.push()
    assert judge.rig.push() is None
    assert judge.rig.status().failing[0].next_at is None

    judge.subscriber.takes = answering(200)
    assert len(judge.delivered("three")) == 1


def test_subscriptions_outlive_the_process(tmp_path: Path, subscriber: Subscriber) -> None:
    settings: dict[str, Any] = {"enabled": True, "allow_callbacks": (subscriber.host,)}
    with rig_at(tmp_path, **settings) as rig:
        rig.change("one")
        assert rig.ask(subscriber.url(), secret=SHARED).status == 202
    with rig_at(tmp_path, **settings) as rig:
        rig.push()
        rig.change("two")
    with rig_at(tmp_path, **settings) as rig:
        rig.push()

    (heard,) = subscriber.posted
    assert heard.body == b"<feed>two</feed>"
    assert "x-hub-signature" in heard.headers
