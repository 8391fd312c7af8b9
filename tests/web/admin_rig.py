"""A site whose admin has a token, as a browser and as a program use it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from tests.web.conftest import Library, Served

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - of sites that live for one test
BEARER = {"authorization": f"Bearer {TOKEN}"}
OpenSite = Callable[..., tuple[Library, Served]]

PAGE = (
    b'<!doctype html><html lang="en"><head><title>A ferry for the harbour - The Daily Test</title>'
    b'<meta property="og:title" content="A ferry for the harbour">'
    b'<meta property="article:published_time" content="2026-03-01T14:30:00+02:00"></head><body>'
    b"<article><h1>A ferry for the harbour</h1><p>By Ada Moor</p>"
    b"<p>The harbour council met on Monday to talk about the new ferry, which is late.</p>"
    b"<p>Several members asked who would pay for it, and nobody had an answer ready at all.</p>"
    b"<p>A decision is expected in spring, when the engineers have looked at the hull again.</p>"
    b"</article></body></html>"
)
SEED = (
    b"# Why ferries are late\n\nBy Ada Moor\n\n2026-03-01\n\nThe hull is not what it was.\n\n"
    b"Original url: https://example.org/late\n"
)


def open_admin_site(open_site: OpenSite, **sections: Any) -> tuple[Library, Served]:
    """Open a site with an admin and an empty folder of seeds."""
    library, served = open_site(**{"admin": {"token": TOKEN}, **sections})
    (library.runtime.root / "seeds").mkdir(exist_ok=True)
    return library, served


def ours(served: Served) -> dict[str, str]:
    """Return the headers that a browser sends with one of our own forms."""
    return {"origin": f"http://127.0.0.1:{served.port}", "sec-fetch-site": "same-origin"}


def send(
    served: Served, path: str, data: Mapping[str, Any] | None = None, **more: Any
) -> httpx.Response:
    """Send a form as a browser does from our own page."""
    headers = ours(served) | more.pop("headers", {})
    return served.client.post(path, data=data, headers=headers, **more)


def sign_in(served: Served, token: str = TOKEN, **fields: str) -> httpx.Response:
    return send(served, "/admin/sign-in", {"token": token, **fields})


def call(served: Served, action: str, **values: Any) -> httpx.Response:
    """Call the API as a program does."""
    return served.client.post(f"/admin/api/{action}", json=values, headers=BEARER)


def told(served: Served, id_: str) -> list[dict[str, Any]]:
    """Return what the events of a task tell, to its end."""
    path = f"/admin/tasks/{id_}/events"
    with served.client.stream("GET", path, headers=BEARER, timeout=30) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in stream.iter_lines() if line.startswith('data: {"id"')]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def done(served: Served, answer: httpx.Response) -> dict[str, Any]:
    """Return a task that was accepted, once it is over."""
    assert answer.status_code == 202, answer.text
    return told(served, answer.json()["id"])[-1]


def problem(answer: httpx.Response, status: int) -> str:
    """Return what a problem document says, checking that it is one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json()
    assert document["status"] == status
    return f"{document['title']}. {document['detail']}"
