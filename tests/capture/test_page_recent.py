"""Laws of requisites that several pages share: asked for once, remembered for a while."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from warcio.archiveiterator import ArchiveIterator

from feedsvc.capture.page import RecentRequisites
from feedsvc.capture.warc import check_warc
from feedsvc.errors import CaptureFailed
from tests.capture.archiver import HEAD, PNG, Archiver, causes, site, warc


def test_the_second_page_asks_for_nothing_the_first_one_got(archive: Archiver, origin: Any) -> None:
    first = archive(site(origin))
    second = archive(origin.page("/two", (f"{HEAD}<link rel=stylesheet href=/1.css>two").encode()))
    assert origin.count("/1.css") == origin.count("/deep.png") == 1
    assert all(each.remembered for each in second.requisites)
    assert second.requisites[1].started == first.requisites[1].started
    assert second.size == second.page[-1].size


def test_remembered_answers_are_revisits_without_requests(archive: Archiver, origin: Any) -> None:
    first = archive(site(origin))
    known = {payload.digest: payload for payload in warc(first)[1]}
    second = archive(origin.page("/two", (f"{HEAD}<img src=/a.png>two").encode()))
    data, _ = warc(second, known)
    assert check_warc(io.BytesIO(data)).problems == ()
    kinds = [record.rec_type for record in ArchiveIterator(io.BytesIO(data))]
    assert kinds == ["warcinfo", "response", "request", "revisit", "revisit", "metadata"]


def test_what_is_remembered_is_asked_for_again_when_its_time_is_up(
    archive: Archiver, origin: Any
) -> None:
    url = site(origin)
    archive(url)
    archive.clock = 599.0
    archive(url)
    assert origin.count("/1.css") == 1
    archive.clock = 601.0
    archive(url)
    assert origin.count("/1.css") == 2


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(("Cache-Control", "no-store"), id="no-store"),
        pytest.param(("Cache-Control", "public, private"), id="private"),
        pytest.param(("Cache-Control", "max-age=0"), id="max-age"),
        pytest.param(("Set-Cookie", "a=b"), id="cookie"),
        pytest.param(("Vary", "*"), id="vary"),
    ],
)
def test_what_must_not_be_remembered_is_asked_for_again(
    archive: Archiver, origin: Any, header: tuple[str, str]
) -> None:
    origin.page("/i.ico", b"x", headers=(header,))
    url = origin.page("/a", HEAD.encode())
    archive(url)
    archive(url)
    assert origin.count("/i.ico") == 2


def test_a_missing_icon_is_asked_for_once_in_a_while(archive: Archiver, origin: Any) -> None:
    url = origin.page("/a", b"<p>no icon")
    assert causes(archive(url)) == {"/favicon.ico": "the server answered 404"}
    assert causes(archive(url)) == {"/favicon.ico": "the server answered 404"}
    assert origin.count("/favicon.ico") == 1


def test_memory_for_what_is_remembered_is_bounded(archive: Archiver, origin: Any) -> None:
    archive.recent = RecentRequisites(max_bytes=10_000)
    for name in "abc":
        origin.page(f"/{name}", b"x" * 4000, headers=PNG)
    origin.page("/i.ico", b"x" * 20_000, headers=PNG)
    url = origin.page("/page", f"{HEAD}<img src=/a><img src=/b><img src=/c>".encode())
    archive(url)
    assert archive.recent.get(origin.url("/a")) is None
    assert archive.recent.get(origin.url("/c")) is not None
    assert archive.recent.get(origin.url("/i.ico")) is None


def test_of_many_captures_at_once_one_asks_for_a_requisite(archive: Archiver, origin: Any) -> None:
    url = site(origin)
    with ThreadPoolExecutor(6) as pool:
        captures = list(pool.map(archive, [url] * 6))
    assert origin.count("/1.css") == 1
    assert {len(capture.requisites) for capture in captures} == {10}


def test_one_fetch_that_fails_does_not_fail_those_who_waited_for_it() -> None:
    recent = RecentRequisites()
    entered, go = threading.Event(), threading.Event()
    calls: list[int] = []

    def fetch() -> Any:
        calls.append(1)
        if len(calls) == 1:
            entered.set()
            go.wait(5)
            raise CaptureFailed("first")
        raise CaptureFailed("second")

    def ask() -> str:
        try:
            recent.get_or_fetch("http://example.org/", fetch)
        except CaptureFailed as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(ask)
        entered.wait(5)
        two = pool.submit(ask)
        go.set()
        assert sorted([one.result(5), two.result(5)]) == ["first", "second"]
