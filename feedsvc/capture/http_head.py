"""The HTTP head in a WARC record's block, read with a limit. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from feedsvc.capture.exchange import Headers

MAX_HEAD = 1 << 20
"""Bytes of an HTTP head that are read."""
_STEP = 16 << 10
_STATUS = re.compile(
    r"(?P<version>HTTP/[0-9.]{1,4})[ \t]+(?P<status>[0-9]{3})(?:[ \t]+(?P<reason>.*))?"
)
_REQUEST = re.compile(r"(?P<method>[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32})[ \t]+\S+")
_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class HttpHead:
    """First line and header lines of a message, and what was read beyond them."""

    raw: bytes
    """The head as it stands, the empty line included."""
    line: str
    headers: Headers
    rest: bytes
    """The first bytes of the body."""

    @property
    def status(self) -> int | None:
        """The status code of a response, None if the first line has none."""
        found = _STATUS.match(self.line)
        return int(found["status"]) if found else None

    @property
    def reason(self) -> str:
        """The reason phrase of a response."""
        found = _STATUS.match(self.line)
        return (found["reason"] or "").strip() if found else ""

    @property
    def protocol(self) -> str:
        """`http/1.0` or `http/1.1`, as WARC-Protocol writes it."""
        return "http/1.0" if self.line.startswith("HTTP/1.0") else "http/1.1"

    @property
    def method(self) -> str:
        """The method of a request."""
        found = _REQUEST.match(self.line)
        return found["method"] if found else "GET"

    def header(self, name: str) -> str | None:
        """Return the first value of a header, whatever its case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


def read_head(read: Callable[[int], bytes], *, limit: int = MAX_HEAD) -> HttpHead | None:
    """Read a head from a block; None if it does not end within ``limit`` bytes."""
    data = b""
    while (end := _END.search(data)) is None:
        chunk = read(_STEP) if len(data) < limit else b""
        if not chunk:
            # A response without a body may end with its last header line.
            return _parsed(data, b"") if len(data) < limit and data.endswith(b"\n") else None
        data += chunk
    return _parsed(data[: end.end()], data[end.end() :])


def _parsed(raw: bytes, rest: bytes) -> HttpHead:
    first, *lines = raw.decode("latin-1").split("\n")
    headers: list[tuple[str, str]] = []
    for line in lines:
        text = line.rstrip("\r")
        if not text.strip():
            continue
        if text[0] in " \t" and headers:  # folded, which RFC 9112 §5.2 calls obsolete
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {text.strip()}")
            continue
        name, colon, value = text.partition(":")
        if colon:
            headers.append((name.strip(), value.strip()))
    return HttpHead(raw, first.rstrip("\r"), tuple(headers), rest)
