"""What a page and its stylesheets refer to."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.capture.requisites import Links, charset_of, page_links, stylesheet_links
from feedsvc.capture.stylesheet import references
from feedsvc.capture.tame import MAX_OPENED, SMALL, is_tame
from feedsvc.references import resolve, srcset

URL = "http://example.org/news/story.html"
ICON = "http://example.org/favicon.ico"


def links(html: str | bytes, *, limit: int = 200, charset: str = "utf-8") -> Links:
    page = html if isinstance(html, bytes) else html.encode(charset)
    return page_links(page, url=URL, charset=charset, limit=limit)


def found(html: str) -> list[str]:
    """Requisites relative to the page's folder, the fallback icon left out."""
    urls = [url for url in links(html).requisites if url != ICON]
    return [url.removeprefix("http://example.org/news/") for url in urls]


def in_css(css: str) -> list[str]:
    sheet = stylesheet_links(
        css.encode(), url="http://example.org/css/main.css", content_type="", limit=99
    )
    return [url.removeprefix("http://example.org/css/") for url in sheet.requisites]


CASES = [
    pytest.param("<img src=a.png>", ["a.png"], id="img"),
    pytest.param("<img src='a.png#x'>", ["a.png"], id="fragment"),
    pytest.param("<img srcset='a.png, b.png 2x'>", ["a.png", "b.png"], id="srcset"),
    pytest.param("<img data-src=a.png data-srcset='b.png 1x'>", ["a.png", "b.png"], id="lazy"),
    pytest.param(
        "<picture><source srcset='a.webp 9w'><img src=a.png></picture>",
        ["a.webp", "a.png"],
        id="picture",
    ),
    pytest.param("<link rel='alternate stylesheet' href=a.css>", ["a.css"], id="stylesheet"),
    pytest.param("<link rel='shortcut icon' href=a.ico>", ["a.ico"], id="icon"),
    pytest.param("<link rel=apple-touch-icon href=a.png>", ["a.png"], id="apple-icon"),
    pytest.param("<link rel=manifest href=a.json>", ["a.json"], id="manifest"),
    pytest.param("<link rel=preload as=font href=a.woff2>", ["a.woff2"], id="preload-font"),
    pytest.param(
        "<link rel=preload as=image imagesrcset='a.png 1x'>", ["a.png"], id="preload-srcset"
    ),
    pytest.param("<link rel=preload as=fetch href=a.json>", [], id="preload-fetch"),
    pytest.param("<link rel='next canonical alternate' href=a.html>", [], id="other-links"),
    pytest.param("<script src=a.js></script>", ["a.js"], id="script"),
    pytest.param("<input type=image src=a.png><input type=text src=b.png>", ["a.png"], id="input"),
    pytest.param(
        "<video poster=a.png src=v.mp4><source src=v.webm></video>", ["a.png"], id="video"
    ),
    pytest.param("<audio src=a.mp3></audio><iframe src=b.html></iframe>", [], id="media"),
    pytest.param(
        "<object data=a.svg></object><object data=b.swf></object>", ["a.svg"], id="object"
    ),
    pytest.param("<embed type=image/png src=a><embed type=text/html src=b>", ["a"], id="embed"),
    pytest.param("<p style=\"background: url('a.png')\">", ["a.png"], id="style-attribute"),
    pytest.param("<style>@import 'a.css'; b{c:url(d.png)}</style>", ["a.css", "d.png"], id="style"),
    pytest.param(
        "<svg><image href=a.png /><use xlink:href='b.svg#c'/></svg>", ["a.png", "b.svg"], id="svg"
    ),
    pytest.param("<svg><use href='#c'/></svg>", [], id="own-fragment"),
    pytest.param("<meta property=og:image content=a.png>", ["a.png"], id="og-image"),
    pytest.param("<meta name=twitter:image content=a.png>", ["a.png"], id="twitter-image"),
    pytest.param("<body background=a.gif>", ["a.gif"], id="background"),
    pytest.param("<noscript><img src=a.png></noscript>", ["a.png"], id="noscript"),
    pytest.param("<a href=a.html><form action=b></form></a>", [], id="links-to-pages"),
    pytest.param("<!-- <img src=a.png> --><script>'<img src=b.png>'</script>", [], id="not-markup"),
    pytest.param(
        "<img src=data:image/png,x><img src=javascript:x><img src='about:blank'>", [], id="no-web"
    ),
    pytest.param(
        "<img src=blob:http://example.org/1><img src=mailto:a@b><img src>", [], id="nothing"
    ),
    pytest.param(
        "<img src=story.html><img src='http://example.org/news/story.html#x'>", [], id="itself"
    ),
    pytest.param("<img src=a.png><img src=./a.png><img src=b/../a.png>", ["a.png"], id="once"),
    pytest.param("<base href=/x/><img src=a.png>", ["http://example.org/x/a.png"], id="base"),
    pytest.param("<img src=//cdn.example/a.png>", ["http://cdn.example/a.png"], id="other-host"),
    pytest.param("<img src=' a b|c.png\n'>", ["a%20b%7Cc.png"], id="escaped"),
    pytest.param("<img src='..\\a.png'>", ["http://example.org/a.png"], id="backslash"),
    pytest.param("<img src=http://user:pw@example.org/a>", [], id="credentials"),
    pytest.param("<img src='http://[::1/a'><img src=http://ex_ample:x/>", [], id="no-address"),
]


@pytest.mark.parametrize(("html", "urls"), CASES)
def test_a_page_needs(html: str, urls: list[str]) -> None:
    assert found(html) == urls


@pytest.mark.parametrize(("html", "urls"), CASES)
def test_a_large_page_needs_the_same(html: str, urls: list[str]) -> None:
    assert found(html + "<p>" + " " * SMALL) == urls


@pytest.mark.parametrize(("html", "urls"), CASES)
def test_a_page_too_wild_for_a_tree_needs_the_same(html: str, urls: list[str]) -> None:
    wild = html + "<p>" + "<div>" * (MAX_OPENED + SMALL // 5)
    assert not is_tame(wild.encode())
    assert found(wild) == urls


@pytest.mark.parametrize(
    ("css", "urls"),
    [
        pytest.param("a{b:url(c.png)}", ["c.png"], id="bare"),
        pytest.param('a{b:URL( "c.png" )}', ["c.png"], id="quoted"),
        pytest.param("a{b:url(c\\ d.png)}", ["c%20d.png"], id="escape"),
        pytest.param(
            "@import 'a.css' screen;@import url(b.css) layer(x);", ["a.css", "b.css"], id="import"
        ),
        pytest.param('@import/**/"a.css";', ["a.css"], id="import-comment"),
        pytest.param("@namespace svg url(http://example.org/ns);", [], id="namespace"),
        pytest.param(
            "@font-face{src:url(a.woff2) format('woff2'),url(b.woff)}",
            ["a.woff2", "b.woff"],
            id="font",
        ),
        pytest.param(
            "a{b:image-set('c.png' 1x, url(d.png) 2x)}", ["c.png", "d.png"], id="image-set"
        ),
        pytest.param("a{b:-webkit-image-set(url('c.png') 1x)}", ["c.png"], id="webkit"),
        pytest.param("a{b:url(data:image/png;base64,xx)}", [], id="data"),
        pytest.param("/* url(a.png) */ b{content:'url(c.png)'}", [], id="comment-and-string"),
        pytest.param("a{b:url(c.png", ["c.png"], id="unclosed"),
        pytest.param("a{b:url('c.png", ["c.png"], id="unclosed-string"),
        pytest.param("}}}{{{ a{b:url(c.png)}", ["c.png"], id="broken"),
        pytest.param("@import url(", [], id="nothing"),
    ],
)
def test_a_stylesheet_needs(css: str, urls: list[str]) -> None:
    assert in_css(css) == urls


@pytest.mark.parametrize(
    ("css", "content_type", "url"),
    [
        pytest.param("a{b:url(é.png)}".encode(), "text/css", "%C3%A9.png", id="utf-8"),
        pytest.param(
            "a{b:url(é.png)}".encode("latin-1"),
            "text/css; charset=iso-8859-1",
            "%C3%A9.png",
            id="header",
        ),
        pytest.param(
            b'@charset "iso-8859-1";a{b:url(\xe9.png)}', "", "%C3%A9.png", id="at-charset"
        ),
        pytest.param("a{b:url(é.png)}".encode("utf-16"), "", "%C3%A9.png", id="utf-16"),
        pytest.param("\ufeffa{b:url(é.png)}".encode(), "", "%C3%A9.png", id="bom"),
        pytest.param(b'@charset "utf-16le";a{b:url(c.png)}', "", "c.png", id="untrue"),
    ],
)
def test_a_stylesheet_is_read_in_its_own_charset(css: bytes, content_type: str, url: str) -> None:
    sheet = stylesheet_links(
        css, url="http://example.org/a.css", content_type=content_type, limit=9
    )
    assert sheet.requisites == (f"http://example.org/{url}",)


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        pytest.param("a.png", ["a.png"], id="one"),
        pytest.param("a.png 1x,b.png 2x", ["a.png", "b.png"], id="two"),
        pytest.param("a,b.png 1x, c.png", ["a,b.png", "c.png"], id="comma-in-url"),
        pytest.param("a.png, b.png", ["a.png", "b.png"], id="comma-after-url"),
        pytest.param(
            "data:image/png;base64,AA= 1x, b.png 2x",
            ["data:image/png;base64,AA=", "b.png"],
            id="data",
        ),
        pytest.param("a.png calc(1x, 2x), b.png", ["a.png", "b.png"], id="parentheses"),
        pytest.param(" ,, a.png  100w ,\n b.png", ["a.png", "b.png"], id="space"),
        pytest.param("", [], id="empty"),
        pytest.param("a.png (((", ["a.png"], id="unclosed"),
    ],
)
def test_srcset_is_read_as_html_says(value: str, urls: list[str]) -> None:
    assert list(srcset(value)) == urls


def test_a_page_without_an_icon_has_the_usual_one_of_its_host() -> None:
    assert links("<base href=http://other.example/><p>").requisites == (ICON,)
    assert ICON not in links("<link rel=icon href=a.ico>").requisites


def test_a_query_is_written_in_the_charset_of_the_page() -> None:
    page = "<img src='é.png?é'>"
    latin = "http://example.org/news/%C3%A9.png?%E9"
    assert links(page, charset="cp1252").requisites[0] == latin
    assert links(page).requisites[0] == "http://example.org/news/%C3%A9.png?%C3%A9"


@pytest.mark.parametrize(
    ("page", "content_type", "charset"),
    [
        pytest.param(b"<p>plain", "text/html", "utf-8", id="ascii"),
        pytest.param(
            "<p>żółć".encode("iso-8859-2"),
            "text/html; charset=ISO-8859-2",
            "iso8859-2",
            id="header",
        ),
        pytest.param(
            "<meta charset=windows-1251><p>Ж.".encode("cp1251"), "text/html", "cp1251", id="meta"
        ),
    ],
)
def test_the_charset_is_what_server_or_page_say(
    page: bytes, content_type: str, charset: str
) -> None:
    assert charset_of(page, content_type) == charset


@pytest.mark.parametrize(
    ("content", "refresh"),
    [
        pytest.param("0; url=b.html", (0.0, "http://example.org/news/b.html"), id="usual"),
        pytest.param("5;URL='b.html'", (5.0, "http://example.org/news/b.html"), id="quoted"),
        pytest.param("1.5, b.html", (1.0, "http://example.org/news/b.html"), id="bare"),
        pytest.param("300", None, id="reload"),
        pytest.param("0; url=javascript:x()", None, id="no-web"),
        pytest.param("soon", None, id="nonsense"),
    ],
)
def test_a_meta_refresh_is_read(content: str, refresh: tuple[float, str] | None) -> None:
    assert links(f'<meta http-equiv=Refresh content="{content}">').refresh == refresh


def test_a_meta_refresh_for_browsers_without_scripts_is_none() -> None:
    assert links("<noscript><meta http-equiv=refresh content='0;url=b'></noscript>").refresh is None


def test_there_are_never_more_requisites_than_the_limit() -> None:
    page = "".join(f"<img src={i}.png>" for i in range(50))
    many = links(page, limit=10)
    assert len(many.requisites) == 10
    assert many.more
    assert not links(page).more


HOSTILE = [
    pytest.param("<div>" * 200_000, id="deep"),
    pytest.param("<ul><li>" * 100_000, id="lists"),
    pytest.param("<p><b><i><a>" * 50_000, id="misnested"),
    pytest.param("<img src=x.png>" * 150_000, id="images"),
    pytest.param("".join(f"<img src=x{i}.png>" for i in range(100_000)), id="100,000-links"),
    pytest.param(f"<div {' '.join(f'a{i}=1' for i in range(16_000))}>", id="16,000-attributes"),
    pytest.param(f"<img {' '.join(f'a{i}=1' for i in range(300_000))}>", id="300,000-attributes"),
    pytest.param("<a '" * 500_000, id="quotes"),
    pytest.param("<a \"'" * 500_000, id="both-quotes"),
    pytest.param("<" * 500_000, id="angles"),
    pytest.param("<!--" * 500_000, id="comments"),
    pytest.param("<style>" * 500_000, id="styles"),
    pytest.param("<div style='url(" * 200_000, id="style-attributes"),
    pytest.param("<svg>" * 100_000, id="svg"),
    pytest.param(f"<img srcset='{'a.png 1x,(' * 300_000}'>", id="srcset"),
]


@pytest.mark.parametrize("html", HOSTILE)
@pytest.mark.no_cover  # tracing makes the time two or three times what it is
def test_a_hostile_page_takes_a_bounded_time(html: str) -> None:
    begin = time.thread_time()
    assert len(links(html).requisites) <= 200
    assert time.thread_time() - begin < 3.0


@pytest.mark.parametrize(
    "css",
    [
        pytest.param("{" * 1_000_000, id="braces"),
        pytest.param("url(" * 500_000, id="url"),
        pytest.param("url('" * 300_000, id="open-string"),
        pytest.param('"' * 1_000_000, id="strings"),
        pytest.param("@import " * 300_000, id="import"),
        pytest.param("@import /*" * 200_000, id="import-comment"),
        pytest.param("/*" * 1_000_000, id="comments"),
        pytest.param("image-set(" * 200_000, id="image-set"),
        pytest.param("\\" * 1_000_000 + "url(", id="escapes"),
        pytest.param("".join(f"a{{b:url(i{i}.png)}}" for i in range(30_000)), id="many"),
    ],
)
@pytest.mark.no_cover  # tracing makes the time two or three times what it is
def test_a_hostile_stylesheet_takes_a_bounded_time(css: str) -> None:
    begin = time.thread_time()
    assert len(list(references(css))) <= 30_000
    assert time.thread_time() - begin < 3.0


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["utf-8", "cp1252", "utf-16-le"]))
def test_any_bytes_can_be_read_as_a_page_and_as_a_stylesheet(data: bytes, charset: str) -> None:
    for page in (b"<img src='" + data, data + b"<style>a{b:url(" + data):
        links(page, charset=charset)
        stylesheet_links(page, url=URL, content_type="", limit=9)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_what_is_resolved_is_ascii_and_absolute_and_stays_so(reference: str) -> None:
    url = resolve(reference, base=URL)
    if url is not None:
        assert url.isascii()
        assert url.startswith(("http://", "https://"))
        assert "#" not in url
        assert resolve(url, base=URL) == url
