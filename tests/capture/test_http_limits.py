"""Laws of fetching from servers that lie, flood, drip or fall silent."""

from __future__ import annotations

import contextlib
import errno
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.capture.body import Body
from feedsvc.capture.http import Fetcher
from feedsvc.errors import CaptureFailed, OutOfSpace
from tests.capture.fetching import HEAD, MakeFetcher, fetched
from tests.origin import Origin, Seen

# --- limits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("size", "kept", "truncated"), [(1000, 1000, None), (1001, 1000, "length")]
)
def test_a_body_is_cut_at_the_cap(
    size: int, kept: int, truncated: str | None, chunked: bool, origin: Origin, fetcher: Fetcher
) -> None:
    url = origin.page("/", bytes(size), chunked=chunked)
    with fetched(fetcher, url, max_size=1000) as exchange:
        assert (exchange.size, len(exchange.body.read()), exchange.truncated) == (
            kept,
            kept,
            truncated,
        )
    with fetched(fetcher, origin.page("/next", b"next")) as following:
        assert following.size == 4
    assert origin.connections == (2 if truncated else 1)


def test_an_endless_body_ends_at_the_cap(origin: Origin, fetcher: Fetcher) -> None:
    def endless(peer: socket.socket, _: Seen) -> None:
        peer.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        while not origin.pause(0):
            peer.sendall((b"4000\r\n" + bytes(0x4000) + b"\r\n") * 16)

    with fetched(fetcher, origin.raw("/", endless), max_size=3 << 20) as exchange:
        assert (exchange.size, exchange.truncated) == (3 << 20, "length")


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"Content-Length: 100\r\n\r\nshort", id="length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n", id="chunks"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n", id="bad-chunk"),
    ],
)
def test_a_body_that_breaks_off_is_kept_and_marked(
    rest: bytes, origin: Origin, fetcher: Fetcher
) -> None:
    url = origin.raw("/", lambda peer, _: peer.sendall(HEAD + rest))
    with fetched(fetcher, url) as exchange:
        assert (exchange.body.read(), exchange.truncated) == (b"short", "disconnect")


def _drip(origin: Origin, first: bytes) -> Callable[[socket.socket, Seen], None]:
    def drip(peer: socket.socket, _: Seen) -> None:
        peer.sendall(first)
        while not origin.pause(0.02):
            peer.sendall(b"x")

    return drip


def test_a_dripping_body_ends_at_the_deadline(origin: Origin, fetcher: Fetcher) -> None:
    url = origin.raw("/", _drip(origin, HEAD + b"Content-Length: 100000\r\n\r\n"))
    with fetched(fetcher, url, deadline=0.4) as exchange:
        assert exchange.truncated == "time"
        assert 0.3 < exchange.seconds < 10


def test_a_dripping_head_ends_at_the_deadline(origin: Origin, fetcher: Fetcher) -> None:
    url = origin.raw("/", _drip(origin, HEAD + b"X-Long: "))
    began = time.monotonic()
    with pytest.raises(CaptureFailed, match=r"not done after 0\.4 s in total"):
        fetcher.fetch(url, deadline=0.4)
    assert time.monotonic() - began < 10


def test_endless_interim_answers_end_at_the_deadline(origin: Origin, fetcher: Fetcher) -> None:
    def interim(peer: socket.socket, _: Seen) -> None:
        while not origin.pause(0.005):
            peer.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")

    with pytest.raises(CaptureFailed, match="in total"):
        fetcher.fetch(origin.raw("/", interim), deadline=0.3)


def test_a_body_slower_than_the_least_rate_is_cut(
    origin: Origin, make_fetcher: MakeFetcher
) -> None:
    url = origin.raw("/", _drip(origin, HEAD + b"Content-Length: 100000\r\n\r\n"))
    with fetched(make_fetcher(grace=0.2), url) as exchange:
        assert exchange.truncated == "time"
        assert exchange.seconds < 2


def test_a_silent_server_times_out(origin: Origin, make_fetcher: MakeFetcher) -> None:
    def silent(_: socket.socket, __: Seen) -> None:
        origin.pause(5)

    url = origin.raw("/", silent)
    with pytest.raises(CaptureFailed, match=r"timed out after 0\.2 s without an answer"):
        make_fetcher(timeout=0.2).fetch(url)


def test_a_body_that_stops_is_cut(origin: Origin, make_fetcher: MakeFetcher) -> None:
    def stop(peer: socket.socket, _: Seen) -> None:
        peer.sendall(HEAD + b"Content-Length: 9\r\n\r\nhalf")
        origin.pause(5)

    with fetched(make_fetcher(timeout=0.2), origin.raw("/", stop)) as exchange:
        assert (exchange.body.read(), exchange.truncated) == (b"half", "time")


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        pytest.param(b"", "closed the connection without an answer", id="nothing"),
        pytest.param(b"garbage\r\n\r\n", "not valid HTTP", id="garbage"),
        pytest.param(bytes(range(256)) * 10, "not valid HTTP", id="binary"),
        pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", "not valid HTTP", id="status-in-letters"),
        pytest.param(b"HTTP/1.1 099 Low\r\n\r\n", "not valid HTTP", id="status-too-low"),
        pytest.param(HEAD + b"bad header\r\n\r\n", "not valid HTTP", id="bad-header"),
        pytest.param(HEAD + b"Content-Length: x\r\n\r\n", "not valid HTTP", id="bad-length"),
        pytest.param(
            HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "not valid HTTP", id="two"
        ),
        pytest.param(HEAD + b"Content-Length: " + b"9" * 5000, "HTTP|closed", id="long-length"),
        pytest.param(HEAD + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n", "head is larger", id="flood"),
        pytest.param(HEAD + b"X: y\r\n" * 200_000 + b"\r\n", "head is larger", id="many-headers"),
        pytest.param(b"HTTP/1.1 200 " + b"O" * 200_000, "head is larger", id="endless-reason"),
        pytest.param(HEAD[:-10], "closed|not valid", id="half-a-head"),
    ],
)
def test_an_answer_without_a_whole_head_fails_in_plain_words(
    answer: bytes, cause: str, origin: Origin, fetcher: Fetcher
) -> None:
    url = origin.raw("/", lambda peer, _: peer.sendall(answer))
    with pytest.raises(CaptureFailed, match=cause) as failure:
        fetcher.fetch(url)
    assert str(failure.value).startswith(origin.url("/") + ": ")


_MEASURE = """
import sys
from feedsvc.capture.http import Fetcher
from tests.memory import peak_kib
fetcher = Fetcher(user_agent="x", allow_hosts=[sys.argv[1]])
fetcher.fetch(f"http://{sys.argv[1]}/small").close()
before = peak_kib()
exchange = fetcher.fetch(f"http://{sys.argv[1]}/big", max_size=1 << 40)
exchange.close()
fetcher.close()
print(exchange.size, peak_kib() - before)
"""


def test_a_large_body_goes_to_disk_and_not_to_memory(origin: Origin) -> None:
    size, block = 64 << 20, bytes(1 << 20)

    def big(peer: socket.socket, _: Seen) -> None:
        peer.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % size)
        for _turn in range(size // len(block)):
            peer.sendall(block)

    origin.raw("/big", big)
    origin.page("/small", b"x")
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, origin.host], capture_output=True, text=True, check=True
    )
    received, grown = map(int, done.stdout.split())
    assert received == size
    kilobytes = grown if sys.platform != "darwin" else grown // 1024
    assert kilobytes < 16 << 10


class _FullDisk(BytesIO):
    def write(self, _: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_named_so() -> None:
    body = Body(1000)
    body.file.close()
    body.file = _FullDisk()
    with pytest.raises(OutOfSpace, match="no room"):
        body.take(b"x")


ANSWER = HEAD + b"Transfer-Encoding: chunked\r\nX-A: b\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


def test_no_answer_raises_anything_but_a_failure(origin: Origin, make_fetcher: MakeFetcher) -> None:
    answers: list[bytes] = []
    url = origin.raw("/", lambda peer, _: peer.sendall(answers[-1]))
    fetcher = make_fetcher(timeout=1.0)

    @settings(max_examples=150, deadline=None)
    @given(st.integers(0, len(ANSWER)), st.integers(0, 20), st.binary(max_size=20))
    def check(place: int, cut: int, put: bytes) -> None:
        answers.append(ANSWER[:place] + put + ANSWER[place + cut :])
        with contextlib.suppress(CaptureFailed), fetched(fetcher, url) as exchange:
            assert exchange.size == len(exchange.body.read())

    check()
