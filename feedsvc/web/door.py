"""The outermost layer: which hosts we answer for, how long a URL may be, and the security headers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]

Fields = Mapping[bytes, bytes]
"""A request's headers, lower case; the lines of one header joined (RFC 9110 §5.3)."""

QuickAnswer = tuple[int, bytes, bytes]
"""Status, headers as HTTP/1.1 writes them with the blank line after them, and body."""

Quick = Callable[[bytes, Fields, str], QuickAnswer | None]
"""Target, headers and peer's address of a GET → an answer, None where that takes more."""

LONGEST_URL = 8192
"""Bytes of path and query; longer ones get 414."""

# Nothing a page or an archived text contains may run, frame or post anything here.
SECURITY_HEADERS: Headers = [
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self' https:; base-uri 'none'; "
        b"form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
]

_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{0,5})?")
_REMEMBERED = 256


class AllowedHosts:
    """The Host headers we answer to, whatever their port.

    DNS rebinding needs a name its attacker owns in the public DNS: addresses, `localhost` and
    names of one label are none, so they are always welcome, and so is every configured name.
    """

    def __init__(self, configured: Collection[str] = ()) -> None:
        self._configured = frozenset(name.lower().strip("[]").rstrip(".") for name in configured)
        self._welcome: set[bytes] = set()

    def __contains__(self, header: bytes) -> bool:
        if header in self._welcome:
            return True
        if not self._judge(header):
            return False
        if len(self._welcome) < _REMEMBERED:
            self._welcome.add(header)
        return True

    def _judge(self, header: bytes) -> bool:
        found = _HOST.fullmatch(header)
        if found is None:
            return False
        name = found[1].decode("ascii").lower().strip("[]").rstrip(".")
        if name in self._configured or name.endswith(".localhost"):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return bool(name) and "." not in name
        return True


def configured_hosts(base_url: str, host: str) -> frozenset[str]:
    """Return the host names that settings give: of the site's address and of the listening socket."""
    return frozenset(filter(None, (urlsplit(base_url).hostname, host)))


class Door:
    """Refuse wrong hosts and endless URLs; take the path of ``base_url`` off, if it has one.

    Behind a proxy the site may live under `https://example.org/news`: requests are understood
    with and without that prefix, as proxies differ in whether they strip it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: AllowedHosts,
        prefix: str = "",
        largest: Callable[[bytes], int] | None = None,
        end: Callable[[float], bool] | None = None,
    ) -> None:
        """``largest``: bytes that a POST to a target may have; ``end`` ends what goes on behind."""
        self._largest = largest
        self._end = end
        self._app = app
        self._hosts = hosts
        self._prefix = prefix.rstrip("/")
        self._quick: Quick | None = getattr(app, "quick", None)

    def quick(self, target: bytes, fields: Fields, peer: str) -> QuickAnswer | None:
        """Answer a GET from memory, None where that takes more: see FeedCache.quick."""
        if self._quick is None or fields.get(b"host", b"") not in self._hosts:
            return None
        return self._quick(target, fields, peer)

    def largest(self, target: bytes) -> int:
        """Return how many bytes a POST to a target may have; 0 for as few as everywhere."""
        return 0 if self._largest is None else self._largest(target)

    def end(self, seconds: float) -> bool:
        """End what goes on in the background; False if that takes longer."""
        return True if self._end is None else self._end(seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if refusal := self._refusal(scope):
                await say(send, *refusal)
                return
            path = scope["path"]
            if self._prefix and (path == self._prefix or path.startswith(self._prefix + "/")):
                scope = {**scope, "path": path[len(self._prefix) :] or "/"}
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        if len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"") > LONGEST_URL:
            return 414, f"This address is longer than {LONGEST_URL} bytes."
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) == 1:
            if hosts[0] in self._hosts:
                return None
            return 421, (
                "This server does not answer for the host you asked for. "
                "If it should, set site.base_url to its address."
            )
        # RFC 9112 §3.2: exactly one Host since HTTP/1.1; before that there was none.
        if not hosts and scope.get("http_version") == "1.0":
            return None
        return 400, "The request must name exactly one host."


async def say(
    send: Send, status: int, sentence: str, *, headers: Headers | None = None, head: bool = False
) -> None:
    """Answer with one plain sentence."""
    body = (sentence + "\n").encode()
    start: Headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *(headers or ()),
        *SECURITY_HEADERS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": b"" if head else body})


class SecurityHeaders:
    """Add the security headers to every answer, and leave the body out of answers to HEAD.

    What an answer says itself stands: archived pages have a Content-Security-Policy of their own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head = scope["method"] == "HEAD"

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = message.get("headers", ())
                message = {**message, "headers": [*own, *_lacking(own)]}
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, receive, secured)


def _lacking(own: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the security headers an answer does not have."""
    given = dict(own)
    policy = given.get(b"content-security-policy")
    # X-Frame-Options knows no exceptions; where a policy tells who may frame, it decides.
    framed = policy is not None and b"frame-ancestors 'none'" not in policy
    return [
        header
        for header in SECURITY_HEADERS
        if header[0] not in given and not (framed and header[0] == b"x-frame-options")
    ]
