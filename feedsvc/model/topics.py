"""Topics, and who said that an article belongs to one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

UNCATEGORISED = "uncategorised"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the vocabulary; ``uri`` and ``scheme`` are None for the site's own topics."""

    slug: str
    label: str
    uri: str | None = None
    scheme: str | None = None
    code: str | None = None
    """The term inside the scheme, such as `16000000`."""
    definition: str = ""


class TopicSource(StrEnum):
    """Who said that an article belongs to a topic, the highest authority first."""

    FRONT_MATTER = "front-matter"
    PERSON = "person"
    RULE = "rule"
    KEYWORDS = "keywords"
    NONE = "none"
    """Nobody was sure: `uncategorised`."""


@dataclass(frozen=True, slots=True)
class TopicScore:
    """One topic of one article and why."""

    topic: Topic
    score: float
    source: TopicSource


class Classifiable(Protocol):
    """What sorting looks at; ParsedArticle and Article both have it."""

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
    @property
    def topics(self) -> tuple[str, ...]: ...
