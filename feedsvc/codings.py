"""Content codings undone with bounded memory: a kilobyte from the web may unfold to gigabytes.

Everything is pulled in steps of at most 64 KiB, so what is not asked for is never unpacked.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Protocol, cast

import brotli
import zstandard

STEP = 64 << 10
MAX_CODINGS = 2
MAX_RATIO = 200
"""Unpacked bytes for each packed one; more is a bomb, once there are more than FREE of them."""
FREE = 1 << 20
MAX_INNER = 256 << 20
"""Bytes the outer of two codings may unpack to."""
MAX_MEMBERS = 10_000
"""gzip members in one body; each costs time even if it is empty."""
MAX_WINDOW = 8 << 20
"""RFC 9659: what zstd may ask a receiver of HTTP to hold."""

Chunks = Iterator[bytes]


class Readable(Protocol):
    """What a body is read from, forwards only."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, none at the end."""
        ...


class BadCoding(ValueError):
    """Content codings that cannot be undone: unknown, too many, broken bytes, or a bomb."""


def codings(values: Iterable[str]) -> tuple[str, ...]:
    """Return the codings that Content-Encoding headers name, in the order they were applied.

    Raises BadCoding for one that is unknown and for more than two on top of each other.
    """
    names = [name.strip().lower() for value in values for name in value.split(",")]
    names = [name for name in names if name not in {"", "identity"}]
    unknown = [name for name in names if name not in _DECODERS]
    if unknown:
        raise BadCoding(f"unknown Content-Encoding {unknown[0][:40]!r}")
    if len(names) > MAX_CODINGS:
        raise BadCoding(f"{len(names)} content codings on top of each other")
    return tuple(names)


def undone(body: Readable, names: Sequence[str], *, limit: int) -> Chunks:
    """Yield a body with its codings undone, a step at a time, ``limit`` bytes or a little more.

    A body that breaks off gives what can be read of it. Raises BadCoding for broken bytes and
    bombs.
    """
    wire = _Wire(body)
    chunks: Chunks = wire.chunks()
    try:
        for place, name in enumerate(reversed(names), start=1):
            most = limit if place == len(names) else MAX_INNER
            chunks = _watched(_DECODERS[name](chunks), wire=wire, most=most)
        yield from chunks
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise BadCoding(f"Content-Encoding {', '.join(names)} cannot be undone: {error}") from error


class _Wire:
    """The body as it came, and how much of it was used."""

    def __init__(self, body: Readable) -> None:
        self._body = body
        self.used = 0

    def chunks(self) -> Chunks:
        while chunk := self._body.read(STEP):
            self.used += len(chunk)
            yield chunk


def _watched(chunks: Chunks, *, wire: _Wire, most: int) -> Chunks:
    """Pass chunks on until there are ``most`` bytes; raise BadCoding for what only a bomb does."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > FREE and size > MAX_RATIO * wire.used:
            raise BadCoding(f"{wire.used} bytes unpack to more than {MAX_RATIO} times as many")
        yield chunk
        if size >= most:
            return


def _gunzip(chunks: Chunks) -> Chunks:
    """Undo gzip (RFC 1952): one or more members; what follows the last one is left out."""
    unpacker, members, fresh = zlib.decompressobj(31), 1, True
    for chunk in chunks:
        data = chunk
        while data:
            if unpacker.eof:
                if not data.startswith(b"\x1f"):
                    return
                members += 1
                if members > MAX_MEMBERS:
                    raise BadCoding(f"it consists of more than {MAX_MEMBERS} gzip members")
                unpacker, fresh = zlib.decompressobj(31), True
            try:
                out = unpacker.decompress(data, STEP)
            except zlib.error:
                if members > 1 and fresh:  # not another member, just something at the end
                    return
                raise
            fresh = False
            if out:
                yield out
            data = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail


def _inflate(chunks: Chunks) -> Chunks:
    """Undo deflate: zlib's format (RFC 1950), or the bare stream that some servers send."""
    head = b""
    while len(head) < 2 and (chunk := next(chunks, b"")):
        head += chunk
    wrapped = len(head) > 1 and head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0
    unpacker = zlib.decompressobj(15 if wrapped else -15)
    data = head
    while data and not unpacker.eof:
        if out := unpacker.decompress(data, STEP):
            yield out
        data = unpacker.unconsumed_tail or next(chunks, b"")


def _unbrotli(chunks: Chunks) -> Chunks:
    """Undo Brotli (RFC 7932)."""
    unpacker = brotli.Decompressor()
    for chunk in chunks:
        out = unpacker.process(chunk, output_buffer_limit=STEP)
        while out:
            yield out
            out = b"" if unpacker.is_finished() else unpacker.process(b"", output_buffer_limit=STEP)
        if unpacker.is_finished():
            return


def _unzstd(chunks: Chunks) -> Chunks:
    """Undo Zstandard (RFC 8878) within the window that HTTP allows."""
    unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    source = cast("IO[bytes]", _Pulled(chunks))  # of a file it needs no more than read
    reader = unpacker.stream_reader(source, read_size=STEP, read_across_frames=True)
    while out := reader.read(STEP):
        yield out


class _Pulled:
    """Chunks as something to read from."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        data = self._rest or next(self._chunks, b"")
        self._rest = data[size:]
        return data[:size]


_DECODERS: dict[str, Callable[[Chunks], Chunks]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
