"""Write the feeds that changed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from feedsvc.errors import NotFound
from feedsvc.jobs.running import recorded, silent
from feedsvc.jobs.sort import sort_stale
from feedsvc.logs import logger
from feedsvc.model import ALL, FeedItem, Progress, PublishReport, Topic
from feedsvc.publish import FEED_FORMATS, compose_feed, opml, render
from feedsvc.runtime import SOFTWARE, Runtime
from feedsvc.storage.blobs import DiskBlobs
from feedsvc.storage.store import Store
from feedsvc.storage.store_topics import EVERYTHING

INDEX = "index.opml"
_SETTINGS = "feed settings"
"""The fact that tells under which settings the feeds were written."""

_FIRST_URL = "first base_url"
"""The fact from which feeds have their ids: a site that moves keeps them."""

log = logger(__name__)


def publish_feeds(runtime: Runtime, *, progress: Progress = silent) -> PublishReport:
    """Write the feeds of every topic in which something changed, and remove those of empty ones.

    A changed vocabulary sorts the articles again first. Raises Temporary while another process
    publishes for minutes.
    """
    began = time.monotonic()
    with runtime.lock("publish"), recorded(runtime, "publish") as run:
        sorted_again = sort_stale(runtime, progress=progress)
        report = replace(
            write_dirty(runtime, progress=progress),
            resorted=sorted_again.changed,
            seconds=time.monotonic() - began,
        )
        run.note(report)
    return report


def write_dirty(runtime: Runtime, *, progress: Progress = silent) -> PublishReport:
    """Write what is marked dirty; the caller holds the `publish` lock."""
    with runtime.database.reading() as store:
        changed_settings = store.fact(_SETTINGS) != _settings(runtime)
        waiting = store.dirty_topics()
        lost = _lost(runtime, store)
    if not waiting and not changed_settings and not lost:
        return PublishReport()
    with runtime.database.transaction() as store:
        if changed_settings:
            _take_settings(runtime, store)
        store.mark_dirty({name.rpartition(".")[0] for name in lost})
        dirty = store.dirty_topics()
        gone = store.empty_topics([topic.slug for topic, _ in dirty])
        store.drop_topics(gone)
        dirty = [(topic, mark) for topic, mark in dirty if topic.slug not in set(gone)]
        store.join_sequences(topic.slug for topic, _ in dirty)
    runtime.feeds.sweep()
    writer = _Writer(runtime)
    for done, (topic, mark) in enumerate(dirty):
        progress("publishing", done, len(dirty), topic.slug)
        writer.write(topic, mark)
    progress("publishing", len(dirty), len(dirty))
    writer.write_index()
    return writer.finish()


def _lost(runtime: Runtime, store: Store) -> list[str]:
    """Return the names of feed files that are gone, or not as long as they were written."""
    lost: list[str] = []
    for name, (_, size) in store.feed_files().items():
        try:
            if runtime.feeds.size(name) != size:
                lost.append(name)
        except NotFound:
            lost.append(name)
    return lost


def mark_everything(runtime: Runtime, slug: str | None = None) -> None:
    """Make every feed, or one topic's, be written again. Raises NotFound for an unknown topic."""
    with runtime.database.transaction() as store:
        store.ensure_topics([EVERYTHING])
        known = {topic.slug for topic in store.topics_in_use()}
        if slug is not None and slug not in known:
            names = ", ".join(sorted(known))
            raise NotFound(f"no article is in a topic {slug!r}; topics in use: {names}")
        store.mark_dirty(None if slug is None else [slug])


def _settings(runtime: Runtime) -> str:
    """Return a digest of everything besides the articles that feeds show."""
    site = runtime.site
    feeds = runtime.settings.feeds
    shown = [site.title, site.base_url, site.author, site.language, feeds.entries, feeds.entry_link]
    shown += [SOFTWARE, runtime.classifier.version, *FEED_FORMATS]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


def _take_settings(runtime: Runtime, store: Store) -> None:
    store.ensure_topics([EVERYTHING])
    classifier = runtime.classifier
    labels = {topic.slug: classifier.topics.get(topic.slug) for topic in store.topics_in_use()}
    store.relabel_topics({slug: topic for slug, topic in labels.items() if topic is not None})
    store.mark_dirty()
    store.set_fact(_SETTINGS, _settings(runtime))
    if store.fact(_FIRST_URL) is None:
        store.set_fact(_FIRST_URL, runtime.site.base_url)


class _Writer:
    """Writes feeds one by one and remembers what that did."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._site = runtime.site
        self._items: dict[str, FeedItem] = {}
        self._marks: dict[str, int] = {}
        self._files: dict[str, tuple[str, int]] = {}
        self._written = 0
        self._unchanged = 0
        self._problems: dict[str, None] = {}

    def write(self, topic: Topic, mark: int) -> None:
        """Write a topic's feed in every format."""
        settings = self._runtime.settings.feeds
        with self._runtime.database.reading() as store:
            first = store.fact(_FIRST_URL) or self._site.base_url
            self._site = replace(self._site, first_url=first)
            ids = store.head(topic.slug, limit=settings.entries)
            unread = [one for one in ids if one not in self._items]
            self._items |= store.feed_items(store.articles(unread))
        feed = compose_feed(
            topic,
            [self._items[one] for one in ids],
            site=self._site,
            entry_link=settings.entry_link,
        )
        for name in FEED_FORMATS:
            rendered = render(feed, name)
            self._put(f"{topic.slug}.{name}", rendered.data)
            self._problems |= dict.fromkeys(rendered.problems)
        self._marks[topic.slug] = mark

    def write_index(self) -> None:
        """Write the list of all feeds."""
        with self._runtime.database.reading() as store:
            topics = store.topics_in_use()
        self._put(INDEX, opml(self._site, topics))

    def _put(self, name: str, data: bytes) -> None:
        blobs = self._runtime.feeds
        if _differs(blobs, name, data):
            blobs.put(name, data)
            self._written += 1
        else:
            self._unchanged += 1
        self._files[name] = (hashlib.sha256(data).hexdigest(), len(data))

    def finish(self) -> PublishReport:
        """Record what was written, remove what nothing stands for any more."""
        runtime = self._runtime
        with runtime.database.reading() as store:
            wanted = {INDEX, *_names(store.topics_in_use())}
            recorded_files = store.feed_files()
        stale = sorted(set(recorded_files) - wanted)
        for name in stale:
            runtime.feeds.delete(name)
        changed = {
            name: file for name, file in self._files.items() if recorded_files.get(name) != file
        }
        with runtime.database.transaction() as store:
            store.put_feed_files(changed, now=runtime.now())
            store.drop_feed_files(stale)
            store.mark_clean(self._marks)
        for problem in self._problems:
            log.warning("entry.left_out", problem=problem)
        return PublishReport(
            topics=sum(slug != ALL for slug in self._marks),
            written=self._written,
            unchanged=self._unchanged,
            removed=len(stale),
            problems=tuple(self._problems),
        )


def _names(topics: Iterable[Topic]) -> list[str]:
    return [f"{topic.slug}.{name}" for topic in topics for name in FEED_FORMATS]


def _differs(blobs: DiskBlobs, name: str, data: bytes) -> bool:
    try:
        if blobs.size(name) != len(data):
            return True
        with blobs.open(name) as file:
            return file.read() != data
    except NotFound:
        return True


def feed_urls(runtime: Runtime, slugs: Sequence[str] = (ALL,)) -> list[str]:
    """Return the addresses of feeds to paste into a reader."""
    base = runtime.site.base_url
    return [f"{base}/feeds/{slug}.atom" for slug in slugs]
