"""A feed document opened in a browser is a page to read, without XSLT."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from feedsvc.model import FeedItem, Site, Topic
from feedsvc.publish import assets, compose_feed, render, topic_channel

if TYPE_CHECKING:
    from tests.browsing import Chromium

BASE = "http://127.0.0.1:8080/feeds"

# What a person sees: the text of every element that is shown and holds no other.
SHOWN = """() => [...document.querySelectorAll('*')]
    .filter(found => !found.children.length && found.checkVisibility())
    .map(found => found.textContent.trim() + getComputedStyle(found, '::after').content)
    .map(text => text.replace(/none$|^attr.*|"/g, ''))
    .filter(text => text)"""


@pytest.fixture
def browse(chromium: Chromium) -> Callable[[dict[str, tuple[bytes, str]], str, str], Any]:
    """Return a browser: `browse({url: (bytes, type)}, url, script)` opens one of the documents."""

    def ask(browser: Any, documents: dict[str, tuple[bytes, str]], url: str, script: str) -> Any:
        page = browser.new_page()

        def answer(route: Any) -> None:
            data, media_type = documents[route.request.url]
            route.fulfill(body=data, headers={"content-type": media_type})

        page.route("**/*", answer)
        page.goto(url)
        try:
            return page.evaluate(script)
        finally:
            page.close()

    return lambda *asked: chromium.use(lambda browser: ask(browser, *asked))


@pytest.mark.parametrize("name", ["rss", "atom"])
def test_browser_shows_what_a_person_reads_and_nothing_else(
    name: str,
    browse: Callable[[dict[str, tuple[bytes, str]], str, str], Any],
    conflict: Topic,
    site: Site,
    samples: list[FeedItem],
) -> None:
    feed = compose_feed(topic_channel(conflict), samples, site=site, entry_link="article")
    url = feed.urls[name]
    documents = {
        # Chromium takes the feeds' own media types for text to be shown as it is.
        url: (render(feed, name).data, "text/xml; charset=utf-8"),
        feed.stylesheet: (assets()["style.css"], "text/css; charset=utf-8"),
    }
    explained = browse(
        documents, url, "() => getComputedStyle(document.documentElement, '::before').content"
    )
    assert "This is a feed." in explained
    shown = browse(documents, url, SHOWN)
    assert shown[:2] == [feed.title, feed.subtitle]
    for entry in feed.entries:
        assert entry.title in shown
        assert entry.link in shown
    assert not any("<p>" in text or "urn:uuid" in text for text in shown)
