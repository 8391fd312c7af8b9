"""What a real Chromium is given, and what is recorded of it: pages as they are on the web."""

from __future__ import annotations

import struct
import threading
from typing import Any

import pytest
from fastwarc.warc import ArchiveIterator
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

from feedsvc.capture.browser import Browsers
from feedsvc.capture.browser_found import Chromium
from feedsvc.capture.browser_requests import Means
from feedsvc.capture.polite import Busy
from feedsvc.errors import CaptureFailed
from tests.capture.browser_rig import JSON, Rig, exchanges, paths, warc_of
from tests.origin import Seen

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0"
    "000003010100c9fe92ef0000000049454e44ae426082"
)
IMAGE = (("Content-Type", "image/png"),)
NOTHING = Means(*[None] * 5)  # type: ignore[arg-type]  # for captures that come to ask for nothing


def test_text_that_scripts_fetch_is_shown_and_every_exchange_recorded(browsing: Rig) -> None:
    browsing.script("/built/main.js", "import('/built/part.js')")
    browsing.script(
        "/built/part.js",
        "fetch('/built/data').then(r => r.json()).then(d => { document.body.innerHTML = "
        "`<h1>${d.title}</h1>`; document.querySelector('style').sheet.insertRule('h1{color:red}');"
        "const host = document.body.appendChild(document.createElement('div'));"
        "host.attachShadow({mode: 'open'}).innerHTML = '<p>In the shadow</p>'; })",
    )
    browsing.origin.page("/built/data", b'{"title": "The ferry sails"}', headers=JSON)
    url = browsing.page(
        "/built/page", "<style></style>Wait<script type=module src=/built/main.js></script>"
    )
    with browsing.captured(url) as found:
        assert found.rendered.text.split() == ["The", "ferry", "sails", "In", "the", "shadow"]
        assert paths(found) >= {"/built/page", "/built/main.js", "/built/part.js", "/built/data"}
        dom = found.rendered.dom.decode()
        assert "<h1>The ferry sails</h1>" in dom
        assert "color: red" in dom
        assert 'shadowrootmode="open"' in dom
        assert found.rendered.view.startswith(b"\x89PNG")
        assert struct.unpack(">I", found.rendered.view[16:20]) == (1280,)
        assert found.rendered.thumbnail.startswith(b"\xff\xd8\xff")
        assert found.missing == []


def test_the_records_are_read_by_other_tools(browsing: Rig) -> None:
    browsing.origin.page("/warc/data", b"x" * 3000, headers=JSON)
    url = browsing.page(
        "/warc/page",
        "<p>Words</p><script>fetch('/warc/data', {method: 'POST', body: 'a=1', headers: {Range: 'bytes=0-3'}})</script>",
    )
    with browsing.captured(url) as found:
        file = warc_of(found)
        kept = {
            record.headers["WARC-Target-URI"]: record.headers["Content-Type"]
            for record in ArchiveIterator(file)
            if record.headers["WARC-Type"] == "resource"
        }
        file.seek(0)
        types = []
        for record in WarcioIterator(file, check_digests="raise"):
            record.content_stream().read()
            types.append(record.rec_type)
    assert kept == {
        f"urn:text:{url}": "text/plain; charset=utf-8",
        f"urn:dom:{url}": "text/html; charset=utf-8",
        f"urn:view:{url}": "image/png",
        f"urn:thumbnail:{url}": "image/jpeg",
    }
    assert types.count("response") >= 2
    posted = next(one for one in exchanges(found) if one.url.endswith("/warc/data"))
    assert (posted.method, posted.request_body, posted.size) == ("POST", b"a=1", 3000)
    assert not any(name.lower() == "range" for name, _ in posted.request_headers)


def test_redirects_are_handed_back_so_that_a_page_knows_where_it_is(browsing: Rig) -> None:
    end = browsing.page(
        "/moved/end/",
        "<p id=p></p><script>p.textContent=location.pathname</script><img src=one.png>",
    )
    browsing.origin.redirect("/moved/middle", end, status=301)
    url = browsing.origin.redirect("/moved", browsing.origin.url("/moved/middle"))
    browsing.origin.page("/moved/end/one.png", PNG, headers=IMAGE)
    with browsing.captured(url) as found:
        assert [one.status for one in found.page] == [302, 301, 200]
        assert (found.url, found.final_url) == (url, end)
        assert found.rendered.text.strip() == "/moved/end/"
        assert "/moved/end/one.png" in paths(found)


def test_cookies_go_back_and_end_with_the_page(browsing: Rig) -> None:
    cookie = (("Content-Type", "text/html"), ("Set-Cookie", "taste=ginger; Path=/jar"))
    url = browsing.page("/jar/page", "<script>fetch('/jar/later')</script>", headers=cookie)
    browsing.page("/jar/later", "ok")
    for _ in range(2):
        with browsing.captured(url):
            pass
    asked = [one for one in browsing.origin.seen if one.target.startswith("/jar/")]
    cookies = [(one.target, one.header("cookie")) for one in asked]
    assert cookies == [("/jar/page", None), ("/jar/later", "taste=ginger")] * 2
    assert all(one.header("accept-encoding") == "gzip" for one in asked)


def test_frames_workers_fonts_preflights_and_lazy_pictures_are_recorded_and_cors_holds(
    browsing: Rig,
) -> None:
    style = "<style>@font-face{font-family:f;src:url(/many/font.woff2)} body{font-family:f}</style>"
    lazy = "<div style='height:6000px'></div><img loading=lazy src=/many/lazy.png>"
    browsing.script("/many/worker.js", "fetch('/many/from-worker').then(() => postMessage(1))")
    browsing.page("/many/frame", "<p>framed</p><img src=/many/in-frame.png>")
    for name in ("in-frame.png", "lazy.png"):
        browsing.origin.page(f"/many/{name}", PNG, headers=IMAGE)
    browsing.origin.page("/many/from-worker", b"{}", headers=JSON)
    browsing.origin.page("/many/font.woff2", b"no font", headers=(("Content-Type", "font/woff2"),))
    cors = tuple((f"Access-Control-Allow-{name}", "*") for name in ("Origin", "Headers", "Methods"))
    far = browsing.forbidden.page("/many/far", b"{}", headers=(*JSON, *cors))
    closed = browsing.forbidden.page("/many/closed", b'{"secret": 1}', headers=JSON)
    url = browsing.page(
        "/many/page",
        f"{style}text<iframe src=/many/frame></iframe><script>new Worker('/many/worker.js');"
        f"fetch('{far}', {{headers: {{'X-Own': '1'}}}});"
        f"fetch('{closed}').then(() => p.textContent = 'read', () => p.textContent = 'refused')"
        f"</script><p id=p></p>{lazy}",
    )
    with browsing.captured(url, allow=[browsing.forbidden.host]) as found:
        assert "refused" in found.rendered.text
        methods = [one.method for one in exchanges(found) if one.url == far]
        wanted = {"font.woff2", "frame", "worker.js", "from-worker", "in-frame.png", "lazy.png"}
        assert paths(found) >= {f"/many/{name}" for name in wanted}
    assert methods == ["OPTIONS", "GET"]


def test_a_body_too_large_for_the_browser_is_archived_all_the_same(browsing: Rig) -> None:
    browsing.origin.page("/large.bin", bytes(11 << 20), headers=JSON)
    url = browsing.page(
        "/large",
        "<p id=p>wait</p><script>fetch('/large.bin').then(() => p.textContent='came',"
        "() => p.textContent='failed')</script>",
    )
    with browsing.captured(url) as found:
        large = next(one for one in exchanges(found) if one.url.endswith(".bin"))
        assert (large.size, large.truncated) == (11 << 20, None)
        assert found.rendered.text.strip() == "failed"
        assert "too large" in dict(found.missing)[large.url]


def test_a_stream_of_events_is_cut_and_not_asked_for_again(browsing: Rig) -> None:
    def stream(connection: Any, _seen: Seen) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while not browsing.origin.pause(0.1):
            connection.sendall(b"data: tick\n\n")

    browsing.origin.raw("/events/stream", stream)
    url = browsing.page(
        "/events/page",
        "<p id=p>none</p><script>new EventSource('/events/stream').onmessage ="
        "e => p.textContent = e.data</script>",
    )
    with browsing.captured(url) as found:
        cut = next(one for one in exchanges(found) if one.url.endswith("stream"))
        assert cut.truncated == "time"
        assert found.rendered.text.strip() == "tick"
    assert browsing.origin.count("/events/stream") == 1


def test_a_page_that_cannot_be_had_fails_and_the_browser_serves_the_next(browsing: Rig) -> None:
    before = browsing.processes()
    with (
        pytest.raises(CaptureFailed, match="not fetched"),
        browsing.captured(browsing.forbidden.url("/secret")),
    ):
        pass
    with browsing.captured(browsing.page("/after", "<p>fine</p>")) as found:
        assert found.rendered.text.strip() == "fine"
    assert browsing.processes() == before or not before
    assert browsing.forbidden.count("/secret") == 0


def test_a_page_waits_for_a_browser_no_longer_than_it_may() -> None:
    browsers = Browsers(Chromium("none"), user_agent="", count=0)
    with pytest.raises(Busy, match="no browser came free"):
        browsers.capture("http://127.0.0.1/", means=NOTHING, stop=threading.Event(), seconds=0.1)
    browsers.close()


def test_a_stop_ends_a_capture_at_once(browsing: Rig) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(CaptureFailed, match="stopped"):
        browsing.browsers.capture("http://127.0.0.1/", means=NOTHING, stop=stop, seconds=5)
