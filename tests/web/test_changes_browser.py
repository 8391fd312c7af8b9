"""What a real Chromium makes of a change: it fits a telephone, and colour is not all it says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from feedsvc.capture.compare import MainText, compare
from feedsvc.model import OriginalState
from tests.capture.article_pages import story
from tests.web.conftest import NOON, Library, Served
from tests.web.test_changes import put_change, put_original

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browsing import Chromium

LONG = "https://example.org/an-address/" + "without-any-end" * 12
STYLES = """() => Object.fromEntries(["del", "ins"].map(name => {
    const style = getComputedStyle(document.querySelector(".difference " + name));
    return [name, [style.textDecorationLine, style.color]];
}))"""
DIRECTION = "() => getComputedStyle(document.querySelector('.difference p')).direction"
TOO_WIDE = "() => document.documentElement.scrollWidth > window.innerWidth"


def changed(library: Library, language: str) -> tuple[str, str]:
    """Store an article whose first and third paragraphs changed; return its page and the change's."""
    one = story(language, 0)
    words = one.paragraphs[0].split(" ")
    edited = " ".join(["W" * 60, *words[1:]])
    now = (edited, one.paragraphs[1], *one.paragraphs[3:])
    found = compare(MainText(one.title, one.paragraphs), MainText(f"{one.title} 2", now))
    article = library.article(one.title, language=language, url=f"{LONG}/{language}")
    snapshots = [library.snapshot(article, captured=NOON + timedelta(days=day)) for day in (0, 7)]
    change = put_change(
        library, article, before=snapshots[0].id, after=snapshots[1].id, difference=found
    )
    put_original(library, article, OriginalState.GONE, final_url=LONG)
    return f"/articles/{article}", f"/changes/{change.id}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_changes_fit_a_telephone_and_do_not_rest_on_colour(
    library: Library,
    web: Served,
    chromium: Chromium,
    scheme: str,
) -> None:
    pages = {language: changed(library, language) for language in ("en", "ar")}
    site = f"http://127.0.0.1:{web.port}"

    def look(browser: Browser) -> None:
        page = browser.new_page(
            viewport={"width": 360, "height": 740},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        for path in (*pages["en"], *pages["ar"], "/changes", "/gone"):
            answer = page.goto(f"{site}{path}")
            assert answer is not None
            assert answer.ok
            assert not page.evaluate(TOO_WIDE), path
        page.goto(f"{site}{pages['en'][1]}")
        styles = page.evaluate(STYLES)
        assert styles["del"][0] == "line-through"
        assert styles["ins"][0] == "underline"
        assert styles["del"][1] != styles["ins"][1]
        spoken = page.locator("main").aria_snapshot()
        assert "removed: " in spoken
        assert "end of removed" in spoken
        assert "added: " in spoken
        page.goto(f"{site}{pages['ar'][1]}")
        assert page.evaluate(DIRECTION) == "rtl"
        page.close()

    chromium.use(look)
