"""What the hub refuses: malformed requests, floods, private callbacks, hostile subscribers."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.jobs.subscribe import MOST_PENDING_PER_HOST, ask_hub
from feedsvc.web import create_app
from tests.origin import Listener, Origin, Seen
from tests.push_rig import SHARED, Rig, rig_at
from tests.subscriber import Heard, Reply, Subscriber, echo, subscriber_at_work
from tests.web.conftest import Served, Servers

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    with subscriber_at_work() as subscriber:
        yield subscriber


@pytest.fixture
def hostile() -> Iterator[Origin]:
    origin = Origin()
    listener = Listener(origin)
    yield origin
    listener.close()


Open = Callable[..., tuple[Rig, Served]]


@pytest.fixture
def open_hub(tmp_path: Path, servers: Servers) -> Iterator[Open]:
    """Open a site with a hub, one feed and those settings."""
    with ExitStack() as stack:

        def start(**websub: Any) -> tuple[Rig, Served]:
            rig = stack.enter_context(rig_at(tmp_path, **({"enabled": True} | websub)))
            rig.change("one")
            web = stack.enter_context(servers.serving(create_app(rig.runtime)))
            return rig, web

        yield start


# --- the request ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_hub_that_is_off_is_not_there(open_hub: Open, method: str) -> None:
    _, web = open_hub(enabled=False)

    assert web.client.request(method, "/hub", headers=FORM, content=b"a=1").status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_a_hub_is_only_posted_to(open_hub: Open, method: str) -> None:
    _, web = open_hub()
    answer = web.client.request(method, "/hub")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"hub.mode": "publish"}, "hub.mode", id="mode"),
        pytest.param({"hub.mode": ""}, "hub.mode", id="no-mode"),
        pytest.param({"hub.callback": ""}, "hub.callback", id="no-callback"),
        pytest.param({"hub.callback": "mailto:a@example.org"}, "hub.callback", id="scheme"),
        pytest.param({"hub.callback": "https://me@example.org/"}, "hub.callback", id="user"),
        pytest.param({"hub.callback": "https://example.org:22/"}, "hub.callback", id="port"),
        pytest.param({"hub.callback": "https://example.org/#a"}, "hub.callback", id="fragment"),
        pytest.param({"hub.callback": "https://example.org/a b"}, "hub.callback", id="space"),
        pytest.param({"hub.callback": "https://10.0.0.1/"}, "hub.callback", id="private"),
        pytest.param({"hub.callback": "https://[::1]/"}, "hub.callback", id="loopback"),
        pytest.param({"hub.callback": f"https://example.org/{'a' * 2000}"}, "2000", id="long"),
        pytest.param({"hub.topic": "a" * 3000}, "hub.topic", id="long-topic"),
        pytest.param({"hub.secret": "é" * 100}, "hub.secret", id="secret-of-200-bytes"),
        pytest.param({"hub.lease_seconds": "-5"}, "hub.lease_seconds", id="negative-lease"),
        pytest.param({"hub.lease_seconds": "0"}, "hub.lease_seconds", id="no-lease"),
        pytest.param({"hub.lease_seconds": "1e9"}, "hub.lease_seconds", id="no-number"),
        pytest.param({"hub.lease_seconds": "٣"}, "hub.lease_seconds", id="other-digits"),
    ],
)
def test_a_wrong_request_is_refused_and_says_why(
    open_hub: Open, changes: dict[str, str], says: str
) -> None:
    rig, web = open_hub()
    form = rig.form("https://subscriber.example/callback") | changes
    answer = web.client.post("/hub", data=form)

    assert answer.status_code == 400
    assert says in answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert rig.push() is None


def test_parameters_that_mean_nothing_here_are_ignored(open_hub: Open) -> None:
    rig, web = open_hub()
    form = rig.form("https://subscriber.example/callback") | {"hub.verify": "sync", "more": ""}

    assert web.client.post("/hub", data=form).status_code == 202


def test_a_parameter_may_be_given_once(open_hub: Open) -> None:
    rig, web = open_hub()
    form = [*rig.form("https://subscriber.example/").items(), ("hub.secret", "a")] * 2
    answer = web.client.post("/hub", content=urlencode(form), headers=FORM)

    assert answer.status_code == 400
    assert "2 times" in answer.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 400, id="empty"),
        pytest.param(b"hub.mode=%ff", 400, id="not-utf-8"),
        pytest.param(b"\xff", 400, id="no-text"),
        pytest.param(b"a=1&" * 60, 400, id="many-fields"),
        pytest.param(b"hub.secret=" + b"a" * 9000, 413, id="huge"),
    ],
)
def test_a_body_that_is_no_form_is_refused(open_hub: Open, body: bytes, status: int) -> None:
    _, web = open_hub()

    assert web.client.post("/hub", content=body, headers=FORM).status_code == status


def test_an_endless_body_is_cut_off(open_hub: Open) -> None:
    _, web = open_hub()
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        connection.sendall(
            b"POST /hub HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        )
        sent = 0
        with suppress(OSError):
            while sent < 10 << 20:
                connection.sendall(b"400\r\n" + b"a" * 1024 + b"\r\n")
                sent += 1024

    assert sent < 10 << 20
    assert web.get("/healthz").status_code == 200


def test_what_is_no_form_is_refused(open_hub: Open) -> None:
    _, web = open_hub()

    assert web.client.post("/hub", json={"hub.mode": "subscribe"}).status_code == 415


_NAMES = st.sampled_from(
    ["hub.mode", "hub.topic", "hub.callback", "hub.lease_seconds", "hub.secret", "hub.x"]
)
_VALUES = st.one_of(
    st.text(),
    st.sampled_from(["subscribe", "unsubscribe", "http://127.0.0.1:8080/feeds/all.atom"]),
    st.sampled_from(["http://", "http://[", "https://example.org:99999/", "https://ex%ample.org"]),
    st.integers().map(str),
)


def test_whatever_is_asked_gets_an_answer(open_hub: Open) -> None:
    rig, _ = open_hub()

    @given(st.lists(st.tuples(_NAMES, _VALUES), max_size=8))
    @settings(max_examples=60, deadline=None)
    def ask(form: list[tuple[str, str]]) -> None:
        assert ask_hub(rig.runtime, form).status in {202, 400, 503}

    ask()


# --- floods ---------------------------------------------------------------------------------


def test_a_host_has_only_so_many_subscriptions(open_hub: Open, subscriber: Subscriber) -> None:
    rig, _ = open_hub(allow_callbacks=(subscriber.host,), max_per_host=2)
    for path in ("/1", "/2"):
        rig.subscribe(subscriber, path)

    refused = rig.ask(subscriber.url("/3"))

    assert refused.status == 503
    assert refused.retry_after
    assert "this host" in refused.sentence
    rig.subscribe(subscriber, "/2", lease_seconds="300")  # a renewal is no further one
    rig.clock.advance(seconds=300)
    assert rig.ask(subscriber.url("/3")).status == 202


def test_there_are_only_so_many_subscriptions(open_hub: Open, subscriber: Subscriber) -> None:
    rig, _ = open_hub(allow_callbacks=(subscriber.host,), max_subscriptions=2)
    rig.subscribe(subscriber, "/1")
    assert rig.ask("https://other.example/").status == 202

    assert rig.ask("https://third.example/").status == 503


def test_a_host_cannot_be_flooded_with_verifications(open_hub: Open) -> None:
    rig, _ = open_hub()
    asked = [rig.ask(f"https://victim.example/{n}") for n in range(MOST_PENDING_PER_HOST + 1)]

    assert [one.status for one in asked[:-1]] == [202] * MOST_PENDING_PER_HOST
    assert asked[-1].status == 503
    assert rig.ask("https://other.example/").status == 202


def test_a_callback_that_refused_is_left_alone_for_a_while(
    open_hub: Open, subscriber: Subscriber
) -> None:
    rig, _ = open_hub(allow_callbacks=(subscriber.host,))
    subscriber.confirms = lambda _heard: (404, {}, b"")
    for _ in range(5):
        rig.ask(subscriber.url())
        rig.push()
    assert len(subscriber.asked) == 1

    subscriber.confirms = echo
    rig.clock.advance(seconds=60)
    rig.push()
    assert len(rig.subscriptions()) == 1


def test_refused_requests_are_forgotten_in_time(open_hub: Open, subscriber: Subscriber) -> None:
    rig, _ = open_hub(allow_callbacks=(subscriber.host,))
    subscriber.confirms = lambda _heard: (404, {}, b"")
    for number in range(MOST_PENDING_PER_HOST):
        rig.ask(subscriber.url(f"/{number}"))
    rig.push()
    assert rig.ask(subscriber.url("/more")).status == 503

    rig.clock.advance(hours=1)

    assert rig.ask(subscriber.url("/more")).status == 202


# --- callbacks ------------------------------------------------------------------------------


def test_a_private_callback_is_never_called(open_hub: Open, subscriber: Subscriber) -> None:
    rig, web = open_hub()
    answer = web.client.post("/hub", data=rig.form(subscriber.url()))
    rig.push()

    assert answer.status_code == 400
    assert "public Internet" in answer.text
    assert subscriber.heard == []


def test_a_name_that_leads_to_a_private_address_is_never_called(open_hub: Open) -> None:
    rig, _ = open_hub()
    assert rig.ask("http://localhost:8080/callback").status == 202

    report = rig.push()

    assert report is not None
    assert report.refused == 1
    assert rig.push() is None


def test_what_captures_may_reach_is_closed_to_callbacks(
    tmp_path: Path, subscriber: Subscriber
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "feedsvc.toml").write_text(
        f'[archive]\nallow_hosts = ["{subscriber.host}", "localhost:8080"]\n'
    )
    with rig_at(tmp_path, enabled=True) as rig:
        rig.change("one")
        assert rig.ask(subscriber.url()).status == 400
        assert rig.ask("http://localhost:8080/callback").status == 202

        report = rig.push()

        assert report is not None
        assert report.refused == 1


def test_a_redirect_to_a_private_address_is_not_followed(
    open_hub: Open, subscriber: Subscriber
) -> None:
    with subscriber_at_work() as private:
        rig, _ = open_hub(allow_callbacks=(subscriber.host,))
        rig.subscribe(subscriber)

        def redirect(_heard: Heard) -> Reply:
            return 307, {"Location": private.url()}, b""

        subscriber.takes = redirect
        rig.change("two")
        rig.push()

        assert private.heard == []
        assert "not followed" in rig.status().failing[0].cause


def endless(connection: socket.socket, _seen: Seen) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"400\r\n" + b"a" * 1024 + b"\r\n")


def test_an_endless_answer_is_not_read(open_hub: Open, hostile: Origin) -> None:
    rig, _ = open_hub(allow_callbacks=(hostile.host,))
    assert rig.ask(hostile.raw("/callback", endless)).status == 202

    report = rig.push()

    assert report is not None
    assert report.refused == 1


def test_an_answer_that_trickles_in_ends_with_the_time_it_may_take(
    open_hub: Open, hostile: Origin
) -> None:
    def trickle(connection: socket.socket, _seen: Seen) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not hostile.pause(0.02):
            connection.sendall(b"X-More: 1\r\n")

    rig, _ = open_hub(allow_callbacks=(hostile.host,), timeout=0.2)
    rig.ask(hostile.raw("/callback", trickle))
    report = rig.push()

    assert report is not None
    assert report.failed == 1
    assert rig.subscriptions() == []


def test_a_secret_is_shown_nowhere(
    open_hub: Open, subscriber: Subscriber, capfd: pytest.CaptureFixture[str]
) -> None:
    rig, web = open_hub(allow_callbacks=(subscriber.host,))
    rig.subscribe(subscriber, "/capability", secret=SHARED)
    subscriber.takes = lambda _heard: (500, {}, b"")
    rig.change("two")
    rig.push()

    shown = f"{rig.subscriptions()} {rig.status()} {web.get('/metrics').text}"
    logged = capfd.readouterr()
    assert SHARED not in shown + logged.out + logged.err
    assert "capability" not in f"{rig.status()}{logged.out}{logged.err}"
    with rig.runtime.database.reading() as store:
        assert SHARED not in repr(store.subscriptions(now=rig.clock()))
