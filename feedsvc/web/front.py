"""What stands in front of the router: feeds from memory, as the settings want them."""

from __future__ import annotations

import ipaddress
import time
from collections import Counter

from starlette.types import ASGIApp

from feedsvc.runtime import Runtime
from feedsvc.settings.values import RateLimit, Schedule
from feedsvc.storage.store_names import FormerFeed
from feedsvc.web.documents import Documents
from feedsvc.web.fair_use import Clients, FairUse, Network, Rate
from feedsvc.web.feeds import FeedCache
from feedsvc.web.former import FormerFeeds, Signposts

USUAL_RATE = Rate(30, 3600)
"""What `web.rate_limit = "auto"` means on an address that others can reach."""

_AGES = (60, 3600)
_AGE_OF_CRON = 900


def feed_cache(
    router: ASGIApp, runtime: Runtime, answered: Counter[int], *, prefix: str
) -> FeedCache:
    """Return the layer that answers `/feeds/…` and passes everything else on to ``router``."""
    settings = runtime.settings
    documents = Documents(
        runtime.feeds.path,
        link=f"{runtime.site.base_url}/feeds/",
        max_age=max_age(settings.schedule.publish),
        hubs=runtime.hubs,
        now=runtime.now,
    )
    rate = rate_of(settings.web.rate_limit, host=settings.web.host)
    networks: list[Network] = [ipaddress.ip_network(one) for one in settings.web.trusted_proxies]
    return FeedCache(
        router,
        documents,
        answered,
        prefix=prefix,
        elsewhere=Signposts(former_feeds(runtime), prefix=prefix),
        fair_use=FairUse(rate, clock=time.monotonic) if rate else None,
        clients=Clients(networks),
    )


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
    """Return for how many seconds a feed may be kept: what lies between two publications.

    Never less than a minute, as readers take it for the polling interval, nor more than an hour.
    """
    lowest, highest = _AGES
    if publish.seconds is None:
        return _AGE_OF_CRON
    return int(min(max(publish.seconds, lowest), highest))
