"""The embedded WebSub hub's address: takes requests for subscriptions to our own feeds."""

from __future__ import annotations

from urllib.parse import parse_qsl

from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from feedsvc.errors import FeedsvcError
from feedsvc.jobs.subscribe import Form, HubAnswer, ask_hub
from feedsvc.logs import logger
from feedsvc.runtime import Runtime

PATH = "/hub"
METHODS = ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"]
"""All that come here: answers are for programs, in plain text."""
MOST_BYTES = 8 << 10
_MOST_FIELDS = 50
_FORM = "application/x-www-form-urlencoded"

log = logger(__name__)


class Hub:
    """`POST /hub`: subscribe and unsubscribe."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def receive(self, request: Request) -> Response:
        """Answer a request at once; its callback is asked by the daemon."""
        if request.method != "POST":
            return _said(HubAnswer(405, "A WebSub hub: subscribe with POST."), allow="POST")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            return _said(HubAnswer(415, f"Send the parameters as {_FORM}."))
        try:
            body = await _body(request)
        except ClientDisconnect:
            return _said(HubAnswer(400, "The request broke off."))
        if body is None:
            return _said(HubAnswer(413, f"A request may have {MOST_BYTES} bytes."))
        form = _parsed(body)
        if form is None:
            return _said(HubAnswer(400, "The parameters cannot be read: they have to be UTF-8."))
        try:
            return _said(await run_sync(ask_hub, self._runtime, form))
        except FeedsvcError as error:
            log.warning("hub.unavailable", reason=str(error))
            return _said(HubAnswer(503, "The hub cannot take this now.", retry_after=60))


async def _body(request: Request) -> bytes | None:
    """Return what was sent, None if it is too much."""
    received = b""
    async for chunk in request.stream():
        received += chunk
        if len(received) > MOST_BYTES:
            return None
    return received


def _parsed(body: bytes) -> Form | None:
    try:
        return parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        return None


def _said(answer: HubAnswer, *, allow: str = "") -> Response:
    headers = {"cache-control": "no-store"}
    if answer.retry_after is not None:
        headers["retry-after"] = str(answer.retry_after)
    if allow:
        headers["allow"] = allow
    return PlainTextResponse(f"{answer.sentence}\n", answer.status, headers)
