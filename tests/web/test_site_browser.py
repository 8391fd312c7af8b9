"""What a real Chromium makes of the site: every page at two widths, in light and dark, by keyboard.

`FEEDSVC_TEST_SCREENSHOTS` names a folder to keep a picture of each in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from feedsvc.web import create_app
from tests.web.conftest import Library, Served, opened
from tests.web.lively import SECTIONS, Lively, settle

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

    from tests.browsing import Chromium
    from tests.web.conftest import Servers

T = TypeVar("T")
AXE = (Path(__file__).parents[1] / "data" / "axe" / "axe.min.js").read_text(encoding="utf-8")
RULES = """async (only) => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const runOnly = only ? {type: "rule", values: only} : {type: "tag", values: tags};
    const found = await axe.run(document, {resultTypes: ["violations"], runOnly});
    return found.violations.map(one => [one.id, one.nodes.map(node => node.html)]);
}"""
COLOURS = ["color-contrast"]
TOO_WIDE = "() => document.documentElement.scrollWidth > window.innerWidth"
FOCUSED = "() => document.activeElement.closest('[data-item]')?.querySelector('h3').textContent"
NAMES = [
    *("home", "home-older", "topics", "topic", "authors", "author", "host", "article"),
    *("article-arabic", "revision", "change", "changes", "gone", "snapshot", "search", "found"),
    *("nothing", "feeds", "about", "not-found"),
]
WEIGHT = 50_000
"""Bytes over the wire of a page with its style and script."""


@dataclass
class Window:
    """A browser window and every address it asked for."""

    page: Page
    base: str
    asked: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """What the console complained of: whatever a policy stops is told there."""

    def open(self, path: str) -> None:
        self.page.goto(f"{self.base}{path}")

    def outside(self) -> list[str]:
        return [url for url in self.asked if not url.startswith((f"{self.base}/", "about:"))]

    def weight(self) -> int:
        """Return the bytes that came over the wire for page, style and script."""
        kinds = ("document", "stylesheet", "script")
        return sum(
            one.sizes()["responseBodySize"]
            for one in self.requests
            if one.resource_type in kinds and one.frame == self.page.main_frame
        )

    requests: list[Request] = field(default_factory=list)


@dataclass
class Site:
    """The site, and the browser that looks at it."""

    there: Lively
    served: Served
    chromium: Chromium

    def use(self, act: Callable[[Window], T], **given: Any) -> T:
        """Open a fresh window, act in it, close it."""

        def acted(browser: Browser) -> T:
            context = browser.new_context(**given)
            try:
                window = Window(context.new_page(), f"http://127.0.0.1:{self.served.port}")
                context.on("request", lambda one: window.asked.append(one.url))
                context.on("requestfinished", lambda one: window.requests.append(one))
                window.page.on("console", lambda one: window.told.append(one.text))
                window.page.on("pageerror", lambda one: window.told.append(str(one)))
                return act(window)
            finally:
                context.close()

        return self.chromium.use(acted)


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers, chromium: Chromium
) -> Iterator[Site]:
    with ExitStack() as stack:
        runtime = stack.enter_context(opened(tmp_path_factory.mktemp("lively"), **SECTIONS))
        there = settle(Library(runtime))
        served = stack.enter_context(servers.serving(create_app(runtime)))
        yield Site(there, served, chromium)


def keep(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to see them."""
    folder = os.environ.get("FEEDSVC_TEST_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_is_accessible_light_and_asks_nobody_else(site: Site, name: str) -> None:
    path = site.there.pages()[name]

    def look(window: Window) -> None:
        page = window.page
        window.open(path)
        for scheme, width in (("light", 1280), ("light", 360), ("dark", 360), ("dark", 1280)):
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            assert not page.evaluate(TOO_WIDE), (width, scheme)
            keep(page, f"{name}-{width}-{scheme}")
            if (scheme, width) == ("light", 1280):
                page.evaluate(AXE)
                assert page.evaluate(RULES) == []
            elif (scheme, width) == ("dark", 360):
                # Everything but colours and sizes is as it was.
                assert page.evaluate(RULES, [*COLOURS, "target-size"]) == []
        assert window.outside() == []
        assert [one for one in window.told if "404" not in one or name != "not-found"] == []
        assert 0 < window.weight() <= WEIGHT

    site.use(look, viewport={"width": 1280, "height": 800})


def test_every_page_works_without_scripts(site: Site) -> None:
    def look(window: Window) -> None:
        page = window.page
        for name, path in site.there.pages().items():
            window.open(path)
            assert page.locator("h1").is_visible(), name
            assert page.get_by_role("searchbox").first.is_visible(), name
            assert page.locator("button.copy").count() == 0
            assert not page.locator("dialog").is_visible()
        window.open("/")
        page.get_by_role("searchbox").fill("night ferry")
        page.get_by_role("button", name="Search").click()
        assert page.locator("mark").first.is_visible()
        page.get_by_role("link", name="Older").or_(page.get_by_role("link", name="More")).click()
        assert page.locator("mark").first.is_visible()
        window.open("/about#keyboard")
        assert page.get_by_text("next and previous article").first.is_visible()

    site.use(look, java_script_enabled=False, viewport={"width": 360, "height": 740})


def test_articles_written_from_right_to_left_stand_so(site: Site) -> None:
    def look(window: Window) -> None:
        direction = "() => getComputedStyle(document.querySelector('{}')).direction"
        window.open(f"/articles/{site.there.arabic}")
        assert window.page.evaluate(direction.format("article h1")) == "rtl"
        assert window.page.evaluate(direction.format(".record")) == "ltr"
        window.open("/")
        assert window.page.evaluate(direction.format("h3[lang=ar]")) == "rtl"

    site.use(look)


def test_the_keyboard_leads_through_the_site(site: Site) -> None:
    def act(window: Window) -> None:
        page = window.page
        press = page.keyboard.press
        window.open("/")
        titles = page.locator("[data-item] h3").all_text_contents()
        for keys, expected in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
            press(keys)
            assert page.evaluate(FOCUSED) == titles[expected]
        with page.expect_navigation():
            press("o")
        assert titles[1] in (page.locator("h1").text_content() or "")
        for key, path in (("t", "/topics"), ("f", "/feeds"), ("c", "/changes"), ("h", "/")):
            press("g")
            with page.expect_navigation():
                press(key)
            assert page.url == f"{window.base}{path}"
        press("/")
        page.keyboard.type("night ?jg")
        assert page.locator("#find").input_value() == "night ?jg"
        assert not page.locator("dialog").is_visible()

    site.use(act)


def test_the_original_opens_by_a_key(site: Site) -> None:
    def act(window: Window) -> None:
        # No content: the window stays where it is, and the next page does not meet this one.
        window.page.route("https://example.org/**", lambda route: route.fulfill(status=204))
        window.open(f"/articles/{site.there.first}")
        with window.page.expect_request("https://example.org/story/0"):
            window.page.keyboard.press("v")
        window.open("/topics/science-technology")
        window.page.keyboard.press("j")
        with window.page.expect_request("https://example.org/**"):
            window.page.keyboard.press("v")

    site.use(act)


def test_the_list_of_keys_opens_closes_and_turns_them_off(site: Site) -> None:
    def act(window: Window) -> None:
        page, dialog = window.page, window.page.locator("dialog")
        window.open("/")
        page.keyboard.press("?")
        assert dialog.is_visible()
        page.evaluate(AXE)
        assert page.evaluate(RULES) == []
        page.get_by_label("Use these keys").uncheck()
        page.keyboard.press("Escape")
        assert not dialog.is_visible()
        # WCAG 2.1.4: single keys can be turned off, and stay so.
        window.open("/topics")
        page.keyboard.press("?")
        assert not dialog.is_visible()
        page.get_by_role("link", name="Keyboard").click()
        assert dialog.is_visible()
        page.get_by_label("Use these keys").check()
        dialog.get_by_role("button", name="Close").click()
        page.keyboard.press("?")
        assert dialog.is_visible()

    site.use(act)


def test_tab_comes_to_the_text_first_and_shows_where_it_is(site: Site) -> None:
    def act(window: Window) -> None:
        page = window.page
        window.open("/")
        page.keyboard.press("Tab")
        skip = page.locator(".skip")
        assert skip.evaluate("one => one === document.activeElement")
        box = skip.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        first = "document.activeElement"
        assert page.evaluate(f"() => document.querySelector('main').contains({first})")
        assert page.evaluate(f"() => getComputedStyle({first}).outlineStyle") == "solid"

    site.use(act)


@pytest.mark.parametrize("path", ["/", "/topics/science-technology", "/authors/ada-writer"])
def test_a_reader_finds_the_feed_of_a_page_and_the_feed_answers(site: Site, path: str) -> None:
    def act(window: Window) -> None:
        page = window.page
        window.open(path)
        for kind in ("application/rss+xml", "application/atom+xml", "application/feed+json"):
            found = page.locator(f'link[rel=alternate][type="{kind}"]').first
            answer = page.request.get(f"{window.base}{found.get_attribute('href')}")
            assert answer.ok
            assert answer.headers["content-type"].startswith(kind)
            assert "The night ferry" in answer.text()
        opens = page.get_by_role("link", name="Open in reader").get_attribute("href") or ""
        assert opens.startswith("feed:https://ledger.example.org/feeds/")
        assert page.request.get(opens.replace("feed:https://ledger.example.org", window.base)).ok
        page.locator("button.copy").first.click()
        page.locator("button.copy", has_text="Copied").wait_for()
        copied = page.evaluate("() => navigator.clipboard.readText()")
        assert f"feed:{copied}" == opens

    site.use(act, permissions=["clipboard-read", "clipboard-write"])
