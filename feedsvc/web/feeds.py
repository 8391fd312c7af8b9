"""`/feeds/…` answered from memory, in the event loop, before any router."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

from feedsvc.errors import Temporary
from feedsvc.publish.packing import OFFERED
from feedsvc.web.conditional import chosen_coding, unchanged
from feedsvc.web.documents import CORS, Document, Shelf, Variant
from feedsvc.web.door import Fields, Headers, QuickAnswer, say
from feedsvc.web.fair_use import Clients, FairUse
from feedsvc.web.former import Elsewhere, nowhere
from feedsvc.web.names import feed_name

ROOT = "/feeds/"
_ALLOWED = b"GET, HEAD, OPTIONS"
_MISSING = "There is no such feed."

_PREFLIGHT: Headers = [
    (b"allow", _ALLOWED),
    (b"access-control-allow-methods", _ALLOWED),
    (b"access-control-allow-headers", b"If-None-Match, If-Modified-Since, Accept-Encoding"),
    (b"access-control-max-age", b"86400"),
    *CORS,
]


class FeedCache:
    """Answer requests for feeds from ``shelf``; pass all others on to ``app``."""

    def __init__(
        self,
        app: ASGIApp,
        shelf: Shelf,
        answered: Counter[int],
        *,
        prefix: str = "",
        elsewhere: Callable[[str], Awaitable[Elsewhere]] = nowhere,
        fair_use: FairUse | None = None,
        clients: Clients | None = None,
    ) -> None:
        """Count answers by status in ``answered``.

        ``elsewhere`` tells where a path below `/feeds/` leads that names no document;
        ``fair_use`` is None where everybody may ask as often as they like.
        """
        self._app = app
        self._shelf = shelf
        self._held = shelf.memory.held
        self._prefix = prefix
        self._before = {b"", prefix.encode()}
        self._loading = anyio.Lock()
        self._answered = answered
        self._elsewhere = elsewhere
        self._fair_use = fair_use
        self._clients = clients or Clients()
        self._checked: set[str] = set()

    # --- without ASGI ------------------------------------------------------------------------

    def quick(self, target: bytes, fields: Fields, peer: str) -> QuickAnswer | None:
        """Answer a GET at once: status, headers as HTTP/1.1 writes them, body.

        None if that takes more than memory and, in a folder, one look: everything else, mistakes
        included, is for ``__call__``. Both give the same answer.
        """
        before, found, name = target.partition(b"/feeds/")
        if not found or before not in self._before:
            return None
        document = self._fresh(name.decode("latin-1"))
        if document is None:
            return None
        variant, known = _chosen(document, fields)
        if not known and variant.body is None:
            return None
        if self._wait(variant, fields, peer, full=not known) > 0:
            return None
        if known:
            self._answered[304] += 1
            return 304, variant.wire[1], b""
        self._answered[200] += 1
        return 200, variant.wire[0], variant.body or b""

    def _fresh(self, name: str) -> Document | None:
        """Return a held document, its file looked at in this turn of the event loop.

        Whoever asks in the same turn has asked at the same time: the kernel told of all of
        them at once, so that one look is true for all of them.
        """
        checked = self._checked
        if name in checked:
            return self._held.get(name)
        document = self._shelf.current(name)
        if document is not None:
            if not checked:
                asyncio.get_running_loop().call_soon(checked.clear)
            checked.add(name)
        return document

    # --- as an ASGI application --------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(ROOT):
            await self._app(scope, receive, send)
            return
        method: str = scope["method"]
        if method not in {"GET", "HEAD"}:
            await self._other(method, send)
            return
        rest, head = path[len(ROOT) :], method == "HEAD"
        name = feed_name(rest)
        try:
            document = await self._shelf.find(name) if name else None
            if document is not None:
                await self._answer(document, scope, send, head=head)
            else:
                await self._lead_elsewhere(rest, send, head=head)
        except (OSError, Temporary):
            retry = [(b"retry-after", b"5"), *CORS]
            await self._say(503, "This feed cannot be read now.", send, retry, head=head)

    async def _answer(self, document: Document, scope: Scope, send: Send, *, head: bool) -> None:
        fields = joined(scope["headers"])
        variant, known = _chosen(document, fields)
        peer = (scope.get("client") or ("",))[0]
        wait = self._wait(variant, fields, peer, full=not known and not head)
        if wait > 0:
            await self._refuse(wait, send, head=head)
            return
        if known:
            status, headers, body = 304, variant.unchanged, b""
        else:
            if variant.body is None:
                await self._pack(document, variant)
            status, headers, body = 200, variant.found, variant.body or b""
        self._answered[status] += 1
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else body})

    async def _pack(self, document: Document, variant: Variant) -> None:
        if document.large:
            async with self._loading:
                if variant.body is None:
                    await anyio.to_thread.run_sync(variant.pack)
        else:
            variant.pack()
        self._shelf.memory.grown(document, variant)

    def _wait(self, variant: Variant, fields: Fields, peer: str, *, full: bool) -> float:
        if self._fair_use is None:
            return 0.0
        client = self._clients.key(
            peer,
            fields.get(b"x-forwarded-for", b"").decode("latin-1"),
            fields.get(b"forwarded", b"").decode("latin-1"),
        )
        if not client:
            return 0.0
        plain = b"if-none-match" not in fields and b"if-modified-since" not in fields
        return self._fair_use.wait(client, variant.etag, full=full and plain)

    async def _refuse(self, wait: float, send: Send, *, head: bool) -> None:
        sentence = (
            "You were sent this feed before and it has not changed. Send its ETag in If-None-Match "
            "or its Last-Modified in If-Modified-Since, or ask less often."
        )
        retry: Headers = [(b"retry-after", b"%d" % max(1, math.ceil(wait))), *CORS]
        await self._say(429, sentence, send, retry, head=head)

    async def _lead_elsewhere(self, rest: str, send: Send, *, head: bool) -> None:
        """Lead a feed's bare name to its page and a renamed feed's to the new one."""
        status, location = await self._elsewhere(rest)
        more: Headers = [*CORS]
        if location:
            more.append((b"location", location.encode("latin-1", "ignore")))
        await self._say(status, _SENTENCES.get(status, _MISSING), send, more, head=head)

    async def _other(self, method: str, send: Send) -> None:
        if method == "OPTIONS":
            await self._say(200, "Feeds can be read from any site.", send, _PREFLIGHT)
            return
        await self._say(405, "Feeds can only be read.", send, [(b"allow", _ALLOWED), *CORS])

    async def _say(
        self, status: int, sentence: str, send: Send, headers: Headers, *, head: bool = False
    ) -> None:
        self._answered[status] += 1
        await say(send, status, sentence, headers=headers, head=head)


_SENTENCES = {
    301: "This feed has another name now.",
    308: "This feed's formats are listed on its page.",
    410: "This feed was withdrawn.",
}


def joined(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return headers by name, the lines of one header joined as RFC 9110 §5.3 says."""
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


def _chosen(document: Document, fields: Fields) -> tuple[Variant, bool]:
    """Return what suits a client best, and whether it has that already."""
    accepted = fields.get(b"accept-encoding")
    coding = chosen_coding(accepted.decode("latin-1") if accepted else None, OFFERED)
    # Somebody opens it in a browser's window; readers, those in browsers too, say something else.
    if document.opens and fields.get(b"sec-fetch-dest") == b"document":
        variant = document.opened(coding)
    else:
        variant = document.variant(coding)
    condition = fields.get(b"if-none-match")
    since = fields.get(b"if-modified-since")
    if condition is None and since is None:
        return variant, False
    known = unchanged(
        None if condition is None else condition.decode("latin-1"),
        None if since is None else since.decode("latin-1"),
        etag=variant.etag,
        modified=document.modified,
    )
    return variant, known
