"""Pictures of articles out of their snapshots, for feeds and pages: `/snapshots/<id>/image`."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import chain

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from feedsvc.model import Image, Snapshot
from feedsvc.replay.content import VIEW, Contents, Found, Missing
from feedsvc.replay.records import Unreadable
from feedsvc.runtime import Runtime
from feedsvc.web.addresses import RAW_POLICY
from feedsvc.web.conditional import http_date, unchanged
from feedsvc.web.pages import NO_SNAPSHOT, snapshot_id
from feedsvc.web.replay import PayloadResponse

NO_IMAGE = "This snapshot holds no such picture."
SUFFIXES = {
    "image/avif": ".avif",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
}
"""The types that are sent: pixels, nothing that could run."""
_LONG = "public, max-age=2592000, immutable"


class Images:
    """Endpoints that send one picture of a snapshot, its type as its bytes were found to be."""

    def __init__(self, runtime: Runtime, contents: Contents) -> None:
        self._runtime = runtime
        self._contents = contents

    def image(self, request: Request) -> Response:
        """Answer with the article's picture."""
        snapshot = self._snapshot(request)
        return self._sent(request, snapshot, snapshot.image)

    def thumbnail(self, request: Request) -> Response:
        """Answer with a small picture of the article or its page."""
        snapshot = self._snapshot(request)
        return self._sent(request, snapshot, snapshot.thumbnail)

    def view(self, request: Request) -> Response:
        """Answer with the page as a browser showed it, where one captured it."""
        snapshot = self._snapshot(request)
        url = VIEW + snapshot.final_url
        found = self._contents.look(snapshot.key, url, follow=False)
        size = found.size if isinstance(found, Found) else None
        return self._sent(request, snapshot, Image(url, "image/png", size=size))

    def _snapshot(self, request: Request) -> Snapshot:
        with self._runtime.database.reading() as store:
            snapshot = store.snapshot(snapshot_id(request))
        if snapshot is None:
            raise HTTPException(404, NO_SNAPSHOT)
        return snapshot

    def _sent(self, request: Request, snapshot: Snapshot, image: Image | None) -> Response:
        if image is None or image.media_type not in SUFFIXES or not image.size:
            raise HTTPException(404, NO_IMAGE)
        headers = _headers(snapshot, image)
        if unchanged(
            request.headers.get("if-none-match"),
            request.headers.get("if-modified-since"),
            etag=headers["etag"],
            modified=snapshot.captured,
        ):
            return Response(status_code=304, headers=headers)
        pieces = self._pieces(snapshot, image, image.size)
        headers |= {
            "content-type": image.media_type,
            "content-length": str(image.size),
            "content-disposition": f'inline; filename="{snapshot.id}{SUFFIXES[image.media_type]}"',
        }
        return PayloadResponse(pieces, status=200, headers=headers)

    def _pieces(self, snapshot: Snapshot, image: Image, size: int) -> Iterator[bytes]:
        """Open the picture, so that what is damaged or gone is known before the answer begins."""
        found = self._contents.look(snapshot.key, image.url, follow=False)
        if isinstance(found, Missing):
            raise HTTPException(404, found.reason)
        plain = not found.record.header("content-encoding")
        if plain and found.size is not None and found.size != size:
            raise HTTPException(404, "Its bytes are not those that were recorded.")
        pieces = self._contents.decoded(found, limit=size)
        try:
            start = next(pieces, b"")
        except Unreadable as error:
            raise HTTPException(404, f"It was captured, but is damaged: {error}.") from None
        return _Exactly(start, pieces, size)


class _Exactly(Iterator[bytes]):
    """Pieces with the first one put back, and no byte more than was announced."""

    def __init__(self, start: bytes, pieces: Iterator[bytes], size: int) -> None:
        self._chain = chain([start], pieces)
        self._pieces = pieces
        self._left = size

    def __next__(self) -> bytes:
        piece = next(self._chain)[: self._left]
        self._left -= len(piece)
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Close the file the pieces come from."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()


def _headers(snapshot: Snapshot, image: Image) -> dict[str, str]:
    what = f"{snapshot.sha256} {image.url} {image.media_type} {image.size}"
    return {
        "etag": f'"{sha256(what.encode("utf-8", "replace")).hexdigest()[:32]}"',
        "last-modified": http_date(snapshot.captured),
        "cache-control": _LONG,
        "content-security-policy": RAW_POLICY,
        "cross-origin-resource-policy": "cross-origin",
        "x-robots-tag": "noindex",
    }
