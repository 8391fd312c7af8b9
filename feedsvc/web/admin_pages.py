"""The pages below /admin for people: forms that work without scripts, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from feedsvc.model import Site
from feedsvc.runtime import Runtime
from feedsvc.web.admin_actions import Unconfirmed
from feedsvc.web.admin_guard import Refused
from feedsvc.web.answers import POLICY, Pages
from feedsvc.web.tasks import Task, Tasks

POLICY_HERE = f"{POLICY}; connect-src 'self'"
"""Progress comes by a connection of its own."""
RECENT = 20
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": POLICY_HERE,
    # With less, browsers hide from us that a form is our own.
    "referrer-policy": "same-origin",
    "x-robots-tag": "noindex",
}


class AdminPages:
    """Everything below /admin that a person sees."""

    def __init__(
        self, runtime: Runtime, pages: Pages, tasks: Tasks, *, prefix: str, live: str
    ) -> None:
        """``live``: path of the script that shows progress."""
        self._runtime = runtime
        self._pages = pages
        self._tasks = tasks
        self._prefix = prefix
        self._live = live

    def overview(self, request: Request) -> Response:
        """Show all forms and the latest tasks; a query fills the article in."""
        return self._page(
            request,
            "admin.html",
            title="Admin",
            article=request.query_params.get("article", "")[:2000],
            tasks=[on_page(one) for one in self._tasks.recent(RECENT)],
            bookmarklet=bookmarklet(self._runtime.site),
            folder=self._runtime.settings.seeds.paths[0],
            most=self._runtime.settings.seeds.max_size,
        )

    def adding(self, request: Request) -> Response:
        """Show the form for an address, filled in; nothing is done before it is sent."""
        url = request.query_params.get("url", "")[:8000]
        return self._page(request, "admin_add.html", title="Add a page", url=url)

    def task(self, request: Request) -> Response:
        """Show how far a task is."""
        return self._page(
            request,
            "admin_task.html",
            title="Task",
            task=on_page(self.found(request)),
            live=self._live,
        )

    def found(self, request: Request) -> Task:
        """Return the task of a path. Raises Refused."""
        task = self._tasks.get(request.path_params["id"])
        if task is None:
            raise Refused(
                404, "There is no such task", "Tasks are forgotten once enough others came."
            )
        return task

    def to_task(self, task: Task) -> Response:
        """Lead to a task's page."""
        return self.to(f"/admin/tasks/{task.id}")

    def to(self, path: str, *, cookie: str | None = None) -> Response:
        """Lead to another page by GET, with a cookie line if there is one."""
        answer = RedirectResponse(self._prefix + path, 303, headers={"cache-control": "no-store"})
        if cookie is not None:
            answer.headers["set-cookie"] = cookie
        return answer

    def signing_in(
        self,
        request: Request,
        *,
        following: str,
        status: int = 200,
        refused: Refused | None = None,
    ) -> Response:
        """Ask for the token; ``following`` is where to go then."""
        answer = self._page(
            request,
            "admin_sign_in.html",
            status=status if refused is None else refused.status,
            title="Sign in",
            following=following,
            problem="" if refused is None else f"{refused.title}. {refused.detail}",
        )
        answer.headers.update({} if refused is None else refused.headers)
        return answer

    def once_more(self, request: Request) -> Response:
        """Ask for the same page from here, as browsers send strict cookies only then."""
        query = request.scope["query_string"].decode("ascii", "replace")
        here = f"{self._prefix}{request.scope['path']}" + (f"?{query}" if query else "")
        return self._page(request, "admin_again.html", title="One moment", here=here)

    def confirming(self, request: Request, asked: Unconfirmed) -> Response:
        """Ask a second time."""
        return self._page(
            request,
            "admin_forget.html",
            title="Forget this article?",
            article=asked.article,
            reason=asked.reason,
            snapshots=asked.snapshots,
            revisions=asked.revisions,
        )

    def refused(self, request: Request, refused: Refused) -> Response:
        """Say why something was not done."""
        answer = self._page(
            request,
            "error.html",
            status=refused.status,
            heading=refused.title,
            sentence=refused.detail,
        )
        answer.headers.update(refused.headers)
        return answer

    def _page(
        self, request: Request, template: str, *, status: int = 200, **values: Any
    ) -> Response:
        return private(self._pages.page(request, template, status=status, **values))


def private(answer: Response) -> Response:
    """Let no cache keep an answer, no other site read it, and nobody find it."""
    for name in ("etag", "access-control-allow-origin", "access-control-expose-headers"):
        if name in answer.headers:
            del answer.headers[name]
    answer.headers.update(_HEADERS)
    return answer


def shown(task: Task) -> dict[str, Any]:
    """Return a task as pages and JSON tell it."""
    return {
        "id": task.id,
        "kind": task.kind,
        "title": task.title,
        "state": task.state,
        "going": task.is_going,
        "asked": _time(task.asked),
        "began": _time(task.began),
        "ended": _time(task.ended),
        "stage": task.stage,
        "done": task.done,
        "total": task.total,
        "lines": list(task.lines),
        "links": [{"label": label, "path": path} for label, path in task.links],
    }


def on_page(task: Task) -> dict[str, Any]:
    """Return a task as pages have it: with moments, that are written for people."""
    ended = None if task.ended is None else datetime.fromtimestamp(task.ended, UTC)
    return shown(task) | {"asked": datetime.fromtimestamp(task.asked, UTC), "ended": ended}


def task_document(site: Site, task: Task) -> Mapping[str, Any]:
    """Return a task as the API tells it, with addresses."""
    here = f"{site.base_url}/admin"
    document = shown(task)
    document["links"] = [
        {"label": one["label"], "url": f"{site.base_url}{one['path']}"} for one in document["links"]
    ]
    return document | {
        "url": f"{here}/tasks/{task.id}",
        "self": f"{here}/api/tasks/{task.id}",
        "events": f"{here}/tasks/{task.id}/events",
    }


def bookmarklet(site: Site) -> str:
    """Return the address of a bookmark that opens our form with the page one is on."""
    target = json.dumps(f"{site.base_url}/admin/add?url=").replace("%", "%25")
    return f"javascript:void(open({target}+encodeURIComponent(location.href),'_blank'))"


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
