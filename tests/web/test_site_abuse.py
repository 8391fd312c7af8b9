"""Laws of hostile requests: a clear answer, never a fault, never what is somebody else's."""

from __future__ import annotations

import pytest

from feedsvc.web.answers import VERSION
from tests.web.conftest import Library, Served

PREFIXES = (
    *(b"/topics/", b"/authors/", b"/agencies/", b"/hosts/", b"/searches/", b"/articles/"),
    *(b"/changes/", b"/snapshots/", b"/articles/x/revisions/"),
)
ODD = (
    *(b"%00", b"..", b"%2e%2e", b"..%2f..%2fetc%2fpasswd", b"..\\..\\boot.ini", b"%ff%fe"),
    *(b"%0d%0aSet-Cookie:%20a=b", b"'%20OR%201=1", b"%E2%80%AE", b"<script>", b"{{7*7}}"),
    *(b"a" * 3000, b"%25%30%30", b"feedsvc.db", b"private%2ftoken"),
)
METHODS = (b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"PROPFIND")


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_odd_names_are_not_found_as_page_and_as_json(reading: Served, odd: bytes) -> None:
    for prefix in PREFIXES:
        for ending in (b"", b".json"):
            answer = reading.ask(prefix + odd + ending)
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.split()[1] in {b"404", b"308", b"400"}, (prefix, odd)
            assert b"\r\nset-cookie" not in head.lower()
            assert b"Traceback" not in body
            assert b"<script>" not in body
            assert b"SQLite" not in body


@pytest.mark.parametrize("path", [b"/", b"/search?q=a", b"/feeds", b"/topics.json", b"/about"])
@pytest.mark.parametrize("method", METHODS)
def test_only_reading_is_possible(reading: Served, path: bytes, method: bytes) -> None:
    answer = reading.ask(path, method=method)
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nallow: GET, HEAD\r\n" in answer or b"\r\nallow: HEAD, GET\r\n" in answer


@pytest.mark.parametrize("host", [b"evil.example", b"a b", b"", b"localhost\x00", b"[::1", b"@"])
@pytest.mark.parametrize("path", [b"/", b"/index.json", b"/search?q=a"])
def test_other_hosts_hear_nothing(reading: Served, path: bytes, host: bytes) -> None:
    answer = reading.ask(path, host=host)
    assert answer.split()[1] in {b"400", b"421"}
    assert b"bold" not in answer


@pytest.mark.parametrize("path", ["/search", "/index.json", "/feeds", "/about", "/topics"])
def test_odd_queries_and_headers_change_nothing(reading: Served, path: str) -> None:
    for query in (
        "?after=",
        "?%00=%00",
        "?a=1&a=2&&&",
        "?q[]=x&q=%F0%9F%98%80",
        "?" + "x=1&" * 900,
    ):
        assert reading.get(path + query).status_code == 200, query
    for headers in (
        {"accept": "image/png"},
        {"accept-encoding": "br;q=nonsense, gzip;q=2"},
        {"content-type": "multipart/form-data; boundary="},
        {"if-none-match": '"' * 200},
        {"range": "bytes=5-1"},
        {"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"},
    ):
        answer = reading.get(path, headers=headers)
        assert answer.status_code == 200, headers
        assert "evil.example" not in answer.text


def test_a_title_can_neither_move_a_terminal_nor_turn_letters_round(
    library: Library, web: Served
) -> None:
    title = "A \x1b[31mred\x9b title\x07 \u202eesrever\u2066"
    key = library.article(title, author=title, summary=title)
    for path in ("/", f"/articles/{key}", "/index.json", f"/articles/{key}.json"):
        text = web.get(path).text
        assert not {"\x1b", "\x07", "\x9b"} & set(text), path
        if path.endswith("json"):
            assert not {"\u202e", "\u2066"} & set(text)
    assert web.get(f"/articles/{key}.json").json()["article"]["title"] == title
    assert VERSION == 1
