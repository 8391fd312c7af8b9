"""Pages lead into the archive, load from nowhere else, and keep their look."""

from __future__ import annotations

import html
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.replay.links import Links
from feedsvc.replay.markup import unescaped
from feedsvc.replay.rewrite import rewritten_html, rewritten_svg

HERE = "/s/1/mp_/https://example.org/news"
UTF8 = "text/html; charset=utf-8"


def links() -> Links:
    return Links(root="/s/1", base="https://example.org/news/story.html")


def page(source: str | bytes, kind: str = UTF8) -> str:
    body = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    return rewritten_html(body, content_type=kind, links=links()).decode()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param('<a href="x">', f'<a href="{HERE}/x">', id="a"),
        pytest.param("<area href=x>", f'<area href="{HERE}/x">', id="area"),
        pytest.param("<a href='/x?a=1&copy=2'>", "?a=1&amp;copy=2", id="ampersand"),
        pytest.param("<a href=&quot;x>", "%22x", id="reference"),
        pytest.param("<A HREF=x>", f'href="{HERE}/x"', id="case"),
        pytest.param("<a href=x/>", f'<a href="{HERE}/x/">', id="slash-in-value"),
        pytest.param("<img src=i.png alt='a > b'>", f'<img src="{HERE}/i.png" alt=', id="img"),
        pytest.param("<img srcset='a.png 1x, b.png 2x'>", f'"{HERE}/a.png 1x, {HERE}/b.png 2x"', id="srcset"),
        pytest.param("<source srcset=a.png>", f'srcset="{HERE}/a.png"', id="source"),
        pytest.param("<video poster=p.jpg src=v.mp4>", f'poster="{HERE}/p.jpg"', id="poster"),
        pytest.param("<td background=b.gif>", f'background="{HERE}/b.gif"', id="background"),
        pytest.param("<input type=image src=i.png>", f'src="{HERE}/i.png"', id="input"),
        pytest.param("<blockquote cite=c>", f'cite="{HERE}/c"', id="cite"),
        pytest.param("<img longdesc=l>", f'longdesc="{HERE}/l"', id="longdesc"),
        pytest.param("<p style='background:url(i.png)'>", f"url(&quot;{HERE}/i.png&quot;)", id="style"),
        pytest.param("<style>a{b:url(i.png)}</style>", f'url("{HERE}/i.png")', id="style-element"),
        pytest.param("<link rel=stylesheet href=s.css>", f'href="{HERE}/s.css"', id="stylesheet"),
        pytest.param("<link rel=icon href=i.ico>", f'href="{HERE}/i.ico"', id="icon"),
        pytest.param("<meta http-equiv=Refresh content='0; url=/n'>", 'content="0; url=/s/1/mp_/https://example.org/n"', id="refresh"),
        pytest.param("<svg><image xlink:href=i.png /></svg>", f'href="{HERE}/i.png" /></svg>', id="svg"),
        pytest.param("<svg><rect fill='url(g.svg#a)'/></svg>", f"{HERE}/g.svg#a", id="paint"),
        pytest.param("<iframe src=f.html></iframe>", '<iframe src="/s/1/if_/https://example.org/news/f.html">', id="iframe"),
        pytest.param("<frame src=f.html>", "/s/1/if_/", id="frame"),
        pytest.param("<iframe srcdoc='<img src=i.png onload=x>'>", f"&lt;img src=&quot;{HERE}/i.png&quot;>", id="srcdoc"),
        pytest.param("<object data=i.svg>old</object>", f'<img src="{HERE}/i.svg"><object hidden>old', id="object-image"),
        pytest.param("<embed src=i.png type=image/png>", f'<img src="{HERE}/i.png">', id="embed-image"),
        pytest.param("<base href='https://cdn.test/x/'><img src=i.png>", '<img src="/s/1/mp_/https://cdn.test/x/i.png">', id="base"),
        pytest.param("<noscript><img src=i.png></noscript>", f'<noscript><img src="{HERE}/i.png">', id="noscript"),
        pytest.param("<img src=data:, data-src=i.png>", f'src="{HERE}/i.png"', id="lazy"),
        pytest.param("<img data-srcset='i.png 2x'>", f'srcset="{HERE}/i.png 2x"', id="lazy-set"),
        pytest.param("<link rel=preload as=style href=s.css onload='this.rel=1'>", f'rel="stylesheet" href="{HERE}/s.css"', id="late-style"),
        pytest.param("<a href='#top'>", '<a href="#top">', id="fragment"),
        pytest.param("<a href='x#part'>", f'href="{HERE}/x#part"', id="with-fragment"),
        pytest.param("<a href=mailto:a@example.org>", "mailto:a@example.org", id="mail"),
        pytest.param("<img src='data:image/gif;base64,R0'>", "data:image/gif;base64,R0", id="data"),
        pytest.param("<a href='https://example.org/a/../../b'>", "/s/1/mp_/https://example.org/b", id="dots"),
        pytest.param("<a href='\\\\host.test\\x'>", "/s/1/mp_/https://host.test/x", id="backslash"),
        pytest.param("<p class=don't>it's <a href=x>", f'<p class=don\'t>it\'s <a href="{HERE}/x">', id="apostrophe"),
        pytest.param("<template><img src=i.png></template>", f'<template><img src="{HERE}/i.png">', id="template"),
        pytest.param("<!doctype html><p>x", "<!doctype html><p>x", id="doctype"),
        pytest.param("a < b & c > d", "a < b & c > d", id="text"),
    ],
)  # fmt: skip
def test_whatever_loads_or_links_leads_into_the_archive(source: str, expected: str) -> None:
    assert expected in page(source)


@pytest.mark.parametrize(
    ("source", "gone"),
    [
        pytest.param("<script>run()</script>x", "run", id="script"),
        pytest.param("<script src=x.js></script>", "x.js", id="script-src"),
        pytest.param("<svg><script>run()</script></svg>", "run", id="svg-script"),
        pytest.param("<script>run() <!-- <script> </script>", "run", id="script-not-closed"),
        pytest.param("<p onclick=run()>", "run", id="handler"),
        pytest.param("<p/onclick=run()>", "run", id="handler-slash"),
        pytest.param("<p a='b'onclick=run()>", "run", id="handler-abutting"),
        pytest.param("<a href=javascript:run()>", "run", id="javascript"),
        pytest.param("<a href=' java\tscript:run()'>", "run", id="javascript-spaced"),
        pytest.param("<a href='&#106;avascript:run()'>", "run", id="javascript-escaped"),
        pytest.param("<iframe src=javascript:run()>", "run", id="javascript-frame"),
        pytest.param("<a href='data:text/html,run()'>", "run", id="data-link"),
        pytest.param("<iframe src='data:text/html,run()'>", "run", id="data-frame"),
        pytest.param("<object data=run.swf></object>", "run", id="object"),
        pytest.param("<embed src=run.swf>", "run", id="embed"),
        pytest.param("<applet code=run archive=run.jar></applet>", "run", id="applet"),
        pytest.param("<form action=//live.test/run>", "run", id="form"),
        pytest.param("<button formaction=//live.test/run>", "run", id="formaction"),
        pytest.param("<a href=x target=_top>", "_top", id="target"),
        pytest.param("<a href=x ping=//live.test/>", "live.test", id="ping"),
        pytest.param("<meta http-equiv=Content-Security-Policy content=x>", "Content", id="policy"),
        pytest.param("<meta http-equiv=Set-Cookie content='run=1'>", "run", id="cookie"),
        pytest.param("<meta http-equiv=refresh content='0;url=javascript:run()'>", "run", id="refresh"),
        pytest.param("<link rel=dns-prefetch href=//live.test/>", "live.test", id="dns-prefetch"),
        pytest.param("<link rel=preconnect href=//live.test/>", "live.test", id="preconnect"),
        pytest.param("<link rel=preload as=script href=run.js>", "run", id="preload"),
        pytest.param("<link rel='Prefetch' href=run>", "run", id="prefetch"),
        pytest.param("<link rel=manifest href=run>", "run", id="manifest"),
        pytest.param("<base href=//live.test/ target=_top>", "_top", id="base"),
        pytest.param("<svg><a><set attributeName=href to=//live.test/></a></svg>", "live.test", id="animation"),
        pytest.param("<img src=i.png crossorigin integrity=run>", "run", id="integrity"),
        pytest.param("<!-- run() -->", "run", id="comment"),
        pytest.param("<!--> <script>run()</script> -->", "run", id="comment-that-is-none"),
        pytest.param("<title><img src=run></title>", "<img", id="title"),
        pytest.param("<textarea><img src=run></textarea>", "<img", id="textarea"),
        pytest.param("<svg><title><a href=//live.test/></title></svg>", "<a", id="svg-title"),
        pytest.param("<svg><style><a href=//live.test/></style></svg>", "<a", id="svg-style"),
        pytest.param("<xmp><a href=//live.test/></xmp>", "<a", id="xmp"),
        pytest.param("<plaintext><a href=//live.test/>", "<a", id="plaintext"),
        pytest.param("<noembed><a href=//live.test/></noembed>", "live.test", id="noembed"),
        pytest.param("<?php run() ?>", "run", id="instruction"),
        pytest.param("<a href=x", "<a", id="tag-without-end"),
        pytest.param("<iframe srcdoc='<script>run()</script>'>", "run", id="srcdoc"),
    ],
)  # fmt: skip
def test_what_acts_or_points_outside_is_left_out(source: str, gone: str) -> None:
    assert gone not in page(source)


class Outside(HTMLParser):
    """Collects what a rewritten page still refers to outside the archive, and what acts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "base"}:
            self.found.append(tag)
        for name, value in attrs:
            wrong = value and re.match(r"\s*(?:https?:|//|javascript:)", value, re.IGNORECASE)
            if name.startswith("on") or (name in {"href", "src", "srcset", "poster"} and wrong):
                self.found.append(f"{name}={value}")


_BITS = st.sampled_from(
    (
        *(
            "<a href=",
            "<img src=",
            "<script>",
            "</script>",
            "<style>",
            "</style>",
            "<svg>",
            "</svg>",
        ),
        *("http://live.test/", "//live.test/", "javascript:x", "x", "<!--", "-->", "<title>"),
        *('"', "'", ">", "<", "/", " ", "=", " onload=x ", "<base href=", "<iframe srcdoc="),
        *("</title>", "<![CDATA[", "]]>", "&quot;", "<textarea>", "</textarea>", "<p ", "\n"),
    )
)


@given(st.lists(_BITS, max_size=30).map("".join))
def test_no_page_however_broken_leads_outside(source: str) -> None:
    reader = Outside()
    reader.feed(page(source))
    reader.close()
    assert reader.found == []


@pytest.mark.parametrize(
    "gone", ["<base href=x>", "<script>x</script>", "<base href=<base>", "</base>"]
)
def test_what_is_left_out_makes_no_tag_of_what_stood_around_it(gone: str) -> None:
    made = page(f"<p>1 <{gone}img src=http://live.test/a.png onerror=run()></p>")
    assert "<img" not in made
    assert "1 &lt;img" in made


@given(st.lists(_BITS, max_size=30).map("".join))
def test_rewriting_a_rewritten_page_finds_no_new_tags(source: str) -> None:
    once = page(source)
    assert page(once).count("<") == once.count("<")


@pytest.mark.parametrize(
    ("label", "codec"),
    [("windows-1251", "cp1251"), ("shift_jis", "cp932"), ("utf-16", "utf-16"), ("", "utf-8")],
)
def test_pages_leave_in_utf_8_whatever_they_came_in(label: str, codec: str) -> None:
    words = "Привет" if codec != "cp932" else "こんにちは"
    kind = f"text/html; charset={label}" if label else "text/html"
    assert words in page(f"<p>{words} <a href=x>".encode(codec), kind)


def test_a_page_that_lies_about_its_charset_is_read_all_the_same() -> None:
    assert "naïve" in page("<p>naïve".encode(), "text/html; charset=iso-8859-1")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("?a=1&copy;2", "?a=1©2"),
        ("?a=1&copyright=2", "?a=1&copyright=2"),
        ("&amp;&lt&#65;&#x42", "&<AB"),
        ("&nothing;&", "&nothing;&"),
    ],
)
def test_references_in_attributes_are_read_as_browsers_do(value: str, expected: str) -> None:
    assert unescaped(value) == expected


def test_svg_stays_well_formed_and_loses_its_scripts() -> None:
    source = (
        b'<?xml version="1.0" encoding="iso-8859-1"?><!DOCTYPE svg [<!ENTITY a "b">]>'
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="run()"><script>run()</script>'
        b'<script href="run.js"/><style><![CDATA[a>b{fill:url(i.png)} /* & */]]></style>'
        b'<title>x</title><image xlink:href="i.png"/><use href="#a"/></svg>'
    )
    made = rewritten_svg(source, content_type="image/svg+xml", links=links()).decode()
    assert "run" not in made
    assert f'xlink:href="{HERE}/i.png"/>' in made
    assert '<use href="#a"/></svg>' in made
    assert "/* &amp; */" in made
    assert made.startswith("<!DOCTYPE svg [")


def test_xhtml_becomes_html_that_a_browser_reads_alike() -> None:
    source = '<html xmlns="x"><script src="run"/><div id="a"/><br/><p><![CDATA[1 < 2]]></p></html>'
    made = page(source, "application/xhtml+xml")
    assert made == '<html xmlns="x"><div id="a"></div><br><p>1 &lt; 2</p></html>'


def test_a_page_that_was_cut_off_ends_in_a_notice() -> None:
    body = b"<p>words <a href=x>link</a> <a hre"
    made = rewritten_html(body, content_type=UTF8, links=links(), notice="<hr>cut")
    assert made.decode().endswith("</a> <hr>cut")


PARAGRAPH = (
    '<p class="story-text">The council met on <a href="/news/{0}?ref=home&amp;x=1" class=\'link\' '
    'data-id="{0}">Monday</a> to talk about the <em>ferry</em>, at a length that real pages have.'
    '</p><div class="img"><img src="/i/{0}.jpg" srcset="/i/{0}-2.jpg 2x" alt="" width=100></div>\n'
    "<script>var a={0}; function f(){{return '<p>'+a}}</script>\n"
)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("<div <p a='\" ><!<b c=\"d <i>" * 800_000, id="broken-20-mb"),
        pytest.param("<p><b><i></p>&amp<td</x " * 200_000, id="tag-soup"),
        pytest.param("<div " + " ".join(f"on{n}=1 href=a{n}" for n in range(16_000)) + ">", id="attributes"),
        pytest.param("".join(f"<a href=/l{n}>x</a>" for n in range(100_000)), id="links"),
        pytest.param('<img src="data:image/png;base64,' + "A" * 10_000_000 + '"><p>', id="data"),
        pytest.param("<" * 5_000_000, id="angles"),
        pytest.param("<a '" * 2_000_000, id="quotes"),
        pytest.param("<div>" * 500_000, id="deep"),
        pytest.param("<script>" * 1_000_000, id="scripts"),
        pytest.param("<style>" + "</styl" * 1_000_000, id="style-never-ends"),
        pytest.param("<a href='" + "&#" * 2_000_000 + "'>", id="references"),
        pytest.param("<img srcset='" + "a 1x," * 100_000 + "'>", id="srcset"),
        pytest.param("<iframe srcdoc='" * 200_000, id="srcdoc"),
        pytest.param("<base>" * 300_000, id="bases"),
        pytest.param("<meta http-equiv=refresh content='" + "0" * 2_000_000 + "'>", id="refresh"),
        pytest.param("<textarea>" + "</textarea " * 500_000, id="textarea"),
    ],
)  # fmt: skip
@pytest.mark.no_cover  # tracing makes the time two or three times what it is
def test_hostile_pages_take_seconds_at_most(source: str) -> None:
    begin = time.process_time()
    page(source)
    assert time.process_time() - begin < 30  # a quadratic step takes minutes


def test_nested_documents_end_somewhere() -> None:
    source = "<script>run()</script><img src=i.png>"
    for _ in range(6):
        source = f'<iframe srcdoc="{html.escape(source)}"></iframe>'
    made = page(source)
    for _ in range(6):
        made = html.unescape(made)
    assert "run" not in made
