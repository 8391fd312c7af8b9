"""Articles and vocabularies to sort."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from feedsvc.classify import Classifier, default_vocabulary


@dataclass(frozen=True)
class Text:
    """What sorting looks at, with nothing in it by default."""

    title: str = ""
    text: str = ""
    url: str | None = None
    author: str | None = None
    agency: str | None = None
    topics: tuple[str, ...] = ()


@pytest.fixture(scope="session")
def iptc() -> Classifier:
    """The classifier that a new site begins with."""
    return Classifier(default_vocabulary(), source="config/topics.toml")


@pytest.fixture
def make() -> Callable[..., Text]:
    """Build a text to sort from what matters to the test."""
    return Text


@pytest.fixture
def garden() -> str:
    """A small vocabulary of three topics."""
    return """\
vocabulary = "garden"
scheme = "http://garden.example/terms/"

[[topic]]
qcode = "g:01"
slug = "trees"
label = "Trees and shrubs"
aliases = ["arboretum"]
keywords = ["tree^2", "oak", "apple tree^3", "leaf"]

[[topic]]
qcode = "g:02"
slug = "fruit"
label = "Fruit"
keywords = ["apple^2", "pear", "jam", "leaf^-2"]

[[topic]]
slug = "tools"
label = "Tools"
keywords = ["spade^2", "=shears", "RAKE", "rust^0.5"]
"""
