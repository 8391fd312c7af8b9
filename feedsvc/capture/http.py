"""Fetching: one request, one hop, its bytes as they came; the only way from feedsvc to the web."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import httpcore
import httpx

from feedsvc.capture.body import Body
from feedsvc.capture.causes import cause, shown
from feedsvc.capture.exchange import Exchange, Headers
from feedsvc.capture.guard import (
    ALLOW_HOSTS,
    GuardedBackend,
    RequestClock,
    Resolver,
    authority,
    fetchable,
    system_resolver,
    trusted_hosts,
)
from feedsvc.capture.transport import GuardedTransport, has_leftover
from feedsvc.errors import CaptureError, CaptureFailed, CaptureRefused, ConfigurationError

MIN_RATE = 64
"""Bytes a second of body; less is too slow, once it has lasted for the grace period."""
GRACE = 10.0
ATTEMPTS = 3
"""Tries of a request on kept connections that the server closed meanwhile."""

ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
EVENTS = 2.0
"""Seconds of an event stream, which has no end, that are recorded."""
_NEVER_SENT = frozenset({"authorization", "cookie", "host", "proxy-authorization", "referer"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# What concerns this connection, and what would leave the archive with a part of an answer.
_OURS = frozenset(
    {
        *("accept-encoding", "authorization", "connection", "content-length", "expect", "host"),
        *("if-range", "keep-alive", "proxy-authorization", "proxy-connection", "range", "te"),
        *("trailer", "transfer-encoding", "upgrade"),
    }
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that a browser wants to make and this client makes."""

    method: str
    url: str
    headers: Headers
    body: bytes = b""


class Fetcher:
    """Fetches single URLs behind the guard; one for the whole process, used by many threads."""

    def __init__(
        self,
        *,
        user_agent: str,
        allow_hosts: Collection[str] = (),
        setting: str = ALLOW_HOSTS,
        timeout: float = 20.0,
        deadline: float = 120.0,
        max_size: int = 100 << 20,
        connections: int = 32,
        grace: float = GRACE,
        resolve: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Build a fetcher.

        ``timeout`` is for each step (look-up and connect, wait for the next byte), ``deadline``
        for a whole fetch, both in seconds; ``max_size`` in bytes of body as it comes;
        ``setting`` is where ``allow_hosts`` comes from.
        Raises ConfigurationError if ``allow_hosts`` or ``user_agent`` cannot be understood.
        """
        if not user_agent.isascii() or not user_agent.isprintable() or not user_agent.strip():
            raise ConfigurationError("archive.user_agent: one line of ASCII text is needed")
        self._setting = setting
        self._trusted = trusted_hosts(allow_hosts, setting=setting)
        self._timeout = timeout
        self._deadline = deadline
        self._max_size = max_size
        self._grace = grace
        self._now = now
        self._headers = (
            ("User-Agent", user_agent.strip()),
            ("Accept", ACCEPT),
            # Other tools stumble over br and zstd inside a WARC.
            ("Accept-Encoding", "gzip"),
        )
        self._clock = RequestClock()
        backend = GuardedBackend(
            trusted=self._trusted,
            resolve=resolve or system_resolver,
            clock=self._clock,
            setting=setting,
        )
        self._sockets = backend.sockets
        self._transport = GuardedTransport(
            backend=backend,
            ssl_context=ssl_context or web_context(),
            connections=connections,
        )

    def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Collection[tuple[str, str]] = (),
        body: bytes = b"",
        max_size: int | None = None,
        deadline: float | None = None,
        send_by: float = float("inf"),
    ) -> Exchange:
        """Ask for a URL, one hop: a redirect is an answer like any other.

        It is not sent after ``send_by`` on the monotonic clock, but TurnPassed raised. Its body is cut, and ``truncated`` says why, where it is larger than ``max_size`` bytes,
        not over ``deadline`` seconds after the start, too slow for MIN_RATE, or broken off.
        Raises CaptureRefused (the guard), CaptureFailed (no whole head of an answer came) and
        OutOfSpace.
        """
        limit = self._deadline if deadline is None else deadline
        sent = _with_extra(self._headers, headers)
        request = self._request(method, url, sent, body, limit=limit)
        size = self._max_size if max_size is None else max_size
        return self._exchange(request, size, limit, send_by)

    def perform(
        self, asked: Asked, *, max_size: int, deadline: float, send_by: float = float("inf")
    ) -> Exchange:
        """Make a browser's request, one hop; like `fetch`, but with its method, headers and body.

        What this client decides for itself is left out of the headers (`own_headers`). A stream
        of events is cut after EVENTS seconds.
        """
        sent = (*own_headers(asked.headers), ("Accept-Encoding", "gzip"))
        request = self._request(asked.method, asked.url, sent, asked.body, limit=deadline)
        exchange = self._exchange(request, max_size, deadline, send_by)
        exchange.request_body = asked.body
        return exchange

    def _exchange(
        self, request: httpx.Request, max_size: int, limit: float, send_by: float
    ) -> Exchange:
        started, begin = self._now(), time.monotonic()
        self._clock.start(begin + limit, send_by=send_by)
        body = Body(max_size)
        try:
            response = self._send(request, limit=limit)
            if _is_events(response):
                self._clock.start(min(self._clock.deadline, time.monotonic() + EVENTS))
            try:
                truncated = self._receive(response, body)
            finally:
                response.close()
            return _exchange(request, response, body, truncated, started, time.monotonic() - begin)
        except BaseException:
            body.file.close()
            raise

    def self_test(self) -> None:
        """Prove that the guard is on; raise ConfigurationError if it is not.

        A listener on loopback must be refused, for its address and not only for its port, and
        must never see a connection.
        """
        with _untrusted_listener(self._trusted) as listener:
            port = listener.getsockname()[1]
            for attempt in (self.fetch, self._connect_only):
                try:
                    attempt(f"http://127.0.0.1:{port}/")
                except CaptureRefused:
                    continue
                except CaptureError as error:
                    raise ConfigurationError(f"{_GUARD_OFF}: {error}") from error
                raise ConfigurationError(f"{_GUARD_OFF}: 127.0.0.1:{port} could be fetched")
            if _was_connected(listener):
                raise ConfigurationError(f"{_GUARD_OFF}: 127.0.0.1:{port} was connected to")

    def close(self) -> None:
        """Close every connection; fetches under way in other threads fail at once.

        The fetcher is not used afterwards: fetch raises CaptureFailed.
        """
        self._sockets.shut()
        self._transport.close()

    def _request(
        self, method: str, url: str, headers: Headers, body: bytes, *, limit: float
    ) -> httpx.Request:
        try:
            address = fetchable(url, trusted=self._trusted, setting=self._setting)
        except CaptureRefused as error:
            raise CaptureRefused(f"{shown(url)}: {error}") from error
        try:
            return httpx.Request(
                method,
                address,
                # As they are read: an ETag may hold other bytes than ASCII (RFC 9110 §8.8.3).
                headers=[
                    (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers
                ],
                content=body or None,
                extensions={
                    "timeout": {
                        "connect": self._timeout,
                        "read": self._timeout,
                        "write": self._timeout,
                        "pool": min(self._timeout, limit),
                    }
                },
            )
        except (httpx.InvalidURL, UnicodeError) as error:
            raise CaptureRefused(f"{shown(url)}: this address is not fetched: {error}") from error

    def _send(self, request: httpx.Request, *, limit: float) -> httpx.Response:
        """Send request and return its response, head read; try again on a connection gone stale."""
        for attempt in range(1, ATTEMPTS + 1):
            connects = self._clock.connects
            try:
                return self._transport.handle_request(request)
            except CaptureError as error:
                raise type(error)(f"{shown(str(request.url))}: {error}") from error
            except Exception as error:
                stale = self._clock.connects == connects and _is_disconnect(error)
                # What was asked for by POST may have been done, and must not be done twice.
                stale = stale and request.method in _SAFE and not self._sockets.closing
                if stale and attempt < ATTEMPTS:
                    continue
                raise self._failed(request, error, limit=limit) from error
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def _failed(self, request: httpx.Request, error: Exception, *, limit: float) -> CaptureFailed:
        if self._sockets.closing:
            return CaptureFailed(f"{shown(str(request.url))}: feedsvc is stopping")
        late = time.monotonic() >= self._clock.deadline
        reason = cause(error, seconds=limit if late else self._timeout, late=late)
        return CaptureFailed(f"{shown(str(request.url))}: {reason}")

    def _receive(self, response: httpx.Response, body: Body) -> str | None:
        """Read the body to its end, a limit or a break; return WARC-Truncated's word for it."""
        deadline, begin = self._clock.deadline, time.monotonic()
        try:
            for chunk in response.stream:  # type: ignore[union-attr]  # httpx types both kinds of stream, this client has one
                if not body.take(chunk):
                    return "length"
                now = time.monotonic()
                elapsed = now - begin
                if now >= deadline or (elapsed > self._grace and body.size < elapsed * MIN_RATE):
                    return "time"
        except httpcore.TimeoutException:
            return "time"
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError):
            return "disconnect"
        if has_leftover(response):
            response.extensions["network_stream"].close()
        return None

    def _connect_only(self, url: str) -> None:
        """Ask the pool itself for a connection, past all rules about URLs."""
        request = httpx.Request("GET", url, extensions={"timeout": {"connect": 0.5, "read": 0.5}})
        self._clock.start(time.monotonic() + 0.5)
        self._send(request, limit=0.5).close()


_GUARD_OFF = "the guard against private addresses is off; nothing is fetched"


def _exchange(
    request: httpx.Request,
    response: httpx.Response,
    body: Body,
    truncated: str | None,
    started: datetime,
    seconds: float,
) -> Exchange:
    body.file.seek(0)
    extensions = response.extensions
    stream = extensions["network_stream"]
    return Exchange(
        url=str(request.url),
        method=request.method,
        request_headers=_text(request.headers.raw),
        status=response.status_code,
        reason=extensions["reason_phrase"].decode("latin-1")
        or httpx.codes.get_reason_phrase(response.status_code),
        headers=_text(response.headers.raw),
        protocol=extensions["http_version"].decode("ascii").lower(),
        ip=getattr(stream, "address", None),
        body=body.file,
        size=body.size,
        sha1=body.digest(),
        started=started,
        seconds=seconds,
        truncated=truncated,
    )


def _text(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


def _with_extra(headers: Headers, extra: Collection[tuple[str, str]]) -> Headers:
    """Return headers with extra ones added or put in place of those of the same name."""
    if not extra:
        return headers
    names = {name.lower() for name, _ in extra}
    if forbidden := names & _NEVER_SENT:
        raise ValueError(f"{', '.join(sorted(forbidden))}: never sent, so that no archive holds it")
    kept = tuple(pair for pair in headers if pair[0].lower() not in names)
    return (*kept, *extra)


def own_headers(headers: Headers) -> Headers:
    """Return the headers of a browser's request that are its own to decide."""
    return tuple(pair for pair in headers if pair[0].lower() not in _OURS)


def _is_events(response: httpx.Response) -> bool:
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower() == "text/event-stream"


def _is_disconnect(error: Exception) -> bool:
    """Tell whether the server just hung up, as it does on a connection it kept long enough."""
    if isinstance(error, httpcore.RemoteProtocolError):
        return "without sending a response" in str(error)
    return isinstance(error, httpcore.ReadError | httpcore.WriteError)


@cache
def web_context() -> ssl.SSLContext:
    """Trust certifi's authorities and the operating system's, as they are when first asked for."""
    # 100 ms and a megabyte to make, and the same for every client of a process.
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


def _untrusted_listener(trusted: Collection[str]) -> socket.socket:
    """Listen on a loopback port that the operator did not happen to trust."""
    for _ in range(1000):
        listener = socket.create_server(("127.0.0.1", 0))
        if authority("127.0.0.1", listener.getsockname()[1]) not in trusted:
            return listener
        listener.close()
    raise ConfigurationError(
        "archive.allow_hosts trusts every port of 127.0.0.1, which leaves nothing to test the "
        "guard with; list only the servers you need"
    )


def _was_connected(listener: socket.socket) -> bool:
    listener.setblocking(False)
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True
