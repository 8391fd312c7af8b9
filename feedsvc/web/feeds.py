"""`/feeds/…` answered from memory, in the event loop, before any router."""

from __future__ import annotations

import re
from collections import Counter

import anyio
import anyio.to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

from feedsvc.model import ALL
from feedsvc.publish import FEED_FORMATS
from feedsvc.web.conditional import unchanged, wants_gzip
from feedsvc.web.documents import CORS, Document, Documents
from feedsvc.web.door import Headers, say

_NAME = re.compile(rf"[a-z0-9-]{{1,120}}\.(?:{'|'.join(FEED_FORMATS)})|index\.opml")
_SLUG = re.compile(r"[a-z0-9-]{1,120}")
_ALLOWED = b"GET, HEAD, OPTIONS"
_LARGE = 256 << 10
"""Files from this size on are read and compressed in a thread: others must not wait for them."""

_PREFLIGHT: Headers = [
    (b"allow", _ALLOWED),
    (b"access-control-allow-methods", _ALLOWED),
    (b"access-control-allow-headers", b"If-None-Match, If-Modified-Since, Accept-Encoding"),
    (b"access-control-max-age", b"86400"),
    *CORS,
]


class FeedCache:
    """Answer requests for feeds from ``documents``; pass all others on to ``app``."""

    def __init__(
        self, app: ASGIApp, documents: Documents, answered: Counter[int], *, prefix: str = ""
    ) -> None:
        """Count answers by status in ``answered``."""
        self._app = app
        self._documents = documents
        self._prefix = prefix
        self._loading = anyio.Lock()
        self._answered = answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith("/feeds/"):
            await self._app(scope, receive, send)
            return
        method: str = scope["method"]
        name = path[len("/feeds/") :]
        if method not in {"GET", "HEAD"}:
            await self._other(method, send)
            return
        if _NAME.fullmatch(name) is None:
            await self._elsewhere(name, send, head=method == "HEAD")
            return
        try:
            document = await self._current(name)
        except OSError:
            retry = [(b"retry-after", b"5"), *CORS]
            await self._say(
                503, "This feed cannot be read now.", send, retry, head=method == "HEAD"
            )
            return
        if document is None:
            await self._say(404, "There is no such feed.", send, CORS, head=method == "HEAD")
            return
        await self._answer(document, scope, send)

    async def _current(self, name: str) -> Document | None:
        held, stamp = self._documents.look(name)
        if stamp is None or (held is not None and held.stamp == stamp):
            return held
        try:
            if stamp[0] >= _LARGE:
                return await self._read_large(name)
            document = self._documents.read(name)
        except OSError:
            # No file descriptors left, a disk in trouble: the last good document beats none.
            if held is None:
                raise
            return held
        self._documents.keep(name, document)
        return document

    async def _read_large(self, name: str) -> Document | None:
        async with self._loading:
            held, stamp = self._documents.look(name)
            if stamp is None or (held is not None and held.stamp == stamp):
                return held  # somebody else read it while this request waited
            document = await anyio.to_thread.run_sync(self._documents.read, name)
            self._documents.keep(name, document)
            return document

    async def _answer(self, document: Document, scope: Scope, send: Send) -> None:
        coding = condition = since = None
        for key, value in scope["headers"]:
            if key == b"accept-encoding":
                coding = _joined(coding, value)
            elif key == b"if-none-match":
                condition = _joined(condition, value)
            elif key == b"if-modified-since":
                since = value.decode("latin-1")
        chosen = document.gzip if wants_gzip(coding) else document.identity
        if unchanged(condition, since, etag=chosen.etag, modified=document.modified):
            status, headers, body = 304, chosen.unchanged, b""
        else:
            status, headers, body = 200, chosen.found, chosen.body
        self._answered[status] += 1
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body})

    async def _elsewhere(self, name: str, send: Send, *, head: bool) -> None:
        """Lead a feed's bare name to the page about it; other names lead nowhere."""
        if name and _SLUG.fullmatch(name) is None:
            await self._say(404, "There is no such feed.", send, CORS, head=head)
            return
        page = f"/topics/{name}" if name and name != ALL else "/"
        location = (b"location", (self._prefix + page).encode())
        await self._say(
            308, "The feeds of this topic are listed on its page.", send, [location], head=head
        )

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


def _joined(before: str | None, value: bytes) -> str:
    """Join the lines of one header as RFC 9110 §5.3 says."""
    text = value.decode("latin-1")
    return text if before is None else f"{before}, {text}"
