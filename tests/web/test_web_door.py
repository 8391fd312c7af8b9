from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.web.door import LONGEST_URL, AllowedHosts

if TYPE_CHECKING:
    from tests.web.conftest import Library, Served

EVERY_PATH = [
    "/",
    "/topics/science",
    "/feeds/all.atom",
    "/feeds/nothing.atom",
    "/healthz",
    "/readyz",
    "/metrics",
    "/robots.txt",
    "/favicon.ico",
    "/favicon.svg",
    "/articles/nothing",
    "/no/such/page",
]


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8080",
        "127.0.0.1:9999",
        "[::1]:80",
        "192.168.1.7",
        "feeds.example.org",
        "FEEDS.example.org.:443",
        "feedsvc",
        "site.localhost:1",
    ],
)
def test_own_names_and_addresses_are_welcome(host: str) -> None:
    hosts = AllowedHosts({"feeds.example.org"})
    assert host.encode() in hosts
    assert host.encode() in hosts


@pytest.mark.parametrize(
    "host",
    ["evil.example", "feeds.example.org.evil.example", "", "a b", "localhost@x.org", "[::1", ":80"],
)
def test_names_of_others_are_refused(host: str) -> None:
    assert host.encode() not in AllowedHosts({"feeds.example.org"})


@given(st.binary(max_size=60))
def test_any_bytes_may_come_as_a_host(value: bytes) -> None:
    assert (value in AllowedHosts()) is (value in AllowedHosts())


def test_a_wrong_host_gets_421_and_a_missing_one_400(reading: Served) -> None:
    assert reading.ask(b"/feeds/all.atom", host=b"evil.example").startswith(b"HTTP/1.1 421 ")
    assert reading.raw(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert b" 200 " in reading.raw(b"GET /healthz HTTP/1.0\r\n\r\n").splitlines()[0]


def test_a_url_without_end_gets_414(reading: Served) -> None:
    assert reading.get("/articles/" + "a" * LONGEST_URL).status_code == 414
    assert reading.get("/articles/" + "a" * (LONGEST_URL - 100)).status_code == 404
    assert reading.get("/?" + "q" * LONGEST_URL).status_code == 414


@pytest.mark.parametrize("path", EVERY_PATH)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_every_answer_carries_the_security_headers(reading: Served, path: str, method: str) -> None:
    headers = reading.client.request(method, path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    # A script may come from here, and from nowhere else; none stands in a page.
    assert "script" not in policy.replace("script-src 'self'; ", "")
    assert "http" not in policy.replace("img-src 'self' https:; ", "")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


@pytest.mark.parametrize("path", EVERY_PATH)
def test_head_answers_as_get_does_without_a_body(reading: Served, path: str) -> None:
    got, head = reading.get(path), reading.client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    volatile = {"date"} | ({"content-length"} if path == "/metrics" else set())
    assert {k: v for k, v in head.headers.items() if k not in volatile} == {
        k: v for k, v in got.headers.items() if k not in volatile
    }


@pytest.mark.parametrize("path", ["/", "/articles/x", "/feeds/all.atom", "/healthz"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(reading: Served, path: str, method: str) -> None:
    answer = reading.client.request(method, path)
    assert answer.status_code == 405
    assert {"GET", "HEAD"} <= set(answer.headers["allow"].replace(" ", "").split(","))


def test_a_site_below_a_path_answers_with_and_without_it(
    open_site: Callable[..., tuple[Library, Served]],
) -> None:
    library, web = open_site(site={"base_url": "https://example.org/news/"})
    library.article("Below")
    library.feed("all.rss", b"<rss/>")
    for path in ("/news", "/news/", "/"):
        page = web.get(path)
        assert page.status_code == 200
        assert 'href="/news/feeds/all.rss"' in page.text
    assert web.get("/news/feeds/all.rss").content == b"<rss/>"
    link = '<https://example.org/news/feeds/all.rss>; rel="self"; type="application/rss+xml"'
    assert web.get("/feeds/all.rss").headers["link"] == link
    assert web.get("/news/feeds/some-topic").headers["location"] == "/news/topics/some-topic"
    assert web.get("/newsletter").status_code == 404
