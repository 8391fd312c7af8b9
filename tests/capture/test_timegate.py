"""Laws of asking another archive: it is asked as RFC 7089 says, and believed as little as need be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from feedsvc.capture.http import Fetcher
from feedsvc.capture.page import Capture, Limits
from feedsvc.capture.polite import Politeness
from feedsvc.capture.timegate import MAX_HOPS, NoMemento, TimeGate
from feedsvc.errors import CaptureError, CaptureFailed, CaptureRefused
from tests.origin import Origin

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MOMENT = datetime(2024, 5, 31, 12, tzinfo=UTC)
URL = "https://gone.example.org/ferry"
STAMP = "20240530030405"
DATED = ("Memento-Datetime", "Thu, 30 May 2024 03:04:05 GMT")
HTML = ("Content-Type", "text/html; charset=utf-8")
PAGE = b"<html><link rel=stylesheet href=/site.css><h1>Ferry</h1></html>"

Ask = Callable[..., Capture]


@pytest.fixture
def ask(origin: Origin, fetcher: Fetcher) -> Iterator[Ask]:
    """Ask the origin's TimeGate; what is captured is closed at the end."""
    captures: list[Capture] = []

    def asked(url: str = URL, **limits: int) -> Capture:
        gate = TimeGate(
            origin.url("/gate/"),
            moment=MOMENT,
            now=NOW,
            fetcher=fetcher,
            politeness=Politeness(per_host=4, delay=0.0),
            stop=threading.Event(),
        )
        captures.append(gate.capture(url, limits=Limits(**limits)))
        return captures[-1]

    yield asked
    for capture in captures:
        capture.close()


def memento(
    origin: Origin,
    url: str = URL,
    body: bytes = PAGE,
    *headers: tuple[str, str],
    modifier: str = "id_",
    kind: tuple[str, str] = HTML,
    status: int = 200,
) -> str:
    """Put a capture where a Wayback machine has it; return its address."""
    own = (DATED, kind, *headers)
    return origin.page(f"/web/{STAMP}{modifier}/{url}", body, headers=own, status=status)


def gate(origin: Origin, location: str, url: str = URL) -> None:
    origin.redirect(f"/gate/{url}", location)


def test_the_memento_is_asked_for_by_date_and_read_raw(ask: Ask, origin: Origin) -> None:
    gate(origin, memento(origin, body=b"<p>rewritten", modifier=""))
    memento(origin)
    memento(
        origin, "https://gone.example.org/site.css", b"h1 {}", kind=("Content-Type", "text/css")
    )
    capture = ask()
    (page,) = capture.page
    assert (page.url, page.started.isoformat()) == (URL, "2024-05-30T03:04:05+00:00")
    assert capture.body == PAGE
    assert [one.url for one in capture.requisites] == ["https://gone.example.org/site.css"]
    assert [url for url, _ in capture.missing] == ["https://gone.example.org/favicon.ico"]
    asked = origin.seen[0]
    assert asked.target == f"/gate/{URL}"
    assert asked.header("accept-datetime") == "Fri, 31 May 2024 12:00:00 GMT"


def test_a_page_that_frames_a_memento_leads_to_it(ask: Ask, origin: Origin) -> None:
    place = memento(origin, modifier="mp_")
    memento(origin)
    dated = 'rel="memento"; datetime="Thu, 30 May 2024 03:04:05 GMT"'
    linked = ("Link", f'<{URL}>; rel="original", <{place}>; {dated}')
    origin.page(f"/gate/{URL}", b"<iframe>", headers=(HTML, linked))
    assert ask().body == PAGE


def test_without_raw_bytes_the_page_is_taken_as_it_is_served(ask: Ask, origin: Origin) -> None:
    big = PAGE + b" " * 400_000
    origin.page("/opaque/1", big, headers=(DATED, HTML))
    gate(origin, origin.url("/opaque/1"))
    capture = ask()
    assert capture.body == big
    assert capture.page[0].truncated is None


def test_what_calls_itself_raw_and_is_no_memento_is_not_believed(ask: Ask, origin: Origin) -> None:
    gate(origin, memento(origin, modifier=""))
    origin.page(f"/web/{STAMP}id_/{URL}", b"<p>live", headers=(HTML,))
    assert ask().body == PAGE


def test_a_captured_redirect_is_followed_inside_the_archive(ask: Ask, origin: Origin) -> None:
    new = "https://gone.example.org/new"
    gate(
        origin,
        memento(origin, URL, b"", ("Location", f"/web/{STAMP}/{new}"), modifier="", status=301),
    )
    memento(origin, URL, b"", ("Location", f"/web/{STAMP}id_/{new}"), status=301)
    memento(origin, new)
    capture = ask()
    assert [one.url for one in capture.page] == [URL, new]
    assert capture.page[0].header("location") == new


def test_a_nearer_capture_of_a_requisite_is_followed(ask: Ask, origin: Origin) -> None:
    style = "https://gone.example.org/site.css"
    gate(origin, memento(origin, modifier=""))
    memento(origin)
    origin.redirect(f"/web/{STAMP}id_/{style}", f"/web/20240101000000id_/{style}")
    found = (("Memento-Datetime", "Mon, 01 Jan 2024 00:00:00 GMT"), ("Content-Type", "text/css"))
    origin.page(f"/web/20240101000000id_/{style}", b"h1 {}", headers=found)
    (requisite,) = ask().requisites
    assert (requisite.url, f"{requisite.started:%Y-%m-%d}") == (style, "2024-01-01")


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        pytest.param((), "without a memento", id="live-page"),
        pytest.param((("Memento-Datetime", "now"),), "no date a capture can have", id="no-date"),
        pytest.param(
            (("Memento-Datetime", "Thu, 30 May 2099 03:04:05 GMT"),),
            "no date a capture can have",
            id="to-come",
        ),
        pytest.param(
            (DATED, ("Link", '<https://else.example.org/>; rel="original"')),
            "another address",
            id="another-original",
        ),
    ],
)
def test_what_cannot_be_the_memento_is_refused_with_its_cause(
    ask: Ask, origin: Origin, headers: tuple[tuple[str, str], ...], why: str
) -> None:
    origin.page(f"/gate/{URL}", PAGE, headers=(HTML, *headers))
    with pytest.raises(NoMemento, match=why):
        ask()


def test_an_archive_without_a_capture_says_so(ask: Ask) -> None:
    with pytest.raises(NoMemento, match="has no capture"):
        ask()


def test_no_link_of_an_archive_leads_to_a_private_address(
    ask: Ask, origin: Origin, other_origin: Origin
) -> None:
    gate(origin, other_origin.url("/secret"))
    with pytest.raises(CaptureRefused, match=r"allow_hosts"):
        ask()
    dated = 'rel="memento"; datetime="Thu, 30 May 2024 03:04:05 GMT"'
    linked = ("Link", f"<{other_origin.url('/secret')}>; {dated}")
    origin.page(f"/gate/{URL}", b"", headers=(HTML, linked))
    with pytest.raises(CaptureRefused, match=r"allow_hosts"):
        ask()
    assert other_origin.connections == 0


@pytest.mark.parametrize("target", ["/gate/{url}", "/web/20240530030405/{url}"])
def test_endless_redirects_end(ask: Ask, origin: Origin, target: str) -> None:
    place = target.format(url=URL)
    gate(origin, place)
    origin.redirect(f"/web/{STAMP}/{URL}", place)
    with pytest.raises(NoMemento, match="without a memento"):
        ask()
    assert len(origin.seen) == MAX_HOPS


def test_a_head_without_end_is_an_error_and_no_burden(ask: Ask, origin: Origin) -> None:
    linked = ("Link", f'<{URL}>; rel="original", ' * 10_000)
    origin.page(f"/gate/{URL}", PAGE, headers=(HTML, DATED, linked))
    with pytest.raises(CaptureError, match="head is larger"):
        ask()


def test_a_page_too_large_is_cut_as_any(ask: Ask, origin: Origin) -> None:
    gate(origin, memento(origin, modifier=""))
    memento(origin, body=PAGE + b" " * 50_000)
    capture = ask(max_page=10_000)
    assert (capture.page[0].size, capture.page[0].truncated) == (10_000, "length")


def test_an_archive_that_wants_a_pause_gets_it(origin: Origin, fetcher: Fetcher) -> None:
    politeness = Politeness(per_host=4, delay=0.0)
    origin.page(f"/gate/{URL}", b"", status=429, headers=(("Retry-After", "90"),))
    asking = TimeGate(
        origin.url("/gate/"),
        moment=MOMENT,
        now=NOW,
        fetcher=fetcher,
        politeness=politeness,
        stop=threading.Event(),
    )
    for _ in range(2):
        with pytest.raises(CaptureFailed, match=r"for (?:another )?\d\d s"):
            asking.capture(URL, limits=Limits())
    assert len(origin.seen) == 1
    assert 80 < politeness.held(origin.url()) <= 90
