"""What a browser's process and we say to each other: messages over a socket pair.

A message is a line of JSON and some bytes, each with its length before it. The process runs a
browser that runs other people's scripts, so whatever it says is checked before it is used.
"""

from __future__ import annotations

import json
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from feedsvc.errors import CaptureFailed
from feedsvc.text import printable, shorten

LENGTHS = struct.Struct("!II")
"""Bytes of JSON, bytes behind it."""
MAX_JSON = 1 << 20
MAX_BYTES = 32 << 20
MAX_HEADERS = 200
MAX_URL = 64 << 10
PARTS = frozenset({"text", "dom", "view", "thumbnail"})
STEPS = frozenset({"open", "scroll", "read", "close"})
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,16384}")
_STEP = 1 << 18

Pairs = tuple[tuple[str, str], ...]


class Broken(CaptureFailed):
    """The browser's process is gone, or says what makes no sense: it is of no use any more."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The browser runs."""

    version: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A request the browser wants to make."""

    number: int
    method: str
    url: str
    headers: Pairs
    body: bytes
    kind: str
    """As in DevTools: `Document`, `Image`, `Fetch`, ..."""
    main: bool
    """True: the page itself, not one of its frames."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The browser no longer wants what it asked for."""

    number: int


@dataclass(frozen=True, slots=True)
class Done:
    """A step is over; ``problem`` is empty if it went well."""

    step: str
    problem: str


@dataclass(frozen=True, slots=True)
class Part:
    """What a page shows."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Crashed:
    """The browser, or the page's process, died."""

    reason: str


Said = Ready | Ask | Dropped | Done | Part | Crashed


def packed(message: Mapping[str, object], data: bytes = b"") -> bytes:
    """Return a message as it travels."""
    head = json.dumps(message).encode("ascii")
    return LENGTHS.pack(len(head), len(data)) + head + data


class Line:
    """Our end: one thread listens, many may speak."""

    def __init__(self, sock: socket.socket, *, patience: float = 30.0) -> None:
        """Speak over ``sock``; a message that is not taken in ``patience`` seconds breaks it."""
        self._socket = sock
        self._socket.settimeout(patience)
        self._speaking = threading.Lock()
        self._rest = bytearray()

    def say(self, message: Mapping[str, object], data: bytes = b"") -> None:
        """Send a message; raise Broken if nobody takes it."""
        try:
            with self._speaking:
                self._socket.sendall(packed(message, data))
        except OSError as error:
            raise Broken("the browser's process takes no more messages") from error

    def hear(self, *, wait: float) -> Said | None:
        """Return the next message, None if none came in ``wait`` seconds; raise Broken."""
        end = time.monotonic() + wait
        while (found := self._cut()) is None:
            left = max(0.0, end - time.monotonic())
            try:
                if not select.select([self._socket], [], [], left)[0]:
                    return None
                data = self._socket.recv(_STEP)
            except (OSError, ValueError) as error:
                raise Broken("the browser's process cannot be heard") from error
            if not data:
                raise Broken("the browser's process ended")
            self._rest += data
        return understood(*found)

    def close(self) -> None:
        """Hang up."""
        with self._speaking:
            self._socket.close()

    def _cut(self) -> tuple[bytes, bytes] | None:
        """Take a whole message off what was read."""
        if len(self._rest) < LENGTHS.size:
            return None
        head, data = LENGTHS.unpack_from(self._rest)
        if head > MAX_JSON or data > MAX_BYTES:
            raise Broken("the browser's process sent a message that is too large")
        end = LENGTHS.size + head + data
        if len(self._rest) < end:
            return None
        middle = LENGTHS.size + head
        found = bytes(self._rest[LENGTHS.size : middle]), bytes(self._rest[middle:end])
        del self._rest[:end]
        return found


def understood(head: bytes, data: bytes) -> Said:
    """Return what a message says; raise Broken for one that is none of ours."""
    try:
        message = json.loads(head)
        return _READ[message["say"]](message, data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Broken("the browser's process said what makes no sense") from error


def _ready(message: Mapping[str, Any], _data: bytes) -> Ready:
    agent = printable(_text(message["user_agent"], 500))
    return Ready(printable(_text(message["version"], 100)), agent if agent.isascii() else "")


def _ask(message: Mapping[str, Any], data: bytes) -> Ask:
    return Ask(
        number=_number(message["number"]),
        method=_text(message["method"], 20).upper(),
        url=_text(message["url"], MAX_URL),
        headers=_pairs(message["headers"]),
        body=data,
        kind=_text(message["kind"], 40),
        main=message["main"] is True,
    )


def _part(message: Mapping[str, Any], data: bytes) -> Part:
    if message["name"] not in PARTS:
        raise ValueError(message["name"])
    return Part(message["name"], data)


def _done(message: Mapping[str, Any], _data: bytes) -> Done:
    if message["step"] not in STEPS:
        raise ValueError(message["step"])
    return Done(message["step"], _reason(message["problem"]))


_READ: Mapping[str, Callable[[Mapping[str, Any], bytes], Said]] = {
    "ready": _ready,
    "ask": _ask,
    "dropped": lambda message, _data: Dropped(_number(message["number"])),
    "part": _part,
    "done": _done,
    "crashed": lambda message, _data: Crashed(_reason(message["reason"])),
}


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise ValueError("not a number")
    return value


def _text(value: Any, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError("not a text, or too long")
    return value


def _reason(value: Any) -> str:
    return shorten(printable(_text(value, MAX_JSON)), 200)


def _pairs(value: Any) -> Pairs:
    """Return headers; those that no request may have are left out."""
    if not isinstance(value, list) or len(value) > MAX_HEADERS:
        raise ValueError("not a list of headers")
    pairs = ((_text(name, 1000), _text(text, MAX_JSON)) for name, text in value)
    return tuple(
        (name, text) for name, text in pairs if _NAME.fullmatch(name) and _VALUE.fullmatch(text)
    )
