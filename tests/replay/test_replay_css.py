"""References of stylesheets lead into the archive; nothing else in them changes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.replay.css import rewritten_css, rewritten_style
from feedsvc.replay.links import Links

HERE = "/s/1/mp_/https://example.org/css"


def links() -> Links:
    return Links(root="/s/1", base="https://example.org/css/site.css")


@pytest.mark.parametrize(
    ("css", "expected"),
    [
        pytest.param("a{b:url(i.png)}", f'a{{b:url("{HERE}/i.png")}}', id="bare"),
        pytest.param("a{b:URL( 'i.png' )}", f'a{{b:url("{HERE}/i.png")}}', id="quoted"),
        pytest.param('@import "x.css" print;', f'@import "{HERE}/x.css" print;', id="import"),
        pytest.param("@import url(x.css);", f'@import url("{HERE}/x.css");', id="import-url"),
        pytest.param(
            'a{b:image-set("a.png" 1x, url(b.png) 2x type("image/png"))}',
            f'a{{b:image-set("{HERE}/a.png" 1x, url("{HERE}/b.png") 2x type("image/png"))}}',
            id="image-set",
        ),
        pytest.param("a{b:url(\\69 .png)}", f'a{{b:url("{HERE}/i.png")}}', id="escape"),
        pytest.param(
            "a{b:url(//cdn.test/f.woff#iefix)}",
            'a{b:url("/s/1/mp_/https://cdn.test/f.woff#iefix")}',
            id="other-host",
        ),
        pytest.param(
            "a{b:url(/../x/%2e%2e/y.png)}",
            'a{b:url("/s/1/mp_/https://example.org/y.png")}',
            id="dots",
        ),
        pytest.param("a{b:url(i.png", f'a{{b:url("{HERE}/i.png")', id="not-closed"),
        pytest.param("a{b:url(file:///etc/passwd)}", 'a{b:url("about:invalid")}', id="file"),
    ],
)
def test_a_reference_leads_into_the_archive(css: str, expected: str) -> None:
    assert rewritten_css(css, links()) == expected


@pytest.mark.parametrize(
    "css",
    [
        pytest.param("/* url(x) */ a{b:c}", id="comment"),
        pytest.param('a{content:"url(x)"}', id="string"),
        pytest.param("a{fill:url(#gradient)}", id="fragment"),
        pytest.param("a{b:url(data:image/png;base64,AAAA)}", id="data"),
        pytest.param("@namespace url(http://www.w3.org/2000/svg);", id="namespace"),
        pytest.param("a{color:red}", id="nothing"),
        pytest.param("a{b:format('woff2')}", id="format"),
    ],
)
def test_what_is_no_reference_stays(css: str) -> None:
    assert rewritten_css(css, links()) == css


@given(st.text(alphabet="ab<>/!-\\\"'()@url; \n{}[]C*", max_size=200))
def test_a_style_element_holds_nothing_that_begins_or_ends_a_tag(css: str) -> None:
    made = rewritten_style(css, links())
    assert "</" not in made
    assert "<!" not in made


def test_a_comparison_in_a_media_query_stays() -> None:
    assert rewritten_style("@media (width <= 600px){}", links()) == "@media (width <= 600px){}"


@pytest.mark.parametrize(
    "css",
    [
        pytest.param("a{b:url(" * 250_000, id="never-closed"),
        pytest.param("url('x" * 250_000, id="quotes"),
        pytest.param("image-set((" * 150_000, id="sets"),
        pytest.param('@import "site.css";' * 30_000, id="imports-itself"),
        pytest.param("a{b:url(data:image/png;base64," + "A" * 10_000_000 + ")}", id="data"),
        pytest.param("/*" * 800_000, id="comments"),
        pytest.param("\\" * 1_500_000, id="escapes"),
    ],
)
@pytest.mark.no_cover  # tracing makes the time two or three times what it is
def test_hostile_stylesheets_take_a_moment(css: str) -> None:
    begin = time.process_time()
    rewritten_css(css, links())
    assert time.process_time() - begin < 15
