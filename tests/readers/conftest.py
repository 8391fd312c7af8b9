"""A site with more articles than one page of a feed holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.readers.served import ServedSite, served_site

# The copy of feedparser that `reader` brings along needs a module nobody declares.
os.environ["READER_NO_VENDORED_FEEDPARSER"] = "1"

ARTICLES = 23


@contextmanager
def harbour_news(root: Path) -> Iterator[ServedSite]:
    with served_site(root) as site:
        for number in range(ARTICLES):
            site.article(number)
        site.open()
        yield site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ServedSite]:
    with harbour_news(tmp_path) as site:
        yield site


@pytest.fixture(scope="package")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedSite]:
    """Serve a site that no test may change."""
    with harbour_news(tmp_path_factory.mktemp("still")) as site:
        yield site
