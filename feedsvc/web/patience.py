"""How long the database may take over a page."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from feedsvc.storage.postgresql import patience

SECONDS = 15.0
"""No statement that a page reads with may take longer: nobody waits for it any more."""


class Patience:
    """Answer 503 rather than let a page keep PostgreSQL busy; what writes may take its time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with patience(SECONDS):
            await self._app(scope, receive, send)
