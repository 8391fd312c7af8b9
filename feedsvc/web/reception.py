"""What one connection may cost before anybody looks at what it asks: bytes, headers, time, turns.

uvicorn's fast parser keeps whatever a client sends until its blank line comes, if it ever does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from feedsvc.web.door import Quick

MOST_BYTES = 64 << 10
"""Of one request, its body included; who takes more says so itself, see Reception."""
MOST_HEADERS = 100
LONGEST_TARGET = 16 << 10
MOST_WAITING = 256
"""Requests that are sent before the first of them is answered (pipelining)."""
WHOLE_SECONDS = 15.0
"""From a connection's first moment, or a request's first byte, to its last one."""


_STATUS = {200: b"HTTP/1.1 200 OK\r\n", 304: b"HTTP/1.1 304 Not Modified\r\n"}
# A body has to be waited for; the rest changes what becomes of the connection.
_SLOW = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})


class Reception(HttpToolsProtocol):
    """uvicorn's protocol with an end to everything a client can draw out.

    An application that has a method ``quick`` is asked by it first: what it knows at once goes
    out without a task, a scope or a message. That halves what a request costs. One that has a
    method ``largest`` says how many bytes of a POST or PUT to a target it takes, where that is more.
    """

    whole_seconds = WHOLE_SECONDS

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._quick: Quick | None = getattr(self.app, "quick", None)
        self._largest: Callable[[bytes], int] | None = getattr(self.app, "largest", None)
        self._most = MOST_BYTES
        self._answered = False
        self._peer = ""
        self._idle: asyncio.TimerHandle | None = None
        self._active = 0.0
        self._refusal: HTTPStatus | None = None
        self._finished = 0
        self._unfinished = False
        self._headed = False
        self._size = 0
        self._arriving = 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Begin to count the time."""
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else ""
        self._await_rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._rest_came()
        if self._idle is not None:
            self._idle.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take some bytes; refuse the request they belong to once it is too long."""
        finished = self._finished
        self._arriving = len(data)
        super().data_received(data)
        if self._finished != finished:
            self._size = 0
            if self._late is not None:
                self._rest_came()
            if not self._unfinished:
                return
        else:
            self._size += len(data)
        if self.transport.is_closing():
            return
        if self._size > self._most:
            self._refuse(self._too_long())
        else:
            self._await_rest()

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        self._unfinished, self._headed, self._answered = True, False, False
        self._most = MOST_BYTES
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """Refuse a head that is too large, and more requests than may wait."""
        self._headed = True
        if len(self.url) > LONGEST_TARGET:
            self._refusal = HTTPStatus.REQUEST_URI_TOO_LONG
        elif len(self.headers) > MOST_HEADERS or self._head_is_too_long():
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        elif len(self.pipeline) >= MOST_WAITING:
            self._refusal = HTTPStatus.TOO_MANY_REQUESTS
        if self._refusal is not None:
            raise ValueError(self._refusal.phrase)  # ends the parsing: send_400_response follows
        if self._quick is not None and self._answer_quickly(self._quick):
            self._answered = True
            return
        if self._largest is not None and self.parser.get_method() in {b"POST", b"PUT"}:
            self._most = max(self._largest(self.url), MOST_BYTES)
        self._begin_scope()
        super().on_headers_complete()

    def _answer_quickly(self, quick: Quick) -> bool:
        """Write the answer, if nothing is in its way and the application knows it."""
        parser = self.parser
        if self._is_answering() or self.flow.write_paused or parser.get_method() != b"GET":
            return False
        fields = dict(self.headers)
        # Two lines of one header, HTTP/1.0 and all that ends a connection are for the long way.
        if (
            len(fields) != len(self.headers)
            or not _SLOW.isdisjoint(fields)
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
        ):
            return False
        found = quick(self.url, fields, self._peer)
        if found is None:
            return False
        status, headers, body = found
        self.transport.writelines((self._opening(status), headers, body))
        self.server_state.total_requests += 1
        self._await_next()
        return True

    def _opening(self, status: int) -> bytes:
        lines = [b"%s: %s\r\n" % pair for pair in self.server_state.default_headers]
        return b"".join((_STATUS[status], *lines))

    def _begin_scope(self) -> None:
        """Do what uvicorn does when a message begins, now that it is known to need that."""
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers += headers

    def on_message_complete(self) -> None:
        """Note that a request is whole."""
        self._unfinished = False
        self._finished += 1
        if not self._answered:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Read on only when nothing waits: else each answer would let in more than it takes out."""
        super().on_response_complete()
        if self.pipeline:
            self.flow.pause_reading()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed."""
        self._refuse(self._refusal or HTTPStatus.BAD_REQUEST)

    def _refuse(self, status: HTTPStatus) -> None:
        self._rest_came()
        # In the middle of an answer, or before one that is due first, there is no place for this.
        if not self._is_answering():
            body = f"{status.phrase}.\n".encode("ascii")
            self.transport.write(
                b"HTTP/1.1 %d %s\r\ncontent-type: text/plain; charset=utf-8\r\n"
                b"content-length: %d\r\nconnection: close\r\n\r\n%s"
                % (status, status.phrase.encode("ascii"), len(body), body)
            )
        self.transport.close()

    def _too_long(self) -> HTTPStatus:
        if self._headed:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if self._unfinished and not self.headers and len(self.url) > LONGEST_TARGET:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE

    def _head_is_too_long(self) -> bool:
        if self._size + self._arriving <= MOST_BYTES:
            return False
        return sum(len(name) + len(value) for name, value in self.headers) > MOST_BYTES

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_next(self) -> None:
        """End the connection unless another request comes in time.

        One timer goes on for as long as quick answers do, as each new one costs as much as an
        answer.
        """
        self._active = self.loop.time()
        if self._idle is None:
            self._idle = self.loop.call_later(self.timeout_keep_alive, self._end_if_idle)

    def _end_if_idle(self) -> None:
        self._idle = None
        if self.transport.is_closing() or self._is_answering() or self._unfinished:
            return
        left = self._active + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._idle = self.loop.call_later(left, self._end_if_idle)
        elif self.timeout_keep_alive_task is None:
            self.transport.close()

    def _await_rest(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.whole_seconds, self._give_up)

    def _rest_came(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if self._is_answering():
            self._await_rest()
        elif self._unfinished:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()
