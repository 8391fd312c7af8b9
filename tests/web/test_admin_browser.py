"""What a real Chromium makes of the admin: from the token to a published feed, with and without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from feedsvc import jobs
from feedsvc.web import create_app
from tests.origin import Listener, Origin
from tests.web.admin_rig import PAGE, TOKEN
from tests.web.conftest import Library, Served, Servers, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.browsing import Chromium

T = TypeVar("T")
AXE = (Path(__file__).parents[1] / "data" / "axe" / "axe.min.js").read_text(encoding="utf-8")
RULES = """async () => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const found = await axe.run(document, {runOnly: {type: "tag", values: tags}});
    return found.violations.map(one => [one.id, one.nodes.map(node => node.html)]);
}"""
TOO_WIDE = "() => document.documentElement.scrollWidth > window.innerWidth"


@dataclass
class Site:
    library: Library
    served: Served
    origin: Origin
    use: Callable[..., Any]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.served.port}"


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers, chromium: Chromium
) -> Iterator[Site]:
    with ExitStack() as stack:
        root = tmp_path_factory.mktemp("admin")
        (root / "seeds").mkdir()
        (root / "seeds" / "empty.md").write_text("# Only a title\n")
        origin = Origin()
        stack.callback(Listener(origin).close)
        archive = {"allow_hosts": (origin.host,), "per_host_delay": 0.0, "browser": "never"}
        runtime = stack.enter_context(opened(root, admin={"token": TOKEN}, archive=archive))
        jobs.ingest_seeds(runtime)
        served = stack.enter_context(servers.serving(create_app(runtime)))

        def use(act: Callable[[BrowserContext], T], **given: Any) -> T:
            def acted(browser: Browser) -> T:
                context = browser.new_context(**given)
                context.set_default_timeout(20_000)
                try:
                    return act(context)
                finally:
                    context.close()

            return chromium.use(acted)

        yield Site(Library(runtime), served, origin, use)


def sign_in(page: Page) -> None:
    page.get_by_label("The token of this site").fill(TOKEN)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def check(page: Page) -> None:
    """Nothing for axe to find, light and dark, and nothing to scroll for on a telephone."""
    page.evaluate(AXE)
    assert page.evaluate(RULES) == []
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(RULES) == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert not page.evaluate(TOO_WIDE)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.emulate_media(color_scheme="light")


def test_from_the_token_to_a_published_feed(site: Site) -> None:
    url = site.origin.page("/ferry", PAGE)

    def act(context: BrowserContext) -> None:
        page = context.new_page()
        told: list[str] = []
        page.on("console", lambda one: told.append(one.text))
        page.on("pageerror", lambda one: told.append(str(one)))
        page.goto(f"{site.base}/admin/sign-in")
        check(page)
        sign_in(page)
        check(page)
        page.get_by_label("Address of the page").fill(url)
        page.get_by_role("button", name="Archive and publish").click()
        # The page changes by itself once the task is over.
        link = page.get_by_role("link", name="A ferry for the harbour")
        link.wait_for()
        check(page)
        link.click()
        assert page.get_by_role("heading", level=1).inner_text() == "A ferry for the harbour"
        assert told == []

    site.use(act, viewport={"width": 1280, "height": 800})
    feed = site.served.get("/feeds/all.atom").text
    assert "<title>A ferry for the harbour</title>" in feed
    assert url in feed


def test_without_scripts_reloading_tells_the_same(site: Site) -> None:
    def act(context: BrowserContext) -> None:
        page = context.new_page()
        page.goto(f"{site.base}/admin")
        sign_in(page)
        page.get_by_role("button", name="Rebuild all feeds").click()
        again = page.get_by_role("link", name="See how far it is now")
        while again.count():
            again.click()
        assert "files written" in page.get_by_role("main").inner_text()
        page.goto(f"{site.base}/admin")
        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{site.base}/admin")
        assert page.get_by_role("heading", level=1).inner_text() == "Sign in"

    site.use(act, java_script_enabled=False)


def test_the_bookmark_works_from_another_site_and_other_sites_can_do_nothing(site: Site) -> None:
    form = f"<!doctype html><title>Elsewhere</title><form method=post action={site.base}/admin/rebuild><button>Win</button></form>"
    site.origin.page("/elsewhere", form.encode())
    elsewhere = site.origin.url("/elsewhere").replace("127.0.0.1", "localhost")

    def act(context: BrowserContext) -> None:
        page = context.new_page()
        page.goto(f"{site.base}/admin")
        sign_in(page)
        bookmark = page.get_by_role("link", name="Archive this and publish it").get_attribute(
            "href"
        )
        assert bookmark is not None
        code = bookmark.removeprefix("javascript:").replace("http://127.0.0.1:8080", site.base)
        page.goto(elsewhere)
        with context.expect_page() as opening:
            page.evaluate(code)
        field = opening.value.get_by_label("Address of the page")
        field.wait_for()
        assert field.input_value() == elsewhere
        check(opening.value)
        page.get_by_role("button", name="Win").click()
        assert "Sign in first" in page.get_by_role("main").inner_text()

    site.use(act)


def test_status_and_the_second_question_are_accessible(site: Site) -> None:
    article = site.library.article("To be forgotten")

    def act(context: BrowserContext) -> None:
        page = context.new_page()
        page.goto(f"{site.base}/status")
        assert page.get_by_role("heading", level=2).first.inner_text().startswith("Seeds rejected")
        check(page)
        page.goto(f"{site.base}/admin?article={article}")
        sign_in(page)
        page.goto(f"{site.base}/admin?article={article}")
        page.get_by_label("Why it should be forgotten").fill("they asked")
        # Enter does what stands beside the field, and nothing else.
        page.get_by_label("Why it should be forgotten").press("Enter")
        page.get_by_role("heading", name="Forget this article?").wait_for()
        assert "Forget this article?" in page.get_by_role("main").inner_text()
        check(page)
        page.get_by_role("link", name="Keep it").click()
        page.goto(f"{site.base}/articles/{article}")
        assert page.get_by_role("heading", level=1).inner_text() == "To be forgotten"

    site.use(act, viewport={"width": 1280, "height": 800})
