"""HTTP heads as bytes for WARC records: what came over the wire, made safe to be read again. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urlsplit

from feedsvc.capture.exchange import Exchange, Headers
from feedsvc.urls import host_of

_TOKEN = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")
_BREAK = re.compile(r"[\r\n\0]+")

# The block holds the body without chunk framing, and every checker and replayer would look for
# that framing if the header said so; other archivers use this name too.
_RENAMED = {"transfer-encoding": "x-orig-transfer-encoding"}


def response_head(exchange: Exchange) -> bytes:
    """Return status line and header lines, ending in the empty line (RFC 9112 §2.1).

    HTTP/2 is written as HTTP/1.1, as readers of WARC expect; WARC-Protocol tells the truth.
    """
    line = f"{_version(exchange)} {exchange.status} {_reason(exchange)}"
    return _head(line, exchange.headers)


def request_head(exchange: Exchange) -> bytes:
    """Return request line and header lines, ending in the empty line."""
    parts = urlsplit(exchange.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = exchange.request_headers
    if not any(name.lower() == "host" for name, _ in headers):
        headers = (("Host", host_of(exchange.url)), *headers)
    return _head(f"{exchange.method} {target} {_version(exchange)}", headers)


def _version(exchange: Exchange) -> str:
    return "HTTP/1.0" if exchange.protocol == "http/1.0" else "HTTP/1.1"


def _reason(exchange: Exchange) -> str:
    """Return the reason phrase; HTTP/2 has none, so the usual one is put there."""
    if exchange.reason or exchange.protocol.startswith("http/1"):
        return exchange.reason
    try:
        return HTTPStatus(exchange.status).phrase
    except ValueError:
        return ""


# The requisites that pages share come with every one of them.
@lru_cache(maxsize=256)
def _head(line: str, headers: Headers) -> bytes:
    lines = [_safe(line)]
    # An empty name would begin with the colon and not be a header at all.
    lines += [
        f"{_TOKEN.sub('-', _RENAMED.get(name.lower(), name)) or '-'}: {_safe(value)}"
        for name, value in headers
        if not name.startswith(":")
    ]
    text = "\r\n".join(lines) + "\r\n\r\n"
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _safe(value: str) -> str:
    """Return a value without line breaks and NUL, each a space instead (RFC 9110 §5.5)."""
    return _BREAK.sub(" ", value).strip(" \t")
