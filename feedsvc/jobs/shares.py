"""Private addresses of feeds: made, told once more, and taken back."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from feedsvc.errors import NotFound
from feedsvc.jobs.listing import remove_files
from feedsvc.jobs.preparing import private_slugs
from feedsvc.jobs.publish import publish_feeds
from feedsvc.jobs.publish_one import lock_of
from feedsvc.model import Channel, ChannelKind
from feedsvc.publish import feed_url
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store
from feedsvc.storage.store_names import PRIVATE, Share
from feedsvc.text import did_you_mean

SECRET = 24
"""Bytes of chance in an address: 192 bits."""


@dataclass(frozen=True, slots=True)
class ListedFeed:
    """A feed, and who may read it."""

    slug: str
    kind: ChannelKind
    label: str
    articles: int
    url: str | None
    """None: nobody may who was not told a private address."""
    shares: int


@dataclass(frozen=True, slots=True)
class SharedFeed:
    """A private address of a feed."""

    name: str
    token: str
    url: str
    created: datetime


def list_feeds(runtime: Runtime) -> list[ListedFeed]:
    """Return the feeds there are, by kind and name."""
    private = private_slugs(runtime)
    with runtime.database.reading() as store:
        channels = store.channels()
        shared = store.tokens_of([one.slug for one in channels])
        counts = store.member_counts()
    order = list(ChannelKind)
    return [
        ListedFeed(
            slug=one.slug,
            kind=one.kind,
            label=one.label,
            articles=counts.get(one.slug, 0),
            url=None if one.slug in private else feed_url(runtime.site, one.slug, "atom"),
            shares=len(shared.get(one.slug, ())),
        )
        for one in sorted(channels, key=lambda one: (order.index(one.kind), one.slug))
    ]


def share_feed(runtime: Runtime, name: str) -> SharedFeed:
    """Publish a feed under a new address that nobody can guess. Raises NotFound."""
    share = Share(os.urandom(SECRET).hex(), "", runtime.now().replace(microsecond=0))
    with runtime.database.transaction() as store:
        channel = _channel(store, name)
        share = Share(share.token, channel.slug, share.created)
        store.put_share(share)
        store.mark_whole([channel.slug])
    publish_feeds(runtime)
    return _shared(runtime, share)


def shared_feeds(runtime: Runtime) -> list[SharedFeed]:
    """Return every private address."""
    with runtime.database.reading() as store:
        return [_shared(runtime, one) for one in store.shares()]


def find_shares(runtime: Runtime, name: str) -> list[SharedFeed]:
    """Return the private addresses that `unshare_feed` would take back. Raises NotFound."""
    with runtime.database.reading() as store:
        return [_shared(runtime, one) for one in _named(store, name)]


def _named(store: Store, name: str) -> list[Share]:
    shares = store.shares()
    if found := [one for one in shares if one.slug == name or one.token in name]:
        return found
    guess = did_you_mean(name, {one.slug for one in shares})
    raise NotFound(
        f"no feed is shared as {_hidden(name)!r}: {guess}`feedsvc feeds shares` lists those that are"
    )


def unshare_feed(runtime: Runtime, name: str) -> list[SharedFeed]:
    """Take a private address back, or all those of a feed; what was told then leads nowhere.

    ``name`` is an address, its secret part or a feed's name. Raises NotFound.
    """
    with runtime.database.reading() as store:
        slugs = {one.slug for one in _named(store, name)}
    with ExitStack() as stack:
        # A publication under way may be writing just that: it must not come after this.
        for lock in sorted({lock_of(runtime, slug) for slug in slugs}):
            stack.enter_context(runtime.lock(lock))
        with runtime.database.transaction() as store:
            found = [one for one in _named(store, name) if one.slug in slugs]
            files = store.drop_shares([one.token for one in found])
        remove_files(runtime, files)
    publish_feeds(runtime)
    return [_shared(runtime, one) for one in found]


def _hidden(name: str) -> str:
    return name if len(name) < 2 * SECRET else "…"


def _shared(runtime: Runtime, share: Share) -> SharedFeed:
    root = f"feeds/{PRIVATE}{share.token}"
    url = feed_url(runtime.site, share.slug, "atom", root=root)
    return SharedFeed(share.slug, share.token, url, share.created)


def _channel(store: Store, name: str) -> Channel:
    channel = store.channel(name)
    if channel is None:
        raise NotFound(_no_feed(name, [one.slug for one in store.channels()]))
    return channel


def _no_feed(name: str, known: Collection[str]) -> str:
    return f"there is no feed {name!r}: {did_you_mean(name, known)}`feedsvc feeds` lists them"
