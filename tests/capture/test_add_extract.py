"""Laws of extraction: the article and no more of a page, and no page costs more than its share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from feedsvc.capture.extract import Extractor
from feedsvc.errors import CaptureFailed
from feedsvc.model import PartKind, SeedDraft

BODY = (
    "<p>The harbour council met on Monday to talk about the new ferry, which is late again.</p>"
    "<h2>What it costs</h2><p>Nobody had an answer ready, although several members had asked.</p>"
    "<ul><li>The hull of the ferry</li><li>The engine of the ferry</li></ul>"
    "<blockquote><p>It is far too much for a town of our size, and always was.</p></blockquote>"
    "<pre><code>cost = hull\n    + engine</code></pre>"
    "<p>A decision is expected in spring, when the engineers have looked at the hull again.</p>"
)


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor() as one:
        yield one


def extract(extractor: Extractor, page: str | bytes, **given: object) -> SeedDraft:
    data = page.encode() if isinstance(page, str) else page
    options = {"url": "https://example.org/ferry", "content_type": "text/html", "status": 200}
    return extractor.extract(data, **(options | given))  # type: ignore[arg-type]  # tests know the types


def page(head: str = "", body: str = BODY, title: str = "The ferry") -> str:
    return (
        f"<html><head><title>{title}</title>{head}</head><body><nav>Home Contact</nav>"
        f"<article><h1>{title}</h1>{body}</article><footer>All rights</footer></body></html>"
    )


def test_the_text_is_taken_apart_and_nothing_around_it_is_kept(extractor: Extractor) -> None:
    draft = extract(extractor, page())
    kinds = [part.kind for part in draft.parts]
    assert kinds == [
        PartKind.PARAGRAPH,
        PartKind.HEADING,
        PartKind.PARAGRAPH,
        PartKind.ITEM,
        PartKind.ITEM,
        PartKind.QUOTE,
        PartKind.CODE,
        PartKind.PARAGRAPH,
    ]
    assert draft.parts[6].text == "cost = hull\n    + engine"
    assert "Home" not in draft.text
    assert "The ferry\n" not in draft.text


@pytest.mark.parametrize(
    ("head", "published"),
    [
        pytest.param('<meta property="article:published_time" content="2026-03-01T14:30:00+02:00">', datetime(2026, 3, 1, 12, 30, tzinfo=UTC), id="zone"),
        pytest.param('<meta content="2026-03-01" itemprop=datePublished>', datetime(2026, 3, 1, 12, tzinfo=UTC), id="day"),
        pytest.param('<script type="application/ld+json">{"datePublished": "2026-03-01T08:00:00Z"}</script>', datetime(2026, 3, 1, 8, tzinfo=UTC), id="json-ld"),
        pytest.param('<meta property="article:published_time" content="soon">', None, id="nonsense"),
        pytest.param('<meta property="article:published_time" content="0001-01-01T00:00:00+23:59">', None, id="before-time"),
    ],
)  # fmt: skip
def test_the_date_is_the_one_given_to_machines(
    extractor: Extractor, head: str, published: datetime | None
) -> None:
    assert extract(extractor, page(head)).published == published


@pytest.mark.parametrize(
    ("declared", "language"),
    [("en", "en"), ("pt_br", "pt-BR"), ("de-DE-1996", "de"), ("x", None), ("<script>", None)],
)
def test_the_language_is_a_tag_or_none(
    extractor: Extractor, declared: str, language: str | None
) -> None:
    html = page().replace("<html>", f'<html lang="{declared}">')
    assert extract(extractor, html).language == language


def test_a_page_in_an_old_charset_is_read(extractor: Extractor) -> None:
    text = page(body=BODY.replace("Monday", "Понедельник")).encode("windows-1251", "replace")
    draft = extract(extractor, text, content_type="text/html; charset=windows-1251")
    assert "Понедельник" in draft.text


@pytest.mark.parametrize(
    ("html", "given", "cause"),
    [
        pytest.param(page(), {"content_type": "application/pdf"}, "application/pdf", id="pdf"),
        pytest.param(page(), {"status": 404}, "answered 404", id="status"),
        pytest.param("", {}, "no article", id="empty"),
        pytest.param(page(body="<p>Short.</p>"), {}, "no article", id="short"),
        pytest.param("\x00\x01\x02" * 1000, {}, "no article", id="bytes"),
        pytest.param("<" * 1_000_000, {}, "no article", id="angles"),
        pytest.param("<div>" * 200_000, {}, "no article", id="deep"),
    ],
)
def test_what_is_no_article_is_told(
    extractor: Extractor, html: str, given: dict[str, object], cause: str
) -> None:
    with pytest.raises(CaptureFailed, match=cause):
        extract(extractor, html, **given)


def test_a_page_that_takes_too_long_is_given_up_and_the_next_one_is_read() -> None:
    attributes = " ".join(f"a{number}=1" for number in range(200_000))
    with Extractor(timeout=4) as extractor:
        extract(extractor, page())
        began = time.monotonic()
        with pytest.raises(CaptureFailed, match="limits"):
            extract(extractor, f"<html><body><p {attributes}>x</p></body></html>")
        assert time.monotonic() - began < 20
        assert extract(extractor, page()).title == "The ferry"
