"""Articles → one feed document, before any format: what it says and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from feedsvc.model import Channel, Entry, Feed, FeedItem, Notice, Place, Site, Tombstone
from feedsvc.publish.channels import (
    ROOT,
    STYLE,
    feed_id,
    feed_subtitle,
    feed_title,
    feed_url,
    home,
    tidy,
)
from feedsvc.publish.dates import EMPTY, believed
from feedsvc.publish.entries import (
    ENTRY_LIMIT,
    article_entry,
    article_teaser,
    illustrated,
    notice_body,
    notice_entry,
    notice_teaser,
    published,
)
from feedsvc.publish.formats import FEED_FORMATS
from feedsvc.publish.kept import Kept
from feedsvc.publish.mending import mending
from feedsvc.publish.safe import address, markup, plain

FEED_LIMIT = 4_500_000
"""Bytes of a feed. Validators and some readers refuse more than 5,000,000, so older entries that
would not fit are published as summary and link."""
_REST = 1_800
"""Bytes of an entry beside its content, about."""

KEPT_REST = 2_000
"""Bytes of memory of an entry beside its content, about."""

HEAD = Place()


def compose_feed(
    channel: Channel,
    items: Sequence[FeedItem],
    *,
    site: Site,
    entry_link: str,
    place: Place = HEAD,
    tombstones: Sequence[Tombstone] = (),
    hubs: Sequence[str] = (),
    root: str = ROOT,
    kept: Kept | None = None,
) -> Feed:
    """Return a document of a channel of articles, newest entry first.

    ``entry_link`` says where entries lead: `article` (our page) or `original` (if there is one).
    ``place`` is the head or an archive page (RFC 5005 §4); ``root`` is where the channel's
    documents stand, `feeds/private/<token>` for a share. The same items give the same feed in
    whatever order they come; withdrawn articles and second copies are left out. An archive page
    carries neither tombstones nor hubs, with which it would have to change. Pure; dates come
    from the articles alone. ``kept`` saves work where articles are in several feeds.
    """
    site, kept = tidy(site), kept or Kept()
    unique = {item.article.id: item for item in items if item.article.withdrawn is None}
    dated = [(published(item.article), item.article.id) for item in unique.values()]
    dated.sort(reverse=True)
    room = _Room()
    entries: list[Entry] = []
    mended: dict[str, str] = {}
    for _, key in dated:
        made = _made(unique[key], site, entry_link, kept)
        entries.append(made.whole if room.take(made.size) else room.shorten(made.short))
        if made.mended:
            mended[key] = made.mended
    feed = _feed(channel, entries, site=site, root=root)
    feed = _placed(replace(feed, mended=mended), site, place, root)
    if feed.archive:
        return feed
    return replace(feed, tombstones=_tombstones(tombstones, entries), hubs=_hubs(hubs))


@dataclass(frozen=True, slots=True)
class _Made:
    """What was made of an article for any feed: its entry, and the one for a feed that is full."""

    whole: Entry
    size: int
    """Bytes of its content, written."""
    short: Callable[[], Entry]
    mended: str | None = None


def _made(item: FeedItem, site: Site, entry_link: str, kept: Kept) -> _Made:
    key = ("entry", item, site, entry_link)
    made: _Made | None = kept.get(key)
    if made is None:
        made = _composed(item, site, entry_link)
        kept.put(key, made, size=2 * len(made.whole.content) + KEPT_REST)
    return made


def _composed(item: FeedItem, site: Site, entry_link: str) -> _Made:
    text = markup(item.article.html)
    body = illustrated(item, text, site)
    make = partial(article_entry, item, site=site, entry_link=entry_link)

    def short() -> Entry:
        return make(article_teaser(item, site))

    size = written(body)
    fits = size <= ENTRY_LIMIT
    entry = make(body) if fits else short()
    told = mending(item.article, entry, text=text, whole=fits)
    return _Made(entry, size if fits else written(entry.content), short, told)


def compose_notices(
    channel: Channel,
    notices: Sequence[Notice],
    *,
    site: Site,
    hubs: Sequence[str] = (),
    root: str = ROOT,
) -> Feed:
    """Return the one document of a channel of notices, newest first.

    The same notices give the same feed in whatever order they come.
    """
    site = tidy(site)
    unique = {notice.id: notice for notice in notices}
    dated = [(believed(one.published, one.updated), one.id) for one in unique.values()]
    dated.sort(reverse=True)
    room = _Room()
    entries: list[Entry] = []
    for _, key in dated:
        notice = unique[key]
        body = notice_body(notice)
        whole = room.take(written(body))
        short = partial(notice_entry, notice, notice_teaser(notice))
        entries.append(notice_entry(notice, body) if whole else room.shorten(short))
    return replace(_feed(channel, entries, site=site, root=root), hubs=_hubs(hubs))


def _feed(channel: Channel, entries: Sequence[Entry], *, site: Site, root: str) -> Feed:
    return Feed(
        id=feed_id(site, channel.named or channel.slug),
        slug=channel.slug,
        title=feed_title(site, channel),
        subtitle=feed_subtitle(site, channel),
        home=home(site, channel, root=root),
        urls={name: feed_url(site, channel.slug, name, root=root) for name in FEED_FORMATS},
        updated=max((entry.updated for entry in entries), default=EMPTY),
        language=site.language,
        author=site.author,
        icon=f"{site.base_url}/favicon.ico",
        entries=tuple(entries),
        ttl_minutes=site.ttl_minutes,
        rights=site.rights,
        logo=site.logo,
        stylesheet=f"{site.base_url}/{ROOT}/{STYLE}",
    )


def _placed(feed: Feed, site: Site, place: Place, root: str) -> Feed:
    """Return a feed with its own address and those of the documents beside it."""

    def urls(page: int | None) -> dict[str, str]:
        return {
            name: feed_url(site, feed.slug, name, page=page, root=root) for name in FEED_FORMATS
        }

    archive = place.page is not None
    return replace(
        feed,
        archive=archive,
        urls=urls(place.page),
        prev_archive={} if place.older is None else urls(place.older),
        next_archive=urls(place.newer) if archive and place.newer is not None else {},
        current=urls(None) if archive else {},
    )


def _tombstones(found: Iterable[Tombstone], entries: Iterable[Entry]) -> tuple[Tombstone, ...]:
    """Return the newest tombstone of every entry that is not there any more, newest first."""
    living = {entry.id for entry in entries}
    newest: dict[str, Tombstone] = {}
    for tombstone in sorted(found, key=lambda one: (believed(one.when), one.comment)):
        if tombstone.entry_id not in living:
            newest[tombstone.entry_id] = Tombstone(
                tombstone.entry_id, believed(tombstone.when), plain(tombstone.comment)
            )
    ordered = sorted(newest.values(), key=lambda one: (one.when, one.entry_id), reverse=True)
    return tuple(ordered)


def _hubs(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(hub for hub in map(address, found) if hub))


@dataclass(slots=True)
class _Room:
    """How much more a document can take."""

    left: int = field(default=FEED_LIMIT)

    def take(self, size: int) -> bool:
        """Tell whether content of so many bytes has room, and take that room."""
        if size > min(self.left, ENTRY_LIMIT):
            return False
        self.left -= size + _REST
        return True

    def shorten(self, make: Callable[[], Entry]) -> Entry:
        """Return the shorter entry, and take its room."""
        entry = make()
        self.left -= written(entry.content) + _REST
        return entry


def written(html: str) -> int:
    """Return how many bytes HTML takes inside XML; inside JSON it takes fewer."""
    extra = 3 * (html.count("<") + html.count(">")) + 4 * html.count("&")
    return extra + (len(html) if html.isascii() else len(html.encode("utf-8")))
