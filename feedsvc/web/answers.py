"""Answers with a body made for this request: ETag, 304, gzip, and each page's twin in JSON."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from feedsvc.model import Site
from feedsvc.text import REPLACEMENT
from feedsvc.web.conditional import names, wants_gzip

VERSION = 1
"""Of the JSON: it counts up when a name goes or means something else, not when one is added."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""Of our own pages: what they load comes from here, and no script stands in a page."""

CORS: Mapping[str, str] = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "ETag, Link, Retry-After",
}

_WORTH_PACKING = 1000
# Terminals act on these, and HTML forbids them.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SLY = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def answer(
    request: Request,
    body: bytes,
    *,
    media_type: str,
    status: int = 200,
    cache: str = "no-cache",
    headers: Mapping[str, str] | None = None,
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


def json_answer(
    request: Request,
    document: Mapping[str, Any],
    *,
    status: int = 200,
    media_type: str = "application/json",
) -> Response:
    """Return a document as JSON that scripts of other sites may read."""
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    # The same to a program, and harmless to a terminal.
    text = _SLY.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return answer(
        request,
        text.encode("utf-8", "replace"),
        media_type=media_type,
        status=status,
        cache="no-cache" if status == 200 else "no-store",
        headers=CORS,
    )


def wants_json(request: Request) -> bool:
    """Tell whether whoever asked expects JSON: by the address, or by a header that says so."""
    path: str = request.scope["path"]
    if path.endswith(".json"):
        return True
    accept = request.headers.get("accept", "")
    return "json" in accept and "html" not in accept


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows, before it is known whether as HTML or as JSON."""

    template: str
    title: str
    path: str
    """The page's own address below the site's, without a query: its canonical one."""
    values: Mapping[str, Any]
    """For the template."""
    twin: Callable[[], Mapping[str, Any]]
    """Makes what JSON says besides title and addresses."""
    query: Mapping[str, str] = field(default_factory=dict)
    """What makes this page of a list another one than its first."""
    following: Mapping[str, str] | None = None
    """The query of the next page; None on the last one."""
    status: int = 200


Look = Callable[[Request], Shown | Response]


def twin_path(path: str) -> str:
    """Return the path of a page's twin: `/topics/sport.json`, `/index.json`."""
    return f"{path}index.json" if path.endswith("/") else f"{path}.json"


def with_query(path: str, query: Mapping[str, str]) -> str:
    """Return a path with a query, if there is one."""
    return f"{path}?{urlencode(query)}" if query else path


class Pages:
    """Render templates with what every page shows."""

    def __init__(self, templates: Environment, *, site: Site, prefix: str, **common: Any) -> None:
        self._templates = templates
        self._site = site
        self._prefix = prefix
        self._common = {"site": site, "prefix": prefix, **common}

    def page(
        self, request: Request, template: str, *, status: int = 200, **values: Any
    ) -> Response:
        """Return a rendered page; only 200 may be kept by caches."""
        text = self._templates.get_template(template).render(**self._common, **values)
        # A lone surrogate can be in no stored text, but must not turn a page into an error either.
        body = _CONTROL.sub(REPLACEMENT, text).encode("utf-8", "replace")
        return answer(
            request,
            body,
            media_type="text/html",
            status=status,
            cache="no-cache" if status == 200 else "no-store",
            headers={"content-security-policy": POLICY},
        )

    def paired(self, path: str, look: Look) -> list[Route]:
        """Return the routes of a page and of its twin."""
        return [Route(twin_path(path), self._json(look)), Route(path, self._html(look))]

    def _html(self, look: Look) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            shown = look(request)
            if isinstance(shown, Response):
                return shown
            following = shown.following
            return self.page(
                request,
                shown.template,
                status=shown.status,
                title=shown.title,
                canonical=self._site.base_url + with_query(shown.path, shown.query),
                first=not shown.query,
                first_page=self._prefix + shown.path,
                next_page=None if following is None else self._local(shown.path, following),
                twin=self._local(twin_path(shown.path), shown.query),
                **shown.values,
            )

        return endpoint

    def _json(self, look: Look) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            shown = look(request)
            if isinstance(shown, Response):
                location = shown.headers.get("location")
                if location:
                    shown.headers["location"] = twin_path(location)
                return shown
            base, twin = self._site.base_url, twin_path(shown.path)
            following = shown.following
            document = {
                "feedsvc": {"version": VERSION},
                "title": shown.title,
                "url": base + with_query(shown.path, shown.query),
                "self": base + with_query(twin, shown.query),
                "next": None if following is None else base + with_query(twin, following),
                **shown.twin(),
            }
            return json_answer(request, document, status=shown.status)

        return endpoint

    def _local(self, path: str, query: Mapping[str, str]) -> str:
        return self._prefix + with_query(path, query)
