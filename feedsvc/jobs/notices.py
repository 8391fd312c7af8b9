"""What the feeds of notices hold: changed originals, originals that are gone, what failed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from feedsvc.model import ChannelKind, Notice, OriginalState, SeedRecord, Site
from feedsvc.publish.notices import (
    capture_notice,
    change_notice,
    damage_notice,
    failing_since,
    original_notice,
    seed_notice,
)
from feedsvc.storage.store import Store

_ATTEMPTS = 1000
"""Of one capture, as many as may have failed in a row."""
_LOST = (OriginalState.GONE, OriginalState.REDIRECTED, OriginalState.BLOCKED)


def notices(store: Store, kind: ChannelKind, *, site: Site, limit: int) -> list[Notice]:
    """Return the last notices of a kind, the newest first."""
    found = {one.id: one for one in _KINDS[kind](store, site, limit)}
    return sorted(found.values(), key=lambda one: (one.published, one.id), reverse=True)[:limit]


def digest(said: Iterable[Notice]) -> str:
    """Return what tells whether notices are the same, hex."""
    return hashlib.sha256("\n".join(map(repr, said)).encode()).hexdigest()


def _changes(store: Store, site: Site, limit: int) -> Iterator[Notice]:
    changes = store.recent_changes(limit=limit)
    articles = store.articles(sorted({one.article_id for one in changes}))
    for change in changes:
        yield change_notice(change, articles[change.article_id], site=site)


def _gone(store: Store, site: Site, limit: int) -> Iterator[Notice]:
    originals = [one for state in _LOST for one in store.originals_in(state, limit=limit)]
    articles = store.articles(sorted({one.article_id for one in originals}))
    for original in originals:
        yield original_notice(original, articles[original.article_id], site=site)


def _status(store: Store, site: Site, limit: int) -> Iterator[Notice]:
    for state in (*store.failed_captures(limit), *store.troubled_looks(limit)):
        attempts = store.attempts_at(state.article_id, limit=_ATTEMPTS)
        if (began := failing_since(attempts)) is not None:
            yield capture_notice(state, began=began, site=site)
    seeds: list[SeedRecord] = [*store.seed_problems(limit), *store.seed_warnings(limit)]
    for record in seeds:
        yield seed_notice(record, site=site)
    damaged = store.damaged_snapshots(limit=limit)
    articles = store.articles(sorted({one.article_id for one in damaged}))
    for snapshot in damaged:
        yield damage_notice(snapshot, articles[snapshot.article_id], site=site)


_KINDS: Mapping[ChannelKind, Callable[[Store, Site, int], Iterator[Notice]]] = MappingProxyType(
    {
        ChannelKind.CHANGES: _changes,
        ChannelKind.GONE: _gone,
        ChannelKind.STATUS: _status,
    }
)
