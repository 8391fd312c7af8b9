"""The body of an exchange with its content codings undone."""

from __future__ import annotations

from feedsvc.capture.causes import shown
from feedsvc.capture.exchange import Exchange
from feedsvc.codings import BadCoding, codings, undone
from feedsvc.errors import CaptureFailed


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
