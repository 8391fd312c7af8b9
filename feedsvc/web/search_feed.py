"""Any search as a feed: `/search.atom?q=…`, and the same in the other formats."""

from __future__ import annotations

from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from feedsvc.jobs.search_feed import PATHS, search_feed
from feedsvc.publish import MEDIA_TYPES
from feedsvc.runtime import Runtime
from feedsvc.web.answers import answer
from feedsvc.web.front import max_age
from feedsvc.web.searching import asked_for

NOTHING_ASKED = "A feed of a search needs something to look for: add ?q= and words."


def search_feeds(runtime: Runtime) -> list[Route]:
    """Return the routes of searches as feeds."""
    return [Route(path, _endpoint(runtime, name)) for name, path in PATHS.items()]


def _endpoint(runtime: Runtime, name: str) -> Callable[[Request], Response]:
    kept = f"public, max-age={max_age(runtime.settings.schedule.publish)}"

    def endpoint(request: Request) -> Response:
        asked = asked_for(request.query_params)
        if not asked.query:
            raise HTTPException(400, NOTHING_ASKED)
        data = search_feed(runtime, name, asked.words, asked.filters, query=asked.query)
        # Like every feed it may be read by readers on other sites.
        headers = {"access-control-allow-origin": "*"}
        return answer(request, data, media_type=MEDIA_TYPES[name], cache=kept, headers=headers)

    return endpoint
