"""Laws of failing: in plain words, without secrets."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Sequence

import httpcore
import pytest

from feedsvc.capture.causes import cause, shown
from feedsvc.capture.http import Fetcher
from feedsvc.errors import CaptureFailed, ConfigurationError, HostUnknown

MakeFetcher = Callable[..., Fetcher]


def test_a_refused_connection_is_named_so(make_fetcher: MakeFetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(CaptureFailed, match="connection refused"):
        make_fetcher(allow_hosts=[host]).fetch(f"http://{host}/")


def test_an_unknown_name_is_named_so(make_fetcher: MakeFetcher) -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(HostUnknown, match=r"the name gone\.example was not found in DNS"):
        make_fetcher(resolve=unknown).fetch("http://gone.example/")


def test_dns_that_is_away_is_named_so(make_fetcher: MakeFetcher) -> None:
    def away(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with pytest.raises(CaptureFailed, match="DNS did not answer"):
        make_fetcher(resolve=away).fetch("http://some.example/")


def test_dns_that_hangs_is_not_waited_for(make_fetcher: MakeFetcher) -> None:
    over = threading.Event()

    def hang(host: str, port: int) -> Sequence[str]:
        over.wait(10)
        return []

    try:
        with pytest.raises(CaptureFailed, match="DNS gave no answer"):
            make_fetcher(resolve=hang, timeout=0.2).fetch("http://slow.example/")
    finally:
        over.set()


def test_a_name_that_dns_cannot_hold_fails(make_fetcher: MakeFetcher) -> None:
    with pytest.raises(CaptureFailed, match="DNS"):
        make_fetcher().fetch("http://" + "a" * 70 + ".example/")


def test_messages_hold_no_secrets(make_fetcher: MakeFetcher) -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "")

    with pytest.raises(CaptureFailed) as failure:
        make_fetcher(resolve=unknown).fetch("http://a.example/x?id=7&access_token=hunter2")
    assert "hunter2" not in str(failure.value)
    assert "id=7" in str(failure.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://u:hunter2@a.example/?q=1", "https://a.example/?q=1"),
        ("https://a.example/?X-Amz-Signature=hunter2", "https://a.example/?X-Amz-Signature=***"),
        ("https://a.example/?apiKey=hunter2&b=c#t", "https://a.example/?apiKey=***&b=c"),
        ("http://[broken/?key=hunter2", "(an address that cannot be read)"),
        ("http://a.example/\x1b[31m", "http://a.example/\N{REPLACEMENT CHARACTER}[31m"),
    ],
)
def test_an_address_is_shown_without_secrets(url: str, message: str) -> None:
    assert shown(url) == message


@pytest.mark.parametrize("user_agent", ["", " ", "a\r\nCookie: x", "Bücher/1.0"])
def test_a_user_agent_is_one_line_of_ascii(user_agent: str) -> None:
    with pytest.raises(ConfigurationError, match="user_agent"):
        Fetcher(user_agent=user_agent)


@pytest.mark.parametrize(
    ("error", "late", "words"),
    [
        (httpcore.ConnectTimeout(), False, "timed out after 3 s while connecting"),
        (httpcore.ReadTimeout(), False, "timed out after 3 s without an answer"),
        (httpcore.PoolTimeout(), False, "no connection was free within 3 s"),
        (httpcore.ReadTimeout(), True, "not done after 3 s in total"),
        (httpcore.ConnectError(ConnectionRefusedError()), False, "connection refused"),
        (
            httpcore.ConnectError(OSError(101, "Network is unreachable")),
            False,
            "no connection: Network is unreachable",
        ),
        (httpcore.ConnectError(ssl.SSLError()), False, "TLS problem: handshake failed"),
        (
            httpcore.ReadError(ConnectionResetError()),
            False,
            "the server closed the connection without an answer",
        ),
        (RuntimeError("odd\x1b[31m"), False, "RuntimeError: odd\N{REPLACEMENT CHARACTER}[31m"),
    ],
)
def test_a_cause_is_in_plain_words(error: Exception, late: bool, words: str) -> None:
    assert cause(error, seconds=3.0, late=late) == words
