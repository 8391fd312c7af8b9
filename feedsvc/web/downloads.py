"""Snapshots for download: streamed from the archive, whole or one range of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from feedsvc.errors import NotFound
from feedsvc.model import Snapshot
from feedsvc.runtime import Runtime
from feedsvc.urls import host_of
from feedsvc.web.conditional import (
    Unsatisfiable,
    http_date,
    range_still_valid,
    single_range,
    unchanged,
)
from feedsvc.web.pages import NO_SNAPSHOT, snapshot_id
from feedsvc.web.rendering import safe_filename

_CHUNK = 256 << 10
_LOST = (
    "The archive no longer holds this snapshot as it was recorded. "
    "`feedsvc verify` tells what is wrong with it."
)


class Downloads:
    """The endpoint for `/snapshots/<id>.warc.gz`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def snapshot(self, request: Request) -> Response:
        """Answer with a snapshot's bytes, a range of them, 304 or 416."""
        key = snapshot_id(request)
        with self._runtime.database.reading() as store:
            snapshot = store.snapshot(key)
        if snapshot is None:
            raise HTTPException(404, NO_SNAPSHOT)
        headers = _headers(snapshot)
        if unchanged(
            request.headers.get("if-none-match"),
            request.headers.get("if-modified-since"),
            etag=headers["etag"],
            modified=snapshot.captured,
        ):
            return Response(status_code=304, headers=headers)
        wanted = request.headers.get("range")
        if not range_still_valid(
            request.headers.get("if-range"), etag=headers["etag"], modified=snapshot.captured
        ):
            wanted = None
        try:
            part = single_range(wanted, snapshot.size)
        except Unsatisfiable:
            raise HTTPException(
                416,
                f"The snapshot has {snapshot.size} bytes.",
                headers={"content-range": f"bytes */{snapshot.size}"},
            ) from None
        return self._stream(snapshot, part, headers)

    def _stream(
        self, snapshot: Snapshot, part: tuple[int, int] | None, headers: dict[str, str]
    ) -> Response:
        first, last = part or (0, snapshot.size - 1)
        file = self._open(snapshot, first)
        headers |= {
            "content-length": str(last - first + 1),
            "content-disposition": f'attachment; filename="{_filename(snapshot)}"',
        }
        if part:
            headers["content-range"] = f"bytes {first}-{last}/{snapshot.size}"
        return BlobResponse(file, last - first + 1, status=206 if part else 200, headers=headers)

    def _open(self, snapshot: Snapshot, first: int) -> IO[bytes]:
        with suppress(NotFound):
            file = self._runtime.archive.open(snapshot.key, at=first)
            if file.seek(0, os.SEEK_END) == snapshot.size:
                file.seek(first)
                return file
            file.close()
        # Other bytes must not go out under the digest of the ones recorded.
        raise HTTPException(404, _LOST)


class BlobResponse(StreamingResponse):
    """Stream ``length`` bytes of an open file in threads, and close it whatever happens."""

    def __init__(
        self, file: IO[bytes], length: int, *, status: int, headers: dict[str, str]
    ) -> None:
        super().__init__(_chunks(file, length), status, headers, "application/gzip")
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] == "HEAD":
                await send(
                    {
                        "type": "http.response.start",
                        "status": self.status_code,
                        "headers": self.raw_headers,
                    }
                )
                await send({"type": "http.response.body", "body": b""})
            else:
                await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def _chunks(file: IO[bytes], length: int) -> Iterator[bytes]:
    while length > 0 and (chunk := file.read(min(_CHUNK, length))):
        length -= len(chunk)
        yield chunk


def _headers(snapshot: Snapshot) -> dict[str, str]:
    return {
        "etag": f'"{snapshot.sha256}"',
        "last-modified": http_date(snapshot.captured),
        "cache-control": "public, max-age=86400",
        "accept-ranges": "bytes",
    }


def _filename(snapshot: Snapshot) -> str:
    # RFC 6266: a plain ASCII token needs no escapes and no filename*.
    return safe_filename(
        host_of(snapshot.url),
        f"{snapshot.captured:%Y%m%dT%H%M%SZ}",
        snapshot.id[:8],
        suffix=".warc.gz",
    )
