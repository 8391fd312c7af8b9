"""feeds.toml: saved searches, each a feed of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from feedsvc.classify.names import is_slug, name_key, plain_slug
from feedsvc.classify.people import single_names
from feedsvc.classify.tables import Table, read_tables
from feedsvc.query import Looked, Query, parse_query
from feedsvc.text import did_you_mean, single_line
from feedsvc.urls import InvalidURL, ascii_host

if TYPE_CHECKING:
    from feedsvc.classify import Classifier

_ROOT = ("feed",)
_CONDITIONS = ("query", "topics", "authors", "hosts")
_FEED = ("name", "title", "private", *_CONDITIONS)
FOLDER = PurePosixPath("searches")


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A feed of the articles that meet every condition; of a list, one value is enough."""

    name: str
    title: str
    text: str
    """The query as it was written."""
    query: Query
    topics: frozenset[str]
    """Names as `name_key` writes them: a topic's slug or label."""
    authors: frozenset[str]
    hosts: tuple[str, ...]
    private: bool

    @property
    def slug(self) -> str:
        """Name of its channel."""
        return f"{FOLDER}/{self.name}"

    def finds(self, article: Looked, *, authors: frozenset[str], topics: frozenset[str]) -> bool:
        """Tell whether an article belongs to it; names as `name_key` writes them."""
        return (
            (not self.topics or not self.topics.isdisjoint(topics))
            and (not self.authors or not self.authors.isdisjoint(authors))
            and (not self.hosts or any(_is_host(article.host, host) for host in self.hosts))
            and self.query.matches(article)
        )


def read_searches(toml: str, *, source: str) -> tuple[SavedSearch, ...]:
    """Return what a feeds.toml says; raise ConfigurationError with file, line and remedy."""
    root = read_tables(toml, source=source)
    root.allow(_ROOT)
    found: dict[str, SavedSearch] = {}
    for table in root.tables("feed"):
        search = _search(table)
        if search.name in found:
            raise table.error(
                "name", f"the name {search.name!r} stands here twice", "Every feed needs its own"
            )
        found[search.name] = search
    return tuple(found.values())


def doubts(searches: Sequence[SavedSearch], classifier: Classifier) -> Iterator[str]:
    """Yield a sentence for each topic that a search asks for and the vocabulary does not name so.

    No mistake: an article's front matter may name a topic of its own.
    """
    known = {name_key(name) for one in classifier.topics.values() for name in (one.slug, one.label)}
    for search in searches:
        for name in sorted(search.topics - known):
            meant = classifier.resolve(name) if name else None
            guess = (
                f"write {meant.slug!r}"
                if meant is not None and meant.slug in classifier.topics
                else f"{did_you_mean(name, known)}only articles that name it themselves will be found"
            )
            yield f"{search.slug}: there is no topic {name!r} in the vocabulary: {guess}"


def _search(table: Table) -> SavedSearch:
    table.allow(_FEED)
    name = table.required("name")
    if not is_slug(name):
        raise table.error(
            "name", f"{name!r} cannot be a name, which stands in files and web addresses",
            f"Use small letters, digits and single hyphens, such as {plain_slug(name, otherwise='feed')!r}",
        )  # fmt: skip
    if not any(key in table.values for key in _CONDITIONS):
        raise table.error(
            None, "this feed asks for nothing, so it would hold every article",
            f"Give it at least one of: {', '.join(_CONDITIONS)}",
        )  # fmt: skip
    text = single_line(table.text("query") or "")
    return SavedSearch(
        name=name,
        title=single_line(table.text("title") or name.replace("-", " ")),
        text=text,
        query=parse_query(text),
        topics=frozenset(map(name_key, table.texts("topics", single=True))),
        authors=frozenset(
            name_key(one)
            for given in table.texts("authors", single=True)
            for one in single_names(given)
        ),
        hosts=_hosts(table),
        private=table.flag("private"),
    )


def _hosts(table: Table) -> tuple[str, ...]:
    hosts = []
    for number, given in enumerate(table.texts("hosts", single=True)):
        below = "*." if given.startswith("*.") else ""
        try:
            hosts.append(below + ascii_host(given.removeprefix("*.")).removeprefix("www."))
        except InvalidURL as error:
            raise table.error(
                "hosts", f"{given!r} cannot be a host: {error}",
                'Write a name like "example.org", or "*.example.org" for all below it too',
                element=number,
            ) from error  # fmt: skip
    return tuple(hosts)


def _is_host(host: str, wanted: str) -> bool:
    if wanted.startswith("*."):
        return host == wanted[2:] or host.endswith(wanted[1:])
    return host == wanted
