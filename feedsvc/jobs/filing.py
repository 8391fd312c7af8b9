"""File articles by author, agency, host and saved search, and keep to what is turned on."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from feedsvc.jobs.agreement import require_agreement
from feedsvc.jobs.running import silent
from feedsvc.model import Channel, ChannelKind, Progress, Topic
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store

if TYPE_CHECKING:
    from feedsvc.classify.filing import Filing
    from feedsvc.query import Found

BATCH = 1000
"""Articles filed in one transaction."""

_APPLIED = "channels turned on"
"""The fact that tells which channels and kinds of channels there are to be."""

_NOTICES = {
    "changes": ChannelKind.CHANGES,
    "gone": ChannelKind.GONE,
    "status": ChannelKind.STATUS,
}


def file_articles(
    store: Store,
    filing: Filing,
    articles: Mapping[str, tuple[Found, datetime]],
    *,
    topics: Mapping[str, Sequence[Topic]],
    fresh: Collection[str] = (),
) -> None:
    """Make articles members of the channels they belong to now; topics aside.

    ``articles``: id -> the article and when it was published. ``fresh`` ones are in none yet.
    """
    if not filing.is_on or not articles:
        return
    found = {
        id_: filing.channels(article, topics=topics[id_], published=published)
        for id_, (article, published) in articles.items()
    }
    store.ensure_channels(channel for list_ in found.values() for channel in list_)
    slugs = {id_: {channel.slug for channel in list_} for id_, list_ in found.items()}
    store.put_members(slugs, fresh=fresh)
    store.set_filed(list(articles), filing.version)


def file_stale(runtime: Runtime, *, progress: Progress = silent) -> int:
    """Turn channels on and off as settings say, and file what was filed otherwise.

    Returns how many articles were looked at; goes on where it was interrupted.
    """
    filing = runtime.filing
    _turn(runtime, filing)
    done = 0
    while filing.is_on:
        with runtime.database.reading() as store:
            found = store.unfiled_articles(filing.version, limit=BATCH)
            topics = store.topics_of([one.id for one in found])
        if not found:
            break
        articles: dict[str, tuple[Found, datetime]] = {
            one.id: (one, one.published) for one in found
        }
        with runtime.database.transaction() as store:
            require_agreement(runtime, store)
            file_articles(store, filing, articles, topics=topics)
        done += len(found)
        progress("filing", done, None)
    return done


def standing(runtime: Runtime) -> list[Channel]:
    """Return the channels that are there even while they hold nothing."""
    also = runtime.settings.feeds.also
    notices = [Channel(kind, name, "") for name, kind in _NOTICES.items() if name in also]
    return [*notices, *runtime.filing.standing()]


def _turn(runtime: Runtime, filing: Filing) -> None:
    wanted = {
        "kinds": sorted(filing.kinds),
        "channels": [[one.slug, one.label, one.definition] for one in standing(runtime)],
    }
    applied = json.dumps(wanted)
    with runtime.database.reading() as store:
        if store.fact(_APPLIED) == applied:
            return
    with runtime.database.transaction() as store:
        store.await_dropping()
        require_agreement(runtime, store)
        _turn_off(store, filing, {one.slug for one in standing(runtime)}, now=runtime.now())
        store.ensure_channels(standing(runtime))
        store.relabel_channels(standing(runtime))
        if not filing.is_on:
            store.unfile_all()
        store.set_fact(_APPLIED, applied)


def _turn_off(store: Store, filing: Filing, there: Collection[str], *, now: datetime) -> None:
    """Withdraw the feeds of what is off; nothing of their order is kept."""
    named = {ChannelKind.AUTHOR, ChannelKind.AGENCY, ChannelKind.HOST}
    off = [one.slug for one in store.channels(named - filing.kinds)]
    single = {ChannelKind.SEARCH, *_NOTICES.values()}
    off += [one.slug for one in store.channels(single) if one.slug not in there]
    store.put_gone(off, now=now)
    store.drop_channels(off)
    store.drop_places(off)
