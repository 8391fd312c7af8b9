"""Doing things by the web: the same actions as forms for people and as an API for programs."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from feedsvc.errors import FeedsvcError, NotFound, Temporary
from feedsvc.jobs.asked import note_request
from feedsvc.logs import logger
from feedsvc.runtime import Runtime
from feedsvc.web.admin_actions import ACTIONS, Order, Unconfirmed
from feedsvc.web.admin_bodies import Fields, read_fields
from feedsvc.web.admin_guard import Guard, NotSignedIn, Refused, Visitor
from feedsvc.web.admin_pages import AdminPages, private, task_document
from feedsvc.web.admin_throttle import Throttle
from feedsvc.web.answers import Pages, answer
from feedsvc.web.errors import PROBLEM
from feedsvc.web.fair_use import Clients
from feedsvc.web.reception import MOST_BYTES
from feedsvc.web.seeds_api import METHODS as SEED_METHODS
from feedsvc.web.seeds_api import PATH as SEEDS
from feedsvc.web.seeds_api import SeedsApi
from feedsvc.web.sessions import FOLDER as SESSIONS
from feedsvc.web.sessions import Sessions, configured_token
from feedsvc.web.tasks import QueueFull, Task, Tasks

METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
"""All that come here: what is not allowed is told in the form that was asked for."""
MOST_UPLOADED = 8 << 20
MOST_STREAMS = 32
"""Clients that watch progress at the same time."""
_AROUND = 3 * MOST_BYTES
"""What a request may have besides a file: its head, and the form around it."""
_LOOK_SECONDS = 0.2
_BEAT_SECONDS = 15.0
_STREAM_SECONDS = 600.0
_SCRIPT = Path(__file__).parent / "static" / "admin.js"

Endpoint = Callable[[Request], Awaitable[Response]]

log = logger(__name__)


def open_admin(runtime: Runtime, pages: Pages, *, prefix: str) -> Admin | None:
    """Return what answers below /admin, None where no token is set. Raises ConfigurationError."""
    token = configured_token(runtime.settings)
    if token is None:
        return None
    guard = Guard(
        token,
        Sessions(runtime.root / SESSIONS, token=token, now=runtime.now),
        Throttle(clock=time.monotonic),
        Clients([ip_network(one) for one in runtime.settings.web.trusted_proxies]),
        base_url=runtime.site.base_url,
    )
    tasks = Tasks(
        runtime, now=runtime.now, new_id=lambda: uuid.UUID(bytes=secrets.token_bytes(16)).hex
    )
    return Admin(runtime, pages, guard, tasks, prefix=prefix)


class Admin:
    """Endpoints below /admin."""

    def __init__(
        self, runtime: Runtime, pages: Pages, guard: Guard, tasks: Tasks, *, prefix: str
    ) -> None:
        self._runtime = runtime
        self._guard = guard
        self._prefix = prefix
        self.tasks = tasks
        self._script = _SCRIPT.read_bytes()
        live = f"/static/admin-{sha256(self._script).hexdigest()[:16]}.js"
        self._live = live
        self._pages = AdminPages(runtime, pages, tasks, prefix=prefix, live=live)
        self._streams = 0
        self.most_uploaded = min(runtime.settings.seeds.max_size, MOST_UPLOADED)
        self._seeds = SeedsApi(runtime, tasks, prefix=prefix, most=self.most_uploaded)

    def routes(self) -> list[Route]:
        """Return every address below /admin."""

        def route(path: str, endpoint: Endpoint, *methods: str, api: bool = False) -> Route:
            return Route(path, self._guarded(endpoint, methods, api=api), methods=METHODS)

        return [
            Route(self._live, self._live_script),
            route("/admin", self._in_thread(self._pages.overview), "GET"),
            route("/admin/", self._home, "GET"),
            route("/admin/sign-in", self._sign_in, "GET", "POST"),
            route("/admin/sign-out", self._sign_out, "POST"),
            route("/admin/tasks/{id}", self._in_thread(self._pages.task), "GET"),
            route("/admin/tasks/{id}/events", self._events, "GET"),
            route("/admin/api/tasks", self._list_tasks, "GET", api=True),
            route("/admin/api/tasks/{id}", self._show_task, "GET", api=True),
            route("/admin/api/{action}", self._called, "POST", api=True),
            route("/admin/api/{rest:path}", self._nothing, *METHODS, api=True),
            route("/admin/{action}", self._sent, "GET", "POST"),
            route(SEEDS + "{name:path}", self._seeds.answer, *SEED_METHODS, api=True),
        ]

    def largest(self, target: bytes) -> int:
        """Return how many bytes a request for a target may have."""
        path = target.removeprefix(self._prefix.encode())
        takes_files = path.startswith((b"/admin/", SEEDS.encode()))
        return self.most_uploaded + _AROUND if takes_files else MOST_BYTES

    def sees(self, request: Request) -> bool:
        """Tell whether whoever asks may see what only the admin may."""
        self._guard.visitor(request)
        return True

    def answer_refused(self, request: Request, refused: Refused, *, api: bool) -> Response:
        """Say why something was not done, in the form that was asked for."""
        if api:
            return problem(refused)
        if isinstance(refused, NotSignedIn) and request.method in {"GET", "HEAD"}:
            # A strict cookie is not sent with a request that another site began.
            is_from_afar = request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}
            if is_from_afar and not self._guard.has_cookie(request):
                return self._pages.once_more(request)
            return self._pages.signing_in(request, following=_here(request), status=401)
        return self._pages.refused(request, refused)

    # --- around every endpoint --------------------------------------------------------------

    def _guarded(self, endpoint: Endpoint, methods: tuple[str, ...], *, api: bool) -> Endpoint:
        is_open = endpoint == self._sign_in

        async def guarded(request: Request) -> Response:
            try:
                if request.method not in methods and not (
                    request.method == "HEAD" and "GET" in methods
                ):
                    raise _not_allowed(methods)
                if not is_open:
                    request.state.visitor = self._guard.visitor(request)
                return await endpoint(request)
            except Refused as refused:
                answered = self.answer_refused(request, refused, api=api)
                if _is_long(request):
                    # What nobody wants is not waited for.
                    answered.headers["connection"] = "close"
                return answered
            except FeedsvcError as error:
                log.warning("admin.unavailable", path=request.scope["path"], reason=str(error))
                return self.answer_refused(request, _unavailable(error), api=api)

        return guarded

    def _in_thread(self, look: Callable[[Request], Response]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            return await run_sync(look, request)

        return endpoint

    # --- signing in and out -----------------------------------------------------------------

    async def _home(self, _request: Request) -> Response:
        return self._pages.to("/admin")

    async def _sign_in(self, request: Request) -> Response:
        if request.method != "POST":
            return self._pages.signing_in(request, following="/admin")
        self._guard.refuse_forged(request)
        fields = await read_fields(request, most_file=0)
        following = _local(fields.text("next"))
        try:
            cookie = await run_sync(self._guard.sign_in, request, fields.text("token"))
        except Refused as refused:
            return self._pages.signing_in(request, following=following, refused=refused)
        return self._pages.to(following, cookie=cookie)

    async def _sign_out(self, request: Request) -> Response:
        return self._pages.to("/admin/sign-in", cookie=self._guard.sign_out(request))

    # --- actions ----------------------------------------------------------------------------

    async def _sent(self, request: Request) -> Response:
        """Take a form; show a person what comes of it."""
        action = request.path_params["action"]
        if action not in ACTIONS:
            raise _nowhere()
        if request.method != "POST":
            if action == "add":
                return self._pages.adding(request)
            return self._pages.to("/admin")
        try:
            return self._pages.to_task(await self._begin(request, action))
        except Unconfirmed as asked:
            return self._pages.confirming(request, asked)

    async def _called(self, request: Request) -> Response:
        """Take a call of the API."""
        action = request.path_params["action"]
        if action not in ACTIONS:
            raise _nowhere()
        try:
            task = await self._begin(request, action)
        except Unconfirmed as asked:
            raise Refused(
                409,
                "Say it twice",
                f"{asked.article.title} has {asked.snapshots} snapshots, and forgetting it cannot "
                f'be taken back. Send the same with "confirm": "{asked.article.id}".',
            ) from asked
        document = task_document(self._runtime.site, task)
        return _document(document, 202, {"location": document["self"]})

    async def _begin(self, request: Request, action: str) -> Task:
        most = self.most_uploaded if action == "upload" else 0
        fields = await read_fields(request, most_file=most)
        return await run_sync(self._start, action, fields, request.state.visitor)

    def _start(self, action: str, fields: Fields, visitor: Visitor) -> Task:
        self._refuse_read_only()
        try:
            order = ACTIONS[action](self._runtime, fields, visitor.who)
        except NotFound as error:
            raise Refused(404, "There is no such thing", f"{error}.") from error
        try:
            return self.tasks.start(
                action, order.title, self._noted(action, order, visitor), key=order.key
            )
        except QueueFull as error:
            raise Refused(
                503,
                "Too much is waiting",
                "So many tasks wait already that no more are taken; try again later.",
                headers={"retry-after": "60"},
            ) from error

    def _noted(self, action: str, order: Order, visitor: Visitor) -> Any:
        """Write the audit log before the work begins."""
        if not order.audited:
            return order.work

        def work(tell: Any, stop: Any) -> Any:
            note_request(
                self._runtime,
                action,
                who=visitor.who,
                subject=order.subject,
                details=order.details,
            )
            return order.work(tell, stop)

        return work

    def _refuse_read_only(self) -> None:
        state = self._runtime.state
        if state.is_dir() and not os.access(state, os.W_OK | os.X_OK):
            raise Refused(
                503,
                "This site is read-only",
                "This server may not write the site's folder data/, so nothing can be done here.",
            )

    # --- tasks ------------------------------------------------------------------------------

    async def _list_tasks(self, _request: Request) -> Response:
        tasks = await run_sync(self.tasks.recent, 50)
        site = self._runtime.site
        return _document({"tasks": [task_document(site, one) for one in tasks]})

    async def _show_task(self, request: Request) -> Response:
        return _document(task_document(self._runtime.site, self._pages.found(request)))

    async def _events(self, request: Request) -> Response:
        """Tell how far a task is until it is over (server-sent events)."""
        task = self._pages.found(request)
        if self._streams >= MOST_STREAMS:
            raise Refused(
                503,
                "Too many watch already",
                "Reload the task's page instead.",
                headers={"retry-after": "10"},
            )
        if request.method == "HEAD":
            return private(Response(media_type="text/event-stream"))
        stream = StreamingResponse(self._told(task.id), media_type="text/event-stream")
        # A proxy that collects answers would hold the news back.
        stream.headers["x-accel-buffering"] = "no"
        return private(stream)

    async def _told(self, id_: str) -> AsyncIterator[bytes]:
        self._streams += 1
        try:
            told, quiet, ends = b"", time.monotonic(), time.monotonic() + _STREAM_SECONDS
            yield b"retry: 2000\n\n"
            while time.monotonic() < ends and not self.tasks.stopping.is_set():
                task = self.tasks.get(id_)
                if task is None:
                    break
                line = json.dumps(task_document(self._runtime.site, task)).encode()
                now = time.monotonic()
                if line != told:
                    told, quiet = line, now
                    yield b"event: task\ndata: " + line + b"\n\n"
                elif now - quiet > _BEAT_SECONDS:
                    quiet = now
                    yield b":\n\n"
                if not task.is_going:
                    yield b"event: end\ndata: {}\n\n"
                    break
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._streams -= 1

    async def _nothing(self, _request: Request) -> Response:
        raise _nowhere()

    def _live_script(self, request: Request) -> Response:
        return answer(
            request,
            self._script,
            media_type="text/javascript",
            cache="public, max-age=31536000, immutable",
        )


def _document(
    document: Mapping[str, Any], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return private(JSONResponse(document, status, headers))


def problem(refused: Refused) -> Response:
    """Return why something was not done as a problem document (RFC 9457)."""
    # RFC 9457 §4.2.1: no type of its own means that the status code says it all.
    document = {
        "type": "about:blank",
        "title": refused.title,
        "status": refused.status,
        "detail": refused.detail,
    }
    return private(JSONResponse(document, refused.status, refused.headers, PROBLEM))


def _unavailable(error: FeedsvcError) -> Refused:
    if isinstance(error, Temporary):
        return Refused(503, "Busy", f"{error}", headers={"retry-after": "30"})
    return Refused(503, "Not available now", f"{error}", headers={"retry-after": "60"})


def _is_long(request: Request) -> bool:
    declared = request.headers.get("content-length", "0")
    return not declared.isdecimal() or len(declared) > 9 or int(declared) > MOST_BYTES


def _not_allowed(methods: tuple[str, ...]) -> Refused:
    allowed = ", ".join(methods)
    return Refused(
        405, "Not like this", f"This address takes {allowed}.", headers={"allow": allowed}
    )


def _nowhere() -> Refused:
    return Refused(404, "Not found", "There is nothing under this address.")


def _here(request: Request) -> str:
    query = request.scope["query_string"].decode("ascii", "replace")
    return f"{request.scope['path']}?{query}" if query else str(request.scope["path"])


def _local(path: str) -> str:
    """Return a path below /admin, whatever was asked for: nobody is led to another site."""
    is_ours = path == "/admin" or path.startswith(("/admin/", "/admin?", "/status"))
    fine = is_ours and "\\" not in path and path.isprintable() and not path.startswith("//")
    return path[:8000] if fine else "/admin"
