"""Seeds by HTTP, for programs: sent, asked about and deleted by name."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from feedsvc import jobs
from feedsvc.errors import SeedRejected
from feedsvc.jobs.asked import note_request
from feedsvc.jobs.seed_resource import Condition, Kept, drop, hold, is_taken, keep, load, tag_of
from feedsvc.model import SeedRecord
from feedsvc.runtime import Runtime
from feedsvc.web.admin_bodies import read_body
from feedsvc.web.admin_guard import Refused
from feedsvc.web.admin_pages import private
from feedsvc.web.errors import PROBLEM
from feedsvc.web.tasks import Done, QueueFull, Tasks

PATH = "/api/seeds/"
METHODS = ("DELETE", "GET", "POST", "PUT")
_KINDS = frozenset({"text/markdown", "text/plain"})
_TAG = re.compile(r'"([\x21\x23-\x7e]*)"')
_LATER = {"retry-after": "2"}


class SeedsApi:
    """What answers below /api/seeds/."""

    def __init__(self, runtime: Runtime, tasks: Tasks, *, prefix: str, most: int) -> None:
        """``most``: bytes of a seed that are taken."""
        self._runtime = runtime
        self._tasks = tasks
        self._prefix = prefix
        self._most = most

    async def answer(self, request: Request) -> Response:
        """Answer a request of somebody who may send seeds. Raises Refused."""
        if request.method in {"POST", "PUT"}:
            _refuse_other_kinds(request)
            body = await read_body(request, self._most)
            return _private(await run_sync(self._send, request, body))
        if request.method == "DELETE":
            return _private(await run_sync(self._delete, request))
        return _private(await run_sync(self._show, request))

    # --- what is asked ----------------------------------------------------------------------

    def _show(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            held = hold(self._runtime, name)
        except SeedRejected:
            held = None
        if held is None:
            raise _nothing()
        waits = {} if held.record is not None else _LATER
        headers = {"etag": f'"{held.tag}"', **waits}
        return JSONResponse(self._document(name, held.seed, held.record), 200, headers)

    def _send(self, request: Request, body: bytes) -> Response:
        name = request.path_params["name"]
        may = _condition(request)
        try:
            kept, seed = keep(self._runtime, name, body, may=may)
        except SeedRejected as problem:
            return _rejected(422, "This is not a seed", problem, name)
        if kept is Kept.FAILED:
            raise _condition_failed()
        if kept is Kept.OTHER:
            raise Refused(
                409,
                "There is another seed of that name",
                "Choose another name, or replace it: PUT with If-Match and the ETag that GET tells.",
            )
        if kept is not Kept.THERE:
            self._note(request, "upload", seed, {"size": len(body)})
        held = hold(self._runtime, name) if kept is Kept.THERE else None
        record = held.record if held is not None else None
        if record is None:
            record = load(self._runtime, seed)
            self._publish(seed)
        if record is not None and not is_taken(record) and kept is Kept.CREATED:
            return self._not_taken(name, record)
        return self._answered(name, seed, body, record, is_new=kept is Kept.CREATED)

    def _delete(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            held = hold(self._runtime, name)
        except SeedRejected:
            held = None
        if held is None:
            raise _nothing()
        may = _condition(request)
        if may is not None and not may(held.tag):
            raise _condition_failed()
        self._note(request, "delete-seed", held.seed, {})
        is_done = drop(self._runtime, name)
        self._publish(held.seed)
        return Response(status_code=204) if is_done else Response(status_code=202, headers=_LATER)

    # --- what is answered -------------------------------------------------------------------

    def _answered(
        self, name: str, seed: str, body: bytes, record: SeedRecord | None, *, is_new: bool
    ) -> Response:
        headers = {"etag": f'"{tag_of(body)}"'}
        status = 201 if is_new else 200
        if record is None:
            status, headers = 202, headers | _LATER
        if status != 200:
            headers["location"] = self._address(name)
        return JSONResponse(self._document(name, seed, record), status, headers)

    def _not_taken(self, name: str, record: SeedRecord) -> Response:
        drop(self._runtime, name)
        problem = SeedRejected(
            record.reason or "it was not loaded",
            remedy=record.remedy or "Look at the status page",
            line=record.line,
        )
        return _rejected(409, "This seed is not taken", problem, name)

    def _document(self, name: str, seed: str, record: SeedRecord | None) -> dict[str, Any]:
        article = record.article_id if record is not None and is_taken(record) else None
        base = self._runtime.site.base_url
        return {
            "name": name,
            "seed": seed,
            "self": f"{base}{PATH}{quote(name)}",
            "state": "waiting" if record is None else str(record.state),
            "article": article and {"id": article, "url": f"{base}/articles/{article}"},
            "line": record and record.line,
            "reason": None if record is None or article else record.reason,
            "remedy": None if record is None or article else record.remedy,
            "warnings": list(record.warnings) if record is not None else [],
        }

    def _address(self, name: str) -> str:
        return f"{self._prefix}{PATH}{quote(name)}"

    def _note(self, request: Request, action: str, seed: str, details: dict[str, Any]) -> None:
        who = request.state.visitor.who
        # A subject is an article; a seed's name may be of any length.
        note_request(self._runtime, action, who=who, details={"seed": seed, **details})

    def _publish(self, seed: str) -> None:
        """Have feeds written soon; in a fleet the workers see to it."""
        if self._runtime.queue is not None:
            return

        def work(_tell: Any, _stop: Any) -> Done:
            jobs.publish_feeds(self._runtime)
            return Done(("The feeds that changed are written.",))

        # Where too many wait already, one of them comes after this seed.
        with suppress(QueueFull):
            self._tasks.start("publish-seeds", f"Publish {seed}", work, key=seed)


def _private(response: Response) -> Response:
    """Let no cache keep an answer; its tag is for who comes back to change the seed."""
    tag = response.headers.get("etag")
    answer = private(response)
    if tag is not None:
        answer.headers["etag"] = tag
    return answer


def _refuse_other_kinds(request: Request) -> None:
    kind, _, rest = request.headers.get("content-type", "").partition(";")
    parameters = [part.strip().lower() for part in rest.split(";") if part.strip()]
    charsets = [part[8:].strip('"') for part in parameters if part.startswith("charset=")]
    if kind.strip().lower() not in _KINDS or charsets not in ([], ["utf-8"], ["us-ascii"]):
        raise Refused(
            415,
            "This kind of content is not taken",
            "Send the seed itself as text/markdown or text/plain, in UTF-8.",
            headers={"accept": "text/markdown, text/plain"},
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(
            415,
            "This coding is not taken",
            "Send the seed without a Content-Encoding.",
            headers={"accept-encoding": "identity"},
        )


def _condition(request: Request) -> Condition | None:
    """Return what If-Match and If-None-Match ask for (RFC 9110 §13.1), None if neither is sent.

    Where nothing else is said, nothing is replaced: only If-Match allows it.
    """
    match, none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
    if match is None and none_match is None:
        return None

    def may(tag: str | None) -> bool:
        if match is not None and not _holds(match, tag):
            return False
        return none_match is None or not _holds(none_match, tag, weak=True)

    if match is None and none_match is not None and none_match.strip() != "*":
        raise Refused(
            400,
            "This condition is not understood",
            "If-None-Match takes * here: only if there is no seed of that name.",
        )
    if request.method == "POST" and match is not None:
        raise Refused(400, "This condition is not understood", "To replace a seed, use PUT.")
    return may


def _holds(condition: str, tag: str | None, *, weak: bool = False) -> bool:
    if tag is None:
        return False
    if condition.strip() == "*":
        return True
    # If-Match compares strongly: a weak tag never matches.
    parts = [part.strip() for part in condition.split(",")]
    tags = [part.removeprefix("W/") if weak else part for part in parts]
    return any((found := _TAG.fullmatch(one)) and found[1] == tag for one in tags)


def _rejected(status: int, title: str, problem: SeedRejected, name: str) -> Response:
    """Return why a seed is not taken as a problem document (RFC 9457)."""
    place = "" if problem.line is None else f"line {problem.line}: "
    document = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": f"{place}{problem.reason}. {problem.remedy}.",
        "name": name,
        "line": problem.line,
        "reason": problem.reason,
        "remedy": problem.remedy,
    }
    return JSONResponse(document, status, media_type=PROBLEM)


def _condition_failed() -> Refused:
    return Refused(
        412,
        "The condition does not hold",
        "The seed is not (or no longer) as If-Match or If-None-Match say; GET tells how it is.",
    )


def _nothing() -> Refused:
    return Refused(404, "Not found", "There is no seed of that name.")
