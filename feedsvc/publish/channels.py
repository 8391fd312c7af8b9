"""What a channel's feeds are called, where they stand and which page is about the same articles."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import quote

from feedsvc.model import ALL, Channel, ChannelKind, Site, Topic
from feedsvc.publish.safe import address, language, plain
from feedsvc.urls import host_of

ROOT = "feeds"
"""Where listed feeds stand; a private one stands in `feeds/private/<token>`."""
STYLE = "style.css"
"""The stylesheet of all feeds, under `feeds/`."""
ABOUT = "about.txt"
"""What feeds say that no standard explains, under `feeds/`."""

_LABELS: Mapping[ChannelKind, str] = MappingProxyType(
    {
        ChannelKind.CHANGES: "Changed originals",
        ChannelKind.GONE: "Originals that are gone",
        ChannelKind.STATUS: "Status",
    }
)
"""Of kinds of which a site has one channel, where it has no name of its own."""
_SUBTITLES: Mapping[ChannelKind, str] = MappingProxyType(
    {
        ChannelKind.ALL: "Every article of {site}, with links to originals and archived copies.",
        ChannelKind.TOPIC: "Articles about {label}.",
        ChannelKind.AUTHOR: "Articles by {label}.",
        ChannelKind.AGENCY: "Articles from {label}.",
        ChannelKind.HOST: "Articles first published at {label}.",
        ChannelKind.SEARCH: "Articles that the search {label} finds.",
        ChannelKind.CHANGES: "What changed in the originals of {site}, and when.",
        ChannelKind.GONE: "Originals of {site} that vanished, moved or are blocked.",
        ChannelKind.STATUS: "What went wrong at {site}, and why.",
    }
)


def topic_channel(topic: Topic) -> Channel:
    """Return the channel of a topic, or of everything for the slug `all`."""
    kind = ChannelKind.ALL if topic.slug == ALL else ChannelKind.TOPIC
    return Channel(kind, topic.slug, topic.label, topic.definition, topic)


def tidy(site: Site) -> Site:
    """Return a site whose words and addresses any feed can hold.

    None of them is empty but language, rights and logo.
    """
    base = address(site.base_url) or site.base_url
    title = plain(site.title) or host_of(base) or "feedsvc"
    return replace(
        site,
        title=title,
        base_url=base,
        author=plain(site.author) or title,
        language=language(site.language) or "",
        rights=plain(site.rights),
        logo=address(site.logo) or "",
    )


def feed_id(site: Site, slug: str) -> str:
    """Return the id of a feed: the UUIDv5 of its first address, without the format.

    So all formats and all documents, archive pages and private copies included, name one feed
    (RFC 5005 §1.2: a logical feed), the same channel published by another site is another feed,
    and a site that moves keeps its feeds (RFC 4287 §4.2.6).
    """
    first = f"{site.first_url or site.base_url}/feeds/{quote(slug)}"
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, first)}"


def feed_path(slug: str, name: str, *, page: int | None = None) -> str:
    """Return where under its root a feed document stands: `sport.atom`, `sport/0001.atom`."""
    return f"{slug}.{name}" if page is None else f"{slug}/{page:04d}.{name}"


def feed_url(site: Site, slug: str, name: str, *, page: int | None = None, root: str = ROOT) -> str:
    """Return the address of a feed document in one format: the head, or an archive page."""
    return f"{site.base_url}/{quote(root)}/{quote(feed_path(slug, name, page=page))}"


def feed_title(site: Site, channel: Channel) -> str:
    """Return the name of a feed as readers list it."""
    if channel.kind is ChannelKind.ALL:
        return site.title
    return plain(f"{site.title}: {label_of(channel)}")


def feed_subtitle(site: Site, channel: Channel) -> str:
    """Return one sentence on what a feed holds."""
    if said := plain(channel.definition):
        return said
    words = _SUBTITLES[channel.kind].format(site=site.title, label=label_of(channel))
    return plain(words)


def label_of(channel: Channel) -> str:
    """Return the name of a channel; a topic's begins with a capital letter."""
    label = plain(channel.label) or _LABELS.get(channel.kind) or plain(channel.slug)
    if channel.kind is not ChannelKind.TOPIC:
        return label or "articles"
    label = label or "topic"
    return label[0].upper() + label[1:]


def home(site: Site, channel: Channel, *, root: str = ROOT) -> str:
    """Return the address of the page about the same articles as a feed.

    A private feed leads to the front page: its own may be there for nobody.
    """
    if channel.kind is ChannelKind.ALL or root != ROOT:
        return f"{site.base_url}/"
    folder = "topics/" if channel.kind is ChannelKind.TOPIC else ""
    return f"{site.base_url}/{folder}{quote(channel.slug)}"
