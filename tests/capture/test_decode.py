"""Laws of undoing content codings: right, and never more than was asked for."""

from __future__ import annotations

import contextlib
import gzip
import subprocess
import sys
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.capture.decode import decoded
from feedsvc.capture.exchange import Exchange
from feedsvc.errors import CaptureFailed


def _bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: bytes(brotli.compress(data, quality=4)),
    "zstd": zstandard.compress,
}
TEXT = b"".join(b"line %d of the page\n" % number for number in range(20_000))
LARGE = 1 << 30


def answer(body: bytes, *codings: str, truncated: str | None = None) -> Exchange:
    return Exchange(
        url="http://example.org/",
        method="GET",
        request_headers=(),
        status=200,
        reason="OK",
        headers=tuple(("Content-Encoding", coding) for coding in codings),
        protocol="http/1.1",
        ip=None,
        body=BytesIO(body),
        size=len(body),
        sha1="",
        started=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=0.0,
        truncated=truncated,
    )


@pytest.mark.parametrize("coding", PACKERS)
@settings(max_examples=20, deadline=None)
@given(body=st.binary(max_size=3000), repeat=st.integers(1, 100))
def test_a_coding_is_undone(coding: str, body: bytes, repeat: int) -> None:
    assert decoded(answer(PACKERS[coding](body * repeat), coding), limit=LARGE) == body * repeat


@pytest.mark.parametrize("coding", PACKERS)
def test_a_page_of_many_steps_is_undone(coding: str) -> None:
    assert decoded(answer(PACKERS[coding](TEXT), coding.upper()), limit=LARGE) == TEXT


@pytest.mark.parametrize("outer", PACKERS)
@pytest.mark.parametrize("inner", PACKERS)
def test_two_codings_are_undone_the_last_one_first(inner: str, outer: str) -> None:
    body = PACKERS[outer](PACKERS[inner](TEXT))
    assert decoded(answer(body, f"{inner}, {outer}"), limit=LARGE) == TEXT
    assert decoded(answer(body, inner, outer), limit=LARGE) == TEXT


@pytest.mark.parametrize("codings", [(), ("identity",), ("",), ("identity, ",)])
def test_a_body_without_a_coding_is_itself(codings: tuple[str, ...]) -> None:
    assert decoded(answer(TEXT, *codings), limit=LARGE) == TEXT


def test_deflate_may_come_bare() -> None:
    assert decoded(answer(_bare(TEXT), "deflate"), limit=LARGE) == TEXT


@pytest.mark.parametrize("coding", ["", *PACKERS])
@pytest.mark.parametrize("limit", [0, 1, 65_536, 100_000])
def test_no_more_than_the_limit_is_given(coding: str, limit: int) -> None:
    body = PACKERS[coding](TEXT) if coding else TEXT
    assert decoded(answer(body, coding), limit=limit) == TEXT[:limit]


@pytest.mark.parametrize("coding", PACKERS)
def test_a_body_that_breaks_off_gives_what_is_there(coding: str) -> None:
    body = PACKERS[coding](TEXT)
    text = decoded(answer(body[: len(body) // 2], coding, truncated="disconnect"), limit=LARGE)
    assert text
    assert TEXT.startswith(text)


def test_the_body_can_be_read_again() -> None:
    exchange = answer(gzip.compress(TEXT), "gzip")
    assert decoded(exchange, limit=100) == decoded(exchange, limit=100)
    assert exchange.body.tell() == 0


def test_gzip_may_have_members_and_something_behind_them() -> None:
    body = gzip.compress(b"one ") + gzip.compress(b"two")
    for rest in (b"", b"\0" * 100, b"\x1f garbage", b"garbage"):
        assert decoded(answer(body + rest, "gzip"), limit=LARGE) == b"one two"


@pytest.mark.parametrize("coding", ["compress", "gzip, aes128gcm", "sdch", "utf-8", "x" * 500])
def test_an_unknown_coding_fails(coding: str) -> None:
    with pytest.raises(CaptureFailed, match="unknown Content-Encoding"):
        decoded(answer(b"x", coding), limit=LARGE)


def test_three_codings_fail() -> None:
    with pytest.raises(CaptureFailed, match="3 content codings"):
        decoded(answer(b"x", "gzip, gzip", "br"), limit=LARGE)


@pytest.mark.parametrize("coding", PACKERS)
def test_bytes_that_are_not_in_the_coding_fail(coding: str) -> None:
    with pytest.raises(CaptureFailed, match="cannot be undone"):
        decoded(answer(b"\xff<html>plain text</html>" * 50, coding), limit=LARGE)


@pytest.mark.parametrize("coding", PACKERS)
@settings(max_examples=50, deadline=None)
@given(body=st.binary(max_size=500))
def test_no_bytes_raise_anything_else(coding: str, body: bytes) -> None:
    with contextlib.suppress(CaptureFailed):
        decoded(answer(body, coding), limit=LARGE)


def test_zstd_may_not_ask_for_a_large_window() -> None:
    packer = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27)
    ).compressobj()
    body = packer.compress(TEXT) + packer.flush()
    with pytest.raises(CaptureFailed, match="cannot be undone"):
        decoded(answer(body, "zstd"), limit=LARGE)


# --- bombs ----------------------------------------------------------------------------------


def zeros(coding: str, mebibytes: int) -> bytes:
    block = bytes(1 << 20)
    if coding == "br":
        packer = brotli.Compressor(quality=1)
        return b"".join([packer.process(block) for _ in range(mebibytes)]) + bytes(packer.finish())
    if coding == "zstd":
        frames = zstandard.ZstdCompressor(level=1).compressobj()
        return b"".join([frames.compress(block) for _ in range(mebibytes)]) + frames.flush()
    plain = zlib.compressobj(1, wbits=15 if coding == "deflate" else 31)
    return b"".join([plain.compress(block) for _ in range(mebibytes)]) + plain.flush()


@pytest.mark.parametrize("coding", PACKERS)
def test_a_bomb_fails(coding: str) -> None:
    with pytest.raises(CaptureFailed, match="unpack to more than 200 times"):
        decoded(answer(zeros(coding, 64), coding), limit=LARGE)


@pytest.mark.parametrize("coding", PACKERS)
def test_a_bomb_inside_another_coding_fails(coding: str) -> None:
    body = gzip.compress(zeros(coding, 16))
    with pytest.raises(CaptureFailed, match="unpack to more than 200 times"):
        decoded(answer(body, coding, "gzip"), limit=LARGE)


def test_a_bomb_that_is_thrown_away_inside_fails() -> None:
    """Empty gzip members inside a coding cost time, and give nothing to count."""
    empty = gzip.compress(b"")
    with pytest.raises(CaptureFailed, match=r"gzip members|200 times"):
        decoded(answer(zstandard.compress(empty * 200_000), "gzip", "zstd"), limit=LARGE)
    with pytest.raises(CaptureFailed, match="gzip members"):
        decoded(answer(empty * 20_000, "gzip"), limit=LARGE)


def test_only_what_is_asked_for_of_a_bomb_is_unpacked() -> None:
    assert decoded(answer(zeros("br", 64), "br"), limit=100_000) == bytes(100_000)


_MEASURE = """
import sys
from tests.capture.test_decode import *
from tests.memory import peak_kib
bombs = [(answer(zeros(coding, 256), coding), coding) for coding in ("gzip", "br", "zstd")]
bombs.append((answer(gzip.compress(zeros("br", 256)), "br", "gzip"), "both"))
before = peak_kib()
for bomb, _ in bombs:
    try:
        decoded(bomb, limit=1 << 40)
    except CaptureFailed:
        continue
    sys.exit("not refused")
print(peak_kib() - before)
"""


def test_a_bomb_costs_no_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 24 << 10
