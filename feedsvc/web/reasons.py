"""Why an article is in a topic, in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from feedsvc.errors import ConfigurationError
from feedsvc.model import Article, TopicScore, TopicSource
from feedsvc.runtime import Runtime

SOURCES: Mapping[TopicSource, str] = MappingProxyType(
    {
        TopicSource.FRONT_MATTER: "named in the seed",
        TopicSource.PERSON: "set by a person",
        TopicSource.RULE: "by the site's rules",
        TopicSource.KEYWORDS: "by the words of the text",
        TopicSource.NONE: "no topic was sure",
    }
)
_TOLD = 4
"""Keywords or rules that are named."""
_EXPLAINED = frozenset({TopicSource.KEYWORDS, TopicSource.RULE})


class Reasons:
    """Asks the vocabulary why it would sort an article so."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def of(self, article: Article, topics: Sequence[TopicScore]) -> dict[str, str]:
        """Return the reason for each topic, by slug."""
        said = {one.topic.slug: SOURCES[one.source] for one in topics}
        if not any(one.source in _EXPLAINED for one in topics):
            return said
        try:
            explanation = self._runtime.classifier.explain(article)
        except ConfigurationError:
            return said
        found = {(one.topic.slug, one.source): one.hits for one in explanation.topics}
        for one in topics:
            hits = found.get((one.topic.slug, one.source), ())
            words = list(dict.fromkeys(hit.text for hit in hits if hit.contribution > 0))[:_TOLD]
            if words and one.source in _EXPLAINED:
                said[one.topic.slug] += f": {', '.join(words)}"
        return said
