"""The judge before pages that hide things, are too large, or were made to hurt."""

from __future__ import annotations

import html
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.capture.judge import judge
from feedsvc.model import Likely, Verdict
from tests.capture.shapes import PAGES, UTF8, page, story

VERIFIED, MISMATCH = Verdict.VERIFIED, Verdict.MISMATCH


@pytest.mark.parametrize(
    "concealed",
    [
        "<div hidden>{}</div>",
        "<div HIDDEN=until-found><p>{}</p></div>",
        '<div style="color:red;DISPLAY : none">{}</div>',
        '<section style="visibility:hidden">{}</section>',
        "<script>var x = `{}`</script>",
        "<style>/* {} */</style>",
        "<template><p>{}</p></template>",
        "<dialog><p>{}</p></dialog>",
        "<!-- {} -->",
        "<iframe>{}</iframe>",
    ],
)
@pytest.mark.parametrize("padding", [0, 200_000], ids=["small", "large"])
def test_what_nobody_sees_is_not_text(concealed: str, padding: int) -> None:
    wanted = story("en")
    filler = (PAGES / "filler.html").read_text("utf-8") + "<p>Nothing to see.</p>" * (padding // 22)
    body = f"<html><body>{concealed.format(wanted.text)}{filler}</body></html>".encode()
    judgement = judge(wanted.title, wanted.text, body, content_type=UTF8, status=200)
    assert (judgement.verdict, judgement.share) == (MISMATCH, 0.0)


@pytest.mark.parametrize("shape", ["news_site.html", "cookie_banner.html", "split_words.html"])
def test_a_large_page_is_judged_as_a_small_one(shape: str) -> None:
    wanted = story("en")
    padding = "<div class=x><p>Nothing <b>to</b> see.</p></div>" * 10_000
    body = page(shape, wanted).replace("<body>", f"<body>{padding}").encode()
    assert len(body) > 200_000
    judgement = judge(wanted.title, wanted.text, body, content_type=UTF8, status=200)
    assert judgement.verdict is VERIFIED


def test_what_lies_beyond_the_cap_is_not_looked_at_and_said_so() -> None:
    wanted = story("en")
    body = b"<p>" + b"nothing here " * 800_000 + page("plain.html", wanted).encode()
    judgement = judge(wanted.title, wanted.text, body, content_type=UTF8, status=200)
    assert judgement.verdict is MISMATCH
    assert "8 MiB" in judgement.evidence


HOSTILE = {
    "20 MB of broken markup": b"<div class=\"a'><p <b x</</i><table><a>&#x0;&foo;<!--" * 400_000,
    "16,000 attributes": b"<p " + b" ".join(b"a%d=1" % index for index in range(16_000)) + b">x",
    "200,000 attributes": b"<p " + b" ".join(b"a%d=1" % index for index in range(200_000)) + b">x",
    "100,000 levels": b"<div>" * 100_000 + b"x",
    "1 MB in one text node": b"<p>" + b"x " * 500_000,
    "NULs": b"<p>a\0b" * 200_000,
    "unclosed scripts": b"<script>" * 500_000,
    "unclosed headings": b"<h1>" * 500_000,
    "unclosed comments": b"<!--" * 500_000,
    "unclosed quotes": b'<p style="' * 300_000,
    "open angles": b"<" * 2_000_000,
    "links": b"<link " * 200_000,
    "references": b"&amp" * 500_000 + b"&#x10FFFF;&#xD800;&#99999999999;" * 1000,
    "combining marks": b"<p>a" + "\u0301\u0323".encode() * 300_000,
    "escapes": b"\\ud800\\" * 200_000,
    "wrong utf-8": b"\xff\xfe\xfa" * 200_000,
    "cut utf-8": "é".encode() * 1000 + b"\xc3",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.no_cover  # tracing makes the time two or three times what it is
def test_no_page_makes_the_judge_stumble_or_stay(body: bytes) -> None:
    wanted = story("en")
    start = time.process_time()
    judgement = judge(wanted.title, wanted.text, body, content_type="text/html", status=200)
    assert judgement.verdict is MISMATCH
    assert time.process_time() - start < 10  # 2 s on the slowest; a quadratic step takes minutes


def test_an_article_of_a_megabyte_is_sampled() -> None:
    words = " ".join(f"word{number} counts {number * 7}" for number in range(50_000))
    body = f"<p>{words}</p>".encode()
    start = time.process_time()
    assert judge("Words", words, body, content_type=UTF8, status=200).verdict is VERIFIED
    assert judge("Words", words, b"<p>No." * 300_000, content_type=UTF8, status=200).share == 0.0
    assert time.process_time() - start < 10


@settings(max_examples=150, deadline=None)
@given(
    title=st.text(max_size=60),
    text=st.text(max_size=400),
    body=st.binary(max_size=400)
    | st.text(max_size=400).map(lambda text: text.encode("utf-8", "replace")),
    content_type=st.sampled_from(
        [
            "",
            "text/html",
            "text/html; charset=",
            "TEXT/HTML;charset=x",
            "text/plain; charset=utf-16",
            ";;",
            "é",
        ]
    ),
    status=st.sampled_from([200, 304, 404, 503]),
)
def test_the_judge_never_raises(
    title: str, text: str, body: bytes, content_type: str, status: int
) -> None:
    judgement = judge(title, text, body, content_type=content_type, status=status)
    assert 0.0 <= judgement.share <= 1.0
    assert judgement.evidence
    assert "\n" not in judgement.evidence


@settings(max_examples=60, deadline=None)
@given(
    dropped=st.sets(st.integers(0, 8), max_size=9),
    order=st.permutations(range(9)),
    tag=st.sampled_from(["p", "div", "li", "td", "span"]),
)
def test_the_share_is_what_of_the_article_is_there_in_any_order(
    dropped: set[int], order: list[int], tag: str
) -> None:
    wanted = story("en")
    kept = [wanted.paragraphs[index] for index in order if index not in dropped]
    body = "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in kept) or "<p>Nothing.</p>"
    judgement = judge(wanted.title, wanted.text, body.encode(), content_type=UTF8, status=200)
    assert judgement.share == pytest.approx(sum(map(len, kept)) / len(wanted.text), abs=0.05)


def test_upper_case_that_grows_when_lowered_shifts_nothing() -> None:
    wanted = story("en")
    body = (
        "<title>İİİİ sayfa bulunamadı</title><h1>Üzgünüz</h1><p>Aradığınız sayfa burada değil.</p>"
    )
    judgement = judge(wanted.title, wanted.text, body.encode(), content_type=UTF8, status=200)
    assert (judgement.verdict, judgement.likely) == (MISMATCH, Likely.NOT_FOUND)


def test_nested_hidden_elements_of_a_large_page_end_where_they_end() -> None:
    wanted = story("en")
    hidden = '<div hidden><div>Nothing<br></div><img src="x"></div>'
    padding = "<p class='x'>Nothing to see.</p>" * 10_000
    body = f"{padding}{hidden}{page('plain.html', wanted)}<div hidden>{padding}".encode()
    judgement = judge(wanted.title, wanted.text, body, content_type=UTF8, status=200)
    assert judgement.verdict is VERIFIED
