"""Laws of the search page: any words are a query, what was found is marked, nothing is markup."""

from __future__ import annotations

import html
import re
import tomllib
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from feedsvc import jobs
from feedsvc.classify.searches import read_searches
from feedsvc.model import OriginalState, Topic
from feedsvc.query import parse_query
from feedsvc.web.highlight import excerpt, marked, words_of
from feedsvc.web.searching import asked_for, feeds_toml
from tests.web.conftest import Library, Served
from tests.web.test_changes import put_original

ARTS = Topic("arts", "arts")


def said(text: str, query: str) -> str:
    """Return a text with brackets around what a query finds in it."""
    some = marked(text, words_of(parse_query(query)))
    return "".join(f"[{one.text}]" if one.marked else one.text for one in some)


@pytest.mark.parametrize(
    ("query", "text", "shown"),
    [
        ("ferry", "A Ferry, two ferries.", "A [Ferry], two ferries."),
        ("ferr*", "A Ferry, two ferries.", "A [Ferry], two [ferries]."),
        ('"night ferry"', "The night-ferry, a ferry at night", "The [night-ferry], a ferry at night"),
        ("cafe", "Das Café", "Das [Café]"),
        ("harbours", "The harbour's café", "The [harbour's] café"),
        ("一", "第一章", "第[一]章"),
        ("title:ferry author:ada", "Ada's ferry", "Ada's [ferry]"),
        ("ferry -storm", "A storm, a ferry", "A storm, a [ferry]"),
        ("night OR day", "Day and night", "[Day] and [night]"),
        ("", "Nothing is sought", "Nothing is sought"),
    ],
)  # fmt: skip
def test_what_was_found_is_marked(query: str, text: str, shown: str) -> None:
    assert said(text, query) == shown


@given(text=st.text(max_size=300), query=st.text(max_size=60))
def test_marking_changes_no_letter(text: str, query: str) -> None:
    words = words_of(parse_query(query))
    assert "".join(one.text for one in marked(text, words)) == text
    shown = "".join(one.text for one in excerpt(text, words, otherwise="otherwise"))
    assert len(shown) <= 600


def test_an_excerpt_stands_around_the_first_word_found() -> None:
    text = "before " * 100 + "the ferry came " + "after " * 100
    some = excerpt(text, words_of(parse_query("ferry")), otherwise="a summary")
    shown = "".join(one.text for one in some)
    assert shown.startswith("… before")
    assert shown.endswith("after …")
    assert [one.text for one in some if one.marked] == ["ferry"]
    other = excerpt(text, words_of(parse_query("nothing")), otherwise="a summary")
    assert [one.text for one in other] == ["a summary"]


def filled(library: Library) -> list[str]:
    keys = [
        library.article("The night <b>ferry</b>", text="It sails at night & noon.", author="Ada"),
        library.article("Harbour news", text="The ferry is late.", topics=(ARTS,), author="Ben"),
        library.article("Weather", text="It rains.", topics=(ARTS,), agency="Coast Wire"),
    ]
    put_original(library, keys[2], OriginalState.GONE)
    jobs.index_articles(library.runtime)
    return keys


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=ferry", [0, 1]),
        ("q=ferry&topic=arts", [1]),
        ("topic=arts", [1, 2]),
        ("author=ada", [0]),
        ("agency=coast+wire", [2]),
        ("state=gone", [2]),
        ("host=www.example.org.", [0, 1, 2]),
        ("q=ferry&from=2024-05-31&to=2024-05-31", [0, 1]),
        ("q=ferry&to=2024-05-30", []),
        ("q=ferry&from=0001-01-01&to=9999-12-31", [0, 1]),
        ("q=ferry&from=odd&state=odd", [0, 1]),
        ("q=-ferry+rains", [2]),
    ],
)
def test_filters_narrow_a_search(
    library: Library, web: Served, query: str, found: list[int]
) -> None:
    keys = filled(library)
    page = web.get(f"/search?{query}")
    assert page.status_code == 200
    shown = re.findall(r'<h3[^>]*><a href="/articles/([^"]+)"', page.text)
    assert sorted(shown) == sorted(keys[number] for number in found)
    listed = web.get(f"/search.json?{query}").json()
    assert [one["id"] for one in listed["articles"]] == shown
    assert listed["total"] == len(found)


def test_what_was_found_is_marked_and_escaped(library: Library, web: Served) -> None:
    filled(library)
    page = web.get("/search?q=ferry+night").text
    assert "The <mark>night</mark> &lt;b&gt;<mark>ferry</mark>&lt;/b&gt;" in page
    assert "It sails at <mark>night</mark> &amp; noon." in page


def test_a_search_goes_on_from_page_to_page(library: Library, web: Served) -> None:
    keys = {library.article(f"Ferry number {number}") for number in range(45)}
    jobs.index_articles(library.runtime)
    seen: list[str] = []
    path = "/search?q=ferry"
    while path:
        page = web.get(path).text
        seen += re.findall(r'<h3[^>]*><a href="/articles/([^"]+)"', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = html.unescape(following[1]) if following else ""
    assert len(seen) == 45
    assert set(seen) == keys


HOSTILE = [
    b"<script>alert(1)</script>",
    b"\"' OR 1=1 --",
    b"NEAR( AND OR NOT",
    b'title:"',
    b"*",
    b"\x00\x1b[31m\x07",
    b"\xff\xfe\xed\xa0\x80",
    "\u202egnirts\u2066".encode(),
    "\U0001f600 \ufdd0".encode(),
    b"a" * 5000,
    b"(" * 1000,
    b"-" * 500,
    b"after:9999-99-99 before:0000",
    b"{{7*7}} ${7*7} %{7} %s",
    b"../../etc/passwd",
]


@pytest.mark.parametrize("given_", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", ["q", "author", "topic", "host", "from", "state", "after"])
def test_no_bytes_are_an_error_or_become_markup(reading: Served, given_: bytes, name: str) -> None:
    answer = reading.get(f"/search?{name}={quote_from_bytes(given_)}&q=claim")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "49" not in re.sub(r"\d{3,}|#\d+", "", answer.text)
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", answer.text)
    assert reading.get(f"/search.json?{name}={quote_from_bytes(given_)}").status_code == 200


@given(words=st.text(max_size=80), author=st.text(max_size=40))
def test_what_makes_a_feed_of_a_search_is_right(words: str, author: str) -> None:
    asked = asked_for(QueryParams([("q", words), ("author", author), ("topic", "arts")]))
    snippet = feeds_toml(asked)
    (table,) = tomllib.loads(snippet)["feed"]
    assert table["topics"] == ["arts"]
    (search,) = read_searches(snippet, source="feeds.toml")
    assert search.text == table.get("query", "")


def test_the_page_tells_how_to_make_a_feed_of_it(library: Library, web: Served) -> None:
    filled(library)
    page = html.unescape(
        web.get("/search?q=night+ferry&author=Ada&from=2024-01-01&state=gone").text
    )
    assert 'query = "night ferry author:\\"Ada\\" after:2024-01-01"' in page
    assert "state of the original is left out" in page
    assert "[[feed]]" not in web.get(f"/search?state={quote('gone')}").text


@pytest.mark.parametrize(
    ("to", "query"),
    [
        ("0999-12-31", "tide before:1000-01-01"),
        ("9999-12-31", "tide"),
        ("2024-02-29", "tide before:2024-03-01"),
    ],
)
def test_a_feed_of_a_search_ends_with_its_last_day(to: str, query: str) -> None:
    snippet = feeds_toml(asked_for(QueryParams([("q", "tide"), ("to", to)])))
    assert tomllib.loads(snippet)["feed"][0]["query"] == query
