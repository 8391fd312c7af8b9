"""The web server's application: feeds from memory, pages from the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from feedsvc import __version__
from feedsvc.replay.links import FRAME, PAGE, RAW
from feedsvc.runtime import Runtime
from feedsvc.settings import Schedule
from feedsvc.web.answers import Pages
from feedsvc.web.assets import Assets
from feedsvc.web.documents import Documents
from feedsvc.web.door import AllowedHosts, Door, SecurityHeaders, configured_hosts
from feedsvc.web.downloads import Downloads
from feedsvc.web.errors import handlers
from feedsvc.web.feeds import FeedCache
from feedsvc.web.health import Health, Metrics
from feedsvc.web.memento import Mementos
from feedsvc.web.pages import SitePages
from feedsvc.web.rendering import environment
from feedsvc.web.replay import Replay

__all__ = ["create_app"]

_AGES = (60, 3600)
_AGE_OF_CRON = 900


def create_app(runtime: Runtime) -> ASGIApp:
    """Return the ASGI application of an opened site; it reads, and never writes.

    From the outside in: the door (hosts, URL length), feeds from memory, security headers,
    the router.
    """
    prefix = urlsplit(runtime.site.base_url).path.rstrip("/")
    documents = Documents(
        runtime.feeds.path,
        link=f"{runtime.site.base_url}/feeds/",
        max_age=max_age(runtime.settings.schedule.publish),
        now=runtime.now,
    )
    answered: Counter[int] = Counter()
    router = SecurityHeaders(_router(runtime, answered, prefix=prefix))
    feeds = FeedCache(router, documents, answered, prefix=prefix)
    hosts = configured_hosts(runtime.site.base_url, runtime.settings.web.host)
    return Door(feeds, hosts=AllowedHosts(hosts), prefix=prefix)


def _router(runtime: Runtime, answered: Counter[int], *, prefix: str) -> Starlette:
    assets = Assets()
    pages = Pages(
        environment(),
        site=runtime.site,
        prefix=prefix,
        style=assets.style_path,
        version=__version__,
    )
    site = SitePages(runtime, pages, prefix=prefix)
    mementos = Mementos(runtime)
    replay = Replay(runtime, pages, mementos, prefix=prefix)
    health = Health(runtime)

    def moved(to: str) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            return RedirectResponse(prefix + to.format(**request.path_params), 308)

        return endpoint

    routes = [
        Route("/", site.home),
        Route("/topics/{slug}", site.topic),
        Route("/topics/{slug}/", moved("/topics/{slug}")),
        Route("/articles/{id}", site.article),
        Route("/articles/{id}/", moved("/articles/{id}")),
        Route("/snapshots/{id}.warc.gz", Downloads(runtime).snapshot),
        Route("/snapshots/{id}", moved("/snapshots/{id}/")),
        Route("/snapshots/{id}/", replay.banner),
        Route("/snapshots/{id}/text", replay.text),
        Route(f"/snapshots/{{id}}/{PAGE}/{{url:path}}", replay.shown),
        Route(f"/snapshots/{{id}}/{FRAME}/{{url:path}}", replay.framed),
        Route(f"/snapshots/{{id}}/{RAW}/{{url:path}}", replay.raw),
        Route("/timegate/{url:path}", mementos.timegate),
        Route("/timemap/link/{url:path}", mementos.timemap_link),
        Route("/timemap/json/{url:path}", mementos.timemap_json),
        Route("/feeds", moved("/")),
        Route(assets.style_path, assets.style),
        Route("/favicon.svg", assets.svg),
        Route("/favicon.ico", assets.ico),
        Route("/robots.txt", assets.robots),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
        Route("/metrics", Metrics(runtime, answered).show),
    ]
    app = Starlette(routes=routes, exception_handlers=handlers(pages))
    # Ours are relative; Starlette's would be made from the Host header.
    app.router.redirect_slashes = False
    return app


def max_age(publish: Schedule) -> int:
    """Return for how many seconds a feed may be kept: what lies between two publications.

    Never less than a minute, as readers take it for the polling interval, nor more than an hour.
    """
    lowest, highest = _AGES
    if publish.seconds is None:
        return _AGE_OF_CRON
    return int(min(max(publish.seconds, lowest), highest))
