"""Laws of fetching: the bytes as they came, and an end to everything."""

from __future__ import annotations

import base64
import gzip
import hashlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from feedsvc.capture.http import Fetcher
from feedsvc.errors import CaptureFailed
from tests.capture.fetching import HEAD, MakeFetcher, fetched
from tests.origin import Origin, Seen

# --- what is kept of an exchange ------------------------------------------------------------


def test_headers_keep_order_spelling_and_duplicates(origin: Origin, fetcher: Fetcher) -> None:
    headers = (("X-Two", "1"), ("SET-COOKIE", "a=b"), ("x-two", "2"), ("set-cookie", "c=d; é"))
    with fetched(fetcher, origin.page("/", b"hello", headers=headers)) as exchange:
        assert exchange.headers == (*headers, ("Content-Length", "5"))
        assert exchange.header("x-TWO") == "1"


def test_a_body_keeps_its_content_coding_and_loses_its_chunks(
    origin: Origin, fetcher: Fetcher
) -> None:
    packed = gzip.compress(b"news " * 3000)
    url = origin.page("/", packed, headers=(("Content-Encoding", "gzip"),), chunked=True)
    with fetched(fetcher, url) as exchange:
        assert exchange.body.read() == packed
        assert exchange.size == len(packed)
        digest = base64.b32encode(hashlib.sha1(packed, usedforsecurity=False).digest()).decode()
        assert exchange.sha1 == f"sha1:{digest}"
        assert exchange.header("transfer-encoding") == "chunked"


def test_status_reason_protocol_address_and_time_are_kept(
    origin: Origin, make_fetcher: MakeFetcher
) -> None:
    now = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    url = origin.page("/tea", b"short", status="418 Short and stout")
    with fetched(make_fetcher(now=lambda: now), url) as exchange:
        assert (exchange.status, exchange.reason) == (418, "Short and stout")
        assert (exchange.protocol, exchange.ip, exchange.started) == ("http/1.1", "127.0.0.1", now)
        assert 0 < exchange.seconds < 5
        assert exchange.truncated is None


def test_a_missing_reason_is_filled_in(origin: Origin, fetcher: Fetcher) -> None:
    with fetched(fetcher, origin.page("/", status="404 ")) as exchange:
        assert exchange.reason == "Not Found"


def test_http_1_0_ends_with_the_connection(origin: Origin, fetcher: Fetcher) -> None:
    url = origin.raw("/", lambda peer, _: peer.sendall(b"HTTP/1.0 200 OK\r\n\r\nto the end"))
    with fetched(fetcher, url) as exchange:
        assert (exchange.protocol, exchange.body.read()) == ("http/1.0", b"to the end")
        assert exchange.truncated is None


def test_a_url_gains_a_path_and_loses_its_fragment(origin: Origin, fetcher: Fetcher) -> None:
    with fetched(fetcher, f"http://{origin.host}#top") as exchange:
        assert exchange.url == f"http://{origin.host}/"


def test_every_request_header_is_known(origin: Origin, fetcher: Fetcher) -> None:
    url = origin.page("/", b"x", headers=(("Set-Cookie", "tracker=1; Path=/"),))
    for _ in range(2):
        with fetched(fetcher, url) as exchange:
            assert exchange.request_headers == origin.seen[-1].headers
    names = [name for name, _ in origin.seen[-1].headers]
    assert names == ["Host", "User-Agent", "Accept", "Accept-Encoding"]
    assert origin.seen[-1].header("accept-encoding") == "gzip"
    assert origin.seen[-1].header("user-agent") == "feedsvc-test/1.0 (+https://example.org/bot)"


def test_extra_headers_are_added_or_replace(origin: Origin, fetcher: Fetcher) -> None:
    extra = [("If-None-Match", '"1"'), ("accept", "image/*")]
    with fetched(fetcher, origin.page("/", b"x"), headers=extra):
        seen = origin.seen[-1]
    assert (seen.header("if-none-match"), seen.header("accept")) == ('"1"', "image/*")
    assert sum(name.lower() == "accept" for name, _ in seen.headers) == 1


@pytest.mark.parametrize("name", ["Cookie", "authorization", "Referer", "Host"])
def test_headers_that_tell_secrets_are_not_sent(name: str, fetcher: Fetcher) -> None:
    with pytest.raises(ValueError, match="never sent"):
        fetcher.fetch("http://example.org/", headers=[(name, "x")])


def test_a_line_break_in_a_header_is_not_sent(origin: Origin, fetcher: Fetcher) -> None:
    with pytest.raises(CaptureFailed):
        fetcher.fetch(origin.page("/"), headers=[("X-A", "1\r\nX-B: 2")])
    assert origin.seen == []


@pytest.mark.parametrize("location", ["/next", "http://[broken/", "//", "http://\x7f/", "", "é"])
def test_a_redirect_is_an_answer_whatever_it_points_to(
    location: str, origin: Origin, fetcher: Fetcher
) -> None:
    with fetched(fetcher, origin.redirect("/", location)) as exchange:
        assert (exchange.status, exchange.body.read()) == (302, b"moved")
    assert origin.count("/next") == 0


def test_a_not_modified_has_no_body(origin: Origin, fetcher: Fetcher) -> None:
    with fetched(fetcher, origin.page("/", status="304 Not Modified")) as exchange:
        assert (exchange.status, exchange.size, exchange.truncated) == (304, 0, None)


# --- connections ----------------------------------------------------------------------------


def test_a_connection_is_used_again(origin: Origin, fetcher: Fetcher) -> None:
    for path in ("/a", "/b", "/c"):
        with fetched(fetcher, origin.page(path, b"x" * 100, chunked=True)):
            pass
    assert origin.connections == 1


def test_a_connection_the_server_gave_up_is_replaced(origin: Origin, fetcher: Fetcher) -> None:
    def answer_once(peer: socket.socket, _: Seen) -> None:
        peer.sendall(HEAD + b"Content-Length: 2\r\n\r\nok")
        peer.recv(1)  # hangs up only when the next request arrives

    url = origin.raw("/", answer_once)
    for _ in range(3):
        with fetched(fetcher, url) as exchange:
            assert exchange.body.read() == b"ok"


def test_bytes_after_a_body_do_not_answer_the_next_request(
    origin: Origin, fetcher: Fetcher
) -> None:
    extra = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

    def too_much(peer: socket.socket, _: Seen) -> None:
        peer.sendall(HEAD + b"Content-Length: 4\r\n\r\ngood" + extra)
        origin.pause(0.2)

    with fetched(fetcher, origin.raw("/lying", too_much)) as first:
        assert first.body.read() == b"good"
    with fetched(fetcher, origin.page("/next", b"next")) as second:
        assert second.body.read() == b"next"


def test_many_threads_share_a_fetcher(origin: Origin, fetcher: Fetcher) -> None:
    for number in range(10):
        origin.page(f"/{number}", b"%d" % number * 1000)

    def check(turn: int) -> bool:
        with fetched(fetcher, origin.url(f"/{turn % 10}")) as exchange:
            return exchange.body.read() == b"%d" % (turn % 10) * 1000

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(check, range(160)))
    assert origin.connections <= 16


def test_more_threads_than_connections_wait_for_their_turn(
    origin: Origin, make_fetcher: MakeFetcher
) -> None:
    fetcher, url = make_fetcher(connections=2), origin.page("/", b"x")

    def status(_: int) -> int:
        with fetched(fetcher, url) as exchange:
            return exchange.status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(status, range(64))) == {200}
    # httpcore may close one that is idle to open another: two at a time, not two in all.
    assert origin.connections < 16


def test_closing_ends_what_other_threads_wait_for(
    origin: Origin, make_fetcher: MakeFetcher
) -> None:
    fetcher, asked = make_fetcher(timeout=30.0), threading.Event()

    def silence(_: socket.socket, __: Seen) -> None:
        asked.set()
        origin.pause(30)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fetcher.fetch, origin.raw("/", silence))
        assert asked.wait(5)
        began = time.monotonic()
        fetcher.close()
        with pytest.raises(CaptureFailed, match="stopping"):
            waiting.result(10)
    assert time.monotonic() - began < 10
    with pytest.raises(CaptureFailed, match="stopping"):
        fetcher.fetch(origin.url("/again"))
