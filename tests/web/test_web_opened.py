"""Laws of feeds opened in a browser's window: XML it shows; readers in browsers get the right type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from feedsvc import jobs

if TYPE_CHECKING:
    from tests.browsing import Chromium
    from tests.web.conftest import Library, Served

XML = "text/xml; charset=utf-8"
TYPES = {
    "atom": "application/atom+xml; charset=utf-8",
    "rss": "application/rss+xml; charset=utf-8",
    "json": "application/feed+json; charset=utf-8",
}
PATHS = [
    "opened.{}",
    "opened/0001.{}",
    "authors/jane.{}",
    "private/0123456789abcdef/opened.{}",
]
TITLES = ["Ferries & boats ]]> 1 < 2", "مقال عن كرة القدم", "W" * 90]
SUMMARIES = ["A ferry left.", "فاز الفريق.", "w" * 90]

LOOK = """() => {
    const shown = [...document.querySelectorAll("*")].filter(one => one.checkVisibility());
    const style = one => getComputedStyle(one);
    const entry = document.querySelector("item, entry");
    return {
        texts: shown.filter(one => !one.children.length).map(one => one.textContent.trim()),
        display: style(entry).display,
        line: style(entry).borderTopStyle,
        colours: [style(document.documentElement).color, style(document.documentElement).backgroundColor],
        wide: document.documentElement.scrollWidth > window.innerWidth,
        kind: document.contentType,
    };
}"""
FETCH = "url => fetch(url).then(one => [one.status, one.headers.get('content-type')])"


@pytest.mark.parametrize("ending", TYPES)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("coding", ["identity", "gzip", "br", "zstd"])
def test_a_window_gets_the_same_bytes_as_xml(
    shelf: tuple[Library, Served], path: str, ending: str, coding: str
) -> None:
    library, web = shelf
    address = f"/feeds/{path.format(ending)}"
    library.feed(path.format(ending), b"<feed>" + b"an entry " * 400 + b"</feed>")
    asked = {"accept-encoding": coding}
    window = asked | {"sec-fetch-dest": "document"}
    reader, opened = web.get(address, headers=asked), web.get(address, headers=window)
    assert reader.content == opened.content
    assert reader.headers["content-type"] == TYPES[ending]
    own = {"content-type", "etag", "date"}
    assert [one for one in reader.headers.multi_items() if one[0] not in own] == [
        one for one in opened.headers.multi_items() if one[0] not in own
    ]
    if ending == "json":
        assert opened.headers["content-type"] == TYPES[ending]
        assert opened.headers["vary"] == "Accept-Encoding"
        return
    assert opened.headers["content-type"] == XML
    assert opened.headers["vary"] == "Accept-Encoding, Sec-Fetch-Dest"
    # Each has a tag of its own: with the other's, a cache would show what it has as what it is not.
    for known, status in ((opened, 304), (reader, 200)):
        again = web.get(address, headers=window | {"if-none-match": known.headers["etag"]})
        assert again.status_code == status
        assert again.headers["etag"] == opened.headers["etag"]
        assert again.headers["vary"] == opened.headers["vary"]


@pytest.mark.parametrize(
    "said", ["empty", "script", "Document", "document, document", "iframe", ""]
)
def test_only_a_window_gets_xml(reading: Served, said: str) -> None:
    answer = reading.get("/feeds/all.atom", headers={"sec-fetch-dest": said})
    assert answer.headers["content-type"] == TYPES["atom"]


def test_an_opened_feed_loads_its_stylesheet_and_nothing_else(reading: Served) -> None:
    policy = reading.get("/feeds/all.atom").headers["content-security-policy"]
    assert policy.split("; ")[:2] == ["default-src 'none'", "style-src 'self'"]
    assert "img-src" not in policy
    assert "script-src" not in policy


def test_what_is_packed_for_a_window_takes_no_memory_twice(library: Library, web: Served) -> None:
    from feedsvc.web.documents import Memory
    from feedsvc.web.folder_shelf import FolderShelf
    from feedsvc.web.names import feed_name

    library.feed("all.atom", b"<feed>" + b"an entry " * 400 + b"</feed>")
    runtime = library.runtime
    memory = Memory(link="", max_age=60, now=runtime.now)
    shelf = FolderShelf(lambda name: Path(runtime.feeds.place(name)), memory)
    name = feed_name("all.atom")
    assert name is not None
    document = shelf.read(name)
    assert document is not None
    memory.keep("all.atom", document)
    sizes = []
    for variant in (document.variant("gzip"), document.opened("gzip"), document.opened("gzip")):
        variant.pack()
        memory.grown(document, variant)
        sizes.append(memory.size)
    assert sizes[0] == sizes[1] == sizes[2] > len(document.body)
    assert document.variant("gzip").body is document.opened("gzip").body


# --- in a real browser ----------------------------------------------------------------------


@pytest.fixture
def browse(chromium: Chromium) -> Callable[..., Any]:
    """Return a way to do something with a real browser: ``browse(what)``."""
    return chromium.use


@pytest.fixture
def addresses(library: Library, web: Served) -> list[str]:
    """A published site's feeds in both formats, everybody's and a private one."""
    for title, summary in zip(TITLES, SUMMARIES, strict=True):
        library.article(title, author="Jane Doe", summary=summary)
    jobs.publish_feeds(library.runtime)
    stem = urlsplit(jobs.share_feed(library.runtime, "all").url).path.rpartition(".")[0]
    return [
        f"http://{host}:{web.port}{path}"
        # Whatever name the site is asked by, its stylesheet has the same.
        for host, path in zip(
            ("127.0.0.1", "localhost", "127.0.0.1", "localhost"),
            ("/feeds/all.atom", "/feeds/all.rss", f"{stem}.rss", f"{stem}.atom"),
            strict=True,
        )
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_a_person_can_read_a_feed_in_a_browser(
    browse: Callable[..., Any], addresses: list[str], scheme: str, width: int
) -> None:
    def look(browser: Any) -> None:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("requestfailed", lambda request: said.append(request.url))
        page.on("request", lambda request: asked.append(request.url))
        for url in addresses:
            page.goto(url)
            seen = page.evaluate(LOOK)
            assert {*TITLES, *SUMMARIES} <= set(seen["texts"]), url
            assert not any("urn:uuid" in text or "<p>" in text for text in seen["texts"])
            assert (seen["display"], seen["line"], seen["kind"]) == ("flex", "solid", "text/xml")
            assert seen["colours"][0] != seen["colours"][1]
            assert seen["wide"] is False
            assert asked == [url, f"http://{urlsplit(url).netloc}/feeds/style.css"]
            asked.clear()
        assert said == []
        page.close()

    browse(look)


@pytest.mark.parametrize("ending", ["atom", "rss"])
def test_what_a_page_fetched_and_what_a_window_shows_are_kept_apart(
    browse: Callable[..., Any], addresses: list[str], ending: str
) -> None:
    site = "http://{0.hostname}:{0.port}".format(urlsplit(addresses[0]))
    url = f"{site}/feeds/all.{ending}"

    def look(browser: Any) -> None:
        page = browser.new_page(bypass_csp=True)  # ours may fetch nothing
        for _ in range(2):
            page.goto(f"{site}/robots.txt")
            assert page.evaluate(FETCH, url) == [200, TYPES[ending]]
            page.goto(url)
            assert page.evaluate("() => document.contentType") == "text/xml"
        page.close()

    browse(look)
