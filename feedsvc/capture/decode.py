"""The body of an exchange with its content codings undone."""

from __future__ import annotations

import zlib

from feedsvc.capture.causes import shown
from feedsvc.capture.exchange import Exchange
from feedsvc.codings import BadCoding, codings, undone
from feedsvc.errors import CaptureFailed

_STEP = 1 << 16


def decoded(exchange: Exchange, *, limit: int) -> bytes:
    """Return the first ``limit`` bytes of the body with its content codings undone (RFC 9110 §8.4).

    A body that breaks off gives what can be read of it. Raises CaptureFailed for a coding that is
    unknown or stacked more than twice, broken bytes, and bombs. The body's position is put back
    to its beginning.
    """
    exchange.body.seek(0)
    out = bytearray()
    try:
        names = codings(
            value for name, value in exchange.headers if name.lower() == "content-encoding"
        )
        chunks = undone(exchange.body, names, limit=limit)
        while len(out) < limit and (chunk := next(chunks, b"")):
            out += chunk
    except BadCoding as error:
        raise CaptureFailed(f"{shown(exchange.url)}: {error}") from error
    finally:
        exchange.body.seek(0)
    return bytes(out[:limit])


def breaks_off(exchange: Exchange, *, limit: int = 8 << 20) -> bool:
    """Tell whether a body in gzip ends before its coding does: the server cut it, not the network.

    ``limit`` bytes are looked at. The body's position is put back to its beginning.
    """
    if (exchange.header("content-encoding") or "").strip().lower() not in {"gzip", "x-gzip"}:
        return False
    exchange.body.seek(0)
    try:
        unpacker, size = zlib.decompressobj(31), 0
        while not unpacker.eof and size < limit:
            chunk = unpacker.unconsumed_tail or exchange.body.read(_STEP)
            if not chunk:
                return True
            size += len(unpacker.decompress(chunk, _STEP))
    except zlib.error:
        return True
    finally:
        exchange.body.seek(0)
    return False
