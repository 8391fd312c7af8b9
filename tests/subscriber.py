"""A WebSub subscriber, or another hub, on loopback: echoes, takes deliveries, remembers both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Heard:
    """A request that arrived."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def said(self) -> dict[str, str]:
        """The parameters of a verification, a denial or a ping."""
        return dict(parse_qsl(self.body.decode()) if self.method == "POST" else self.query)


Reply = tuple[int, dict[str, str], bytes]


def echo(heard: Heard) -> Reply:
    """Confirm whatever is asked."""
    return 200, {}, heard.said.get("hub.challenge", "").encode()


def taken(heard: Heard) -> Reply:
    """Acknowledge a delivery or a ping."""
    return 204, {}, b""


@dataclass
class Subscriber:
    """Answers verifications with ``confirms`` and what is POSTed with ``takes``."""

    host: str = ""
    """`127.0.0.1:port`."""
    heard: list[Heard] = field(default_factory=list)
    confirms: Callable[[Heard], Reply] = echo
    takes: Callable[[Heard], Reply] = taken

    def url(self, path: str = "/callback") -> str:
        return f"http://{self.host}{path}"

    @property
    def asked(self) -> list[Heard]:
        """Verifications and denials."""
        return [one for one in self.heard if one.method == "GET"]

    @property
    def posted(self) -> list[Heard]:
        """Deliveries and pings."""
        return [one for one in self.heard if one.method == "POST"]


def _handler(subscriber: Subscriber) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            self._reply(subscriber.confirms)

        def do_POST(self) -> None:
            self._reply(subscriber.takes)

        def _reply(self, answer: Callable[[Heard], Reply]) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = parse_qsl(parts.query, keep_blank_values=True)
            heard = Heard(self.command, parts.path, query, headers, body)
            subscriber.heard.append(heard)
            status, given, content = answer(heard)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **given}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    return Handler


@contextmanager
def subscriber_at_work() -> Iterator[Subscriber]:
    """Run a subscriber while the block runs."""
    subscriber = Subscriber()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(subscriber))
    server.daemon_threads = True
    server.block_on_close = False
    subscriber.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield subscriber
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
