"""What stands in front of the router: feeds from memory, as the settings want them."""

from __future__ import annotations

import ipaddress
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from starlette.types import ASGIApp

from feedsvc.publish import keeping
from feedsvc.runtime import Runtime
from feedsvc.settings.values import RateLimit, Schedule
from feedsvc.storage.blobs import DiskBlobs
from feedsvc.storage.store_names import FormerFeed
from feedsvc.web.documents import Memory, Shelf
from feedsvc.web.fair_use import Clients, FairUse, Network, Rate
from feedsvc.web.feeds import FeedCache
from feedsvc.web.folder_shelf import FolderShelf
from feedsvc.web.former import FormerFeeds, Signposts

USUAL_RATE = Rate(30, 3600)
"""What `web.rate_limit = "auto"` means on an address that others can reach."""


def feed_cache(
    router: ASGIApp, runtime: Runtime, answered: Counter[int], *, prefix: str
) -> FeedCache:
    """Return the layer that answers `/feeds/…` and passes everything else on to ``router``."""
    settings = runtime.settings
    memory = Memory(
        link=f"{runtime.site.base_url}/feeds/",
        max_age=max_age(settings.schedule.publish),
        hubs=runtime.hubs,
        now=runtime.now,
    )
    rate = rate_of(settings.web.rate_limit, host=settings.web.host)
    networks: list[Network] = [ipaddress.ip_network(one) for one in settings.web.trusted_proxies]
    return FeedCache(
        router,
        open_shelf(runtime, memory),
        answered,
        prefix=prefix,
        elsewhere=Signposts(former_feeds(runtime), prefix=prefix),
        fair_use=FairUse(rate, clock=time.monotonic) if rate else None,
        clients=Clients(networks),
    )


def open_shelf(runtime: Runtime, memory: Memory) -> Shelf:
    """Return where documents are served from: the folder, or the object store, which is followed."""
    blobs = runtime.feeds
    if isinstance(blobs, DiskBlobs):
        return FolderShelf(blobs.path, memory)
    from feedsvc.web.follow import Follower
    from feedsvc.web.store_shelf import StoreShelf

    def versions(names: Sequence[str]) -> Mapping[str, tuple[str, datetime]]:
        with runtime.database.reading() as store:
            return store.file_versions(names)

    def fetch(name: str) -> bytes:
        with blobs.open(name) as file:
            return file.read()

    shelf = StoreShelf(versions, fetch, memory)
    follower = Follower(runtime.database, shelf)
    runtime.at_close.append(follower.stop)
    follower.start()
    return shelf


def former_feeds(runtime: Runtime) -> FormerFeeds:
    """Return what the database knows of feeds that had other names."""

    def ask(slug: str) -> FormerFeed | None:
        with runtime.database.reading() as store:
            return store.former_feed(slug)

    return FormerFeeds(ask, clock=time.monotonic)


def rate_of(limit: RateLimit, *, host: str) -> Rate | None:
    """Return the rate that a setting means, None for no limit."""
    if limit.automatic:
        return None if is_only_here(host) else USUAL_RATE
    return Rate(limit.count, limit.seconds) if limit.count else None


def is_only_here(host: str) -> bool:
    """Tell whether a host is this machine's own, which no other can reach."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def max_age(publish: Schedule) -> int:
    """Return for how many seconds a feed may be kept: what lies between two publications."""
    return keeping.max_age(publish.seconds)
