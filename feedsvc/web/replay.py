"""Snapshots to be looked at: archived pages in a frame of ours, and what they consist of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from hashlib import sha256
from itertools import chain

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from feedsvc import __version__
from feedsvc.charset import declared_charset, stylesheet_text
from feedsvc.jobs.contents import contents_of, look_in
from feedsvc.logs import logger
from feedsvc.model import Snapshot
from feedsvc.replay.content import VIEW, Contents, Found, Missing
from feedsvc.replay.css import rewritten_css
from feedsvc.replay.index import redirect_of
from feedsvc.replay.links import FRAME, PAGE, RAW, Links
from feedsvc.replay.readable import readable_text
from feedsvc.replay.records import Unreadable
from feedsvc.replay.rewrite import rewritten_html, rewritten_svg
from feedsvc.replay.types import Handling, Sent, sent_as
from feedsvc.runtime import Runtime
from feedsvc.web.addresses import RAW_POLICY, Policies, archived, asked_url
from feedsvc.web.answers import Pages, answer
from feedsvc.web.conditional import names
from feedsvc.web.memento import Mementos
from feedsvc.web.pages import NO_SNAPSHOT, snapshot_id

MAX_DOCUMENT = 16 << 20
"""Bytes of a page, drawing or stylesheet that are shown; what is beyond can be had raw."""
MAX_UNPACKED = 1 << 30
"""Bytes that anything else unpacks to at most."""
_HEAVY = 1 << 20
_A_WHILE = "public, max-age=3600"
# Answers that ask something of a client; to one that looks at an archive they mean nothing.
_ACTED_ON = frozenset((401, 407, 408, 421, 425, 426, 428, 429, 431, 511))

_NOTICE = (
    '<hr><p lang="en">The archive shows the first {size} MiB of this page. All of it as it was '
    "captured is at <code>{raw}</code> and the page's address.</p>"
)

log = logger(__name__)


class Replay:
    """Endpoints below `/snapshots/<id>/`."""

    def __init__(self, runtime: Runtime, pages: Pages, mementos: Mementos, *, prefix: str) -> None:
        self._runtime = runtime
        self._pages = pages
        self._mementos = mementos
        self._prefix = prefix
        self._policies = Policies(runtime.site.base_url, prefix=prefix)
        self._contents = contents_of(runtime)
        # Rewriting is work for the processor: one large document at a time.
        self._heavy = threading.Lock()

    @property
    def contents(self) -> Contents:
        """What snapshots hold, for whoever shows another part of them."""
        return self._contents

    def banner(self, request: Request) -> Response:
        """Show a snapshot: what it is, and below that the archived page in a frame."""
        key = snapshot_id(request)
        with self._runtime.database.reading() as store:
            snapshot = store.snapshot(key)
            if snapshot is None:
                raise HTTPException(404, NO_SNAPSHOT)
            article = store.article(snapshot.article_id)
            captures = store.snapshots(snapshot.article_id)
        page = self._page(snapshot)
        place = next(number for number, one in enumerate(captures) if one.id == key)
        response = self._pages.page(
            request,
            "snapshot.html",
            snapshot=snapshot,
            article=article,
            captures=captures,
            newer=captures[place - 1] if place else None,
            older=captures[place + 1] if place + 1 < len(captures) else None,
            note=_note(page),
            shown=_can_be_shown(page),
            readable=isinstance(page, Found) and _is_text(page),
            view=self._has_view(snapshot),
            frame=archived(self._prefix, key, PAGE, snapshot.final_url),
            raw=archived(self._prefix, key, RAW, page.url) if isinstance(page, Found) else "",
        )
        response.headers["content-security-policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            "frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        return response

    def _has_view(self, snapshot: Snapshot) -> bool:
        found = self._contents.look(snapshot.key, VIEW + snapshot.final_url, follow=False)
        return isinstance(found, Found)

    def shown(self, request: Request) -> Response:
        """Answer with an archived page or one of its requisites, made safe to look at."""
        return self._shown(request, PAGE)

    def framed(self, request: Request) -> Response:
        """Answer with an archived document that stands in a frame of an archived page."""
        return self._shown(request, FRAME)

    def raw(self, request: Request) -> Response:
        """Answer with the bytes of a response as they were captured."""
        snapshot, url = self._asked(request, RAW)
        found = look_in(self._runtime, self._contents, snapshot, url, follow=False)
        if isinstance(found, Missing):
            return self._missing(request, snapshot, found, RAW)
        headers = self._headers(snapshot, found, url) | {"content-security-policy": RAW_POLICY}
        status = found.record.status
        if target := redirect_of(found.record):
            headers["location"] = archived(self._prefix, snapshot.id, RAW, target)
        else:
            status = _status(found)
        if self._has(request, found):
            return Response(status_code=304, headers=headers)
        coding = found.record.header("content-encoding").lower()
        if coding in {"gzip", "br", "deflate", "zstd"}:
            headers["content-encoding"] = coding
        try:
            start, pieces = _begun(self._contents.raw(found))
        except Unreadable as error:
            return self._missing(request, snapshot, _damaged(url, error), RAW)
        sent = sent_as(found.media_type, b"" if coding else start)
        response = _streamed(found, sent, pieces, headers, size=found.size)
        if sent.handling in {Handling.HTML, Handling.SVG}:
            # No policy keeps a browser from connecting early to hosts a page names.
            response.headers["content-disposition"] = "attachment"
        response.status_code = status
        return response

    def text(self, request: Request) -> Response:
        """Answer with the text of an archived page."""
        snapshot, _ = self._asked(request, None)
        page = self._page(snapshot)
        if isinstance(page, Missing):
            raise HTTPException(404, page.reason)
        if not _is_text(page):
            raise HTTPException(404, "The original was no page of text.")
        try:
            body, _ = self._contents.content(page, limit=MAX_DOCUMENT)
        except Unreadable as error:
            raise HTTPException(404, _damaged(page.url, error).reason) from None
        text = readable_text(body, content_type=page.media_type)
        headers = self._mementos.headers(snapshot, snapshot.url, snapshot.captured)
        return answer(
            request,
            text.encode("utf-8", "replace"),
            media_type="text/plain",
            headers={**headers, "content-security-policy": RAW_POLICY, "x-robots-tag": "noindex"},
        )

    # --- parts --------------------------------------------------------------------------

    def _asked(self, request: Request, modifier: str | None) -> tuple[Snapshot, str]:
        """Return the snapshot and the archived URL a request names."""
        key = snapshot_id(request)
        with self._runtime.database.reading() as store:
            snapshot = store.snapshot(key)
        if snapshot is None:
            raise HTTPException(404, NO_SNAPSHOT)
        before = f"/snapshots/{key}/{modifier}/"
        return snapshot, "" if modifier is None else asked_url(request, before)

    def _page(self, snapshot: Snapshot) -> Found | Missing:
        """Return the page a snapshot was taken of."""
        page = look_in(self._runtime, self._contents, snapshot, snapshot.final_url, follow=True)
        if isinstance(page, Missing) and not page.damaged:
            return look_in(self._runtime, self._contents, snapshot, snapshot.url, follow=True)
        return page

    def _shown(self, request: Request, modifier: str) -> Response:
        snapshot, url = self._asked(request, modifier)
        found = look_in(self._runtime, self._contents, snapshot, url, follow=True)
        if isinstance(found, Missing):
            return self._missing(request, snapshot, found, modifier)
        headers = self._headers(snapshot, found, url)
        headers["content-security-policy"] = self._policies.archived(request, snapshot.id, modifier)
        if self._has(request, found):
            return Response(status_code=304, headers=headers)
        try:
            return self._made(request, snapshot, found, headers)
        except Unreadable as error:
            return self._missing(request, snapshot, _damaged(url, error), modifier)

    def _made(
        self, request: Request, snapshot: Snapshot, found: Found, headers: dict[str, str]
    ) -> Response:
        start, pieces = _begun(self._contents.decoded(found, limit=MAX_UNPACKED))
        sent = sent_as(found.media_type, start)
        if sent.crosses_origins:
            headers["access-control-allow-origin"] = "*"
        if sent.handling in {Handling.AS_IS, Handling.DOWNLOAD}:
            plain = not found.record.header("content-encoding")
            return _streamed(found, sent, pieces, headers, size=found.size if plain else None)
        body, more = _gathered(pieces)
        return answer(
            request,
            self._rewritten(snapshot, found, sent, body, more=more),
            media_type=sent.media_type,
            status=_status(found),
            cache=headers.pop("cache-control"),
            headers=headers,
            tag=_tag(found),
        )

    def _rewritten(
        self, snapshot: Snapshot, found: Found, sent: Sent, body: bytes, *, more: bool
    ) -> bytes:
        """Return a document whose references lead into the snapshot."""
        root = f"{self._prefix}/snapshots/{snapshot.id}"
        links = Links(root=root, base=found.url)
        kind = found.media_type
        with self._heavy if len(body) > _HEAVY else nullcontext():
            if sent.handling is Handling.CSS:
                text = stylesheet_text(body, declared=declared_charset(kind))
                return rewritten_css(text, links).encode("utf-8", "replace")
            if sent.handling is Handling.SVG:
                return rewritten_svg(body, content_type=kind, links=links)
            notice = _NOTICE.format(raw=f"{root}/{RAW}/", size=MAX_DOCUMENT >> 20) if more else ""
            return rewritten_html(body, content_type=kind, links=links, notice=notice)

    def _headers(self, snapshot: Snapshot, found: Found, url: str) -> dict[str, str]:
        """Return what goes with a captured response; of its own headers only what is made anew."""
        captured = found.record.captured or snapshot.captured
        return {
            **self._mementos.headers(snapshot, url, captured),
            "cache-control": _A_WHILE,
            "etag": f"W/{_tag(found)}",
            "x-robots-tag": "noindex",
        }

    def _has(self, request: Request, found: Found) -> bool:
        condition = request.headers.get("if-none-match")
        return condition is not None and names(condition, _tag(found))

    def _missing(
        self, request: Request, snapshot: Snapshot, missing: Missing, modifier: str
    ) -> Response:
        """Answer with a page of ours in place of what was not captured, or is damaged."""
        response = self._pages.page(
            request,
            "snapshot_missing.html",
            status=404,
            missing=missing,
            snapshot=snapshot,
        )
        response.headers["content-security-policy"] = self._policies.ours(request, modifier)
        response.headers["x-robots-tag"] = "noindex"
        return response


class PayloadResponse(StreamingResponse):
    """Stream a payload in threads, and close its file whatever happens."""

    def __init__(self, pieces: Iterator[bytes], *, status: int, headers: dict[str, str]) -> None:
        super().__init__(_sound(pieces), status, headers)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the payload; of an answer to HEAD the head."""
        try:
            if scope["method"] == "HEAD":
                await Response(status_code=self.status_code, headers=dict(self.headers))(
                    scope, receive, send
                )
            else:
                await super().__call__(scope, receive, send)
        finally:
            _close(self._pieces)


def _streamed(
    found: Found, sent: Sent, pieces: Iterator[bytes], headers: dict[str, str], *, size: int | None
) -> Response:
    headers["content-type"] = sent.raw
    if sent.handling is Handling.DOWNLOAD:
        headers["content-disposition"] = "attachment"
    if size is not None:
        headers["content-length"] = str(size)
    return PayloadResponse(pieces, status=_status(found), headers=headers)


def _sound(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pass a payload on; where it turns out to be damaged it ends, shorter than announced."""
    try:
        yield from pieces
    except Unreadable as error:
        log.warning("replay.damaged", reason=str(error))


def _begun(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Read the first piece, so that what cannot be read is known before the answer begins."""
    try:
        start = next(pieces, b"")
    except BaseException:
        _close(pieces)
        raise
    return start, _Rejoined(start, pieces)


class _Rejoined(Iterator[bytes]):
    """Pieces with the first one put back; closing it closes what they come from."""

    def __init__(self, start: bytes, pieces: Iterator[bytes]) -> None:
        self._chain = chain([start], pieces)
        self._pieces = pieces

    def __next__(self) -> bytes:
        return next(self._chain)

    def close(self) -> None:
        """Close the file the pieces come from."""
        _close(self._pieces)


def _close(pieces: Iterator[bytes]) -> None:
    close = getattr(pieces, "close", None)
    if close is not None:
        with suppress(ValueError):  # a thread is in it, and will come to the end of it
            close()


def _gathered(pieces: Iterator[bytes]) -> tuple[bytes, bool]:
    """Return a document's bytes, and whether there were more than are shown."""
    out = bytearray()
    try:
        for piece in pieces:
            out += piece
            if len(out) > MAX_DOCUMENT:
                break
    finally:
        _close(pieces)
    return bytes(out[:MAX_DOCUMENT]), len(out) > MAX_DOCUMENT


def _tag(found: Found) -> str:
    """Return what changes when a response is sent differently: its payload, or our rewriting."""
    what = (__version__, found.record.digest, found.url, found.media_type, str(found.record.offset))
    return f'"{sha256("|".join(what).encode("utf-8", "replace")).hexdigest()[:24]}"'


def _status(found: Found) -> int:
    status = found.record.status
    return status if 400 <= status < 600 and status not in _ACTED_ON else 200


def _is_text(page: Found) -> bool:
    return sent_as(page.media_type).handling is Handling.HTML


def _can_be_shown(page: Found | Missing) -> bool:
    return isinstance(page, Found) and (not page.media_type or sent_as(page.media_type).is_document)


def _note(page: Found | Missing) -> str:
    """Say what is wrong with a snapshot's page, or why it is not shown; empty if all is well."""
    if isinstance(page, Missing):
        return page.reason
    if not _can_be_shown(page):
        kind = page.media_type.partition(";")[0][:80]
        return f"The original is a file of the type {kind}, which is not shown here."
    if page.record.truncated:
        return "The capture was cut off, so that the end of the page may be missing."
    return ""


def _damaged(url: str, error: Unreadable) -> Missing:
    return Missing(url, f"It was captured, but is damaged: {error}.", damaged=True)
