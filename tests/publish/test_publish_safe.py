"""Strings as feeds can hold them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.publish.safe import TITLE_LIMIT, address, language, markup, plain, uri

anything = st.text(st.characters(exclude_categories=()))


@given(anything)
def test_plain_text_is_one_short_line_that_stays_as_it_is(text: str) -> None:
    line = plain(text)
    assert "\n" not in line
    assert len(line) <= TITLE_LIMIT + line.count("\u2060")
    assert plain(line) == line


@given(anything)
def test_markup_is_repaired_once_and_for_all(text: str) -> None:
    assert markup(markup(text)) == markup(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("Plain & simple < text", "Plain & simple < text", id="untouched"),
        pytest.param("  two \n lines ", "two lines", id="white-space"),
        pytest.param("a\x00b\x85c", "abc", id="control"),
        pytest.param("12\ufffd34", "12□34", id="unreadable"),
        pytest.param("\u202eevil", "evil", id="bidi"),
        pytest.param("The </p> tag", "The <\u2060/p> tag", id="end-tag"),
        pytest.param("a </ b", "a </ b", id="no-tag"),
    ],
)
def test_plain_text_is_repaired(text: str, line: str) -> None:
    assert plain(text) == line


def test_repair_of_markup_makes_no_address_dangerous() -> None:
    assert markup("<a href='java\x01script:x'>") == "<a href='java□script:x'>"


def test_line_ends_of_markup_are_unified() -> None:
    assert markup("a\r\nb\rc\n") == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(
            "https://example.org/a?b[]=1", "https://example.org/a?b%5B%5D=1", id="brackets"
        ),
        pytest.param("http://[::1]:80/a[1]", "http://[::1]:80/a%5B1%5D", id="ipv6"),
        pytest.param("https://пример.рф/я", "https://xn--e1afmkfd.xn--p1ai/%D1%8F", id="idn"),
        pytest.param("javascript:alert(1)", None, id="script"),
        pytest.param("//example.org/", None, id="relative"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="none"),
    ],
)
def test_address_is_an_rfc_3986_web_address_or_none(url: str | None, expected: str | None) -> None:
    assert address(url) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("http://cv.iptc.org/newscodes/", "http://cv.iptc.org/newscodes/", id="http"),
        pytest.param("urn:x:y", "urn:x:y", id="urn"),
        pytest.param("not a uri", None, id="words"),
        pytest.param("http://example.org/ä", None, id="iri"),
        pytest.param(None, None, id="none"),
    ],
)
def test_uri_is_taken_as_it_is_or_not_at_all(text: str | None, expected: str | None) -> None:
    assert uri(text) == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        pytest.param("EN", "en", id="case"),
        pytest.param("pt_br", "pt-BR", id="underscore"),
        pytest.param("ZH-hant-tw", "zh-Hant-TW", id="script"),
        pytest.param("de-1996", "de-1996", id="variant"),
        pytest.param("haw", "haw", id="three-letters"),
        pytest.param("english", None, id="name"),
        pytest.param("qq", None, id="unknown"),
        pytest.param("en-", None, id="unfinished"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="none"),
    ],
)
def test_language_is_a_tag_validators_know_or_none(tag: str | None, expected: str | None) -> None:
    assert language(tag) == expected
