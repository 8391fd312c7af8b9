"""Every method of the store as pages, jobs and workers call it, so that each plan is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import select

from feedsvc.model import ChannelKind, OriginalState, Purpose, PushKind
from feedsvc.model.search import Filters
from feedsvc.query import parse_query
from feedsvc.storage.store import Store
from feedsvc.storage.tables import articles, changes, revisions, seeds, snapshots

_SOME = 20
_TOPIC = "topic-0"
_AUTHOR = "authors/author-1"


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of a generated database to ask for."""

    now: datetime
    ids: list[str]
    urls: list[str]
    snapshots: list[str]
    seeds: list[str]
    change: str
    host: str


def sample(store: Store) -> Sample:
    """Take some rows out of the middle."""

    def some(column: Any) -> list[str]:
        return list(store.connection.scalars(select(column).offset(700).limit(_SOME)))

    ids = some(articles.c.id)
    query = select(revisions.c.url).where(revisions.c.article_id.in_(ids))
    return Sample(
        now=datetime.now(UTC),
        ids=ids,
        urls=list(filter(None, store.connection.scalars(query))),
        snapshots=some(snapshots.c.id),
        seeds=some(seeds.c.name),
        change=store.connection.scalar(select(changes.c.id).limit(1)) or "",
        host="www.news7.example",
    )


Call = Callable[[Store, Sample], object]

READING: Mapping[str, Call] = MappingProxyType(
    {
        "seed_stamps": lambda store, of: store.seed_stamps(of.seeds),
        "seed_records": lambda store, of: store.seed_records(of.seeds),
        "seed_problems": lambda store, of: store.seed_problems(50),
        "seed_names": lambda store, of: store.seed_names(after="seeds/5", limit=250),
        "duplicates_of": lambda store, of: store.duplicates_of(of.ids),
        "identities": lambda store, of: (
            store.identities(ids=of.ids),
            store.identities(url_keys=of.urls),
        ),
        "article": lambda store, of: store.article(of.ids[0]),
        "articles": lambda store, of: store.articles(of.ids),
        "stale_articles": lambda store, of: store.stale_articles("v1", limit=100),
        "stale_count": lambda store, of: store.stale_count("v1"),
        "unfiled_articles": lambda store, of: store.unfiled_articles("f1", limit=100),
        "withdrawn_since": lambda store, of: store.withdrawn_since(of.now - timedelta(days=365)),
        "article_topics": lambda store, of: store.article_topics(of.ids[0]),
        "topic_slugs": lambda store, of: store.topic_slugs(of.ids),
        "topic_choices": lambda store, of: store.topic_choices(of.ids),
        "topics_in_use": lambda store, of: store.topics_in_use(),
        "tombstones": lambda store, of: store.tombstones("all", limit=100),
        "has_expired": lambda store, of: store.has_expired(of.now - timedelta(days=90)),
        "former_feed": lambda store, of: store.former_feed(_TOPIC),
        "channel": lambda store, of: store.channel(_TOPIC),
        "channels_named": lambda store, of: store.channels_named([_TOPIC, _AUTHOR]),
        "dirty_channels": lambda store, of: store.dirty_channels(),
        "dirty_slugs": lambda store, of: store.dirty_slugs(limit=100),
        "dirty_pages": lambda store, of: store.dirty_pages([_TOPIC]),
        "count_waiting": lambda store, of: store.count_waiting(),
        "last_position": lambda store, of: store.last_position("all"),
        "closed": lambda store, of: store.closed("all"),
        "between": lambda store, of: store.between("all", 7001, 7050),
        "newest": lambda store, of: (
            store.newest(31),
            store.newest(31, after=store.article(of.ids[0])),
            store.newest(31, channel=_TOPIC),
            store.newest(31, channel=_TOPIC, after=store.article(of.ids[0])),
        ),
        "revisions": lambda store, of: store.revisions(of.ids[0]),
        "channels_from": lambda store, of: store.channels_from(
            ChannelKind.AUTHOR, limit=100, after=_AUTHOR
        ),
        "marked_channel": lambda store, of: store.marked_channel(_TOPIC),
        "channels_of": lambda store, of: store.channels_of(of.ids[0]),
        "count_members": lambda store, of: store.count_members([_AUTHOR]),
        "due_captures": lambda store, of: store.due_captures(now=of.now, limit=100),
        "due_at_host": lambda store, of: store.due_at_host(of.host, now=of.now, limit=20),
        "hosts_due": lambda store, of: store.hosts_due(
            now=of.now, purpose=Purpose.LOOK, beyond="", limit=100
        ),
        "leases": lambda store, of: store.leases(),
        "sleeping_looks": lambda store, of: store.sleeping_looks(limit=100),
        "oldest_due": lambda store, of: store.oldest_due(now=of.now),
        "known_payloads": lambda store, of: store.known_payloads(["sha256:1", "sha256:2"]),
        "snapshots": lambda store, of: store.snapshots(of.ids[0]),
        "snapshot": lambda store, of: store.snapshot(of.snapshots[0]),
        "has_key": lambda store, of: store.has_key("2026/01/x.warc.gz"),
        "mismatches": lambda store, of: store.mismatches(of.ids[0]),
        "last_seen": lambda store, of: store.last_seen(of.ids[0], of.urls[0]),
        "capture_state": lambda store, of: store.capture_state(of.ids[0]),
        "attempts_at": lambda store, of: store.attempts_at(of.ids[0], limit=20),
        "original": lambda store, of: store.original(of.ids[0]),
        "originals": lambda store, of: store.originals(of.ids),
        "originals_in": lambda store, of: store.originals_in(OriginalState.GONE, limit=51),
        "change": lambda store, of: store.change(of.change),
        "changes_of": lambda store, of: store.changes_of(of.ids[0], limit=20),
        "recent_changes": lambda store, of: (
            store.recent_changes(limit=51),
            store.recent_changes(limit=51, before=store.change(of.change)),
        ),
        "damaged_snapshots": lambda store, of: store.damaged_snapshots(limit=20),
        "places": lambda store, of: store.places(of.snapshots),
        "memento_near": lambda store, of: store.memento_near(of.urls[0], of.now),
        "memento_neighbours": lambda store, of: store.memento_neighbours(
            of.urls[0], of.snapshots[0]
        ),
        "mementos": lambda store, of: store.mementos(of.urls[0], limit=1000),
        "feed_items": lambda store, of: store.feed_items(store.articles(of.ids)),
        "known_files": lambda store, of: store.known_files(["all.atom", "all/0001.atom"]),
        "files_after": lambda store, of: store.files_after("all/0003.atom", limit=500),
        "doomed_files": lambda store, of: store.doomed_files(limit=100),
        "fact": lambda store, of: store.fact("first url"),
        "is_push_due": lambda store, of: store.is_push_due(list(PushKind), now=of.now),
        "due_pushes": lambda store, of: store.due_pushes(
            PushKind.DELIVER, now=of.now, limit=50, failed=False, without_hosts=()
        ),
        "push_leases": lambda store, of: store.push_leases(),
        "article_names": lambda store, of: store.article_names(50),
        "runs": lambda store, of: store.runs(),
        "selected_snapshots": lambda store, of: store.selected_snapshots(article_id=of.ids[0]),
        "snapshots_by_id": lambda store, of: store.snapshots_by_id(of.snapshots),
        "unindexed_count": lambda store, of: store.unindexed_count(),
        "awaits_index": lambda store, of: store.awaits_index(),
        "search": lambda store, of: store.search(
            parse_query("nothing777"), Filters(), limit=20, after=None
        ),
        "forgotten": lambda store, of: store.forgotten(ids=of.ids, url_keys=of.urls),
        "count_revisions": lambda store, of: store.count_revisions(of.ids[0]),
        "removals": lambda store, of: store.removals(),
    }
)
"""What reads, and is asked for again and again."""

WRITING: Mapping[str, Call] = MappingProxyType(
    {
        "claim_captures": lambda store, of: store.release_captures(
            _claimed(store, of), article_ids=of.ids
        ),
        "make_due": lambda store, of: store.make_due(of.ids[0], now=of.now),
        "mark_dirty": lambda store, of: store.mark_dirty([_TOPIC]),
        "mark_articles_dirty": lambda store, of: store.mark_articles_dirty(of.ids),
        "mark_clean": lambda store, of: store.mark_clean({_TOPIC: 1}),
        "mark_pages_clean": lambda store, of: store.mark_pages_clean({(_TOPIC, 1): 1}),
        "join_sequences": lambda store, of: store.join_sequences([_TOPIC, _AUTHOR]),
        "close_pages": lambda store, of: store.close_pages([_TOPIC], entries=50),
        "put_members": lambda store, of: store.put_members({one: [_AUTHOR] for one in of.ids}),
        "withdraw": lambda store, of: store.withdraw(of.ids, now=of.now),
        "bury": lambda store, of: store.bury(of.ids, now=of.now),
        "unbury": lambda store, of: store.unbury(of.ids),
        "set_topics_version": lambda store, of: store.set_topics_version(of.ids, "v2"),
        "set_filed": lambda store, of: store.set_filed(of.ids, "f2"),
        "index_some": lambda store, of: store.index_some(limit=20),
        "mark_damaged": lambda store, of: store.mark_damaged(of.snapshots, now=of.now),
        "drop_snapshots": lambda store, of: store.drop_snapshots(of.snapshots),
        "drop_articles": lambda store, of: store.drop_articles(of.ids),
        "drop_seeds": lambda store, of: store.drop_seeds(of.seeds),
        "release_pushes": lambda store, of: store.release_pushes("nobody"),
        "drop_outlived": lambda store, of: store.drop_outlived(now=of.now),
        "expire_tombstones": lambda store, of: store.expire_tombstones(
            of.now - timedelta(days=365)
        ),
    }
)
"""What writes a few rows, and has to find them by an index."""

COUNTING = frozenset({
    "counts", "rough_counts", "count_due", "count_failed", "count_originals", "topic_counts",
    "failed_captures", "troubled_looks", "seed_warnings", "member_counts", "seed_count",
    "push_status", "count_failing_pushes", "subscriptions",
})  # fmt: skip
"""What counts or sorts much; pages remember what it found ten times as long as it took."""

WHOLE = frozenset({
    "all_snapshots", "damaged_revisions", "article_urls", "snapshot_ids", "feed_files", "channels",
    "relabel_channels", "mark_whole", "unfile_all", "await_whole_index", "make_failed_due",
    "doom_files", "find", "referring", "seeds_below", "seeds_withdrawn_since", "rename_topic", "audit_log",
})  # fmt: skip
"""What goes through everything by its nature, when a person asks for that."""


def _claimed(store: Store, of: Sample) -> str:
    until = of.now + timedelta(minutes=5)
    store.claim_captures(of.ids, now=of.now, lease="measured", until=until)
    return "measured"
