"""Filing: which channels besides topics an article belongs to. Pure: an article in, channels out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from feedsvc.classify.names import name_key, plain_slug
from feedsvc.classify.people import single_names
from feedsvc.classify.searches import SavedSearch
from feedsvc.model import Channel, ChannelKind, Topic
from feedsvc.query import Found, look_at

CODE_VERSION = 1
"""Counts up whenever the same article and settings would be filed otherwise."""

FILED = {
    "authors": ChannelKind.AUTHOR,
    "agencies": ChannelKind.AGENCY,
    "hosts": ChannelKind.HOST,
}
"""Kinds that `feeds.also` turns on, by their folder; saved searches are on where there are some."""

_HOST = re.compile(r"[a-z0-9]+(?:[.-]+[a-z0-9]+)*")
# A feed's file and the folder of a channel's pages may not have the same name.
_ENDINGS = (".rss", ".atom", ".json")


@dataclass(frozen=True, slots=True)
class Filing:
    """What articles are filed by."""

    kinds: frozenset[ChannelKind] = frozenset()
    searches: tuple[SavedSearch, ...] = ()

    @property
    def is_on(self) -> bool:
        """True if there is anything to file by."""
        return bool(self.kinds or self.searches)

    @property
    def version(self) -> str:
        """SHA-256 of everything that decides, hex; empty where nothing does."""
        if not self.is_on:
            return ""
        asked = [
            [one.name, one.text, *map(sorted, (one.topics, one.authors)), one.hosts]
            for one in self.searches
        ]
        meaning = [CODE_VERSION, sorted(self.kinds), asked]
        return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()

    def standing(self) -> list[Channel]:
        """Return the channels that are there even while they hold nothing."""
        return [
            Channel(ChannelKind.SEARCH, one.slug, one.title, _described(one))
            for one in self.searches
        ]

    def channels(
        self, article: Found, *, topics: Collection[Topic], published: datetime
    ) -> list[Channel]:
        """Return the channels an article belongs to, topics aside."""
        host = _host(article.url)
        found = list(self._named(article, host))
        if self.searches:
            looked = look_at(
                article,
                host=host,
                topics=[topic.slug for topic in topics],
                published=published,
            )
            authors = frozenset(map(name_key, single_names(article.author)))
            names = frozenset(
                name_key(name) for topic in topics for name in (topic.slug, topic.label)
            )
            found += [
                Channel(ChannelKind.SEARCH, one.slug, one.title, _described(one))
                for one in self.searches
                if one.finds(looked, authors=authors, topics=names)
            ]
        return found

    def _named(self, article: Found, host: str) -> Iterator[Channel]:
        agencies = single_names(article.agency)
        if ChannelKind.AUTHOR in self.kinds:
            # `By Reuters` names no person.
            known = set(map(name_key, agencies))
            for name in single_names(article.author):
                if name_key(name) not in known:
                    yield _channel(ChannelKind.AUTHOR, "authors", name)
        if ChannelKind.AGENCY in self.kinds:
            for name in agencies:
                yield _channel(ChannelKind.AGENCY, "agencies", name)
        if ChannelKind.HOST in self.kinds and host:
            yield Channel(ChannelKind.HOST, f"hosts/{host_slug(host)}", host)


def host_slug(host: str) -> str:
    """Return the name of a host's feeds: the host itself wherever a file can have that name."""
    if len(host) <= 100 and _HOST.fullmatch(host) and not host.endswith(_ENDINGS):
        return host
    digest = hashlib.sha256(host.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{plain_slug(host, otherwise='host')[:80].strip('-')}-{digest}"


def _channel(kind: ChannelKind, folder: str, name: str) -> Channel:
    return Channel(kind, f"{folder}/{plain_slug(name, otherwise='name')}", name)


def _described(search: SavedSearch) -> str:
    return f"Articles that the search {search.text} finds." if search.text else ""


def _host(url: str | None) -> str:
    try:
        parts = urlsplit(url or "")
        host = (parts.hostname or "").rstrip(".").removeprefix("www.")
        return f"{host}:{parts.port}" if parts.port not in {None, 80, 443} else host
    except ValueError:
        return ""
