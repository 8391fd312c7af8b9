"""A static server that costs next to nothing: `python -m benchmarks.server FOLDER`.

Files are answered from memory on a port of 127.0.0.1, which is printed; SIGTERM ends it. Two
processes share the socket, as a busy site has more than one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".woff": "font/woff",
    ".ico": "image/x-icon",
}
PROCESSES = 2


class Answering(asyncio.Protocol):
    """Answers GET on one connection, which stays open."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self._answers = answers
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole; only GET without a body comes here."""
        self._received += data
        while b"\r\n\r\n" in self._received and self._transport is not None:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].partition(b"?")[0]
            self._transport.write(self._answers.get(path) or self._answers[b""])


def answers(folder: Path) -> dict[bytes, bytes]:
    """Return the whole answer for every path; the empty path's is 404."""
    found = {b"": _answer("404 Not Found", "text/plain", b"not here\n")}
    for path in folder.rglob("*"):
        if path.is_file():
            name = "/" + path.relative_to(folder).as_posix()
            found[name.encode()] = _answer("200 OK", _TYPES[path.suffix], path.read_bytes())
    return found


def _answer(status: str, media_type: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nServer: benchmark\r\nDate: Sun, 01 Mar 2026 12:00:00 GMT\r\n"
        f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
        "Last-Modified: Sun, 01 Feb 2026 12:00:00 GMT\r\nConnection: keep-alive\r\n\r\n"
    )
    return head.encode() + body


async def serve(listening: socket.socket, found: dict[bytes, bytes]) -> None:
    """Answer on a socket until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(found), sock=listening)
    await server.serve_forever()


def main() -> None:
    """Serve a folder from as many processes as there are to be."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    found = answers(Path(sys.argv[1]))
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        children = []
        for _ in range(PROCESSES - 1):
            child = os.fork()
            if not child:
                break
            children.append(child)
        else:
            sys.stdout.write(f"{listening.getsockname()[1]}\n")
            sys.stdout.flush()
        asyncio.run(serve(listening, found))


if __name__ == "__main__":
    main()
