"""The web server beside the real nginx, in one run: what a request costs each of them in CPU.

Wall-clock rates say more of the neighbours than of a server, so what counts is the time its
processes were on a core, divided by the requests they answered.
"""

from __future__ import annotations

import gzip
import os
import pwd
import random
import re
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import FEEDSVC, Row

CONNECTIONS = 32
_START_SECONDS = 30
_SIZE = 60_000
_PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
_PATH = b"/feeds/all.atom"

# What a reader sends.
_HEAD = (
    b"GET " + _PATH + b" HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
    b"User-Agent: python-reader/3.26 (+https://github.com/lemon24/reader)\r\n"
    b"Accept: application/atom+xml,application/rss+xml;q=0.9,*/*;q=0.1\r\n"
    b"Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n"
)

_NGINX = """
{user} worker_processes 1; daemon off; pid {work}/pid; error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; gzip_static on;
    types {{ application/atom+xml atom; }}
    client_body_temp_path {work}/1; proxy_temp_path {work}/2; fastcgi_temp_path {work}/3;
    uwsgi_temp_path {work}/4; scgi_temp_path {work}/5;
    server {{
        listen 127.0.0.1:{port}; root {root};
        add_header Cache-Control "public, max-age=60"; add_header Vary Accept-Encoding;
        add_header Access-Control-Allow-Origin "*";
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    port: int
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """What it took one server to answer one round of requests."""

    cpu: float
    """Microseconds of all its processes per request."""
    rate: float
    """Requests per second of wall time, the client's own included."""


def beside_nginx(work: Path, *, rounds: int, requests: int) -> Iterator[Row]:
    """Ask both servers for a feed of 60 kB, in turns."""
    if shutil.which("nginx", path=_PLACES) is None or not Path("/proc/self/stat").exists():
        yield Row("beside nginx", "needs Linux and an installed nginx")
        return
    site = work / "beside-nginx"
    _prepare(site)
    with ExitStack() as stack:
        servers = [stack.enter_context(start(site)) for start in (_feedsvc, _nginx)]
        for status, what in ((304, "304 over HTTP"), (200, "200 over HTTP, gzip, feed of 60 kB")):
            measured: dict[str, list[Load]] = {server.name: [] for server in servers}
            for _ in range(rounds):
                for server in servers:
                    measured[server.name].append(_load(server, status, requests=requests))
            yield from _rows(what, measured)


def _rows(what: str, measured: dict[str, list[Load]]) -> Iterator[Row]:
    for name, loads in measured.items():
        cpu = statistics.median(load.cpu for load in loads)
        rate = max(load.rate for load in loads)
        yield Row(f"{what}: {name}", f"{cpu:.1f} µs CPU per request, {rate:,.0f}/s")
    pairs = zip(measured["feedsvc"], measured["nginx"], strict=True)
    shares = [theirs.cpu / ours.cpu for ours, theirs in pairs]
    yield Row(
        "  feedsvc's efficiency beside nginx",
        f"{statistics.median(shares):.0%} ({min(shares):.0%} to {max(shares):.0%})",
        "≥ 30 %",
    )


def _prepare(site: Path) -> None:
    """Write a site whose feed is as long as most, and no easier to pack."""
    (site / "feeds").mkdir(parents=True, exist_ok=True)
    (site / "seeds").mkdir(exist_ok=True)
    chance = random.Random(1)
    letters = "etaoinshrdlucmfwypvbg"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 10))) for _ in range(3000)]
    text = " ".join(chance.choices(words, k=_SIZE // 4))[:_SIZE]
    body = f"<feed>{text}</feed>".encode()
    (site / "feeds" / "all.atom").write_bytes(body)
    (site / "feeds" / "all.atom.gz").write_bytes(gzip.compress(body, 6, mtime=0))


# --- the servers ----------------------------------------------------------------------------


@contextmanager
def _feedsvc(site: Path) -> Iterator[Server]:
    port = _free_port()
    command = [*FEEDSVC, "serve", "--root", str(site), "--quiet"]
    environment = {**os.environ, "FEEDSVC_WEB__PORT": str(port)}
    with _running(command, port, environment) as process:
        yield Server("feedsvc", port, (process.pid,))


@contextmanager
def _nginx(site: Path) -> Iterator[Server]:
    port = _free_port()
    user = f"user {pwd.getpwuid(0).pw_name};" if os.getuid() == 0 else ""
    configuration = site / "nginx.conf"
    configuration.write_text(_NGINX.format(user=user, work=site, port=port, root=site))
    program = shutil.which("nginx", path=_PLACES) or "nginx"
    command = [program, "-e", "stderr", "-p", str(site), "-c", str(configuration)]
    with _running(command, port, dict(os.environ)) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        yield Server("nginx", port, tuple(map(int, children.split())))


@contextmanager
def _running(
    command: list[str], port: int, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, env=environment) as process:
        try:
            _await(lambda: socket.create_connection(("127.0.0.1", port), timeout=1).close())
            yield process
        finally:
            process.terminate()
            process.wait(_START_SECONDS)


def _await(attempt: Callable[[], None]) -> None:
    ends = time.monotonic() + _START_SECONDS
    while True:
        try:
            attempt()
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)
        else:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


# --- the load -------------------------------------------------------------------------------


def _load(server: Server, status: int, *, requests: int) -> Load:
    """Ask again and again over connections that stay open, all of them at a time."""
    with ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
            for _ in range(CONNECTIONS)
        ]
        request, size = _request(connections[0], server.port, status)
        cpu, began = _cpu(server.pids), time.perf_counter()
        turns = max(1, requests // CONNECTIONS)
        for _ in range(turns):
            for connection in connections:
                connection.send(request)
            for connection in connections:
                left = size
                while left:
                    left -= len(connection.recv(left))
        asked = turns * CONNECTIONS
        wall = time.perf_counter() - began
        return Load((_cpu(server.pids) - cpu) / asked * 1e6, asked / wall)


def _request(connection: socket.socket, port: int, status: int) -> tuple[bytes, int]:
    """Return the request that is answered so, and the length of its answer in bytes."""
    plain = _HEAD % port + b"\r\n"
    head, _ = _answer(connection, plain)
    tag = re.search(rb"(?im)^etag: *(\S+)", head)
    assert tag is not None, head
    request = _HEAD % port + b"If-None-Match: " + tag[1] + b"\r\n\r\n" if status == 304 else plain
    head, size = _answer(connection, request)
    assert head.split(b" ", 2)[1] == b"%d" % status, head
    assert status == 304 or b"\r\ncontent-encoding: gzip" in head.lower(), head
    return request, size


def _answer(connection: socket.socket, request: bytes) -> tuple[bytes, int]:
    connection.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1 << 16)
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    size = int(length[1]) if length and b" 304 " not in head[:20] else 0
    while len(body) < size:
        body += connection.recv(1 << 16)
    return head, len(head) + 4 + size


def _cpu(pids: tuple[int, ...]) -> float:
    """Return the seconds that processes were on a core, user and system time together."""
    return sum(map(_seconds, pids))


def _seconds(pid: int) -> float:
    try:
        # Nanoseconds, where the kernel counts them.
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except OSError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
