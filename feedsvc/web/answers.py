"""Answers with a body made for this request: ETag, 304 and gzip in one place."""

from __future__ import annotations

import gzip
from hashlib import sha256
from typing import Any

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import Response

from feedsvc.web.conditional import names, wants_gzip

_WORTH_PACKING = 1000


def answer(
    request: Request,
    body: bytes,
    *,
    media_type: str,
    status: int = 200,
    cache: str = "no-cache",
    headers: dict[str, str] | None = None,
    tag: str | None = None,
) -> Response:
    """Return body as a response, 304 if the client has it, gzip if it wants that.

    ``cache`` is the Cache-Control header; `no-cache` means: keep it, but ask before each use.
    ``tag`` becomes a weak ETag instead of one made from the body.
    """
    made = {"cache-control": cache, "vary": "Accept-Encoding", **(headers or {})}
    if len(body) >= _WORTH_PACKING and wants_gzip(_all(request, "accept-encoding")):
        body = gzip.compress(body, compresslevel=4, mtime=0)
        made["content-encoding"] = "gzip"
    if status == 200:
        etag = tag or f'"{sha256(body).hexdigest()[:32]}"'
        made["etag"] = f"W/{etag}" if tag else etag
        condition = _all(request, "if-none-match")
        if condition is not None and names(condition, etag):
            made.pop("content-encoding", None)
            return Response(status_code=304, headers=made)
    return Response(body, status, made, media_type)


def _all(request: Request, name: str) -> str | None:
    values = request.headers.getlist(name)
    return ", ".join(values) if values else None


class Pages:
    """Render templates with what every page shows."""

    def __init__(self, templates: Environment, **common: Any) -> None:
        self._templates = templates
        self._common = common

    def page(
        self, request: Request, template: str, *, status: int = 200, **values: Any
    ) -> Response:
        """Return a rendered page; only 200 may be kept by caches."""
        text = self._templates.get_template(template).render(**self._common, **values)
        # A lone surrogate can be in no stored text, but must not turn a page into an error either.
        body = text.encode("utf-8", "replace")
        cache = "no-cache" if status == 200 else "no-store"
        return answer(request, body, media_type="text/html", status=status, cache=cache)
