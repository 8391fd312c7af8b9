"""Which pages are read as a tree."""

from __future__ import annotations

import time

import pytest
from selectolax.lexbor import LexborHTMLParser

from feedsvc.capture.tame import MAX_ATTRIBUTES, MAX_OPENED, MAX_TAGS, SMALL, is_tame

PADDING = b"<p>" + b"Nothing to see here. " * (SMALL // 20)
NAMES = b" ".join(b"a%d" % number for number in range(MAX_ATTRIBUTES + 1))


@pytest.mark.parametrize(
    "page",
    [
        b"<div>" * (MAX_OPENED + 1),
        b"<svg>" * 100 + b"</b>" * MAX_TAGS,
        b"<a " + NAMES + b">",
        b"<a x='>' " + NAMES + b">",
        b"<a \"='>' " + NAMES + b">",
        b"<a b=1 ' c=\"'>\" " + NAMES + b">",
        b'<script>\'<a x="\'</script><a y=">" ' + NAMES + b">",
        b"<!-- <a '--><a y='>' " + NAMES + b">",
        b"<a/" + NAMES.replace(b" ", b"/") + b">",
        b"</a " + NAMES + b">",
        b"<a <1 <2 " + NAMES + b">",
    ],
)
def test_a_large_page_that_would_take_long_is_not_tame(page: bytes) -> None:
    assert not is_tame(page + PADDING)


@pytest.mark.parametrize(
    "page",
    [
        b"<p class=x>Text</p>\n" * 10_000,
        b"<div>" * 1000 + b"x" + b"</div>" * 1000,
        b'<img src="data:image/png;base64,' + b"A" * 200_000 + b'">',
        b"<script>" + b"if (a > b && c < d) { e = '<p class=\"f\">' }\n" * 5000 + b"</script>",
        b"<a onclick=\"x => y('z')\">Text</a>" * 5000,
    ],
)
def test_a_large_page_that_people_read_is_tame(page: bytes) -> None:
    assert is_tame(page + PADDING)


@pytest.mark.parametrize(
    "page",
    [
        b"<a x='" * 19_000 + b"x" * 4_000_000,
        b"<b" * 19_000 + b"x" * 4_000_000,
        b"<a b=" * 19_000 + b"x" * 4_000_000,
        b"<a x='>'" * 19_000 + b" " * 4_000_000,
        b"=" * 2_000_000 + b"'" * 2_000_000,
        b"=" + b" " * 4_000_000 + b"<a" + b" " * 4_000_000,
    ],
)
def test_telling_takes_a_bounded_time(page: bytes) -> None:
    begin = time.thread_time()
    is_tame(page)
    assert time.thread_time() - begin < 2.0


@pytest.mark.parametrize(
    "page",
    [
        b"<ul>" * (MAX_OPENED - 10),
        b"".join(b"<b a=%d>" % number for number in range(MAX_OPENED - 10)),
        b"<svg><g>" * (MAX_OPENED // 2 - 10) + b"</div>" * (MAX_TAGS - MAX_OPENED),
        b"<a " + b" ".join(b"a%d" % number for number in range(MAX_ATTRIBUTES - 10)) + b">",
    ],
)
@pytest.mark.no_cover  # tracing makes the time two or three times what it is
def test_the_worst_tame_page_is_read_in_seconds(page: bytes) -> None:
    page += PADDING
    assert is_tame(page)
    begin = time.thread_time()
    LexborHTMLParser(page)
    assert time.thread_time() - begin < 10.0
