"""Laws of watching: whole pages, looked at twice through the real extraction in one warm child."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from feedsvc.capture.compare import MainText, compare
from feedsvc.capture.extract import MAX_PAGE, MAX_PEAK, Extractor
from feedsvc.errors import CaptureFailed
from feedsvc.model import Difference, Mark
from tests.capture.article_pages import LAYOUTS, Story, story, weblog

LANGUAGES = ("en", "de", "fr", "es", "ru", "ar", "he", "zh", "ja", "ko", "th", "hi")
PAIRS = [(language, layout) for language in LANGUAGES for layout in LAYOUTS]


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor() as one:
        yield one


def read(extractor: Extractor, page: str | bytes) -> MainText:
    data = page.encode() if isinstance(page, str) else page
    return extractor.main_text(data, url="https://example.org/ferry", content_type="text/html")


def difference(extractor: Extractor, before: str, after: str) -> Difference:
    return compare(read(extractor, before), read(extractor, after))


def words(found: Difference, mark: Mark) -> str:
    pieces = [p for hunk in found.hunks for line in hunk.paragraphs for p in line]
    return " ".join(piece.text.strip() for piece in pieces if piece.mark is mark)


@pytest.mark.parametrize(("language", "layout"), PAIRS)
def test_what_stands_around_an_article_is_no_change(
    extractor: Extractor, language: str, layout: str
) -> None:
    make = LAYOUTS[layout]
    before, after = (read(extractor, make(story(language, look))) for look in (0, 1))
    assert before.title == story(language, 0).title
    assert set(story(language, 0).paragraphs) <= set(before.paragraphs)
    assert not compare(before, after).changed


def _markup(page: str) -> str:
    """Write the same page in another way: attributes, white space, entities, NFD, more elements."""
    page = page.replace("<p>", '<p style="margin:0" class="a b">\n  ').replace("</p>", " </p>\n\n")
    page = page.replace("“", "&quot;").replace("”", "&#34;").replace("’", "&rsquo;")
    return unicodedata.normalize("NFD", page).replace("ferry", "fer&shy;ry")


def _spans(page: str) -> str:
    return page.replace("council", "<span><b>coun</b>cil</span>").replace(
        "ferry", "<a href=/f>ferry</a>"
    )


def _sections(page: str) -> str:
    wrapped = page.replace("<p>", "<div class='text-block'><p>").replace("</p>", "</p></div>")
    return wrapped.replace("<h1", "<div><h1").replace("</h1>", "</h1></div>")


def _banner(page: str) -> str:
    notice = '<div role="dialog" class="consent-banner"><p>We value your privacy and so do our 812 partners, who store data on your device to show you what they wish.</p></div>'
    return re.sub("(<body[^>]*>)", rf"\1{notice}", page)


def _inner_links(page: str) -> str:
    return page.replace(
        "</p>\n<p>", '</p>\n<p><a href="/storm">A storm closes the pier</a></p>\n<p>', 1
    )


def _paid(page: str) -> str:
    return page.replace(
        "</p>\n<p>",
        '</p>\n<div class="advertisement"><p>Buy a boat today, before they are all sold.</p></div>\n<p>',
        2,
    )


def _hidden(page: str) -> str:
    return page.replace(
        "</p>\n<p>",
        "</p>\n<p style='visibility: hidden'>Subscribers read on without limits here.</p>\n<p>",
        1,
    )


REWRITINGS = (_markup, _spans, _sections, _banner, _inner_links, _paid, _hidden)


@pytest.mark.parametrize("rewrite", REWRITINGS, ids=lambda one: one.__name__.strip("_"))
@pytest.mark.parametrize("layout", ["weblog", "magazine", "agency"])
def test_another_way_to_write_the_page_is_no_change(
    extractor: Extractor, rewrite: Callable[[str], str], layout: str
) -> None:
    page = LAYOUTS[layout](story("en", 0))
    assert rewrite(page) != page or (layout, rewrite) == ("agency", _inner_links)
    assert not difference(extractor, page, rewrite(page)).changed


def _with(one: Story, old: str, new: str) -> Story:
    assert any(old in paragraph for paragraph in one.paragraphs)
    return replace(one, paragraphs=tuple(text.replace(old, new) for text in one.paragraphs))


# language, what it said, what it says, words removed, words added
EDITS = [
    ("en", "on 3 May to", "on 4 May to", "3", "4"),
    ("en", "14 of the 22", "11 of the 22", "14", "11"),
    ("en", "8.5 million", "85 million", "8.5", "85"),
    ("en", "would not carry", "would carry", "not", ""),
    ("en", "Nobody has told us", "They have told us", "“Nobody has", "“They have"),
    ("de", "zu schwach für", "stark genug für", "zu schwach", "stark genug"),
    ("fr", "sous 30 jours", "sous 60 jours", "30", "60"),
    ("es", "dos años", "tres años", "dos", "tres"),
    ("ru", "14 из 22", "15 из 22", "14", "15"),
    ("ar", "يوم الاثنين", "يوم الثلاثاء", "الاثنين", "الثلاثاء"),
    ("he", "30 יום", "60 יום", "30", "60"),
    ("zh", "五月三日", "五月四日", "三", "四"),
    ("ja", "二年遅れ", "三年遅れ", "二", "三"),
    ("ko", "30일", "60일", "30", "60"),
    ("th", "ภายใน 30 วัน", "ภายใน 60 วัน", "30", "60"),
    ("hi", "सोमवार", "मंगलवार", "सोमवार", "मंगलवार"),
]


@pytest.mark.parametrize("layout", ["weblog", "newsroom", "tables"])
@pytest.mark.parametrize(("language", "old", "new", "removed", "added"), EDITS)
def test_an_edited_word_is_found_among_everything_else_that_changed(
    extractor: Extractor, language: str, old: str, new: str, removed: str, added: str, layout: str
) -> None:
    make = LAYOUTS[layout]
    after = _with(story(language, 1), old, new)
    found = difference(extractor, make(story(language, 0)), make(after))
    assert (words(found, Mark.REMOVED), words(found, Mark.ADDED)) == (removed, added)
    assert found.headline is None


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize("language", ["en", "ar", "zh"])
def test_a_removed_paragraph_and_a_new_headline_are_found(
    extractor: Extractor, language: str, layout: str
) -> None:
    make, one = LAYOUTS[layout], story(language, 1)
    less = replace(one, paragraphs=(*one.paragraphs[:2], *one.paragraphs[3:]))
    found = difference(extractor, make(story(language, 0)), make(less))
    assert words(found, Mark.REMOVED) == one.paragraphs[2]
    assert found.added == 0
    renamed = difference(
        extractor, make(story(language, 0)), make(replace(one, title=f"{one.title} 2"))
    )
    assert renamed.headline == (one.title, f"{one.title} 2")
    assert not renamed.hunks


NOTE = "An earlier version named the wrong council."


@pytest.mark.parametrize(
    "note",
    [
        pytest.param(f"<p>Correction: {NOTE}</p>", id="paragraph"),
        pytest.param(f'<aside class="correction"><p>{NOTE}</p></aside>', id="aside"),
        pytest.param(f"<footer><p>Correction, 4 May: {NOTE}</p></footer>", id="footer"),
        pytest.param(f'<div class="article-meta editors-note">{NOTE}</div>', id="among-furniture"),
    ],
)
def test_a_correction_is_found_wherever_the_site_puts_it(extractor: Extractor, note: str) -> None:
    page = weblog(story("en", 0))
    corrected = page.replace('<div class="sharedaddy', f'{note}<div class="sharedaddy')
    found = difference(extractor, page, corrected)
    assert NOTE in words(found, Mark.ADDED)
    assert found.removed == 0


def test_the_headline_is_the_article_s_own_and_not_the_site_s(extractor: Extractor) -> None:
    named = "<h1>The Island Post</h1><article><h1>Old and new</h1><p>Text.</p></article>"
    assert read(extractor, f"<title>Old and new | Post</title>{named}").title == "Old and new"
    assert read(extractor, "<title>(3) Old and new | Post</title><p>x</p>").title == "Old and new"


def test_plain_text_has_paragraphs_and_other_files_have_no_text(extractor: Extractor) -> None:
    plain = extractor.main_text(b"One\ntwo.\n\n\nThree.", url="x", content_type="text/plain")
    assert plain == MainText("", ("One two.", "Three."))
    with pytest.raises(CaptureFailed, match="application/pdf"):
        extractor.main_text(b"%PDF-", url="x", content_type="application/pdf")


ARTICLE = weblog(story("en", 0))


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(ARTICLE + "<div></b><table><tr><td><li><span class=a>x" * 500_000, id="broken"),
        pytest.param(ARTICLE.replace("<body", f"<body {' '.join(f'a{n}=1' for n in range(16_000))}"), id="attributes"),
        pytest.param(ARTICLE.replace("</body>", f"<p>{'<a href=/x>some link</a> ' * 100_000}</p></body>"), id="links"),
        pytest.param(ARTICLE.replace("</body>", "<div>" * 100_000 + "</body>"), id="deep"),
        pytest.param(ARTICLE.replace("</body>", f"<p>e{chr(0x301) * 1_000_000}</p></body>"), id="marks"),
    ],
)  # fmt: skip
def test_a_hostile_page_costs_its_share_and_the_article_in_it_is_read(
    extractor: Extractor, page: str
) -> None:
    found = read(extractor, page)
    assert len(found.visible) <= MAX_PAGE
    assert not compare(read(extractor, ARTICLE), replace(found, visible="")).changed


def test_a_page_without_end_is_given_up_and_the_next_one_is_read() -> None:
    with Extractor(timeout=1.5) as extractor:
        read(extractor, ARTICLE)
        with pytest.raises(CaptureFailed, match="limits"):
            read(extractor, f"<p {' '.join(f'a{number}=1' for number in range(200_000))}>x</p>")
        assert read(extractor, ARTICLE).paragraphs == story("en", 0).paragraphs


def test_what_its_parent_holds_is_not_held_against_a_child() -> None:
    large = bytearray(MAX_PEAK + (64 << 20))
    large[::4096] = b"x" * len(range(0, len(large), 4096))
    with Extractor() as extractor:
        read(extractor, ARTICLE)
        child = extractor.pid
        assert child is not None
        read(extractor, ARTICLE)
        assert extractor.pid == child
    del large


def test_one_child_reads_many_pages_and_is_replaced_after_enough_of_them() -> None:
    with Extractor(max_pages=2) as extractor:
        pids: list[int | None] = []
        for _ in range(3):
            read(extractor, ARTICLE)
            pids.append(extractor.pid)
    assert pids[0] is not None
    assert pids[1] is None
    assert pids[2] not in {None, pids[0]}
