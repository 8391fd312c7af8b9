"""A whole capture of a real site on loopback."""

from __future__ import annotations

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

from feedsvc.capture.exchange import Exchange
from feedsvc.capture.http import Fetcher
from feedsvc.capture.page import RecentRequisites
from feedsvc.capture.warc import check_warc
from feedsvc.errors import CaptureFailed, CaptureRefused
from tests.capture.archiver import CSS, HEAD, PNG, Archiver, causes, paths, site, warc


def test_a_page_is_captured_with_everything_it_needs(archive: Archiver, origin: Any) -> None:
    capture = archive(site(origin))
    assert (capture.status, capture.final_url) == (200, origin.url("/story"))
    assert b"Words of the article" in capture.body
    assert capture.content_type == "text/html; charset=utf-8"
    assert paths(capture) == [
        *("/i.ico", "/1.css", "/a.js", "/a.png", "/b.png"),
        *("/2.css", "/bg.png"),
        "/3.css",
        *("/4.css", "/deep.png"),
    ]
    assert capture.missing == []
    assert capture.size == sum(each.size for each in capture.page + capture.requisites)


def test_what_was_captured_is_what_the_warc_holds(
    archive: Archiver, origin: Any, tmp_path: Path
) -> None:
    capture = archive(site(origin))
    data, _ = warc(capture)
    assert check_warc(io.BytesIO(data)).problems == ()
    path = tmp_path / "site.warc.gz"
    path.write_bytes(data)
    assert Checker(SimpleNamespace(inputs=[str(path)], verbose=False)).process_all() == 0
    read = [r for r in ArchiveIterator(io.BytesIO(data)) if r.rec_type == "response"]
    assert len(read) == 11
    ips = {record.rec_headers.get_header("WARC-IP-Address") for record in read}
    assert ips == {"127.0.0.1"}


def test_a_pool_gives_the_same_capture_in_the_same_order(archive: Archiver, origin: Any) -> None:
    url = site(origin)
    one = paths(archive(url))
    archive.recent = RecentRequisites()
    with ThreadPoolExecutor(3) as pool:
        assert paths(archive(url, pool=pool)) == one


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_hop_of_a_redirect_is_kept(archive: Archiver, origin: Any, status: int) -> None:
    origin.page("/end", HEAD.encode())
    origin.redirect("/middle", "end?x=\xe9", status=status)
    capture = archive(origin.redirect("/start", "/middle#x", status=status))
    assert [each.status for each in capture.page] == [status, status, 200]
    assert capture.final_url == origin.url("/end?x=%E9")


def test_a_quick_meta_refresh_is_a_redirect(archive: Archiver, origin: Any) -> None:
    origin.page("/end", HEAD.encode())
    url = origin.page("/start", b"<meta http-equiv=refresh content='0;url=/end'>" + HEAD.encode())
    assert [each.url for each in archive(url).page] == [url, origin.url("/end")]


@pytest.mark.parametrize("content", ["0;url=/start", "60;url=/other", "0"])
def test_a_page_that_only_reloads_is_the_page(archive: Archiver, origin: Any, content: str) -> None:
    url = origin.page("/start", f"<meta http-equiv=refresh content='{content}'>{HEAD}".encode())
    assert len(archive(url).page) == 1


def test_redirects_in_a_circle_fail(archive: Archiver, origin: Any) -> None:
    origin.redirect("/b", "/a")
    with pytest.raises(CaptureFailed, match="in a circle"):
        archive(origin.redirect("/a", "/b"))


def test_redirects_without_end_fail(archive: Archiver, origin: Any) -> None:
    for i in range(30):
        origin.redirect(f"/{i}", f"/{i + 1}")
    with pytest.raises(CaptureFailed, match="more than 10 redirects"):
        archive(origin.url("/0"))
    assert origin.count("/11") == 0


def test_a_redirect_to_no_web_address_fails(archive: Archiver, origin: Any) -> None:
    with pytest.raises(CaptureFailed, match="no web address"):
        archive(origin.redirect("/a", "javascript:alert(1)"))


def test_a_redirect_to_a_private_address_is_refused(archive: Archiver, origin: Any) -> None:
    with pytest.raises(CaptureRefused):
        archive(origin.redirect("/a", "http://10.0.0.1/"))


@pytest.mark.parametrize("status", [403, 404, 410, 451, 500, 503])
def test_an_error_page_is_captured_without_requisites(
    archive: Archiver, origin: Any, status: int
) -> None:
    capture = archive(origin.page("/a", b"<img src=/x.png>gone", status=status))
    assert (capture.status, capture.body) == (status, b"<img src=/x.png>gone")
    assert capture.requisites == []
    assert origin.count("/x.png") == 0


def test_a_server_that_wants_a_pause_gets_it(archive: Archiver, origin: Any) -> None:
    url = origin.page("/a", b"busy", status=503, headers=(("Retry-After", "120"),))
    with pytest.raises(CaptureFailed) as caught:
        archive(url)
    assert caught.value.retry_after == 120.0
    assert archive.politeness.held(url) > 100


def test_robots_txt_is_respected_for_the_page(archive: Archiver, origin: Any) -> None:
    origin.page(
        "/robots.txt", b"User-agent: *\nDisallow: /a", headers=(("Content-Type", "text/plain"),)
    )
    with pytest.raises(CaptureRefused, match=r"robots\.txt"):
        archive(origin.page("/a"))
    assert origin.count("/a") == 0


def test_robots_txt_is_respected_for_every_hop(archive: Archiver, origin: Any) -> None:
    origin.page(
        "/robots.txt", b"User-agent: *\nDisallow: /b", headers=(("Content-Type", "text/plain"),)
    )
    with pytest.raises(CaptureRefused, match=r"robots\.txt"):
        archive(origin.redirect("/a", "/b"))
    assert origin.count("/b") == 0


def test_robots_txt_is_respected_for_requisites(archive: Archiver, origin: Any) -> None:
    origin.page(
        "/robots.txt", b"User-agent: *\nDisallow: /x", headers=(("Content-Type", "text/plain"),)
    )
    capture = archive(origin.page("/a", b"<img src=/x.png>"))
    assert "robots.txt" in causes(capture)["/x.png"]
    assert origin.count("/x.png") == 0
    assert origin.count("/robots.txt") == 1


def test_a_requisite_that_fails_is_missing_and_never_spoils_the_page(
    archive: Archiver, origin: Any
) -> None:
    origin.redirect("/loop", "/loop")
    origin.raw("/hangup", lambda connection, seen: None)
    origin.page("/broken.css", b"not gzip", headers=(*CSS, ("Content-Encoding", "gzip")))
    page = (
        f"{HEAD}<img src=/404><img src=/loop><img src=/hangup><img src=http://10.0.0.1/p>"
        "<img src=http://user@x/><link rel=stylesheet href=/broken.css><img src=/good>"
    )
    origin.page("/i.ico")
    origin.page("/good", b"x", headers=PNG)
    capture = archive(origin.page("/a", page.encode()))
    assert capture.status == 200
    found = causes(capture)
    assert list(found) == ["/404", "/loop", "/hangup", "/p", "/broken.css"]
    assert found["/404"] == "the server answered 404"
    assert found["/loop"] == "too many redirects"
    assert "/good" in paths(capture)
    assert check_warc(io.BytesIO(warc(capture)[0])).problems == ()


def test_the_redirects_of_a_requisite_are_followed_and_kept(archive: Archiver, origin: Any) -> None:
    origin.page("/i.ico")
    origin.page("/b.png", b"x", headers=PNG)
    origin.redirect("/a.png", "/b.png")
    capture = archive(origin.page("/a", f"{HEAD}<img src=/a.png>".encode()))
    assert paths(capture) == ["/i.ico", "/a.png", "/b.png"]
    assert capture.missing == []


@pytest.mark.parametrize("kind", ["application/pdf", "image/png", "text/plain", "video/mp4"])
def test_what_is_no_html_has_no_requisites(archive: Archiver, origin: Any, kind: str) -> None:
    url = origin.page("/a", b"<img src=/x.png>", headers=(("Content-Type", kind),))
    capture = archive(url)
    assert (capture.requisites, capture.body) == ([], b"<img src=/x.png>")


def test_html_without_a_content_type_is_recognised(archive: Archiver, origin: Any) -> None:
    origin.page("/i.ico")
    capture = archive(origin.page("/a", f"<!DOCTYPE html>{HEAD}".encode(), headers=()))
    assert paths(capture) == ["/i.ico"]


def test_a_large_page_is_spooled_cut_at_the_cap_and_marked(archive: Archiver, origin: Any) -> None:
    archive.limits = replace(archive.limits, max_page=2 << 20)
    url = origin.page("/a", b"x" * (3 << 20), headers=(("Content-Type", "video/mp4"),))
    capture = archive(url)
    assert (capture.page[0].truncated, capture.size) == ("length", 2 << 20)
    assert len(capture.body) < 100_000
    data, payloads = warc(capture)
    assert check_warc(io.BytesIO(data)).problems == ()
    assert payloads == ()


def test_requisites_are_bounded_in_number(archive: Archiver, origin: Any) -> None:
    archive.limits = replace(archive.limits, max_requisites=5)
    origin.page("/a.css", b"".join(b"a{b:url(%d.png)}" % i for i in range(50)), headers=CSS)
    page = f"{HEAD}<link rel=stylesheet href=/a.css>"
    capture = archive(origin.page("/a", page.encode()))
    assert len(capture.requisites) == 5
    assert "more than 5" in causes(capture)["/a"]


def test_requisites_are_bounded_in_bytes(archive: Archiver, origin: Any) -> None:
    archive.limits = replace(archive.limits, max_total=5000)
    for name in "abc":
        origin.page(f"/{name}", b"x" * 3000, headers=PNG)
    page = f"{HEAD}<img src=/a><img src=/b><img src=/c>"
    capture = archive(origin.page("/page", page.encode()))
    assert capture.size <= 5000
    assert causes(capture)["/b"] == "cut off: too large"
    assert "limit of 5000 bytes" in causes(capture)["/c"]


def test_the_deadline_ends_the_requisites_but_keeps_the_page(
    archive: Archiver, origin: Any
) -> None:
    archive.limits = replace(archive.limits, deadline=0.4)
    origin.raw("/slow", lambda connection, seen: origin.pause(3))
    capture = archive(origin.page("/a", f"{HEAD}<img src=/slow><img src=/never>".encode()))
    assert capture.status == 200
    assert "/slow" in causes(capture)
    assert "not done after 0.4 s" in causes(capture)["/never"]


def test_stopping_abandons_the_capture(archive: Archiver, origin: Any) -> None:
    def pressed(connection: Any, seen: Any) -> None:
        archive.stop.set()

    origin.raw("/x", pressed)
    with pytest.raises(CaptureFailed, match="stopped"):
        archive(origin.page("/a", b"<img src=/x><img src=/y>"))
    assert origin.count("/y") == 0


def test_stopping_while_waiting_for_a_turn_is_prompt(archive: Archiver, origin: Any) -> None:
    url = origin.page("/a", b"x")
    archive.politeness.hold(url, 50)
    threading.Timer(0.2, archive.stop.set).start()
    begin = time.monotonic()
    with pytest.raises(CaptureFailed):
        archive(url)
    assert time.monotonic() - begin < 15


def test_a_page_whose_coding_is_broken_fails(archive: Archiver, origin: Any) -> None:
    kind = (("Content-Type", "text/html"), ("Content-Encoding", "gzip"))
    with pytest.raises(CaptureFailed, match="Content-Encoding"):
        archive(origin.page("/a", b"this is no gzip", headers=kind))


class Noting:
    """A fetcher that remembers what it gave out."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self.given: list[Exchange] = []

    def fetch(self, url: str, **limits: Any) -> Exchange:
        self.given.append(self._fetcher.fetch(url, **limits))
        return self.given[-1]


def test_a_capture_that_fails_leaves_no_file_open(archive: Archiver, origin: Any) -> None:
    noting = Noting(archive.fetcher)
    archive.fetcher = cast("Fetcher", noting)
    origin.redirect("/b", "/a")
    with pytest.raises(CaptureFailed):
        archive(origin.redirect("/a", "/b"))
    assert len(noting.given) == 2
    assert all(each.body.closed for each in noting.given)


def test_a_redirect_in_utf_8_leads_where_it_says(archive: Archiver, origin: Any) -> None:
    origin.page("/%C3%A9", HEAD.encode())
    capture = archive(origin.redirect("/a", "/\xc3\xa9"))
    assert (capture.status, capture.final_url) == (200, origin.url("/%C3%A9"))
