"""What a page says when something is not there or does not work; never how it broke."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from feedsvc.errors import FeedsvcError
from feedsvc.logs import logger
from feedsvc.web.answers import Pages

_HEADINGS = {
    404: "Not found",
    405: "Only reading is possible here",
    416: "No such part",
    500: "Something broke here",
    503: "Not available now",
}
_SENTENCES = {
    404: "There is nothing under this address.",
    405: "This address can be read, with GET or HEAD, and nothing else.",
    500: "The fault is on this side and has been logged. Please try again later.",
    503: "The database does not answer. The feeds are still served; please try again later.",
}
_RETRY_SECONDS = "30"

Handler = Callable[[Request, Exception], Response]

log = logger(__name__)


def handlers(pages: Pages) -> Mapping[Any, Handler]:
    """Return Starlette's exception handlers, which render ``error.html`` and touch no database."""

    def show(request: Request, status: int, sentence: str | None = None) -> Response:
        return pages.page(
            request,
            "error.html",
            status=status,
            heading=_HEADINGS.get(status, "This does not work"),
            sentence=sentence or _SENTENCES.get(status, "The request cannot be answered."),
        )

    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
        own = error.detail if error.status_code in {404, 416, 500} else None
        response = show(request, error.status_code, None if own == "Not Found" else own)
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
