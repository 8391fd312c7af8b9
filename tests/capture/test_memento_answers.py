"""Laws of reading what another archive says: links, times and addresses, hostile ones included."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.capture.exchange import Exchange
from feedsvc.capture.memento import (
    MAX_LINKS,
    accept_datetime,
    http_moment,
    links,
    memento_datetime,
    nearest,
    raw_of,
    restored,
)
from tests.replay.build import exchange

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HERE = "https://archive.example.org/web/"
URL = "https://example.org/ferry"
MAY = datetime(2024, 5, 30, 3, 4, 5, tzinfo=UTC)


def answer(*headers: tuple[str, str], url: str = HERE, status: int = 200) -> Exchange:
    return exchange(url, b"page", headers=headers, status=status)


def test_links_are_read_with_their_relations_and_times() -> None:
    value = (
        f'<{URL}>; rel="original", </web/timemap/x>; rel=timemap; type="application/link-format",'
        f'<20240530030405id_/{URL}>; rel="first memento"; datetime="Thu, 30 May 2024 03:04:05 GMT"'
    )
    original, timemap, memento = links(answer(("Link", value)))
    assert (original.url, set(original.rels)) == (URL, {"original"})
    assert timemap.url == "https://archive.example.org/web/timemap/x"
    assert memento.url == f"{HERE}20240530030405id_/{URL}"
    assert (set(memento.rels), memento.moment) == ({"first", "memento"}, MAY)


def test_several_link_headers_are_one() -> None:
    found = links(answer(("Link", f"<{URL}>; rel=original"), ("link", "</a>; rel=timegate")))
    assert [one.rels for one in found] == [{"original"}, {"timegate"}]


def test_the_memento_nearest_to_the_time_is_chosen() -> None:
    value = ", ".join(
        f'</{year}>; rel="memento"; datetime="Mon, 01 Jan {year} 00:00:00 GMT"'
        for year in (2018, 2001, 2024)
    )
    found = nearest(links(answer(("Link", value))), datetime(2019, 1, 1, tzinfo=UTC))
    assert found is not None
    assert found.url.endswith("/2018")


@given(st.text(alphabet='<>;,="\\ reldatmnoghi/:x\n', max_size=300))
def test_a_link_header_of_any_shape_is_read_without_failing(value: str) -> None:
    for one in links(answer(("Link", value))):
        assert one.url.startswith("https://")


def test_endless_links_are_read_up_to_a_limit() -> None:
    one = f'<{URL}>; rel="memento"; datetime="Thu, 30 May 2024 03:04:05 GMT",'
    assert len(list(links(answer(("Link", one * 100_000))))) <= MAX_LINKS // len(one) + 1
    assert list(links(answer(("Link", '<a>; b="' + "\\" * 1_000_000)))) != []


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="none"),
        pytest.param("yesterday", id="words"),
        pytest.param("20240530030405", id="digits"),
        pytest.param("Thu, 30 May 2024 03:04:05", id="no-zone"),
        pytest.param("Thu, 30 May 1971 03:04:05 GMT", id="before-the-web"),
        pytest.param("Thu, 30 May 2999 03:04:05 GMT", id="to-come"),
        pytest.param("Thu, 30 May 99999 03:04:05 GMT", id="beyond-time"),
        pytest.param("Thu, 30 May 2024 03:04:05 +9999999999", id="beyond-zones"),
        pytest.param("x" * 100_000, id="endless"),
    ],
)
def test_a_time_that_cannot_be_is_none(value: str | None) -> None:
    headers = () if value is None else (("Memento-Datetime", value),)
    assert memento_datetime(answer(*headers), now=NOW) is None


def test_a_time_is_written_as_it_is_read() -> None:
    assert accept_datetime(MAY) == "Thu, 30 May 2024 03:04:05 GMT"
    assert http_moment(accept_datetime(MAY)) == MAY


@pytest.mark.parametrize(
    ("address", "raw"),
    [
        pytest.param(f"{HERE}20240530030405/{URL}", f"{HERE}20240530030405id_/{URL}", id="wayback"),
        pytest.param(f"{HERE}20240530030405mp_/{URL}", f"{HERE}20240530030405id_/{URL}", id="pywb"),
        pytest.param(f"{HERE}20240530030405/http:/example.org/ferry", "", id="merged-slashes"),
        pytest.param(
            f"https://a.example/snapshots/one/mp_/{URL}",
            f"https://a.example/snapshots/one/id_/{URL}",
            id="ours",
        ),
        pytest.param(f"{HERE}20240530030405/https://example.org/other", None, id="another-page"),
        pytest.param(f"https://a.example/?u={URL}", None, id="in-a-query"),
        pytest.param("https://a.example/m/1", None, id="opaque"),
    ],
)
def test_raw_bytes_are_asked_for_where_the_address_tells_of_them(
    address: str, raw: str | None
) -> None:
    found = raw_of(address, URL)
    expected = f"{HERE}20240530030405id_/{URL}" if raw == "" else raw
    assert (found.address(URL) if found else None) == expected


def test_an_archives_answer_becomes_the_originals() -> None:
    given = answer(
        ("X-Archive-Orig-Last-Modified", "Wed, 29 May 2024 00:00:00 GMT"),
        ("X-Archive-Orig-Transfer-Encoding", "chunked"),
        ("X-Archive-Orig-Set-Cookie", "id=1"),
        ("Set-Cookie", "archive=1"),
        ("Memento-Datetime", "Thu, 30 May 2024 03:04:05 GMT"),
        ("Server", "archive"),
    )
    found = restored(given, url=URL, moment=MAY)
    assert (found.url, found.started, found.ip, found.request_headers) == (URL, MAY, None, ())
    assert found.headers == (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Last-Modified", "Wed, 29 May 2024 00:00:00 GMT"),
    )


@pytest.mark.parametrize(
    ("location", "led"),
    [
        pytest.param(f"/web/20240530030405id_/{URL}/new", f"{URL}/new", id="in-the-archive"),
        pytest.param(f"{HERE}20240530030405id_/http:/example.org/n", "http://example.org/n", id="merged"),
        pytest.param("https://example.com/new", "https://example.com/new", id="as-it-was"),
        pytest.param("/new", "https://example.org/new", id="relative"),
    ],
)  # fmt: skip
def test_a_captured_redirect_leads_where_it_led(location: str, led: str) -> None:
    given = answer(
        ("Location", location), status=301, url=f"https://archive.example.org/web/2024id_/{URL}"
    )
    assert restored(given, url=URL, moment=MAY).header("location") == led
