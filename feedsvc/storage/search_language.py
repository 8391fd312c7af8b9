"""A query in the language of each database's full-text search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from feedsvc.model.search import Filters
from feedsvc.query import Condition, Query, Term, folded

_FTS5 = {
    "anywhere": "{title body}",
    "title": "title",
    "author": "author",
    "agency": "agency",
    "topic": "about",
    "host": "about",
}
# Weights of PostgreSQL's tsvector stand for the columns.
_TSQUERY = {
    "anywhere": "AD",
    "title": "A",
    "author": "B",
    "agency": "C",
    "topic": "D",
    "host": "D",
}
_NOBODY = Term("host", "")
"""What no article has."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A query and its filters, parted into words and dates."""

    conditions: tuple[Condition, ...]
    """About words alone; the ones that forbid come last."""
    mixed: tuple[Condition, ...]
    """With a date among several terms."""
    after: datetime | None
    before: datetime | None
    state: str | None


def asked(query: Query, filters: Filters) -> Asked:
    """Put a query and its filters together."""
    after, before = filters.after, filters.before
    conditions: list[Condition] = []
    mixed: list[Condition] = []
    for wanted, terms in (*query.conditions, *_filtered(filters)):
        if not any(is_date(term) for term in terms):
            conditions.append((wanted, terms))
        elif len(terms) > 1:
            mixed.append((wanted, terms))
        # What is not before a moment is after it.
        elif (terms[0].field == "after") is wanted:
            after = max(filter(None, (after, terms[0].moment)))
        else:
            before = min(filter(None, (before, terms[0].moment)))
    conditions.sort(key=lambda one: not one[0])
    return Asked(tuple(conditions), tuple(mixed), after, before, filters.state)


def is_date(term: Term) -> bool:
    """Tell whether a term is about when an article was published."""
    return term.moment is not None


def _filtered(filters: Filters) -> Iterable[Condition]:
    for field, value in (("author", filters.author), ("agency", filters.agency)):
        if value is not None:
            words = folded(value)
            yield True, (Term(field, words) if words.strip() else _NOBODY,)
    if filters.topic is not None:
        yield True, (Term("topic", filters.topic),)
    if filters.host is not None:
        yield True, (Term("host", filters.host),)


def mark_of_topic(slug: str) -> str:
    """Return the one word that stands for a topic in the index."""
    return f"t{slug.encode().hex()}"


def marks_of_host(host: str) -> list[str]:
    """Return the words that stand for a host and the domains it is in."""
    labels = host.removeprefix("www.").split(".")
    domains = (".".join(labels[start:]) for start in range(len(labels)))
    return [f"h{domain.encode().hex()}" for domain in domains if domain]


def _word(term: Term) -> str:
    """Return what is looked for: folded words, an open end where it is a beginning."""
    if term.field == "topic":
        return f" {mark_of_topic(term.value)} "
    if term.field == "host":
        return f" h{term.value.encode().hex()} "
    return term.value


def fts5(conditions: Sequence[Condition]) -> str:
    """Return an FTS5 expression; at least one condition has to be wanted."""
    wanted = [f"({' OR '.join(map(_fts5, terms))})" for want, terms in conditions if want]
    barred = [_fts5(term) for want, terms in conditions if not want for term in terms]
    expression = " AND ".join(wanted)
    return f"({expression}) NOT ({' OR '.join(barred)})" if barred else expression


def _fts5(term: Term) -> str:
    value = _word(term)
    # Folded words hold letters and digits alone, so nothing needs to be escaped.
    phrase = f'"{value.strip()}"' + ("" if value.endswith(" ") else " *")
    return f"({_FTS5[term.field]} : {phrase})"


def tsquery(conditions: Sequence[Condition]) -> str:
    """Return a tsquery in PostgreSQL's syntax."""
    parts = []
    for want, terms in conditions:
        either = f"({' | '.join(map(_tsquery, terms))})"
        parts.append(either if want else f"!{either}")
    return " & ".join(parts)


def _tsquery(term: Term) -> str:
    value, weight = _word(term), _TSQUERY[term.field]
    words = [f"'{word}':{weight}" for word in value.split()]
    if not value.endswith(" "):
        words[-1] = f"{words[-1].rpartition(':')[0]}:*{weight}"
    return f"({' <-> '.join(words)})"
