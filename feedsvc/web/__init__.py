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
from feedsvc.web import hub
from feedsvc.web.admin import Admin, open_admin
from feedsvc.web.answers import Pages
from feedsvc.web.assets import Assets
from feedsvc.web.changes import ChangePages
from feedsvc.web.channels import FOLDERS, ChannelPages
from feedsvc.web.door import AllowedHosts, Door, SecurityHeaders, configured_hosts
from feedsvc.web.downloads import Downloads
from feedsvc.web.errors import handlers
from feedsvc.web.front import feed_cache
from feedsvc.web.health import Health, Metrics
from feedsvc.web.images import Images
from feedsvc.web.listing import Counts
from feedsvc.web.memento import Mementos
from feedsvc.web.pages import SitePages
from feedsvc.web.patience import Patience
from feedsvc.web.pictures import Pictures
from feedsvc.web.rendering import environment
from feedsvc.web.replay import Replay
from feedsvc.web.search_feed import search_feeds
from feedsvc.web.searching import SearchPage
from feedsvc.web.status import StatusPages
from feedsvc.web.subscribing import FeedPages

__all__ = ["create_app"]


def create_app(runtime: Runtime) -> ASGIApp:
    """Return the ASGI application of an opened site; only /admin and the hub write, if enabled.

    From the outside in: the door (hosts, URL length), feeds from memory, security headers,
    the router.
    """
    prefix = urlsplit(runtime.site.base_url).path.rstrip("/")
    answered: Counter[int] = Counter()
    router = _router(runtime, answered, prefix=prefix)
    hosts = configured_hosts(runtime.site.base_url, runtime.settings.web.host)
    feeds = feed_cache(SecurityHeaders(Patience(router)), runtime, answered, prefix=prefix)
    admin: Admin | None = router.state.admin
    return Door(
        feeds,
        hosts=AllowedHosts(hosts),
        prefix=prefix,
        largest=admin.largest if admin else None,
        end=admin.tasks.end if admin else None,
    )


def _router(runtime: Runtime, answered: Counter[int], *, prefix: str) -> Starlette:
    assets = Assets()
    pages = Pages(
        environment(),
        site=runtime.site,
        prefix=prefix,
        style=assets.style_path,
        script=assets.script_path,
        version=__version__,
    )
    mementos = Mementos(runtime)
    replay = Replay(runtime, pages, mementos, prefix=prefix)
    images = Images(runtime, replay.contents)
    health = Health(runtime)
    counts = Counts()
    site = SitePages(
        runtime, pages, counts=counts, pictures=Pictures(runtime, replay.contents, prefix=prefix)
    )
    channels = ChannelPages(runtime, pages, counts=counts, prefix=prefix)
    changes = ChangePages(runtime)
    feeds = FeedPages(runtime, counts=counts)
    admin = open_admin(runtime, pages, prefix=prefix)

    def moved(to: str) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            return RedirectResponse(prefix + to.format(**request.path_params), 308)

        return endpoint

    routes = [
        *pages.paired("/", site.home),
        *pages.paired("/articles/{id}", site.article),
        Route("/articles/{id}/", moved("/articles/{id}")),
        *pages.paired("/articles/{id}/revisions/{number}", site.revision),
        *search_feeds(runtime),
        *pages.paired("/search", SearchPage(runtime, prefix=prefix).search),
        *pages.paired("/feeds", feeds.feeds),
        *pages.paired("/about", feeds.about),
        *pages.paired("/changes", changes.changes),
        Route("/changes/", moved("/changes")),
        *pages.paired("/changes/{id}", changes.change),
        *pages.paired("/gone", changes.gone),
        Route("/gone/", moved("/gone")),
        *pages.paired("/snapshots/{id}", site.snapshot_twin)[:1],
        Route("/snapshots/{id}.warc.gz", Downloads(runtime).snapshot),
        Route("/snapshots/{id}", moved("/snapshots/{id}/")),
        Route("/snapshots/{id}/", replay.banner),
        Route("/snapshots/{id}/text", replay.text),
        Route("/snapshots/{id}/image", images.image),
        Route("/snapshots/{id}/view", images.view),
        Route("/snapshots/{id}/thumbnail", images.thumbnail),
        Route(f"/snapshots/{{id}}/{PAGE}/{{url:path}}", replay.shown),
        Route(f"/snapshots/{{id}}/{FRAME}/{{url:path}}", replay.framed),
        Route(f"/snapshots/{{id}}/{RAW}/{{url:path}}", replay.raw),
        Route("/timegate/{url:path}", mementos.timegate),
        Route("/timemap/link/{url:path}", mementos.timemap_link),
        Route("/timemap/json/{url:path}", mementos.timemap_json),
        Route(assets.style_path, assets.style),
        Route(assets.script_path, assets.script),
        Route("/favicon.svg", assets.svg),
        Route("/favicon.ico", assets.ico),
        Route("/robots.txt", assets.robots),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
        Route("/metrics", Metrics(runtime, answered).show),
    ]
    for folder in FOLDERS:
        routes += pages.paired(f"/{folder}", channels.index_of(folder))
        routes += pages.paired(f"/{folder}/{{slug}}", channels.of(folder))
        routes.append(Route(f"/{folder}/{{slug}}/", moved(f"/{folder}/{{slug}}")))
    if runtime.settings.websub.enabled:
        routes.append(Route(hub.PATH, hub.Hub(runtime).receive, methods=hub.METHODS))
    routes += StatusPages(runtime, pages, admin, prefix=prefix).routes()
    routes.append(Route("/status/", moved("/status")))
    routes += admin.routes() if admin else []
    app = Starlette(routes=routes, exception_handlers=handlers(pages))
    # Ours are relative; Starlette's would be made from the Host header.
    app.router.redirect_slashes = False
    app.state.admin = admin
    return app
