"""What a person types to find articles: words, phrases, fields; any text is a query.

    harbour ferry            both words, in title or text
    "night ferry"            the words side by side
    ferr*                    words that begin so
    ferry -storm             not the second
    ferry OR boat            either; binds closer than the space between others
    title:ferry author:"Ada Brandt" agency:AFP host:example.org topic:weather
    after:2024-05 before:2025-01-31

Case and accents make no difference. What looks like a field but is none, or a date but is none,
counts as words; what holds no letter or digit counts for nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Protocol

MOST_TERMS = 200
MOST_CHARACTERS = 200_000
"""Of an article's text, as much as is looked at."""

_UNPARTED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[^\W_{_UNPARTED}]+|[{_UNPARTED}]")
_TERM = re.compile(
    r'(?P<no>-)?(?:(?P<field>[A-Za-z]+):)?(?:"(?P<phrase>[^"]*)"?|(?P<bare>[^\s"]+))'
)
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_APOSTROPHES = str.maketrans({"'": None, "\u2019": None})
# What taking accents away does not make plain.
_LETTERS = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "\u0131": "i", "æ": "ae", "œ": "oe"})


class Found(Protocol):
    """What a query looks at; stored and freshly read articles both have it."""

    @property
    def title(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def url(self) -> str | None: ...
    @property
    def author(self) -> str | None: ...
    @property
    def agency(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Looked:
    """An article taken apart once for every query."""

    anywhere: str
    """Folded words of title and text between blanks, as in all of the following."""
    title: str
    author: str
    agency: str
    host: str
    topics: frozenset[str]
    published: datetime


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to find."""

    field: str
    """One of FIELDS."""
    value: str
    """Folded words between blanks, without the last blank for the beginning of a word."""
    moment: datetime | None = None


Condition = tuple[bool, tuple[Term, ...]]
"""Whether one of the terms has to be there, or none may be."""


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions that all have to hold; none at all hold for everything."""

    conditions: tuple[Condition, ...] = ()

    def matches(self, article: Looked) -> bool:
        """Tell whether an article is what was asked for."""
        return all(
            wanted == any(_HOLDS[term.field](article, term) for term in terms)
            for wanted, terms in self.conditions
        )


def look_at(article: Found, *, host: str, topics: Collection[str], published: datetime) -> Looked:
    """Take an article apart; ``host`` is its original's, ``topics`` are slugs."""
    title = folded(article.title)
    return Looked(
        anywhere=f"{title}|{folded(article.text[:MOST_CHARACTERS])}",
        title=title,
        author=folded(article.author or ""),
        agency=folded(article.agency or ""),
        host=host,
        topics=frozenset(topics),
        published=published,
    )


def folded(text: str) -> str:
    """Return the words of a text without case and accents, each between blanks."""
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES))
        text = "".join(one for one in parts if not unicodedata.combining(one))
        text = text.casefold().translate(_LETTERS)
    else:
        text = text.replace("'", "").lower()
    return f" {' '.join(_WORD.findall(text))} "


def parse_query(text: str) -> Query:
    """Return what a text asks for; every text asks for something."""
    conditions: list[Condition] = []
    either = False
    for match in list(_TERM.finditer(text))[:MOST_TERMS]:
        if match[0] == "OR":
            either = bool(conditions) and conditions[-1][0]
            continue
        term = _term(match)
        if term is not None and either and not match["no"]:
            conditions[-1] = (True, (*conditions[-1][1], term))
        elif term is not None:
            conditions.append((not match["no"], (term,)))
        either = False
    return Query(tuple(conditions))


def _term(match: re.Match[str]) -> Term | None:
    name = (match["field"] or "").lower()
    given = match["bare"] if match["phrase"] is None else match["phrase"]
    if name in {"before", "after"} and (moment := _moment(given)) is not None:
        return Term(name, "", moment)
    if name == "host" and given:
        return Term(name, given.lower().strip("./").removeprefix("www."))
    if name == "topic" and given:
        return Term(name, "-".join(folded(given).split()))
    if name in _WORDED:
        value = _words(given)
        return Term(name, value) if value else None
    value = _words(f"{match['field'] or ''} {given}")
    return Term("anywhere", value) if value else None


def _words(given: str) -> str:
    value = folded(given)
    if not value.strip():
        return ""
    return value[:-1] if given.endswith("*") else value


def _moment(given: str) -> datetime | None:
    match = _DATE.fullmatch(given)
    if match is None:
        return None
    try:
        return datetime(int(match[1]), int(match[2] or 1), int(match[3] or 1), tzinfo=UTC)
    except ValueError:
        return None


def _is_host(article: Looked, term: Term) -> bool:
    return article.host == term.value or article.host.endswith(f".{term.value}")


_Holds = Callable[[Looked, Term], bool]
_WORDED: Mapping[str, _Holds] = MappingProxyType(
    {
        "title": lambda article, term: term.value in article.title,
        "author": lambda article, term: term.value in article.author,
        "agency": lambda article, term: term.value in article.agency,
    }
)
_HOLDS: Mapping[str, _Holds] = MappingProxyType(
    {
        **_WORDED,
        "anywhere": lambda article, term: term.value in article.anywhere,
        "host": _is_host,
        "topic": lambda article, term: term.value in article.topics,
        "before": lambda article, term: term.moment is None or article.published < term.moment,
        "after": lambda article, term: term.moment is None or article.published >= term.moment,
    }
)
FIELDS = frozenset(_HOLDS)
