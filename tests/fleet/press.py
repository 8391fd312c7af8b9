"""A hundred newspapers on loopback, in a process of their own, that count who asks how often.

Run as a program it prints its port and serves until its stdin ends; `/counted` at 127.0.0.1 tells
what it saw. Each newspaper has an address 127.0.x.1 of its own, and all of them one port.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

AGENCY = 200
"""The newspaper whose pictures all others show."""
_SUBJECTS = ("harbour", "orchard", "library", "railway", "observatory", "market", "lighthouse")
_DOINGS = ("reopened", "was measured", "lost its roof", "hired a clockmaker", "changed its hours")
_REASONS = ("the flood", "a long quarrel", "the new bridge", "an old promise", "a mild winter")
_SENTENCE = "On its {number}th day the {subject} of ward {ward} {doing} because of {reason}."
PARAGRAPHS = 6


def host(number: int) -> str:
    """Return a newspaper's address."""
    return f"127.0.{number}.1"


def headline(number: int, article: int) -> str:
    """Return an article's title."""
    chance = random.Random(f"{number}/{article}")
    return f"Ward {number}, paper {article}: the {chance.choice(_SUBJECTS)}"


def paragraphs(number: int, article: int) -> list[str]:
    """Return an article's text, always the same and like no other's."""
    chance = random.Random(f"{number}/{article}")
    return [
        " ".join(
            _SENTENCE.format(
                number=chance.randint(2, 9999) * 10 + 5,
                subject=chance.choice(_SUBJECTS),
                ward=number * 1000 + article,
                doing=chance.choice(_DOINGS),
                reason=chance.choice(_REASONS),
            )
            for _ in range(4)
        )
        for _ in range(PARAGRAPHS)
    ]


def page(number: int, article: int, port: int) -> bytes:
    """Return an article's page."""
    text = "".join(f"<p>{one}</p>" for one in paragraphs(number, article))
    picture = f"http://{host(AGENCY)}:{port}/shared-{article % 5}.svg"
    return (
        f"<!doctype html><html lang=en><title>{headline(number, article)}</title>"
        f"<link rel=stylesheet href=/style.css><h1>{headline(number, article)}</h1>"
        f'<img src={picture} alt="">{text}</html>'
    ).encode()


@dataclass(frozen=True)
class Counted:
    """What a newspaper saw: when requests began (seconds, in order), and how many at once."""

    starts: Sequence[float]
    most: int
    paths: dict[str, int]

    def too_soon(self, *, delay: float, slack: float) -> list[tuple[int, float]]:
        """Return where more requests came than ``delay`` allows: how many in how many seconds.

        ``slack``: seconds that a request may have been late, so that the next seems early.
        """
        found = []
        for first in range(len(self.starts)):
            for count in range(1, min(30, len(self.starts) - first)):
                took = self.starts[first + count] - self.starts[first]
                if took < count * delay - slack:
                    found.append((count + 1, round(took, 3)))
        return found


@dataclass(frozen=True)
class Press:
    """The running newspapers."""

    port: int
    hosts: int

    def url(self, number: int, article: int) -> str:
        """Return the address of an article's page."""
        return f"http://{host(number)}:{self.port}/articles/{article}"

    @property
    def allow_hosts(self) -> str:
        """`archive.allow_hosts`, as the environment gives it."""
        numbers = [*range(1, self.hosts + 1), AGENCY]
        return ",".join(f"{host(number)}:{self.port}" for number in numbers)

    def counted(self) -> dict[str, Counted]:
        """Return what each newspaper that was asked saw, by address."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}/counted", trust_env=False, timeout=30)
        return {name: Counted(**one) for name, one in answer.json().items()}

    def seed(self, number: int, article: int) -> str:
        """Return an article as a seed."""
        text = "\n\n".join(paragraphs(number, article))
        day = f"2026-{1 + article % 12:02}-{1 + number % 28:02}"
        return (
            f"# {headline(number, article)}\n\nBy Ward Reporter {number}\n\n{day}\n\n{text}\n\n"
            f"Original url: {self.url(number, article)}\n"
        )


@contextmanager
def running(*, hosts: int = 100, takes: float = 0.02) -> Iterator[Press]:
    """Serve ``hosts`` newspapers; an answer takes so many seconds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fleet.press", str(hosts), str(takes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Press(int(process.stdout.readline()), hosts)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=30)


class _Desk:
    """Counts and answers, in one thread."""

    def __init__(self, port: int, takes: float) -> None:
        self._port = port
        self._takes = takes
        self._starts: dict[str, list[float]] = {}
        self._flying: dict[str, int] = {}
        self._most: dict[str, int] = {}
        self._paths: dict[str, dict[str, int]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        name = writer.get_extra_info("sockname")[0]
        try:
            while line := await reader.readline():
                path = line.split(b" ")[1].decode("latin-1")
                while (await reader.readline()).strip():
                    pass
                writer.write(await self._answer(name, path))
                await writer.drain()
        except (ConnectionError, IndexError):
            pass
        finally:
            writer.close()

    async def _answer(self, name: str, path: str) -> bytes:
        if name == "127.0.0.1":
            told = {
                one: {"starts": starts, "most": self._most[one], "paths": self._paths[one]}
                for one, starts in self._starts.items()
            }
            return _response(json.dumps(told).encode(), "application/json")
        self._starts.setdefault(name, []).append(time.monotonic())
        self._flying[name] = self._flying.get(name, 0) + 1
        self._most[name] = max(self._most.get(name, 0), self._flying[name])
        paths = self._paths.setdefault(name, {})
        paths[path] = paths.get(path, 0) + 1
        try:
            await asyncio.sleep(self._takes)
        finally:
            self._flying[name] -= 1
        if path.startswith("/articles/"):
            number = int(name.split(".")[2])
            return _response(page(number, int(path.rpartition("/")[2]), self._port), "text/html")
        if path == "/style.css":
            return _response(b"p { margin: 1em }\n" * 40, "text/css")
        if path.endswith(".svg"):
            return _response(b'<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml")
        return _response(b"not found", "text/plain", status="404 Not Found")


def _response(body: bytes, kind: str, *, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _listening(hosts: int) -> list[socket.socket]:
    """Return sockets of all addresses on one port that is free on each."""
    addresses = [host(number) for number in [*range(1, hosts + 1), AGENCY]]
    while True:
        first = socket.create_server(("127.0.0.1", 0))
        found = [first]
        try:
            port = first.getsockname()[1]
            found.extend(socket.create_server((one, port), backlog=64) for one in addresses)
        except OSError:
            for one in found:
                one.close()
        else:
            return found


async def _main(hosts: int, takes: float) -> None:
    sockets = _listening(hosts)
    port = sockets[0].getsockname()[1]
    desk = _Desk(port, takes)
    for one in sockets:
        await asyncio.start_server(desk.serve, sock=one)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), float(sys.argv[2])))
