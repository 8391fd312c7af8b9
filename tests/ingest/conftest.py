"""What the tests of the seed reader share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from feedsvc.errors import SeedRejected
from feedsvc.ingest import parse_seed
from feedsvc.model import ParsedArticle

Parse = Callable[..., ParsedArticle]
Reject = Callable[..., SeedRejected]


@pytest.fixture
def parse() -> Parse:
    """Parse a seed given as text."""

    def call(text: str, *, name: str = "seeds/a.md") -> ParsedArticle:
        return parse_seed(name, text.encode("utf-8", "surrogatepass"))

    return call


@pytest.fixture
def reject() -> Reject:
    """Return why a seed given as text or bytes is rejected."""

    def call(content: str | bytes, *, name: str = "seeds/a.md") -> SeedRejected:
        encoded = content.encode() if isinstance(content, str) else content
        with pytest.raises(SeedRejected) as caught:
            parse_seed(name, encoded)
        assert caught.value.reason
        assert caught.value.remedy
        return caught.value

    return call
