"""From keywords found to topics: how much each one says, and when that is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt

from feedsvc.classify.lexicon import Keyword, Lexicon

_TITLE_WORDS = 80


@dataclass(frozen=True, slots=True)
class Scoring:
    """The numbers of the formula, as `[scoring]` in topics.toml may set them."""

    second: float = 0.9
    """Share of the best topic's score from which a further topic counts too."""
    most: int = 3
    """Topics of one article at most."""
    least: float = 1.0
    """Evidence below which the best topic is not sure, unless its lead is clear."""
    margin: float = 0.5
    """Lead over the second topic, as a share of the best, that makes weak evidence enough."""
    title: float = 2.0
    """What a hit in the title counts; one in the body counts 1.

    research/topics.md proposes 3; with this vocabulary 2 sorts both halves of the development
    texts better by half a point."""
    lead: float = 1.5
    """Factor for a keyword that stands at the beginning of the body."""
    lead_words: int = 80
    body_words: int = 600


@dataclass(slots=True)
class Count:
    """How often one keyword stands where in one text."""

    title: int = 0
    body: int = 0
    lead: bool = False
    """True if it stands at the beginning of the body."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Everything found in one text."""

    counts: Mapping[Keyword, Count]
    length: int
    """Words looked at."""

    @property
    def scale(self) -> float:
        """The factor that makes long and short texts comparable."""
        return 1.0 / sqrt(self.length + 20)


def tally(title: str, body: str, lexicon: Lexicon, scoring: Scoring) -> Tally:
    """Return every keyword of a title and the beginning of its body with its counts."""
    head, rest = lexicon.read(title, _TITLE_WORDS), lexicon.read(body, scoring.body_words)
    counts: dict[Keyword, Count] = {}
    for _, keyword in lexicon.find(head):
        if keyword not in counts:
            counts[keyword] = Count()
        counts[keyword].title += 1
    lead_words = scoring.lead_words
    for position, keyword in lexicon.find(rest):
        count = counts.get(keyword)
        if count is None:
            count = counts[keyword] = Count()
        if position < lead_words:
            count.lead = True
        count.body += 1
    return Tally(counts, len(head) + len(rest))


def totals(found: Tally, scoring: Scoring, *, topics: int) -> list[float]:
    """Return the score of every topic by its number: evidence in proportion to the length."""
    sums = [0.0] * topics
    for keyword, count in found.counts.items():
        amount = scoring.title if count.title else 0.0
        if count.body:
            amount += body_amount(count, scoring)
        for topic, weight in keyword.weights:
            sums[topic] += weight * amount
    scale = found.scale
    return [total * scale for total in sums]


def body_amount(count: Count, scoring: Scoring) -> float:
    """Return what a keyword counts that stands in the body: each further time adds less."""
    return (1.0 + log(count.body)) * (scoring.lead if count.lead else 1.0)


def chosen(scores: Sequence[float], scale: float, scoring: Scoring) -> list[int]:
    """Return the numbers of the topics that are sure enough, best first; empty if none is.

    Equal scores stand in the vocabulary's order.
    """
    order = sorted(range(len(scores)), key=lambda topic: (-scores[topic], topic))
    if not order or scores[order[0]] <= 0:
        return []
    best = scores[order[0]]
    following = max(scores[order[1]], 0.0) if len(order) > 1 else 0.0
    if best / scale < scoring.least and (best - following) / best < scoring.margin:
        return []
    return [topic for topic in order[: scoring.most] if scores[topic] >= scoring.second * best]
