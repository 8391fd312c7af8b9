"""Laws of quick answers: the same as the long way gives, in the same order, on one connection."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedsvc.web import create_app
from feedsvc.web.feeds import joined

if TYPE_CHECKING:
    from tests.web.conftest import Library, Served

FEED = b"<feed>" + b"an entry " * 4000 + b"</feed>"
HEAD = b"GET /feeds/quick.atom HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def app(shelf: tuple[Library, Served]) -> Any:
    library, _ = shelf
    library.feed("quick.atom", FEED)
    return create_app(library.runtime)


async def the_long_way(app: Any, target: bytes, headers: list[tuple[bytes, bytes]]) -> Any:
    path, _, query = target.partition(b"?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": path.decode(),
        "raw_path": path,
        "query_string": query,
        "http_version": "1.1",
        "client": ("127.0.0.1", 1),
        "headers": headers,
    }
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, None, send)
    return sent[0]["status"], sent[0]["headers"], sent[1]["body"]


def written(headers: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%s: %s\r\n" % pair for pair in headers) + b"\r\n"


CODINGS = st.sampled_from(
    [
        b"gzip",
        b"br",
        b"zstd",
        b"gzip, br;q=0.5",
        b"identity",
        b"*",
        b"*;q=0",
        b"",
        b"deflate",
        b"\xff",
    ]
)
TAGS = st.sampled_from(
    [b"*", b'"x"', b"ours", b'W/ours, "x"', b'"x", ours', b"", b"\xff\xfe", b'"']
)
DATES = st.sampled_from([b"Tue, 14 Nov 1995 22:13:20 GMT", b"Tue, 14 Nov 2095 22:13:20 GMT", b"x"])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {b"host": st.sampled_from([b"localhost", b"evil.example", b"", b"127.0.0.1:80"])},
        optional={
            b"accept-encoding": CODINGS,
            b"if-none-match": TAGS,
            b"if-modified-since": DATES,
            b"range": st.just(b"bytes=0-1"),
            b"sec-fetch-dest": st.sampled_from([b"document", b"empty", b"iframe", b""]),
        },
    ),
    st.sampled_from(
        [
            b"/feeds/quick.atom",
            b"/feeds/quick.atom?x",
            b"/feeds/none.atom",
            b"/",
            b"/feeds/",
            b"x/feeds/",
        ]
    ),
)
def test_a_quick_answer_is_the_one_the_long_way_gives(
    app: Any, fields: dict[bytes, bytes], target: bytes
) -> None:
    async def both() -> tuple[Any, Any]:
        asked = [(b"host", b"localhost"), *choosing]
        kept = await the_long_way(app, b"/feeds/quick.atom", asked)
        ours = dict(kept[1])[b"etag"]
        if b"if-none-match" in fields:
            fields[b"if-none-match"] = fields[b"if-none-match"].replace(b"ours", ours)
        answer = await the_long_way(app, target, list(fields.items()))
        return app.quick(target, fields, "127.0.0.1"), answer

    choosing = [
        pair for pair in fields.items() if pair[0] in {b"accept-encoding", b"sec-fetch-dest"}
    ]
    quick, (status, headers, body) = anyio.run(both)
    usual = target == b"/feeds/quick.atom" and fields[b"host"] in (b"localhost", b"127.0.0.1:80")
    assert (quick is not None) is usual
    if quick is not None:
        assert quick == (status, written(headers), body)


def test_lines_of_one_header_are_joined() -> None:
    assert joined([(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]) == {b"a": b"1, 3", b"b": b"2"}


def answers(connection: socket.socket, count: int) -> list[tuple[bytes, bytes]]:
    """Read so many answers that have a Content-Length, or no body."""
    found: list[tuple[bytes, bytes]] = []
    received = b""
    while len(found) < count:
        head, end, rest = received.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        size = int(length[1]) if length else 0
        if not end or len(rest) < size:
            piece = connection.recv(1 << 16)
            assert piece, received
            received += piece
            continue
        found.append((head, rest[:size]))
        received = rest[size:]
    assert not received
    return found


def test_quick_and_long_answers_leave_a_connection_in_the_order_of_the_requests(
    library: Library, web: Served
) -> None:
    library.feed("quick.atom", FEED)
    requests = [
        HEAD + b"\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        HEAD + b"If-None-Match: *\r\n\r\n",
        b"GET /feeds/none.atom HTTP/1.1\r\nHost: localhost\r\n\r\n",
        HEAD + b"\r\n",
        b"GET /feeds/quick.atom HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        HEAD + b'If-None-Match: "x"\r\nIf-None-Match: "y"\r\n\r\n',
        HEAD + b"Content-Length: 3\r\n\r\nabc",
    ]
    wanted = [b"200", b"200", b"304", b"404", b"200", b"421", b"200", b"200"]
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        for _ in range(3):
            connection.sendall(b"".join(requests))
            got = answers(connection, len(requests))
            assert [head.split(b" ", 2)[1] for head, _ in got] == wanted
            assert got[0][1] == got[4][1] == got[6][1] == got[7][1] == FEED
            assert all(b"\r\ndate: " in head for head, _ in got)


@pytest.mark.parametrize(
    "end", [b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b" HTTP/1.0\r\n\r\n"]
)
def test_a_connection_that_is_to_be_closed_is_closed(
    library: Library, web: Served, end: bytes
) -> None:
    library.feed("quick.atom", FEED)
    for _ in range(2):
        answer = web.raw(b"GET /feeds/quick.atom" + end)
        assert answer.endswith(FEED)
        assert b"\r\nconnection: close\r\n" in answer


def test_who_asks_for_much_and_reads_nothing_is_not_listened_to_for_long(
    library: Library, web: Served
) -> None:
    library.feed("quick.atom", FEED)
    web.get("/feeds/quick.atom", headers={"accept-encoding": "identity"})
    sent, most = 0, 64 << 20
    with (
        socket.create_connection(("127.0.0.1", web.port), timeout=1) as connection,
        suppress(ConnectionError, TimeoutError),
    ):
        while sent < most:
            connection.sendall((HEAD + b"\r\n") * 1000)
            sent += 1000 * len(HEAD)
    assert sent < most


def test_a_quiet_connection_is_closed_in_time(library: Library, web: Served) -> None:
    library.feed("quick.atom", FEED)
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as connection:
        for _ in range(3):
            connection.sendall(HEAD + b"\r\n")
            answers(connection, 1)
        assert connection.recv(1) == b""
