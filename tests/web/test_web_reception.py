"""Laws of the connection: no client can draw out a request for ever, or send it without end."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from feedsvc.web.reception import (
    LONGEST_TARGET,
    MOST_BYTES,
    MOST_HEADERS,
    MOST_WAITING,
    Reception,
)

Connect = Callable[[], socket.socket]
HEAD = b"GET / HTTP/1.1\r\nhost: localhost\r\n"


async def hello(_scope: Any, _receive: Any, send: Any) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", b"5")],
        }
    )
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def connect(servers: Any) -> Iterator[Connect]:
    """Connect to a server that says hello."""
    with servers.serving(hello) as served, ExitStack() as stack:

        def connect() -> socket.socket:
            opened = socket.create_connection(("127.0.0.1", served.port), timeout=10)
            return stack.enter_context(opened)

        yield connect


def said(connection: socket.socket) -> bytes:
    """Return everything the server says until it closes the connection."""
    parts = []
    with suppress(ConnectionResetError):  # it may close while we still talk
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def pour(connection: socket.socket, piece: bytes, *, most: int) -> int:
    """Send a piece again and again until the server has had enough; return the bytes sent."""
    sent = 0
    with suppress(ConnectionError):
        while sent < most:
            connection.sendall(piece)
            sent += len(piece)
    return sent


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        pytest.param(HEAD, b"x-endless: 1\r\n" * 4096, id="headers"),
        pytest.param(HEAD + b"x-endless: ", b"x" * 65536, id="one header"),
        pytest.param(HEAD, b"x" * 65536, id="a header's name"),
        pytest.param(b"GET /", b"x" * 65536, id="a target"),
        pytest.param(b"", b"\r\n" * 32768, id="blank lines"),
        pytest.param(
            b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ",
            b"x" * 65536,
            id="a trailer",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999\r\n\r\n",
            b"x" * 65536,
            id="a body",
        ),
    ],
)
def test_a_request_without_end_is_cut_off(connect: Connect, begin: bytes, piece: bytes) -> None:
    connection = connect()
    connection.sendall(begin)
    most = 64 << 20
    assert pour(connection, piece, most=most) < most


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (HEAD + b"x: 1\r\n" * (MOST_HEADERS + 1) + b"\r\n", b"431"),
        (HEAD + b"x: " + b"1" * MOST_BYTES + b"\r\n\r\n", b"431"),
        (b"GET /" + b"x" * LONGEST_TARGET + b" HTTP/1.1\r\nhost: localhost\r\n\r\n", b"414"),
        (b"GET /" + b"x" * 2 * MOST_BYTES, b"414"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
    ids=["headers", "bytes", "target", "half a target", "nonsense"],
)
def test_a_refusal_says_why_and_closes(
    connect: Connect, request_head: bytes, status: bytes
) -> None:
    connection = connect()
    connection.sendall(request_head)
    answer = said(connection)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"\r\nconnection: close\r\n" in answer


def test_what_is_within_the_limits_is_answered_again_and_again(connect: Connect) -> None:
    connection = connect()
    largest = HEAD + b"".join(b"x: %s\r\n" % (b"1" * 600) for _ in range(MOST_HEADERS - 2))
    for _ in range(3):
        connection.sendall(largest)
        connection.sendall(b"\r\n")
        answer = b""
        while not answer.endswith(b"hello"):
            answer += connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200")


def test_requests_sent_together_are_answered_in_order(connect: Connect) -> None:
    connection = connect()
    connection.sendall((HEAD + b"\r\n") * (MOST_WAITING - 1) + HEAD + b"connection: close\r\n\r\n")
    assert said(connection).count(b"hello") == MOST_WAITING


def test_more_requests_than_may_wait_end_the_connection(connect: Connect) -> None:
    connection = connect()
    most = 256 << 20
    assert pour(connection, (HEAD + b"\r\n") * 5000, most=most) < most


@pytest.mark.parametrize(
    ("piece", "status"),
    [(b"", b""), (HEAD, b"HTTP/1.1 408"), (b"\r\n", b"")],
    ids=["nothing", "half a head", "blank lines"],
)
def test_a_request_that_does_not_come_whole_in_time_is_given_up(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, piece: bytes, status: bytes
) -> None:
    monkeypatch.setattr(Reception, "whole_seconds", 0.3)
    connection = connect()
    connection.sendall(piece)
    assert said(connection).startswith(status)


def test_a_drip_does_not_put_off_the_end(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reception, "whole_seconds", 0.5)
    connection = connect()
    connection.sendall(HEAD)
    connection.settimeout(0.1)
    ends = time.monotonic() + 8
    with suppress(ConnectionError):
        while time.monotonic() < ends:
            connection.sendall(b"x: 1\r\n")
            with suppress(TimeoutError):
                assert not connection.recv(4096).startswith(b"HTTP/1.1 200")
                return
        pytest.fail("it waited for eight seconds")
