"""What a browser's process says is checked: it may be anything, and must harm nobody."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.capture.browser_protocol import (
    LENGTHS,
    MAX_BYTES,
    Ask,
    Broken,
    Crashed,
    Done,
    Dropped,
    Line,
    Part,
    Ready,
    packed,
    understood,
)

ASK: dict[str, Any] = {
    "say": "ask",
    "number": 7,
    "method": "get",
    "url": "https://example.org/",
    "headers": [["Accept", "*/*"]],
    "kind": "Document",
    "main": True,
}
NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def ends() -> Iterator[tuple[Line, socket.socket]]:
    """Our end of a line, and the bare other end."""
    ours, theirs = socket.socketpair()
    line = Line(ours, patience=1.0)
    yield line, theirs
    line.close()
    theirs.close()


@pytest.mark.parametrize(
    ("message", "data", "said"),
    [
        pytest.param(ASK, b"b", Ask(7, "GET", ASK["url"], (("Accept", "*/*"),), b"b", "Document", True), id="ask"),
        pytest.param({"say": "dropped", "number": 7}, b"", Dropped(7), id="dropped"),
        pytest.param({"say": "part", "name": "text"}, b"t", Part("text", b"t"), id="part"),
        pytest.param({"say": "done", "step": "read", "problem": "a\nb"}, b"", Done("read", "a b"), id="done"),
        pytest.param({"say": "crashed", "reason": "gone"}, b"", Crashed("gone"), id="crashed"),
        pytest.param({"say": "ready", "version": "C/1", "user_agent": "Mozilla/5.0"}, b"", Ready("C/1", "Mozilla/5.0"), id="ready"),
    ],
)  # fmt: skip
def test_a_message_comes_out_as_it_went_in(
    message: dict[str, Any], data: bytes, said: object, ends: tuple[Line, socket.socket]
) -> None:
    line, other = ends
    sent = packed(message, data)
    # In two pieces, as sockets may deliver it.
    other.sendall(sent[:9])
    assert line.hear(wait=0.01) is None
    other.sendall(sent[9:])
    assert line.hear(wait=1.0) == said


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"say": "obey"}, id="unknown"),
        pytest.param({"say": None}, id="no-kind"),
        pytest.param({"number": -1}, id="negative"),
        pytest.param({"number": True}, id="no-number"),
        pytest.param({"url": 5}, id="url-is-a-number"),
        pytest.param({"url": "x" * 70_000}, id="long-url"),
        pytest.param({"headers": [["a"]]}, id="half-a-header"),
        pytest.param({"headers": [["a", "b"]] * 300}, id="many-headers"),
        pytest.param({"say": "part", "name": "../etc/passwd"}, id="unknown-part"),
        pytest.param({"say": "done", "step": "own"}, id="unknown-step"),
    ],
)
def test_what_makes_no_sense_breaks_the_line(change: dict[str, Any]) -> None:
    with pytest.raises(Broken):
        understood(json.dumps(ASK | change).encode(), b"")


def test_headers_that_no_request_may_have_are_left_out() -> None:
    pairs = [["A", "fine"], ["B\r\nX", "1"], ["C", "1\r\nX: 2"], ["", "x"], ["D", "\u20ac"]]
    said = understood(json.dumps(ASK | {"headers": pairs}).encode(), b"")
    assert isinstance(said, Ask)
    assert said.headers == (("A", "fine"),)


@given(head=st.binary() | NESTED.map(lambda one: json.dumps(one).encode()), data=st.binary())
def test_nothing_it_says_does_more_than_break_the_line(head: bytes, data: bytes) -> None:
    with suppress(Broken):
        understood(head, data)


@given(change=st.dictionaries(st.sampled_from(sorted(ASK)), NESTED))
def test_no_field_of_a_request_does_more_than_break_the_line(change: dict[str, Any]) -> None:
    try:
        said = understood(json.dumps(ASK | change).encode(), b"")
    except Broken:
        return
    if isinstance(said, Ask):
        assert not any("\n" in part for pair in said.headers for part in pair)


def test_lengths_are_bounded_before_anything_is_read(ends: tuple[Line, socket.socket]) -> None:
    line, other = ends
    other.sendall(LENGTHS.pack(10, MAX_BYTES + 1))
    with pytest.raises(Broken, match="too large"):
        line.hear(wait=1.0)


def test_an_end_is_told_from_silence(ends: tuple[Line, socket.socket]) -> None:
    line, other = ends
    assert line.hear(wait=0.0) is None
    other.close()
    with pytest.raises(Broken, match="ended"):
        line.hear(wait=1.0)
    with pytest.raises(Broken, match="no more"):
        line.say({"do": "read"})


def test_a_message_nobody_takes_breaks_the_line() -> None:
    ours, theirs = socket.socketpair()
    line = Line(ours, patience=0.05)
    with pytest.raises(Broken, match="no more"):
        line.say({"do": "read"}, bytes(8 << 20))
    line.close()
    theirs.close()


def test_many_may_speak_at_once(ends: tuple[Line, socket.socket]) -> None:
    line, other = ends
    data = bytes(50_000)
    threads = [threading.Thread(target=line.say, args=({"n": n}, data)) for n in range(8)]
    for one in threads:
        one.start()
    with other.makefile("rb") as stream:
        found = set()
        for _ in threads:
            head, size = LENGTHS.unpack(stream.read(LENGTHS.size))
            found.add(json.loads(stream.read(head))["n"])
            assert stream.read(size) == data
    for one in threads:
        one.join()
    assert found == set(range(8))
