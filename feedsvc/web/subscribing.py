"""`/feeds`, every public feed in every format, and `/about`, what this is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote, urlsplit

from starlette.requests import Request

from feedsvc import __version__
from feedsvc.jobs.preparing import private_slugs
from feedsvc.model import ALL, Channel, ChannelKind
from feedsvc.publish.channels import feed_url
from feedsvc.runtime import Runtime
from feedsvc.storage.store_channels import EVERYTHING
from feedsvc.web import twins
from feedsvc.web.answers import Shown
from feedsvc.web.channels import FOLDERS
from feedsvc.web.listing import Counts
from feedsvc.web.pages import TOPICS, by_size

READERS: Mapping[str, str] = MappingProxyType(
    {
        "Feedly": "https://feedly.com/i/subscription/feed/",
        "Inoreader": "https://www.inoreader.com/search/feeds/",
        "NewsBlur": "https://www.newsblur.com/?url=",
    }
)
"""Readers on the web that take a feed's address in their own."""
FEW = 12
"""Authors, hosts and so on that stand on this page; the rest stands on their own."""

_NOTICES = (ChannelKind.CHANGES, ChannelKind.GONE, ChannelKind.STATUS)
_LOCAL = (".localhost", ".local", ".lan", ".internal", ".home.arpa")


@dataclass(frozen=True, slots=True)
class Group:
    """Feeds of one kind."""

    title: str
    channels: tuple[Channel, ...]
    folder: str = ""
    """Path of the page with all of them, empty where these are all."""


class FeedPages:
    """Looks at the database for what can be subscribed to."""

    def __init__(self, runtime: Runtime, *, counts: Counts) -> None:
        self._runtime = runtime
        self._counts = counts

    def feeds(self, _request: Request) -> Shown:
        """Show every public feed; of kinds with many, some and where the others are."""
        with self._runtime.database.reading() as store:
            found = {
                kind: store.channels_from(
                    kind, limit=TOPICS if kind is ChannelKind.TOPIC else FEW + 1
                )
                for kind in (*(kind for kind, _ in FOLDERS.values()), *_NOTICES)
            }
            counts = self._counts.of(store, found[ChannelKind.TOPIC])
        hidden = private_slugs(self._runtime)
        public = {
            kind: [channel for channel, _ in some if channel.slug not in hidden]
            for kind, some in found.items()
        }
        public[ChannelKind.TOPIC] = by_size(public[ChannelKind.TOPIC], counts)
        groups = list(filter(lambda one: one.channels, _groups(public)))
        site = self._runtime.site
        return Shown(
            "feeds.html",
            "Feeds",
            "/feeds",
            {
                "everything": EVERYTHING,
                "groups": groups,
                "readers": READERS if is_public(site.base_url) else {},
                "all_atom": feed_url(site, ALL, "atom"),
                "quote": lambda url: quote(url, safe=""),
            },
            lambda: {
                "opml": f"{site.base_url}/feeds/index.opml",
                "feeds": [
                    twins.channel(site, one)
                    for one in (EVERYTHING, *(one for group in groups for one in group.channels))
                ],
                "more": [
                    f"{site.base_url}/{group.folder}.json" for group in groups if group.folder
                ],
            },
        )

    def about(self, _request: Request) -> Shown:
        """Show what this is, how articles are archived and proved, and which standards it keeps."""
        archive = self._runtime.settings.archive
        site = self._runtime.site
        return Shown(
            "about.html",
            "About",
            "/about",
            {"robots": archive.robots, "hubs": self._runtime.hubs},
            lambda: {
                "site": {
                    "title": site.title,
                    "url": f"{site.base_url}/",
                    "author": site.author,
                    "language": site.language,
                    "rights": site.rights,
                },
                "software": {"name": "feedsvc", "version": __version__},
                "hubs": list(self._runtime.hubs),
            },
        )


def _groups(public: Mapping[ChannelKind, list[Channel]]) -> list[Group]:
    groups = []
    for folder, (kind, title) in FOLDERS.items():
        some = public[kind]
        if kind is ChannelKind.TOPIC:
            groups.append(Group(title, tuple(some), ""))
        else:
            groups.append(Group(title, tuple(some[:FEW]), folder if len(some) > FEW else ""))
    watching = tuple(one for kind in _NOTICES for one in public[kind])
    return [groups[0], Group("Watching", watching), *groups[1:]]


def is_public(base_url: str) -> bool:
    """Tell whether readers elsewhere on the web could reach this site, as far as its name tells."""
    host = (urlsplit(base_url).hostname or "").lower()
    named = "." in host and not host.replace(".", "").isdigit()
    return named and not host.endswith(_LOCAL)
