"""Addresses of the archive: which archived URL a request is for, and what to send with it."""

from __future__ import annotations

import re

from starlette.requests import Request

from feedsvc.replay.links import FRAME
from feedsvc.urls import without_dots

_SCHEME = re.compile(r"(https?):/*", re.IGNORECASE)
_OTHER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_QUIET = "script-src 'none'; object-src 'none'; connect-src 'none'; worker-src 'none'; "
_CLOSED = "manifest-src 'none'; base-uri 'none'; form-action 'none'"

RAW_POLICY = f"sandbox; default-src 'none'; {_CLOSED}; frame-ancestors 'none'"
"""For bytes as they were captured: they load nothing, run nothing and stand in no frame."""


def asked_url(request: Request, before: str) -> str:
    """Return the URL that follows ``before`` in a request's address, its query included.

    It is taken from the raw path: the decoded one no longer tells `%2F` from `/`.
    """
    raw = (request.scope.get("raw_path") or b"").decode("ascii", "replace")
    _, found, url = raw.partition(before)
    if not found:
        url = request.path_params["url"]
    # Proxies merge slashes.
    url = _SCHEME.sub(lambda scheme: f"{scheme[1].lower()}://", url, count=1)
    if not _OTHER.match(url):
        url = f"http://{url}"
    query = request.scope.get("query_string") or b""
    return f"{url}?{query.decode('ascii', 'replace')}" if query else url


def archived(prefix: str, snapshot_id: str, modifier: str, url: str) -> str:
    """Return the address of a URL in a snapshot."""
    return f"{prefix}/snapshots/{snapshot_id}/{modifier}/{without_dots(url)}"


class Policies:
    """Content-Security-Policies of archived documents.

    A sandboxed document has no origin, and browsers differ in what `'self'` means to it. So the
    snapshot's own address is named, as the browser knows us and as the settings do. Nothing else
    of this site can be loaded, let alone of another.
    """

    def __init__(self, base_url: str, *, prefix: str) -> None:
        self._base_url = base_url
        self._prefix = prefix

    def archived(self, request: Request, snapshot_id: str, modifier: str) -> str:
        """Return the policy of whatever is sent from a snapshot to be shown."""
        own = self._sources(request, f"/snapshots/{snapshot_id}/")
        policy = (
            f"sandbox; default-src 'none'; img-src {own} data:; style-src {own} 'unsafe-inline'; "
            f"font-src {own} data:; media-src {own} data:; frame-src {own}; {_QUIET}{_CLOSED}"
        )
        return policy + _ancestors(modifier)

    def ours(self, request: Request, modifier: str) -> str:
        """Return the policy of a page of ours that stands where an archived one would."""
        style = self._sources(request, "/static/")
        return f"sandbox; default-src 'none'; style-src {style}; {_CLOSED}" + _ancestors(modifier)

    def _sources(self, request: Request, path: str) -> str:
        sources = {f"{self._base_url}{path}": None}
        if host := request.headers.get("host"):
            sources[f"{request.url.scheme}://{host}{self._prefix}{path}"] = None
        return " ".join(sources)


def _ancestors(modifier: str) -> str:
    # What stands above a frame of an archived page is that page, which has no origin.
    return "" if modifier == FRAME else "; frame-ancestors 'self'"
