"""Sorting: an article in, its topics out, and the reasons where they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType

from feedsvc.classify.explanation import Explanation, arranged, said_by_keywords, said_outright
from feedsvc.classify.lexicon import Lexicon
from feedsvc.classify.names import name_key, slug_of
from feedsvc.classify.rules import Rule, Rules
from feedsvc.classify.score import Tally, chosen, tally, totals
from feedsvc.classify.vocabulary import read_vocabulary
from feedsvc.errors import NotFound
from feedsvc.model import UNCATEGORISED, Classifiable, Topic, TopicScore, TopicSource
from feedsvc.text import single_line

NOWHERE = Topic(UNCATEGORISED, UNCATEGORISED, definition="Articles that nothing sorted clearly.")
"""Where an article goes that no topic is sure of; IPTC has no such subject, so it has no code."""

_DECISIONS = {
    TopicSource.FRONT_MATTER: "The article's own front matter names its topics.",
    TopicSource.RULE: "The site's own rules decide.",
    TopicSource.KEYWORDS: "Keywords decide.",
    TopicSource.NONE: "No keyword was found, or too few to be sure.",
}


class Classifier:
    """Sort articles by front matter, else by the site's rules, else by keywords.

    Pure and deterministic: the same topics.toml and text give the same topics, on any machine and
    in any order. Safe to share between threads; pickles as its TOML text.
    """

    def __init__(self, toml: str, *, source: str) -> None:
        """Read a topics.toml; raise ConfigurationError with ``source``, line and remedy."""
        self._toml, self._source = toml, source
        vocabulary = read_vocabulary(toml, source=source)
        self.version: str = vocabulary.version
        self._topics = [subject.topic for subject in vocabulary.subjects]
        self.topics: Mapping[str, Topic] = MappingProxyType(
            {topic.slug: topic for topic in self._topics}
        )
        self._names, self._scoring = vocabulary.names, vocabulary.scoring
        self._rules = Rules(vocabulary.rules)
        self._keyword_lists = [subject.keywords for subject in vocabulary.subjects]

    @property
    def toml(self) -> str:
        """The topics.toml it was made of."""
        return self._toml

    @cached_property
    def _lexicon(self) -> Lexicon:
        # 90 ms to build, which a run that finds every article sorted already does not need.
        return Lexicon(
            (text, number, weight)
            for number, keywords in enumerate(self._keyword_lists)
            for text, weight in keywords
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self._toml, self._source)

    def classify(self, article: Classifiable) -> tuple[TopicScore, ...]:
        """Return the topics of an article, best first, never empty."""
        if said := self._front_matter(article):
            return said
        rules = self._rules.holding(article)
        ruled = self._ruled(rules)
        if any(not rule.adds for rule in rules):
            return ruled
        return _joined(ruled, self._keywords(self._tally(article)))

    def explain(self, article: Classifiable) -> Explanation:
        """Return every word, rule and name that spoke for a topic, with where and how much."""
        scores = self.classify(article)
        found = self._tally(article)
        named = [(self.resolve(name), name) for name in filter(name_key, article.topics)]
        ruled = [
            (self.topics[slug], rule.described)
            for rule in self._rules.holding(article)
            for slug in rule.topics
        ]
        reasons = [
            *said_outright(named, TopicSource.FRONT_MATTER, where="front matter"),
            *said_outright(ruled, TopicSource.RULE, where="rule"),
            *said_by_keywords(found, self._topics, self._scoring),
        ]
        return Explanation(
            chosen=scores,
            decision=_DECISIONS[scores[0].source],
            topics=arranged(reasons, scores),
            words=found.length,
        )

    def resolve(self, name: str) -> Topic:
        """Return the topic of a slug, label, code, qcode, URI or alias, in any case.

        An unknown name becomes a topic of its own; a blank one raises NotFound.
        """
        key = name_key(name)
        if not key:
            raise NotFound("A topic needs a name. Give a slug, a label or a code")
        if key == UNCATEGORISED:
            return NOWHERE
        if known := self._names.get(key):
            return known
        slug = slug_of(name)
        return self.topics.get(slug) or Topic(slug, single_line(name))

    def label(self, slug: str) -> Topic:
        """Return the topic of a stored slug; one the vocabulary does not know keeps its slug."""
        if slug == UNCATEGORISED:
            return NOWHERE
        return self.topics.get(slug) or Topic(slug, slug.replace("-", " "))

    def _front_matter(self, article: Classifiable) -> tuple[TopicScore, ...]:
        topics = {
            topic.slug: topic for topic in map(self.resolve, filter(name_key, article.topics))
        }
        return tuple(TopicScore(topic, 1.0, TopicSource.FRONT_MATTER) for topic in topics.values())

    def _ruled(self, rules: Iterable[Rule]) -> tuple[TopicScore, ...]:
        """Return the topics of rules; one that several rules name stands first."""
        counts: dict[str, int] = {}
        for rule in rules:
            for slug in rule.topics:
                counts[slug] = counts.get(slug, 0) + 1
        return tuple(
            TopicScore(self.topics[slug], float(counts[slug]), TopicSource.RULE)
            for slug in sorted(counts, key=lambda slug: -counts[slug])
        )

    def _tally(self, article: Classifiable) -> Tally:
        return tally(article.title, article.text, self._lexicon, self._scoring)

    def _keywords(self, found: Tally) -> tuple[TopicScore, ...]:
        scores = totals(found, self._scoring, topics=len(self._topics))
        return tuple(
            TopicScore(self._topics[number], round(scores[number], 6), TopicSource.KEYWORDS)
            for number in chosen(scores, found.scale, self._scoring)
        )


def _rebuild(toml: str, source: str) -> Classifier:
    return Classifier(toml, source=source)


def _joined(
    ruled: tuple[TopicScore, ...], worded: tuple[TopicScore, ...]
) -> tuple[TopicScore, ...]:
    taken = {score.topic.slug for score in ruled}
    joined = (*ruled, *(score for score in worded if score.topic.slug not in taken))
    return joined or (TopicScore(NOWHERE, 0.0, TopicSource.NONE),)
