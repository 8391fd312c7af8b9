"""Why a fetch failed, in words for the person who reads `feedsvc status`. Pure."""

from __future__ import annotations

import re
import ssl
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpcore

from feedsvc.text import printable, shorten

_SECRET = re.compile(
    r"(?:.*[_.-])?(?:access|api|auth|authorization|code|credential|jwt|key|passw(?:or)?d|pwd|"
    r"secret|session|sessionid|sid|sig|sign|signature|token|\w*(?:token|secret|password|apikey))",
    re.IGNORECASE,
)


def shown(url: str) -> str:
    """Return a URL fit for messages and logs: no credentials, no values of secret parameters."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return "(an address that cannot be read)"
    query = parts.query
    if any(_SECRET.fullmatch(name) for name, _ in pairs):
        query = urlencode(
            [(name, "***" if _SECRET.fullmatch(name) else value) for name, value in pairs], safe="*"
        )
    return shorten(printable(parts._replace(netloc=host, query=query, fragment="").geturl()), 300)


def cause(error: Exception, *, seconds: float, late: bool) -> str:
    """Return what went wrong, as a sentence without its subject.

    ``seconds`` is the time limit that was in force, ``late`` tells that all of a fetch's time is
    used up and not only the time for one step.
    """
    if isinstance(error, httpcore.TimeoutException | TimeoutError):
        return _timeout(error, seconds=seconds, late=late)
    inner = next((arg for arg in error.args if isinstance(arg, Exception)), error)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"TLS certificate problem: {inner.verify_message}"
    if isinstance(inner, ssl.SSLError):
        reason = getattr(inner, "reason", None) or "handshake failed"
        return f"TLS problem: {reason.replace('_', ' ').lower()}"
    if isinstance(inner, ConnectionRefusedError):
        return "connection refused"
    if isinstance(inner, ConnectionError | BrokenPipeError):
        return "the server closed the connection without an answer"
    if isinstance(inner, OSError):
        return f"no connection: {inner.strerror or inner}"
    if isinstance(error, httpcore.ProtocolError):
        return _protocol(str(error))
    return shorten(printable(f"{type(error).__name__}: {error}"), 200)


def _timeout(error: Exception, *, seconds: float, late: bool) -> str:
    if late:
        return f"not done after {seconds:g} s in total"
    if isinstance(error, httpcore.ConnectTimeout):
        return f"timed out after {seconds:g} s while connecting"
    if isinstance(error, httpcore.PoolTimeout):
        return f"no connection was free within {seconds:g} s"
    return f"timed out after {seconds:g} s without an answer"


def _protocol(message: str) -> str:
    if "without sending a response" in message:
        return "the server closed the connection without an answer"
    if "Receive buffer too long" in message or "trailing data" in message:
        return "the answer's head is larger than 100 KiB"
    return shorten(printable(f"the answer is not valid HTTP: {message}"), 200)
