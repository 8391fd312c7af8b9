"""One HTTP exchange as it went over the wire, its body on disk when it is large."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import IO

Headers = tuple[tuple[str, str], ...]
"""Name and value in the order and spelling of the wire (latin-1), duplicates kept."""


@dataclass(slots=True)
class Exchange:
    """A request and its response: what becomes a request and a response record.

    ``body`` holds the entity body as it came: content codings kept, chunk framing removed.
    It is a spooled temporary file owned by whoever holds the exchange: close it.
    """

    url: str
    method: str
    request_headers: Headers
    status: int
    reason: str
    headers: Headers
    protocol: str
    """`http/1.0`, `http/1.1` or `h2`: WARC-Protocol."""
    ip: str | None
    body: IO[bytes]
    size: int
    """Bytes in ``body``."""
    sha1: str
    """Payload digest as WARC writes it: `sha1:` + base32."""
    started: datetime
    seconds: float
    truncated: str | None = None
    """None, or why the body ends early: `length`, `time` or `disconnect` (WARC 1.1 §5.13)."""
    request_body: bytes = b""
    remembered: bool = False
    """True: this answer was received moments ago for another page; no second request was made."""

    def header(self, name: str) -> str | None:
        """Return the first value of a response header, whatever its case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def close(self) -> None:
        """Give the body's file back."""
        self.body.close()
