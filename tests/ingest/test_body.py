"""The body: HTML that is safe, links that are absolute, text that reads well."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

import pytest

from feedsvc.errors import SeedRejected
from feedsvc.ingest.body import render, to_text
from feedsvc.model import ParsedArticle

Parse = Callable[..., ParsedArticle]
BASE = "https://e.example/dir/page"
REL = ' rel="noopener noreferrer nofollow"'


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("One\ntwo.", "<p>One two.</p>"),
        ("## Two\n\n# One", "<h2>Two</h2>\n<h2>One</h2>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("3. a\n4. b", '<ol start="3">\n<li>a</li>\n<li>b</li>\n</ol>'),
        ("> quoted", "<blockquote>\n<p>quoted</p>\n</blockquote>"),
        ("- [ ] a\n- [x] b", "<ul>\n<li>☐ a</li>\n<li>☑ b</li>\n</ul>"),
        ("~~gone~~ **kept**", "<p><del>gone</del> <strong>kept</strong></p>"),
        ("```python\nx < y\n```", "<pre><code>x &lt; y\n</code></pre>"),
        ("a  \nb", "<p>a<br>\nb</p>"),
        ("<h1 class=x>Raw</h1>", "<h2>Raw</h2>"),
        (
            '<p dir="rtl" lang="he" class="c" id="i" style="color:red">x</p>',
            '<p dir="rtl" lang="he">x</p>',
        ),
        ("<!-- hidden -->\n\nseen", "<p>seen</p>"),
        ("a & b &lt; c", "<p>a &amp; b &lt; c</p>"),
    ],
)
def test_markdown_becomes_plain_html(source: str, html: str) -> None:
    assert render(source, base=BASE) == html


def test_table_is_a_table() -> None:
    html = render("| a | b |\n|--:|---|\n| 1 | `x` |", base=None)
    assert '<td align="right">1</td>\n<td><code>x</code></td>' in html
    assert to_text(html).splitlines()[-1].split("\t") == ["1", "x"]


def test_note_keeps_its_number_and_loses_its_links() -> None:
    html = render("A claim[^1].\n\n[^1]: The *source*.", base=BASE)
    assert html.startswith("<p>A claim<sup>[1]</sup>.</p>")
    assert "<p>The <em>source</em>.</p>" in html
    assert "href" not in html


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("rel/p?q=1&r=2", "https://e.example/dir/rel/p?q=1&amp;r=2"),
        ("/abs", "https://e.example/abs"),
        ("//h.example/p", "https://h.example/p"),
        ("../up", "https://e.example/up"),
        ("#part", "https://e.example/dir/page#part"),
        ("?q", "https://e.example/dir/page?q"),
        ("HTTP://H.example/é", "http://h.example/%C3%A9"),
        ("https://пример.example/ы", "https://xn--e1afmkfd.example/%D1%8B"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("https://h.example/a?b=c&d=e#f", "https://h.example/a?b=c&amp;d=e#f"),
    ],
)
def test_link_is_absolute(link: str, url: str) -> None:
    assert render(f"[x]({link})", base=BASE) == f'<p><a href="{url}"{REL}>x</a></p>'


@pytest.mark.parametrize(
    "link",
    ["#", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "ftp://h.example/", "https://u:p@h.example/", "java&#10;script:alert(1)", "&#1;javascript:x", "http:x", "https:///x"],
)  # fmt: skip
def test_link_that_leads_nowhere_good_is_text(link: str) -> None:
    html = render(f"[x]({link}) <a href='{link}'>y</a>", base=None)
    assert "<a" not in html
    assert to_text(html).startswith("x y")


@pytest.mark.parametrize("link", ["rel", "/abs", "//h.example/p", "#part", "?q", "../up"])
def test_relative_link_without_an_original_is_text(link: str) -> None:
    assert render(f"[x]({link})", base=None) == "<p>x</p>"


def test_picture_is_absolute_or_its_description() -> None:
    html = render('![one](i.png "t")', base=BASE)
    assert html == '<p><img src="https://e.example/dir/i.png" alt="one" title="t"></p>'
    assert render("![a <b> & c](i.png)", base=None) == "<p>a &lt;b&gt; &amp; c</p>"
    assert render("![x](data:image/png;base64,AAAA)", base=BASE) == "<p>x</p>"


@pytest.mark.parametrize("base", [None, BASE])
@pytest.mark.parametrize("alt", ["", ' alt="c"'])
def test_picture_without_an_address_is_dropped(alt: str, base: str | None) -> None:
    source = f"a <img src='javascript:alert(1)'{alt}> b <img{alt}>"
    html = render(source, base=base)
    assert "<img" not in html
    assert html.count("c") == (2 if alt else 0)
    assert render("![](javascript:x)\n\nafter", base=base) == "<p>after</p>"


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)><script>alert(1)</script></svg>",
        "<math><mi xlink:href='javascript:alert(1)'>x</mi></math>",
        "<iframe src='https://h.example'></iframe>",
        "<a href='javascript:alert(1)'>x</a>",
        "<style>@import 'x'</style>",
        "<form action=x><button formaction='javascript:alert(1)'>x</button></form>",
        "<scr\x00ipt>alert(1)</scr\x00ipt>",
        "<<script>script>alert(1)<</script>/script>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        "<textarea><img src=x onerror=alert(1)></textarea>",
        "<p style='background:url(javascript:alert(1))'>x</p>",
        "<object data='x'></object><embed src='x'>",
        "<base href='https://evil.example/'><meta http-equiv=refresh content='0;url=x'>",
        "<a href='https://h.example' onclick=alert(1) target=_blank ping=x>x</a>",
        "<img srcset='https://h.example/a 1x' src='//h.example/b'>",
        "<!--><script>alert(1)</script>-->",
        "<details ontoggle=alert(1) open>x</details>",
    ],
)
def test_nothing_active_is_left(source: str) -> None:
    html = render(f"before\n\n{source}\n\nafter", base=BASE)
    tags = re.findall(r"<[a-z][^>]*>", html)
    for tag in tags:
        assert not re.search(r"\s(on\w+|style|class|id|srcset|target|ping|action|formaction)=", tag)
        assert not re.match(
            r"<(script|style|iframe|object|embed|svg|math|form|base|meta|noscript|textarea)", tag
        )
        assert "javascript:" not in tag
    assert "after" in to_text(html)


def test_broken_markup_is_put_in_order() -> None:
    html = render("<div>one<p>two<b>three\n\nfour</div></i>\n\nfive", base=None)
    assert to_text(html).split() == ["one", "twothree", "four", "five"]
    assert html.count("<b>") == html.count("</b>")
    assert html.count("<div>") == html.count("</div>")


def test_paragraphs_may_be_left_open_many_times() -> None:
    html = render("<div>\n" + "<p>x\n" * 500 + "</div>", base=None)
    assert html.count("<p>") == 500


DEEP = 20_000


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(">" * DEEP + "a", id="quotes"),
        pytest.param("- " * DEEP + "a", id="lists"),
        pytest.param("<div>" * DEEP, id="elements"),
        pytest.param("<b>" * DEEP, id="formatting"),
        pytest.param("<div><table></div></table>" * DEEP, id="crossed"),
        pytest.param('<p title="</div>"><div>' * DEEP, id="end-tags-in-attributes"),
        pytest.param('<div a">' * DEEP, id="stray-quotes"),
        pytest.param("*a **a " * DEEP + "a** a*" * DEEP, id="emphasis"),
        pytest.param("<" * 5_000_000, id="5-MB"),
        pytest.param("&" * 1_000_000, id="escapes-too-large"),
        pytest.param(
            "<a " + " ".join(f"a{i}=1" for i in range(16_000)) + ">x</a>", id="attributes"
        ),
        pytest.param("<table>" + "a<b>b</b>" * DEEP, id="text-in-a-table"),
        pytest.param("<div><b>" * 45 + "<p>x</p>" * DEEP, id="formatting-around-blocks"),
        pytest.param("<div><i>\n\n" + "x\n\n" * 100 + "<u>\n\n" * 200, id="open-over-paragraphs"),
    ],
)
def test_markup_that_would_take_the_square_of_its_size_is_rejected_or_flat(source: str) -> None:
    """A law without a clock: what reaches the HTML parser is never deep."""
    try:
        html = render(source, base=None)
    except SeedRejected:
        return
    depth = deepest = 0
    for tag in re.finditer(r"<(/?)(?!br|hr|img|wbr|col>)[a-z][^>]*>", html):
        depth += -1 if tag[1] else 1
        deepest = max(deepest, depth)
    assert deepest <= 101


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("[" * DEEP + "a" + "]" * DEEP, id="brackets"),
        pytest.param("- " * 40 + "a" + "\n" * 200_000 + "b", id="blank-lines-in-a-deep-list"),
        pytest.param(" " * 500_000 + "x", id="spaces"),
        pytest.param("<!-- " * 20_000, id="comments"),
        pytest.param("<script>" * 20_000, id="scripts"),
        pytest.param('<a b="' * 20_000, id="open-quotes"),
        pytest.param("</b>" * 50_000, id="ends"),
        pytest.param("- " * 99 + "\n" + "* " * 99 + "x", id="markers-below-the-limit"),
    ],
)
def test_odd_source_is_rendered_or_rejected(source: str) -> None:
    with suppress(SeedRejected):
        assert "<script" not in render(source, base=None)


def test_body_of_a_megabyte_is_read(parse: Parse) -> None:
    paragraph = "The keeper of the lighthouse wrote down every ship that passed. "
    article = parse("# T\n\n" + (paragraph * 10 + "\n\n") * 1600)
    assert len(article.text) > 1_000_000
    assert len(article.summary) <= 300


def test_text_parts_paragraphs_by_one_blank_line() -> None:
    html = render(
        "# H\n\nOne *two*\nthree.\n\n- a\n- b\n\n> c\n\n```\nd\n  e\n```\n\nf &amp; g", base=None
    )
    assert to_text(html) == "H\n\nOne two three.\n\na\nb\n\nc\n\nd\ne\n\nf & g"


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        pytest.param("Short.", "Short.", id="short"),
        pytest.param("# H\n\n| a |\n|---|\n| b |\n\nThe text.", "The text.", id="no-headings-no-tables"),
        pytest.param("A &lt; B &amp; C.", "A < B & C.", id="entities"),
        pytest.param("One.\n\nTwo.", "One. Two.", id="several-paragraphs"),
        pytest.param("W" * 150 + " U.S. Senator Q. " + "w" * 100 + ". " + "X" * 200, "W" * 150 + " U.S. Senator Q. " + "w" * 100 + ".", id="abbreviations"),
        pytest.param("海" * 180 + "。" + "山" * 200 + "。", "海" * 180 + "。", id="cjk"),
        pytest.param("क " * 100 + "ख। " + "ग " * 100, ("क " * 100 + "ख।"), id="danda"),
    ],
)  # fmt: skip
def test_summary_is_the_first_sentences(body: str, summary: str, parse: Parse) -> None:
    assert parse(f"# T\n\n{body}").summary == summary


def test_summary_without_an_end_is_cut_at_a_word(parse: Parse) -> None:
    summary = parse("# T\n\n" + "lighthouse " * 100).summary
    assert summary.endswith("lighthouse…")
    assert len(summary) <= 300
