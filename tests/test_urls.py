from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.urls import (
    InvalidURL,
    absolute,
    article_id,
    host_of,
    normalise,
    surt,
    without_dots,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("http://example.org/a", "https://example.org/a", id="scheme"),
        pytest.param("https://EXAMPLE.org/a", "https://example.org/a", id="host-case"),
        pytest.param("https://example.org:443/a", "https://example.org/a", id="default-port"),
        pytest.param("https://example.org", "https://example.org/", id="empty-path"),
        pytest.param("https://example.org/a#part", "https://example.org/a", id="fragment"),
        pytest.param("https://example.org/%7Ea", "https://example.org/~a", id="escape"),
        pytest.param("https://example.org/%c3%a4", "https://example.org/ä", id="escape-case"),
        pytest.param("https://example.org/b/../a/./", "https://example.org/a/", id="dots"),
        pytest.param(
            "https://example.org/a?utm_source=x&id=1&fbclid=y",
            "https://example.org/a?id=1",
            id="tracking",
        ),
        pytest.param("https://bücher.example/", "https://xn--bcher-kva.example/", id="idna"),
    ],
)
def test_spellings_of_one_page_are_one_article(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)
    assert article_id(one, seed="a") == article_id(other, seed="b")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("https://example.org/a", "https://example.org/A", id="path-case"),
        pytest.param("https://example.org/a?b=1&c=2", "https://example.org/a?c=2&b=1", id="order"),
        pytest.param("https://example.org/a", "https://www.example.org/a", id="www"),
        pytest.param("https://example.org/a%2Fb", "https://example.org/a/b", id="slash"),
        pytest.param("https://example.org:8443/a", "https://example.org/a", id="port"),
    ],
)
def test_different_pages_are_different_articles(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.org/a", "http"),
        ("/relative", "http"),
        ("https://", "no host"),
        ("https://user:pw@example.org/", "password"),
        ("https://example.org/a b", "character"),
        ("https://example.org/a\x00", "character"),
        ("https://example.org:99999/", "[Pp]ort"),
        ("https://exa_mple..org/", "host name"),
        ("https://example.org/" + "a" * 5000, "longer"),
        ("https://[::1/", "."),
    ],
)
def test_what_cannot_be_fetched_is_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(InvalidURL, match=reason):
        absolute(url)


@given(st.text(max_size=80))
def test_no_text_breaks_it_and_normalising_twice_is_normalising_once(text: str) -> None:
    try:
        once = normalise(f"https://example.org/{text}")
    except InvalidURL:
        return
    assert once.isascii()
    assert normalise(once) == once


def test_an_id_is_the_uuid_of_the_normalised_url() -> None:
    expected = uuid.uuid5(uuid.NAMESPACE_URL, "https://example.org/a")
    assert article_id("http://example.org/a#x", seed="x") == str(expected)


def test_without_a_url_the_seeds_name_is_the_identity() -> None:
    assert article_id(None, seed="seeds/a.md") != article_id(None, seed="seeds/b.md")


def test_a_host_carries_its_port_where_that_is_not_the_default() -> None:
    assert host_of("https://Example.org:443/a") == "example.org"
    assert host_of("http://example.org:8000/a") == "example.org:8000"
    assert host_of("http://[::1]:8000/a") == "[::1]:8000"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://www.Example.org:443/A/?b=2&a=1&utm_source=x#p", "org,example)/a?a=1&b=2"),
        ("http://example.org", "org,example)/"),
        ("https://www2.news.example.org/a", "org,example,news)/a"),
        ("http://www.org/", "org)/"),
        ("http://wwwx.example.org:8080/", "org,example,wwwx:8080)/"),
        ("http://127.0.0.1:80/x", "127.0.0.1)/x"),
        ("http://[::1]:81/x", "[::1]:81)/x"),
        ("https://bücher.example/ä", "example,xn--bcher-kva)/%c3%a4"),
    ],
)
def test_captures_of_one_page_are_found_under_one_key(url: str, expected: str) -> None:
    assert surt(url) == expected


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://example.org/", "http://[x/"])
def test_what_is_no_address_has_no_key(url: str) -> None:
    with pytest.raises(InvalidURL):
        surt(url)


@given(
    st.from_regex(
        r"https?://(www\.)?[a-z]{1,5}\.org(:8080)?/[a-zA-Z0-9/%.]{0,9}(\?[a-c=&]{0,9})?",
        fullmatch=True,
    )
)
def test_the_key_of_a_page_does_not_change_with_its_spelling(url: str) -> None:
    try:
        key = surt(url)
    except InvalidURL:
        return
    assert surt(normalise(url)) == surt(url.replace("http:", "https:") + "#part") == key


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a.org/b/../c?x=../d", "http://a.org/c?x=../d"),
        ("http://a.org/%2e%2E/c", "http://a.org/c"),
        ("http://a.org/../..", "http://a.org/"),
        ("http://a.org/b.c", "http://a.org/b.c"),
    ],
)
def test_dots_are_resolved_as_browsers_do(url: str, expected: str) -> None:
    assert without_dots(url) == expected
