"""Why an article stands where it does: values for a person to look at, and how they are made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from feedsvc.classify.score import Count, Scoring, Tally, body_amount
from feedsvc.model import Topic, TopicScore, TopicSource


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that spoke for a topic, or against it."""

    text: str
    """The keyword, the rule in one line, or the name in front matter."""
    where: str
    """`title`, `lead` (the beginning of the body), `body`, `rule` or `front matter`."""
    weight: float
    times: int
    contribution: float
    """What it added to the topic's total."""


@dataclass(frozen=True, slots=True)
class TopicReasons:
    """What spoke for one topic."""

    topic: Topic
    source: TopicSource
    total: float
    """Sum of the contributions."""
    chosen: bool
    hits: tuple[Hit, ...]
    """The heaviest first."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """How one article was sorted."""

    chosen: tuple[TopicScore, ...]
    """As classify returns it."""
    decision: str
    """One sentence: who decided."""
    topics: tuple[TopicReasons, ...]
    """Chosen topics first, then every other that something spoke for; best first."""
    words: int
    """Words of title and body that were looked at."""


def said_outright(
    named: Iterable[tuple[Topic, str]], source: TopicSource, *, where: str
) -> list[TopicReasons]:
    """Return the reasons of topics that front matter or rules name; the text is what named them."""
    hits: dict[str, tuple[Topic, list[Hit]]] = {}
    for topic, text in named:
        hits.setdefault(topic.slug, (topic, []))[1].append(Hit(text, where, 1.0, 1, 1.0))
    return [_reasons(topic, source, said) for topic, said in hits.values()]


def said_by_keywords(found: Tally, topics: Sequence[Topic], scoring: Scoring) -> list[TopicReasons]:
    """Return the reasons of every topic that a keyword speaks for or against."""
    hits: dict[int, list[Hit]] = {}
    for keyword, count in found.counts.items():
        for number, weight in keyword.weights:
            said = hits.setdefault(number, [])
            said.extend(_hits(keyword.text, count, weight, found.scale, scoring))
    return [_reasons(topics[number], TopicSource.KEYWORDS, hits[number]) for number in sorted(hits)]


def arranged(
    reasons: Iterable[TopicReasons], scores: Sequence[TopicScore]
) -> tuple[TopicReasons, ...]:
    """Return reasons with the chosen ones marked and in front, in the order of the choice."""
    place = {(score.topic.slug, score.source): number for number, score in enumerate(scores)}

    def order(one: TopicReasons) -> tuple[int, float, str]:
        return place.get((one.topic.slug, one.source), len(place)), -one.total, one.topic.slug

    return tuple(
        replace(one, chosen=(one.topic.slug, one.source) in place)
        for one in sorted(reasons, key=order)
    )


def _hits(text: str, count: Count, weight: float, scale: float, scoring: Scoring) -> list[Hit]:
    """Return a hit for the title and one for the body; their sum is what scoring counted."""
    hits = []
    if count.title:
        hits.append(Hit(text, "title", weight, count.title, weight * scoring.title * scale))
    if count.body:
        amount = weight * body_amount(count, scoring) * scale
        hits.append(Hit(text, "lead" if count.lead else "body", weight, count.body, amount))
    return hits


def _reasons(topic: Topic, source: TopicSource, hits: Iterable[Hit]) -> TopicReasons:
    ordered = tuple(sorted(hits, key=lambda hit: (-abs(hit.contribution), hit.text, hit.where)))
    return TopicReasons(topic, source, sum(hit.contribution for hit in ordered), False, ordered)
