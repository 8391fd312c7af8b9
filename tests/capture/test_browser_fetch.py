"""What a browser's requests are made with, and what of them is ours to decide."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from feedsvc.capture.browser_found import Absent, Chromium, find_browser, isolation
from feedsvc.capture.browser_processes import Process, descendants
from feedsvc.capture.http import Asked, Fetcher
from feedsvc.errors import CaptureFailed, CaptureRefused
from tests.origin import Origin, Seen


def test_headers_of_the_browser_are_sent_and_those_of_the_connection_are_ours(
    origin: Origin, fetcher: Fetcher
) -> None:
    url = origin.page("/post", b"{}")
    theirs = (
        *(
            ("Cookie", "a=1"),
            ("Referer", origin.url()),
            ("Origin", "null"),
            ("User-Agent", "Own/1"),
        ),
        *(("Host", "evil"), ("Range", "bytes=0-1"), ("Accept-Encoding", "br"), ("Connection", "x")),
        *(("Content-Length", "99"), ("Transfer-Encoding", "chunked"), ("Upgrade", "h2c")),
    )
    exchange = fetcher.perform(Asked("POST", url, theirs, b"body"), max_size=99, deadline=5)
    exchange.close()
    (seen,) = origin.seen
    assert seen.method == "POST"
    assert [seen.header(name) for name in ("cookie", "referer", "origin", "user-agent")] == [
        "a=1", origin.url(), "null", "Own/1",
    ]  # fmt: skip
    assert (seen.header("host"), seen.header("content-length")) == (origin.host, "4")
    assert seen.header("accept-encoding") == "gzip"
    assert [seen.header(name) for name in ("range", "upgrade", "transfer-encoding")] == [None] * 3
    assert exchange.request_body == b"body"
    assert (exchange.method, ("Cookie", "a=1") in exchange.request_headers) == ("POST", True)


def test_no_cookie_is_ever_remembered(origin: Origin, fetcher: Fetcher) -> None:
    url = origin.page("/jar", b"", headers=(("Set-Cookie", "a=1"),))
    for _ in range(2):
        fetcher.perform(Asked("GET", url, ()), max_size=99, deadline=5).close()
    assert [seen.header("cookie") for seen in origin.seen] == [None, None]


def test_the_guard_is_the_same(fetcher: Fetcher, other_origin: Origin) -> None:
    asked = Asked("GET", other_origin.url("/secret"), ())
    with pytest.raises(CaptureRefused):
        fetcher.perform(asked, max_size=99, deadline=5)
    assert other_origin.connections == 0


def test_what_was_posted_is_not_posted_twice(origin: Origin, fetcher: Fetcher) -> None:
    def hang_up(_connection: Any, seen: Seen) -> None:
        """Read the request, and answer nothing."""

    url = origin.raw("/once", hang_up)
    keep = origin.page("/keep", b"kept")
    for method, tries in (("POST", 1), ("GET", 2)):
        fetcher.fetch(keep).close()
        origin.seen.clear()
        with pytest.raises(CaptureFailed):
            fetcher.perform(Asked(method, url, ()), max_size=99, deadline=5)
        assert len(origin.seen) == tries


def test_an_answer_to_head_has_no_body(origin: Origin, fetcher: Fetcher) -> None:
    def head(connection: Any, _seen: Seen) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")

    asked = Asked("HEAD", origin.raw("/head", head), ())
    exchange = fetcher.perform(asked, max_size=999, deadline=5)
    exchange.close()
    assert (exchange.status, exchange.size, exchange.truncated) == (200, 0, None)


def test_descendants_and_the_orphans_of_their_groups_are_found() -> None:
    table = [
        *(Process(1, 0, 1), Process(5, 1, 5), Process(6, 5, 6), Process(7, 6, 6)),
        *(Process(8, 1, 6), Process(9, 8, 9), Process(10, 1, 10)),
    ]
    assert {one.pid for one in descendants(5, table)} == {5, 6, 7}
    assert {one.pid for one in descendants(5, table, groups={6})} == {5, 6, 7, 8, 9}
    assert descendants(99, table) == []


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Make programs that are the only ones to be found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))

    def make(name: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return os.fspath(path)

    return make


def test_a_browser_is_found_by_its_name_its_path_or_where_playwright_keeps_it(
    programs: Callable[[str], str], tmp_path: Path
) -> None:
    cached = programs(".cache/ms-playwright/chromium-1234/chrome-linux/chrome")
    assert _path(find_browser("")) == cached
    named = programs("google-chrome")
    assert _path(find_browser("")) == named
    own = programs("own/browser")
    assert _path(find_browser(own)) == own
    assert _path(find_browser("~/own/browser")) == own


def _path(found: Chromium | Absent) -> str:
    assert isinstance(found, Chromium)
    return found.path


def test_a_browser_that_is_not_there_is_named_with_a_remedy(
    programs: Callable[[str], str], tmp_path: Path
) -> None:
    programs("no-browser")
    assert find_browser("") == Absent(
        "no Chromium was found", "install chromium, or set archive.browser_path"
    )
    missing = find_browser(str(tmp_path / "none"))
    assert isinstance(missing, Absent)
    assert "archive.browser_path" in missing.remedy


def test_isolation_is_a_command_that_works_or_nothing() -> None:
    prefix = isolation()
    assert prefix == () or prefix[:2] == ("unshare", "--net")
