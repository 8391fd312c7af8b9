"""Snapshots are shown from the archive alone, as they were, and can do nothing here."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from feedsvc.capture.exchange import Exchange
from feedsvc.model import Snapshot
from feedsvc.web.replay import MAX_DOCUMENT
from tests.replay.build import NOON, exchange, moved, packed, warc

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.web.conftest import Library, Served

PAGE = "https://example.org/story"
STYLE = "https://example.org/site.css"
PICTURE = "https://example.org/pixel.png"
HTML = (
    '<!doctype html><title>Ferry</title><link rel="stylesheet" href="/site.css">'
    '<h1>The ferry</h1><p>It <a href="/other">sails</a>.</p><img src="pixel.png">'
)
PIXELS = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20


@pytest.fixture
def take(library: Library) -> Callable[..., Snapshot]:
    """Store a snapshot of pages and requisites."""

    def taken(*page: Exchange, requisites: tuple[Exchange, ...] = ()) -> Snapshot:
        content, payloads = warc(*page, requisites=requisites)
        return library.snapshot(
            library.article(), content, url=page[0].url, final_url=page[-1].url, payloads=payloads
        )

    return taken


@pytest.fixture
def snapshot(take: Callable[..., Snapshot]) -> Snapshot:
    return take(
        exchange(PAGE, HTML, coding="gzip"),
        requisites=(
            exchange(STYLE, "h1{background:url(pixel.png)}", "text/css"),
            exchange(PICTURE, PIXELS, "image/png"),
        ),
    )


def below(snapshot: Snapshot, rest: str) -> str:
    return f"/snapshots/{snapshot.id}/{rest}"


def policy(answer: httpx.Response) -> dict[str, str]:
    (header,) = answer.headers.get_list("content-security-policy")
    parts = (part.strip().partition(" ") for part in header.split(";"))
    return {name: value for name, _, value in parts}


def test_a_snapshot_stands_in_a_sandboxed_frame_below_what_it_is(
    snapshot: Snapshot, web: Served
) -> None:
    answer = web.get(below(snapshot, ""))
    assert answer.status_code == 200
    frame = f'<iframe class="replay" sandbox referrerpolicy="no-referrer" src="{below(snapshot, f"mp_/{PAGE}")}"'
    assert frame in answer.text
    for fact in ("archived copy", PAGE, "31 May 2024", "verified", "Text only", snapshot.sha256):
        assert fact in answer.text
    assert policy(answer)["frame-src"] == "'self'"
    assert policy(answer)["default-src"] == "'none'"
    assert answer.headers["x-frame-options"] == "DENY"


def test_the_other_captures_of_a_page_are_named(library: Library, web: Served) -> None:
    article = library.article()
    first, second, third = (
        library.snapshot(
            article,
            warc(exchange(PAGE, HTML))[0],
            url=PAGE,
            final_url=PAGE,
            captured=NOON + timedelta(days=day),
        )
        for day in range(3)
    )
    page = web.get(below(second, "")).text
    assert f'rel="prev" href="/snapshots/{first.id}/"' in page
    assert f'rel="next" href="/snapshots/{third.id}/"' in page
    assert "All captures" in page
    assert 'rel="next"' not in web.get(below(third, "")).text


def test_an_archived_page_leads_into_the_archive(snapshot: Snapshot, web: Served) -> None:
    answer = web.get(below(snapshot, f"mp_/{PAGE}"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for url in (STYLE, PICTURE, "https://example.org/other"):
        assert f'"{below(snapshot, f"mp_/{url}")}"' in answer.text


def test_its_style_and_pictures_come_from_the_archive(snapshot: Snapshot, web: Served) -> None:
    style = web.get(below(snapshot, f"mp_/{STYLE}"))
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert style.text == f'h1{{background:url("{below(snapshot, f"mp_/{PICTURE}")}")}}'
    picture = web.get(below(snapshot, f"mp_/{PICTURE}"))
    assert picture.content == PIXELS
    assert picture.headers["content-length"] == str(len(PIXELS))
    # A document without an origin loads fonts and masks with CORS only.
    assert picture.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("place", [f"mp_/{PAGE}", f"if_/{PAGE}", f"mp_/{PICTURE}", f"id_/{PAGE}"])
def test_every_archived_response_is_sandboxed(snapshot: Snapshot, web: Served, place: str) -> None:
    answer = web.get(below(snapshot, place))
    said = policy(answer)
    assert said["sandbox"] == ""
    assert said["default-src"] == "'none'"
    assert said["form-action"] == said["base-uri"] == "'none'"
    assert "allow-scripts" not in str(said)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers


def test_the_policy_names_this_snapshot_and_nothing_else(snapshot: Snapshot, web: Served) -> None:
    said = policy(web.get(below(snapshot, f"mp_/{PAGE}")))
    here = f"http://127.0.0.1:{web.port}{below(snapshot, '')}"
    assert here in said["img-src"].split()
    assert {one.partition("/snapshots/")[2] for one in said["frame-src"].split()} == {
        f"{snapshot.id}/"
    }
    assert said["script-src"] == said["object-src"] == said["connect-src"] == "'none'"
    assert said["frame-ancestors"] == "'self'"
    assert "x-frame-options" not in web.get(below(snapshot, f"mp_/{PAGE}")).headers


def test_of_the_archived_headers_none_passes(take: Callable[..., Snapshot], web: Served) -> None:
    hostile = (
        ("Set-Cookie", "session=stolen"),
        ("Content-Security-Policy", "default-src *"),
        ("Strict-Transport-Security", "max-age=9"),
        ("Refresh", "0; url=https://live.test/"),
        ("Link", "<https://live.test/x>; rel=preload"),
        ("Service-Worker-Allowed", "/"),
        ("Clear-Site-Data", '"*"'),
        ("Access-Control-Allow-Credentials", "true"),
        ("Content-Disposition", "inline"),
        ("Alt-Svc", "h2=live.test"),
        ("X-Own", "mark"),
    )
    snapshot = take(exchange(PAGE, HTML, headers=hostile))
    for modifier in ("mp_", "if_", "id_"):
        answer = web.get(below(snapshot, f"{modifier}/{PAGE}"))
        sent = str(answer.headers).lower()
        for mark in ("stolen", "live.test", "max-age=9", "default-src *", "clear-site", "x-own"):
            assert mark not in sent
        assert "service-worker-allowed" not in answer.headers
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("coding", ["", "gzip", "deflate", "br", "zstd"])
def test_raw_bytes_are_those_that_were_captured(
    take: Callable[..., Snapshot], web: Served, coding: str
) -> None:
    snapshot = take(exchange(PAGE, HTML, coding=coding))
    with web.client.stream("GET", below(snapshot, f"id_/{PAGE}")) as answer:
        raw = b"".join(answer.iter_raw())
    assert raw == packed(coding, HTML.encode())
    assert answer.headers.get("content-encoding", "") == coding
    assert answer.headers["content-length"] == str(len(raw))
    shown = web.get(below(snapshot, f"mp_/{PAGE}"))
    assert "The ferry" in shown.text


def test_a_raw_redirect_stays_one(take: Callable[..., Snapshot], web: Served) -> None:
    snapshot = take(moved("http://example.org/s", "/story?a=1"), exchange(f"{PAGE}?a=1", HTML))
    answer = web.get(below(snapshot, "id_/http://example.org/s"))
    assert (answer.status_code, answer.content) == (301, b"moved")
    assert answer.headers["location"] == below(snapshot, "id_/http://example.org/story?a=1")
    shown = web.get(below(snapshot, "mp_/http://example.org/s"))
    assert (shown.status_code, "The ferry" in shown.text) == (200, True)
    frame = web.get(below(snapshot, "")).text
    assert below(snapshot, f"mp_/{PAGE}?a=1") in frame


def test_what_was_not_captured_is_missing_and_never_the_live_page(
    snapshot: Snapshot, web: Served
) -> None:
    answer = web.get(below(snapshot, "mp_/https://example.org/other?x=<script>"))
    assert answer.status_code == 404
    assert "Not captured" in answer.text
    assert "https://example.org/other" in answer.text
    assert "<script" not in answer.text
    assert "memento-datetime" not in answer.headers
    assert policy(answer)["sandbox"] == ""
    assert policy(answer)["frame-ancestors"] == "'self'"


def test_the_text_of_a_page_can_be_had(snapshot: Snapshot, web: Served) -> None:
    answer = web.get(below(snapshot, "text"))
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "The ferry\n\nIt sails.\n"
    assert answer.headers["memento-datetime"] == "Fri, 31 May 2024 12:00:00 GMT"


def test_a_file_that_is_no_page_is_told_and_downloaded(
    take: Callable[..., Snapshot], web: Served
) -> None:
    snapshot = take(exchange(PAGE, b"%PDF-1.7", "application/pdf"))
    page = web.get(below(snapshot, "")).text
    assert "application/pdf, which is not shown here" in page
    assert "<iframe" not in page
    assert below(snapshot, f"id_/{PAGE}") in page
    answer = web.get(below(snapshot, f"mp_/{PAGE}"))
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert web.get(below(snapshot, "text")).status_code == 404


def test_a_script_is_something_to_read(take: Callable[..., Snapshot], web: Served) -> None:
    script = "https://example.org/x.js"
    kind = "text/javascript; charset=utf-8"
    snapshot = take(exchange(PAGE, HTML), requisites=(exchange(script, "run()", kind),))
    for modifier in ("mp_", "id_"):
        answer = web.get(below(snapshot, f"{modifier}/{script}"))
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(("status", "shown"), [(404, 404), (503, 503), (401, 200), (206, 200)])
def test_the_status_is_kept_where_it_asks_nothing_of_the_reader(
    take: Callable[..., Snapshot], web: Served, status: int, shown: int
) -> None:
    snapshot = take(exchange(PAGE, HTML, status=status))
    assert web.get(below(snapshot, f"mp_/{PAGE}")).status_code == shown


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://example.org/a%2Fb%20c?q=%26&r=a+b", id="escapes"),
        pytest.param("https://example.org/a//b;c,d='(e)'?x=https://example.net/?y", id="marks"),
        pytest.param("https://example.org:8443/?", id="port"),
        pytest.param("https://xn--bcher-kva.example/%C3%A4", id="idn"),
    ],
)
def test_any_address_can_be_asked_for(take: Callable[..., Snapshot], web: Served, url: str) -> None:
    snapshot = take(exchange(url, b"found", "text/plain"))
    answer = web.raw(
        f"GET {below(snapshot, f'id_/{url}')} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"found")


def test_proxies_may_merge_slashes(snapshot: Snapshot, web: Served) -> None:
    merged = PAGE.replace("//", "/")
    assert web.get(below(snapshot, f"mp_/{merged}")).status_code == 200


def test_a_site_below_a_path_links_below_it(
    open_site: Callable[..., tuple[Library, Served]],
) -> None:
    library, web = open_site(site={"base_url": "https://news.example.net/deep"})
    content, _ = warc(exchange(PAGE, HTML))
    snapshot = library.snapshot(library.article(), content, url=PAGE, final_url=PAGE)
    answer = web.get(f"/deep/snapshots/{snapshot.id}/mp_/{PAGE}")
    assert f'href="/deep/snapshots/{snapshot.id}/mp_/{STYLE}"' in answer.text
    sources = policy(answer)["style-src"].split()
    assert f"https://news.example.net/deep/snapshots/{snapshot.id}/" in sources
    assert f"http://127.0.0.1:{web.port}/deep/snapshots/{snapshot.id}/" in sources


# --- damage ---------------------------------------------------------------------------------


def test_a_snapshot_that_is_gone_is_damaged_everywhere_and_breaks_nothing(
    library: Library, snapshot: Snapshot, web: Served
) -> None:
    library.runtime.archive.delete(snapshot.key)
    page = web.get(below(snapshot, ""))
    assert (page.status_code, "damaged" in page.text, "<iframe" in page.text) == (200, True, False)
    for rest in (f"mp_/{PAGE}", f"if_/{PAGE}", f"id_/{PAGE}", "text"):
        answer = web.get(below(snapshot, rest))
        assert (answer.status_code, "damaged" in answer.text) == (404, True)


@pytest.mark.parametrize("place", range(100, 1500, 200))
def test_a_changed_byte_is_never_an_error_of_ours(
    library: Library, snapshot: Snapshot, web: Served, place: int
) -> None:
    data = bytearray(Path(library.runtime.archive.place(snapshot.key)).read_bytes())
    data[place] ^= 0x55
    library.runtime.archive.put(snapshot.key, bytes(data))
    for rest in ("", f"mp_/{PAGE}", f"mp_/{PICTURE}", f"id_/{STYLE}", "text"):
        answer = web.get(below(snapshot, rest))
        assert answer.status_code in {200, 404}
        assert answer.status_code == 200 or "amaged" in answer.text


def test_a_coding_that_cannot_be_undone_is_damage_but_raw_can_be_had(
    take: Callable[..., Snapshot], web: Served
) -> None:
    snapshot = take(exchange(PAGE, HTML, headers=(("Content-Encoding", "gzip"),)))
    answer = web.get(below(snapshot, f"mp_/{PAGE}"))
    assert (answer.status_code, "Damaged" in answer.text) == (404, True)
    assert web.get(below(snapshot, "text")).status_code == 404
    with web.client.stream("GET", below(snapshot, f"id_/{PAGE}")) as raw:
        assert b"".join(raw.iter_raw()) == HTML.encode()


@pytest.mark.parametrize("rest", ["", "text", f"mp_/{PAGE}", f"if_/{PAGE}", f"id_/{PAGE}"])
def test_a_snapshot_nobody_knows_is_not_found(web: Served, rest: str) -> None:
    assert web.get(f"/snapshots/nothing/{rest}").status_code == 404


# --- cost -----------------------------------------------------------------------------------


def test_what_a_browser_has_is_not_sent_again(snapshot: Snapshot, web: Served) -> None:
    for rest in (f"mp_/{PAGE}", f"mp_/{PICTURE}", f"mp_/{STYLE}", f"id_/{PAGE}"):
        first = web.get(below(snapshot, rest))
        again = web.get(below(snapshot, rest), headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert "content-security-policy" in again.headers


def test_head_sends_the_head(snapshot: Snapshot, web: Served) -> None:
    for rest in ("", f"mp_/{PAGE}", f"mp_/{PICTURE}", f"id_/{PICTURE}", "text"):
        answer = web.client.head(below(snapshot, rest))
        assert (answer.status_code, answer.content) == (200, b"")
    assert web.client.head(below(snapshot, f"id_/{PICTURE}")).headers["content-length"] == str(
        len(PIXELS)
    )


def test_a_page_too_large_to_show_is_cut_with_a_notice(
    take: Callable[..., Snapshot], web: Served
) -> None:
    large = "".join(f"{number * number} words " for number in range(MAX_DOCUMENT // 16))
    assert len(large) > MAX_DOCUMENT
    snapshot = take(exchange(PAGE, large + "</p>" + large[:999], coding="zstd"))
    answer = web.get(below(snapshot, f"mp_/{PAGE}"), headers={"accept-encoding": "identity"})
    assert answer.status_code == 200
    assert "first 16 MiB" in answer.text[-300:]
    assert len(answer.content) < MAX_DOCUMENT + 1000


def test_a_large_record_passes_in_pieces(take: Callable[..., Snapshot], web: Served) -> None:
    movie = "https://example.org/movie.mp4"
    content = bytes(range(256)) * (40 << 12)
    snapshot = take(exchange(PAGE, HTML), requisites=(exchange(movie, content, "video/mp4"),))
    for modifier in ("mp_", "id_"):
        with web.client.stream("GET", below(snapshot, f"{modifier}/{movie}")) as answer:
            assert sum(map(len, answer.iter_raw())) == len(content)


def test_a_client_that_leaves_takes_no_file_with_it(
    take: Callable[..., Snapshot], web: Served
) -> None:
    movie = "https://example.org/movie.mp4"
    content = bytes(range(256)) * (40 << 12)
    snapshot = take(exchange(PAGE, HTML), requisites=(exchange(movie, content, "video/mp4"),))
    for _ in range(5):
        with web.client.stream("GET", below(snapshot, f"mp_/{movie}")) as answer:
            next(answer.iter_raw(100))
    assert web.get(below(snapshot, f"mp_/{PAGE}")).status_code == 200


def test_pages_are_packed_for_whoever_wants_it(snapshot: Snapshot, web: Served) -> None:
    path = below(snapshot, f"mp_/{PAGE}")
    with web.client.stream("GET", path, headers={"accept-encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    body = gzip.decompress(raw) if answer.headers.get("content-encoding") == "gzip" else raw
    assert b"The ferry" in body
