"""A programmable web server on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Seen:
    """A request the server has read."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


Handler = Callable[[socket.socket, Seen], None]


@dataclass
class Origin:
    """Serves what tests put on its paths and remembers what it was asked for.

    `page` answers with a fixed response on a connection that is kept; `raw` hands the connection
    to a function, and closes it afterwards. A path that nothing was put on is a 404.
    """

    host: str = ""
    """`127.0.0.1:port`, as `allow_hosts` wants it."""
    scheme: str = "http"
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    replies: dict[str, bytes | Handler] = field(default_factory=dict)

    def url(self, path: str = "/") -> str:
        return f"{self.scheme}://{self.host}{path}"

    def count(self, path: str) -> int:
        """How often a path was asked for (its query apart)."""
        return sum(seen.target.partition("?")[0] == path for seen in self.seen)

    def page(
        self,
        path: str,
        body: bytes = b"",
        *,
        status: int | str = 200,
        headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/html; charset=utf-8"),),
        chunked: bool = False,
    ) -> str:
        """Answer path with body; return its URL. A status may bring its reason: "200 Fine"."""
        lines = [f"HTTP/1.1 {status if isinstance(status, str) else f'{status} OK'}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if chunked:
            lines.append("Transfer-Encoding: chunked")
            body = b"".join(
                b"%x\r\n%b\r\n" % (len(body[i : i + 1000]), body[i : i + 1000])
                for i in range(0, len(body), 1000)
            )
            body += b"0\r\n\r\n"
        elif not str(status).startswith("304"):
            lines.append(f"Content-Length: {len(body)}")
        self.replies[path] = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        return self.url(path)

    def redirect(self, path: str, location: str, *, status: int = 302) -> str:
        """Answer path with a redirect; return its URL."""
        return self.page(path, b"moved", status=status, headers=(("Location", location),))

    def raw(self, path: str, handler: Handler) -> str:
        """Let handler write the answer to path as it likes; return its URL."""
        self.replies[path] = handler
        return self.url(path)

    def pause(self, seconds: float) -> bool:
        """Wait inside a handler, but not beyond the test; True if the test is over."""
        return self.stopping.wait(seconds)

    def answer(self, connection: socket.socket) -> None:
        """Serve one connection to its end."""
        with contextlib.suppress(OSError, ValueError), connection.makefile("rb") as lines:
            while seen := _read_request(lines.readline):
                self.seen.append(seen)
                reply = self.replies.get(seen.target.partition("?")[0], _NOT_FOUND)
                if not isinstance(reply, bytes):
                    reply(connection, seen)
                    return
                connection.sendall(reply)


_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found"


def _read_request(readline: Callable[[], bytes]) -> Seen | None:
    line = readline()
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = []
    while (line := readline()) not in {b"\r\n", b""}:
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name, value.strip()))
    return Seen(method, target, tuple(headers))


class Listener:
    """Accepts connections for an origin, each in a thread of its own."""

    def __init__(
        self, origin: Origin, wrap: Callable[[socket.socket], socket.socket] | None = None
    ) -> None:
        self._origin = origin
        self._wrap = wrap
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: set[socket.socket] = set()
        origin.host = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while not self._origin.stopping.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._origin.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            wrapped = self._wrap(connection) if self._wrap else connection
        except OSError:
            connection.close()
            return
        self._open.add(wrapped)
        try:
            self._origin.answer(wrapped)
        finally:
            self._open.discard(wrapped)
            wrapped.close()

    def close(self) -> None:
        self._origin.stopping.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
