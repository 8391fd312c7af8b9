"""The site's own rules: what decides about topics before any keyword does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from feedsvc.classify.names import name_key
from feedsvc.classify.tables import Table, did_you_mean
from feedsvc.classify.words import stem, words
from feedsvc.model import Classifiable, Topic
from feedsvc.text import clean
from feedsvc.urls import InvalidURL, ascii_host

CONDITIONS = ("host", "path", "author", "agency", "title", "text", "words")
_KEYS = (*CONDITIONS, "topics", "adds")
_TITLE_CHARACTERS = 2_000
_TEXT_CHARACTERS = 20_000
_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Rule:
    """Topics for every article that meets all conditions; of a list, one value is enough."""

    topics: tuple[str, ...]
    """Slugs."""
    adds: bool
    """True if the topics join those that keywords find, instead of replacing them."""
    hosts: tuple[str, ...]
    path: Any
    authors: frozenset[str]
    agencies: frozenset[str]
    title: Any
    text: Any
    words: tuple[str, ...]
    """Phrases of stems, each between blanks."""
    described: str
    """The rule in one line for a person."""

    def holds(self, looked_at: Looked) -> bool:
        """Tell whether an article meets every condition; the cheap ones are asked first."""
        return (
            (not self.hosts or any(_is_host(looked_at.host, host) for host in self.hosts))
            and (self.path is None or self.path.search(looked_at.path) is not None)
            and (not self.authors or not self.authors.isdisjoint(looked_at.authors))
            and (not self.agencies or not self.agencies.isdisjoint(looked_at.agencies))
            and (self.title is None or self.title.search(looked_at.title) is not None)
            and (self.text is None or self.text.search(looked_at.text) is not None)
            and (not self.words or any(phrase in looked_at.stems() for phrase in self.words))
        )


@dataclass(frozen=True, slots=True)
class Looked:
    """What rules look at, taken apart once for all of them."""

    host: str
    path: str
    authors: frozenset[str]
    agencies: frozenset[str]
    title: str
    text: str
    stems: Callable[[], str]
    """The stems of title and body between blanks; called only by rules that have words."""


class Rules:
    """The rules of a site, asked together."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._stem = lru_cache(_REMEMBERED)(stem)

    def holding(self, article: Classifiable) -> list[Rule]:
        """Return the rules that hold for an article, in their order."""
        if not self._rules:
            return []
        looked_at = self._look_at(article)
        return [rule for rule in self._rules if rule.holds(looked_at)]

    def _look_at(self, article: Classifiable) -> Looked:
        host, path = _address(article.url)
        title, text = (
            clean(article.title[:_TITLE_CHARACTERS]),
            clean(article.text[:_TEXT_CHARACTERS]),
        )
        kept: list[str] = []

        def stems() -> str:
            if not kept:
                parts = (f" {' '.join(map(self._stem, words(part)))} " for part in (title, text))
                kept.append("|".join(parts))
            return kept[0]

        return Looked(
            host=host,
            path=path,
            authors=_people(article.author),
            agencies=_people(article.agency),
            title=title,
            text=text,
            stems=stems,
        )


def read_rule(table: Table, known: Mapping[str, Topic]) -> Rule:
    """Return one [[rule]]; ``known`` holds topics by name_key. Raises ConfigurationError."""
    table.allow(_KEYS)
    if not any(key in table.values for key in CONDITIONS):
        raise table.error(
            None, "this rule has no condition, so it would hold for every article",
            f"Give it at least one of: {', '.join(CONDITIONS)}",
        )  # fmt: skip
    return Rule(
        topics=_topics(table, known),
        adds=table.flag("adds"),
        hosts=_hosts(table),
        path=_pattern(table, "path", case=True),
        authors=frozenset(map(name_key, table.texts("author", single=True))),
        agencies=frozenset(map(name_key, table.texts("agency", single=True))),
        title=_pattern(table, "title", case=False),
        text=_pattern(table, "text", case=False),
        words=_words(table),
        described=", ".join(
            f"{key} = {_plain(table.values[key])}" for key in CONDITIONS if key in table.values
        ),
    )


def _topics(table: Table, known: Mapping[str, Topic]) -> tuple[str, ...]:
    names = table.texts("topics", single=True)
    if not names:
        raise table.error("topics", "this rule has no topics", 'Add topics = ["…"] to it')
    slugs: dict[str, None] = {}
    for number, name in enumerate(names):
        topic = known.get(name_key(name))
        if topic is None:
            remedy = did_you_mean(name, {topic.slug for topic in known.values()})
            raise table.error(
                "topics", f"no topic is called {name!r}",
                f"{remedy} A topic of your own needs a [[topic]] with slug and label", element=number,
            )  # fmt: skip
        slugs[topic.slug] = None
    return tuple(slugs)


def _hosts(table: Table) -> tuple[str, ...]:
    hosts = []
    for number, given in enumerate(table.texts("host", single=True)):
        below = "*." if given.startswith("*.") else ""
        try:
            hosts.append(below + ascii_host(given.removeprefix("*.")).removeprefix("www."))
        except InvalidURL as error:
            raise table.error(
                "host", f"{given!r} cannot be a host: {error}",
                'Write a name like "example.org", or "*.example.org" for all below it too; '
                "without https://, port or path", element=number,
            ) from error  # fmt: skip
    return tuple(hosts)


def _pattern(table: Table, key: str, *, case: bool) -> Any:
    """Return a compiled re2 pattern: linear in time, whatever pattern and text are."""
    pattern = table.text(key)
    if pattern is None:
        return None
    import re2  # here, because few sites have patterns

    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = case
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        told = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise table.error(
            key, f"{key} is not a pattern: {told}",
            "Patterns are RE2's: no look-around and no back references; "
            "in 'single quotes' a backslash needs no doubling",
        ) from error  # fmt: skip


def _words(table: Table) -> tuple[str, ...]:
    phrases = []
    for number, given in enumerate(table.texts("words", single=True)):
        row = words(given)
        if not row:
            raise table.error(
                "words", f"{given!r} holds no word", "Use words or phrases", element=number
            )  # fmt: skip
        phrases.append(f" {' '.join(map(stem, row))} ")
    return tuple(phrases)


def _address(url: str | None) -> tuple[str, str]:
    try:
        parts = urlsplit(url or "")
        return (parts.hostname or "").rstrip(".").removeprefix("www."), clean(parts.path or "/")
    except ValueError:
        return "", "/"


def _is_host(host: str, wanted: str) -> bool:
    if wanted.startswith("*."):
        return host == wanted[2:] or host.endswith(wanted[1:])
    return host == wanted


def _people(names: str | None) -> frozenset[str]:
    """Return a byline as a whole and each name in it."""
    if not names:
        return frozenset()
    whole = name_key(names)
    parts = whole.replace(" and ", ",").replace("&", ",").replace(";", ",").split(",")
    return frozenset({whole, *filter(None, map(str.strip, parts))})


def _plain(value: object) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)
