"""A whole seed, from bytes to article."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.errors import SeedRejected
from feedsvc.ingest import PARSER_VERSION, SEED_FORMATS, parse_seed
from feedsvc.model import ParsedArticle
from feedsvc.text import is_clean

Parse = Callable[..., ParsedArticle]
Reject = Callable[..., SeedRejected]

SAMPLES = sorted((Path(__file__).parents[2] / "seeds").iterdir())

REPORT = """

# Harbour Opens Its New Lighthouse To Visitors – Mayor

By [Ada Brandt for HNA](#)

June 3, 2025



Morgan / HNA

The harbour's new lighthouse opened on Tuesday, and the first visitors climbed it in the rain.

"We have always said that the town would keep every promise about the tower inside of

Northport and beyond," the mayor said, "and so it did."

The lamp can be seen for *thirty* miles.

Original url:

<https://news.example/2025/06/03/lighthouse-a1234>"""


def test_report_of_an_agency_is_taken_apart_completely(parse: Parse) -> None:
    article = parse(REPORT, name="seeds/000_ab.txt")
    assert article == ParsedArticle(
        title="Harbour Opens Its New Lighthouse To Visitors – Mayor",
        html=article.html,
        text=article.text,
        summary=article.summary,
        url="https://news.example/2025/06/03/lighthouse-a1234",
        author="Ada Brandt",
        agency="HNA",
        credit="Morgan / HNA",
        published=datetime(2025, 6, 3, 12, tzinfo=UTC),
    )
    assert article.text.split("\n\n") == [
        "The harbour's new lighthouse opened on Tuesday, and the first visitors climbed it in the rain.",
        '"We have always said that the town would keep every promise about the tower inside of '
        'Northport and beyond," the mayor said, "and so it did."',
        "The lamp can be seen for thirty miles.",
    ]
    assert article.html.count("<p>") == 3
    assert article.summary.startswith("The harbour's new lighthouse opened")


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_sample_is_a_full_article_without_a_warning(path: Path) -> None:
    article = parse_seed(path.name, path.read_bytes())
    assert article.warnings == ()
    assert article.author == "The feedsvc authors"
    assert article.url is not None
    assert article.url.startswith("https://")
    assert article.published is not None
    assert datetime(2024, 1, 1, tzinfo=UTC) < article.published < datetime(2026, 11, 1, tzinfo=UTC)
    assert 150 <= len(article.text.split()) <= 350
    assert 100 <= len(article.summary) <= 300
    assert "feedsvc authors" not in article.text
    assert "riginal u" not in article.text


def test_samples_cover_formats_and_forms() -> None:
    contents = [path.read_text(encoding="utf-8") for path in SAMPLES]
    assert 6 <= len(SAMPLES) <= 10
    assert {path.suffix for path in SAMPLES} == {".md", ".txt"}
    for form in ("---\n", "+++\n"):
        assert sum(content.startswith(form) for content in contents) == 1
    html = "".join(parse_seed(path.name, path.read_bytes()).html for path in SAMPLES)
    assert all(f"<{element}>" in html for element in ("table", "ul", "ol", "blockquote"))


@pytest.mark.parametrize("suffix", [*SEED_FORMATS, ".TXT", ".Md"])
def test_every_suffix_of_a_seed_reads_the_same(suffix: str, parse: Parse) -> None:
    assert parse(REPORT, name=f"seeds/a{suffix}") == parse(REPORT)


@pytest.mark.parametrize("name", ["seeds/a.html", "seeds/a", "a.md.gz"])
def test_other_suffixes_are_rejected(name: str, reject: Reject) -> None:
    assert ".markdown" in reject(REPORT, name=name).remedy


@pytest.mark.parametrize(
    ("content", "line"),
    [
        pytest.param(b"", None, id="empty"),
        pytest.param(b"\xef\xbb\xbf\n \n", None, id="only-a-mark"),
        pytest.param(b"# Title\n", 1, id="neither-text-nor-url"),
        pytest.param(b"# Title\n\nBy Jane Roe\n\nMay 31, 2024\n", 1, id="only-a-head"),
        pytest.param(b"two lines\nof text\n\nmore text", 1, id="no-title"),
        pytest.param(b"#\n\ntext", 1, id="empty-title"),
        pytest.param("# \u200b\u00ad\u2060\n\ntext".encode(), 1, id="invisible-title"),
        pytest.param("\u3164\n\n- a\n\ntext".encode(), 1, id="invisible-line"),
        pytest.param("---\ntitle: '\u200b'\n---\n- a".encode(), 4, id="invisible-title-given"),
        pytest.param(b"- a list\n\ntext", 1, id="list-is-no-title"),
        pytest.param(b"Original url: https://e.example/x", 1, id="url-without-title"),
        pytest.param(b"---\nauthor: A\n---\n\n- text", 4, id="no-title-below-front-matter"),
    ],
)
def test_seed_that_is_no_article_is_rejected(
    content: bytes, line: int | None, reject: Reject
) -> None:
    assert reject(content).line == line


def test_seed_may_name_an_original_and_hold_no_text(parse: Parse) -> None:
    article = parse("# Title\n\nOriginal url: https://e.example/x")
    assert (article.html, article.text, article.summary) == ("", "", "")
    assert article.url == "https://e.example/x"


def test_seed_may_hold_text_and_name_no_original(parse: Parse) -> None:
    assert parse("# Title\n\nText.").url is None


@pytest.mark.parametrize(
    ("head", "title"),
    [
        pytest.param("# *Foo* & bar", "Foo & bar", id="inline-markdown"),
        pytest.param("Title\n=====", "Title", id="setext"),
        pytest.param("Title\n-----", "Title", id="setext-2"),
        pytest.param("A plain line", "A plain line", id="plain"),
        pytest.param("**Bold line**", "Bold line", id="bold"),
        pytest.param("## Second level", "Second level", id="level-2"),
        pytest.param("# C#", "C#", id="hash-at-end"),
        pytest.param("# Closed ##", "Closed", id="closed-atx"),
        pytest.param("# 1. One", "1. One", id="number"),
        pytest.param("# a < b && c > d", "a < b && c > d", id="operators"),
        pytest.param("# [Link](https://e.example) `code`", "Link code", id="link"),
        pytest.param("<h1>Old <b>style</b></h1>", "Old style", id="html"),
        pytest.param("# \u202eMirrored\u202c", "Mirrored", id="bidi"),
        pytest.param("# &lt;b&gt; &amp; c", "<b> & c", id="entities"),
        pytest.param("# شارع البحر", "شارع البحر", id="arabic"),
    ],
)
def test_title_is_plain_text(head: str, title: str, parse: Parse) -> None:
    article = parse(f"{head}\n\nThe text.")
    assert article.title == title
    assert article.html == "<p>The text.</p>"


@pytest.mark.parametrize("above", ["\u200b\n\n", "---\ntitle: \u00ad\n---\n"])
def test_title_that_nobody_can_see_is_none(above: str, parse: Parse) -> None:
    article = parse(f"{above}# The \u200btitle\n\nText.")
    assert (article.title, article.text) == ("The \u200btitle", "Text.")


def test_title_without_a_mark_may_stand_right_above_byline_and_date(parse: Parse) -> None:
    article = parse("A title\nBy Jane Roe\nMay 31, 2024\n\nThe text.")
    assert (article.title, article.author) == ("A title", "Jane Roe")
    assert article.text == "The text."


def test_overlong_title_is_cut_with_a_warning(parse: Parse) -> None:
    article = parse("# " + "T" * 1_000_000 + "\n\nText.")
    assert len(article.title) <= 500
    assert "title" in article.warnings[0]


def test_first_heading_that_repeats_the_given_title_is_not_text(parse: Parse) -> None:
    article = parse("---\ntitle: The Title\n---\n# The *title*\n\nText.")
    assert (article.title, article.html) == ("The Title", "<p>Text.</p>")


def test_first_heading_that_differs_from_the_given_title_stays(parse: Parse) -> None:
    article = parse("---\ntitle: One\n---\n# Another\n\nBy Jane Roe\n\nText.")
    assert article.html == "<h2>Another</h2>\n<p>Text.</p>"
    assert article.author == "Jane Roe"


def test_indented_first_lines_of_a_text_file_are_paragraphs(parse: Parse) -> None:
    prose = "The keeper of the lighthouse had not expected any visitors on that day."
    article = parse(f"Title\n\n    {prose}\nIt rained.\n\n    x = y + 1\n", name="a.txt")
    assert article.html.startswith(f"<p>{prose} It rained.</p>")
    assert "<pre><code>x = y + 1" in article.html


# --- invariants -----------------------------------------------------------------------------

_PIECES = st.sampled_from(
    [
        "# T\n\n",
        "By A B\n\n",
        "2024-05-31\n\n",
        "03/04/2024\n\n",
        "Jane Roe\n",
        "Von Jane Roe für AFP\n\n",
        "31. Mai 2024\n",
        "Updated: May 2, 2024 | 5 min read\n",
        "kremlin.ru\n\n",
        "\u200b\n\n",
        "---\n",
        "+++\n",
        "title: x\n",
        "Original url: ",
        "https://e.example/a",
        "ftp://x",
        "<",
        ">",
        "[a](b)",
        "![i](//h/j)",
        "&#1;",
        "<script>",
        "</p>",
        "<a href='",
        "| a |\n|---|\n",
        "> ",
        "- ",
        "```\n",
        "\n\n",
        " ",
        "\x00",
        "\u202e",
        "̸",
        "é",
        "[^1]",
        "[^1]: n\n",
        "<table>",
        "<b>",
        "word ",
        "слово, ",
        "。",
    ]
)
_SEEDS = st.lists(st.one_of(_PIECES, st.text(max_size=8)), max_size=40).map("".join)
_ADDRESSES = re.compile(r'(?:href|src|cite)="([^"]*)"')


def _outcome(name: str, content: bytes) -> ParsedArticle | SeedRejected:
    try:
        return parse_seed(name, content)
    except SeedRejected as rejected:
        return rejected


def _check(article: ParsedArticle | SeedRejected) -> None:
    if isinstance(article, SeedRejected):
        assert article.reason
        assert article.remedy
        assert article.line is None or article.line >= 1
        return
    lines = (article.title, article.summary, article.author, article.agency, article.credit)
    for line in lines:
        assert line is None or (is_clean(line) and "\n" not in line)
    for text in (article.title, article.text, article.html, article.summary):
        assert is_clean(text)
        assert unicodedata.is_normalized("NFC", text)
    assert article.title
    assert len(article.summary) <= 300
    assert article.html or article.url
    assert "<script" not in article.html
    for tag in re.findall(r"<[a-z][^>]*>", article.html):
        for address in _ADDRESSES.findall(tag):
            assert re.match(r"https?://[^/]|mailto:", address), article.html


@settings(max_examples=150, deadline=None)
@given(_SEEDS)
def test_any_text_is_an_article_or_rejected(text: str) -> None:
    _check(_outcome("a.md", text.encode("utf-8", "surrogatepass")))


@settings(max_examples=150, deadline=None)
@given(_SEEDS)
def test_any_body_below_a_title_is_clean(text: str) -> None:
    _check(_outcome("a.md", f"# T\n\nFirst.\n\n{text}\n\nLast.".encode("utf-8", "replace")))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_article_or_rejected(content: bytes) -> None:
    _check(_outcome("a.txt", content))


@settings(max_examples=50, deadline=None)
@given(_SEEDS)
def test_parsing_twice_gives_the_same(text: str) -> None:
    content = text.encode("utf-8", "replace")
    first, second = _outcome("a.md", content), _outcome("a.md", content)
    assert first == second or repr(first) == repr(second)


def test_parser_has_a_version() -> None:
    assert PARSER_VERSION >= 1
