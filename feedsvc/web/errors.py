"""What is said when something is not there or does not work; never how it broke."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from feedsvc.errors import FeedsvcError
from feedsvc.logs import logger
from feedsvc.web.answers import Pages, json_answer, wants_json

_HEADINGS = {
    400: "This cannot be understood",
    404: "Not found",
    405: "Only reading is possible here",
    410: "Gone",
    416: "No such part",
    500: "Something broke here",
    503: "Not available now",
}
_SENTENCES = {
    404: "There is nothing under this address.",
    405: "This address can be read, with GET or HEAD, and nothing else.",
    500: "The fault is on this side and has been logged. Please try again later.",
    503: "The database or the archive does not answer. The feeds are still served; please try again later.",
}
_OWN_WORDS = frozenset({400, 404, 410, 416, 500})
"""Where the endpoint knows better than this table what is wrong."""
_STARLETTES = frozenset({"Bad Request", "Not Found", "Gone", "Internal Server Error"})
_RETRY_SECONDS = "30"
PROBLEM = "application/problem+json"

Handler = Callable[[Request, Exception], Response]

log = logger(__name__)


def handlers(pages: Pages) -> Mapping[Any, Handler]:
    """Return Starlette's exception handlers, which touch no database.

    They render ``error.html``, or for whoever asked for JSON a problem document (RFC 9457).
    """

    def show(request: Request, status: int, sentence: str | None = None) -> Response:
        heading = _HEADINGS.get(status, "This does not work")
        said = sentence or _SENTENCES.get(status, "The request cannot be answered.")
        if wants_json(request):
            return _problem(request, status, heading, said)
        return pages.page(request, "error.html", status=status, heading=heading, sentence=said)

    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
        own = error.detail if error.status_code in _OWN_WORDS else None
        response = show(request, error.status_code, None if own in _STARLETTES else own)
        response.headers.update(error.headers or {})
        return response

    def away(request: Request, error: Exception) -> Response:
        log.warning("web.unavailable", path=request.scope["path"], reason=str(error))
        response = show(request, 503)
        response.headers["retry-after"] = _RETRY_SECONDS
        return response

    def broken(request: Request, _error: Exception) -> Response:
        # Starlette raises the error again after this answer, and uvicorn logs it.
        return show(request, 500)

    return {HTTPException: refused, FeedsvcError: away, Exception: broken}


def _problem(request: Request, status: int, title: str, detail: str) -> Response:
    # RFC 9457 §4.2.1: no type of its own means that the status code says it all.
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return json_answer(request, document, status=status, media_type=PROBLEM)
