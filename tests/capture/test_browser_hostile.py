"""Pages that mean harm, met by a real Chromium: nothing gets out, and nothing gets stuck."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from feedsvc.capture.browser_processes import descendants, table
from feedsvc.errors import CaptureFailed
from tests.capture.browser_rig import PAGE_LIMITS, Rig, exchanges, installed, paths, rig
from tests.origin import Seen

ROOT = Path(__file__).parents[2]


class Sink:
    """A TCP and a UDP port on loopback that count what reaches them."""

    def __init__(self) -> None:
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self.tcp, self.udp = self._tcp.getsockname()[1], self._udp.getsockname()[1]

    def reached(self) -> list[str]:
        """Return by what it was reached so far."""
        found = []
        for name, sock, take in (
            ("tcp", self._tcp, lambda: self._tcp.accept()[0].close()),
            ("udp", self._udp, lambda: self._udp.recv(1)),
        ):
            sock.setblocking(False)
            try:
                take()
                found.append(name)
            except BlockingIOError:
                pass
        return found

    def close(self) -> None:
        self._tcp.close()
        self._udp.close()


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()


WAYS_OUT = """
<p id=p>tried</p>
<img src="http://127.0.0.1:{tcp}/image"><link rel=preconnect href="http://127.0.0.1:{tcp}">
<link rel=dns-prefetch href="//prefetched.example.org"><iframe src="http://127.0.0.1:{tcp}/frame"></iframe>
<iframe srcdoc="<script>new RTCPeerConnection()</script>"></iframe>
<script>
  try {{ new WebSocket('ws://127.0.0.1:{tcp}/socket') }} catch {{}}
  try {{ new WebTransport('https://127.0.0.1:{udp}/') }} catch {{}}
  navigator.sendBeacon('http://127.0.0.1:{tcp}/beacon');
  fetch('http://127.0.0.1:{tcp}/fetch', {{mode: 'no-cors'}}).catch(() => 0);
  fetch('/out/to-private').catch(() => 0);
  new Worker('/out/worker.js#{tcp}');
  const frame = document.body.appendChild(document.createElement('iframe'));
  for (const home of [globalThis, frame.contentWindow]) {{
    try {{
      const peer = new home.RTCPeerConnection({{iceServers: [{{urls: 'stun:127.0.0.1:{udp}'}}]}});
      peer.createDataChannel('d'); peer.createOffer().then(o => peer.setLocalDescription(o));
    }} catch {{}}
  }}
</script>
"""


@pytest.fixture(params=["namespace", "settings-only"])
def any_browsing(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A browser without a network, and one that only its settings keep from it."""
    if request.param == "namespace":
        yield request.getfixturevalue("browsing")
        return
    with rig(replace(installed(), prefix=())) as made:
        yield made


def test_nothing_but_our_client_connects(any_browsing: Rig, sink: Sink) -> None:
    browsing = any_browsing
    private = f"http://127.0.0.1:{sink.tcp}/redirected"
    browsing.origin.redirect("/out/to-private", private)
    browsing.script(
        "/out/worker.js",
        "const port = location.hash.slice(1); fetch(`http://127.0.0.1:${port}/worker`).catch(() => 0);"
        "try { new WebSocket(`ws://127.0.0.1:${port}/`) } catch {}",
    )
    url = browsing.page("/out/page", WAYS_OUT.format(tcp=sink.tcp, udp=sink.udp))
    with browsing.captured(url) as found:
        missing = dict(found.missing)
        assert found.rendered.text.strip() == "tried"
    assert sink.reached() == []
    assert private in missing
    refused = {one.rpartition("/")[2] for one in missing if f":{sink.tcp}/" in one}
    assert refused >= {"image", "frame", "beacon", "fetch", "redirected", "worker"}


def test_a_page_that_redirects_to_a_private_address_is_refused(browsing: Rig, sink: Sink) -> None:
    url = browsing.origin.redirect("/bounce", f"http://127.0.0.1:{sink.tcp}/")
    with pytest.raises(CaptureFailed, match="not fetched"), browsing.captured(url):
        pass
    assert sink.reached() == []


def test_a_page_that_may_not_go_where_it_wants_to_stays(browsing: Rig, sink: Sink) -> None:
    away = browsing.origin.redirect("/away", f"http://127.0.0.1:{sink.tcp}/")
    url = browsing.page("/stays", f"<p>here</p><script>location = '{away}'</script>")
    with browsing.captured(url) as found:
        assert found.rendered.text.strip() == "here"
        assert (found.final_url, "/away" in paths(found)) == (url, True)
    assert sink.reached() == []


def test_a_service_worker_is_never_installed(browsing: Rig) -> None:
    browsing.script("/sw/worker.js", "onfetch = e => e.respondWith(new Response('mine'))")
    url = browsing.page(
        "/sw/page",
        "<p id=p>wait</p><script>navigator.serviceWorker.register('/sw/worker.js')"
        ".then(() => 'in', () => 'out').then(t => p.textContent = t)</script>",
    )
    with browsing.captured(url) as found:
        assert "/sw/worker.js" not in paths(found)


def test_an_endless_script_is_stopped_and_the_page_read(browsing: Rig) -> None:
    url = browsing.page(
        "/endless/page",
        "<p>Before it began</p><script>setTimeout(() => { for (;;); }, 50)</script>",
    )
    with browsing.captured(url) as found:
        assert found.rendered.text.strip() == "Before it began"


BOMBS = {
    "objects": "const a = []; for (;;) a.push(new Array(1e5).fill(a.length))",
    "buffers": "const a = []; setInterval(() => a.push(new Uint8Array(64e6).fill(1)), 1)",
}


def test_a_memory_bomb_ends_its_browser_and_no_other_page() -> None:
    with rig(installed(), memory=700 << 20, pages=1) as browsing:
        for kind, bomb in BOMBS.items():
            url = browsing.page(f"/bomb/{kind}", f"<p>x</p><script>{bomb}</script>")
            with pytest.raises(CaptureFailed, match="memory"), browsing.captured(url):
                pass
        used = set()
        for _ in range(2):
            with browsing.captured(browsing.page("/fine", "<p>fine</p>")) as found:
                assert found.rendered.text.strip() == "fine"
            used |= set(browsing.processes())
        # After so many pages, here one, a browser is replaced.
        assert len(used) == 2


def test_downloads_popups_and_dialogs_leave_the_page_where_it_is(browsing: Rig) -> None:
    attachment = (("Content-Type", "text/html"), ("Content-Disposition", "attachment; filename=a"))
    browsing.page("/rude/download", "saved", headers=attachment)
    browsing.origin.page("/rude/zip", b"PK", headers=(("Content-Type", "application/zip"),))
    browsing.page("/rude/popup", "<p>popup</p>")
    url = browsing.page(
        "/rude/page",
        "<p id=p>wait</p><a id=a target=_blank href=/rude/popup>x</a><script>"
        "window.open('/rude/popup'); a.click(); alert(1); confirm(2); prompt(3); print();"
        "onbeforeunload = e => e.preventDefault();"
        "p.textContent = 'went on'; location = '/rude/download';"
        "setTimeout(() => { location = '/rude/zip' }, 100)</script>",
    )
    with browsing.captured(url) as found:
        assert found.rendered.text.split("\n")[0] == "went on"
        assert found.final_url in {url, browsing.origin.url("/rude/zip")}
        assert paths(found) >= {"/rude/download", "/rude/zip"}


def test_an_endless_answer_is_cut_and_recorded_as_cut(browsing: Rig) -> None:
    def drip(connection: Any, _seen: Seen) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while not browsing.origin.pause(0.05):
            connection.sendall(b"drip " * 100)

    browsing.origin.raw("/drip/stream", drip)
    url = browsing.page("/drip/page", "<p>dry</p><script>fetch('/drip/stream')</script>")
    with browsing.captured(url) as found:
        assert found.rendered.text.strip() == "dry"
        # It is cut after two seconds; the page may be done before.
        cut = [one.truncated for one in exchanges(found) if one.url.endswith("stream")]
        assert cut in ([], ["time"])


def test_an_endless_reload_ends(browsing: Rig) -> None:
    url = browsing.page("/again/page", "<p>again</p><script>location.reload()</script>")
    with browsing.captured(url) as found:
        assert found.rendered.text.strip() == "again"
        assert len(found.page) <= PAGE_LIMITS.navigations
        assert len({one.sha1 for one in found.page}) == 1


def test_requests_and_bytes_of_a_page_are_bounded(browsing: Rig) -> None:
    for number in range(3):
        browsing.origin.page(f"/greedy/{number}", bytes(200_000))
    url = browsing.page(
        "/greedy/page",
        "<p>greedy</p><script>for (let i = 0; i < 200; i++) fetch(`/greedy/${i}`)</script>",
    )
    with browsing.captured(url, max_total=300_000) as found:
        assert found.rendered.text.strip() == "greedy"
        assert found.size <= 300_000
        assert any("more than 80 requests" in cause for _, cause in found.missing)
    assert sum(one.target.startswith("/greedy/") for one in browsing.origin.seen) <= 80


def _alive(pids: list[int]) -> list[int]:
    return [one.pid for one in table() if one.pid in pids]


def _until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextmanager
def _held(browsing: Rig, path: str) -> Iterator[tuple[str, threading.Event]]:
    """Serve a page whose script waits for an answer, and tell once it was asked for."""
    asked = threading.Event()

    def wait(_connection: Any, _seen: Seen) -> None:
        asked.set()
        browsing.origin.pause(2)

    browsing.origin.raw(f"{path}/slow", wait)
    yield browsing.page(f"{path}/page", f"<p>x</p><script src={path}/slow></script>"), asked


def test_a_browser_killed_amid_a_page_leaves_nothing_and_the_next_page_gets_another(
    browsing: Rig,
) -> None:
    with _held(browsing, "/killed") as (url, asked):
        with ThreadPoolExecutor(1) as pool:

            def capture() -> None:
                with browsing.captured(url):
                    pass

            future = pool.submit(capture)
            assert asked.wait(20)
            worker = browsing.processes()[0]
            listed = descendants(worker, table())
            family = [one.pid for one in listed]
            assert len(family) > 4
            chromium = {one.pid: one for one in listed if "chrom" in _name(one.pid)}
            # The one that started others and was started by none; numbers begin anew some day.
            parents = {one.parent for one in chromium.values()}
            (first,) = [
                pid for pid in parents & set(chromium) if chromium[pid].parent not in chromium
            ]
            os.kill(first, signal.SIGKILL)
            with pytest.raises(CaptureFailed):
                future.result(30)
        assert _alive(family) == []
        with browsing.captured(browsing.page("/killed/next", "<p>fine</p>")) as found:
            assert found.rendered.text.strip() == "fine"


def _name(pid: int) -> str:
    try:
        return subprocess.run(
            ["ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout
    except OSError:
        return ""


_PARENT = """
import sys, threading
from tests.capture.browser_rig import installed, rig
with rig(installed()) as browsing:
    with browsing.captured(browsing.page("/page", "<p>x</p>")):
        child = browsing.browsers._all[0]._child
        print(child.pid, child.home, flush=True)
    threading.Event().wait(60)
"""


def test_a_browser_does_not_outlive_feedsvc() -> None:
    installed()
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert parent.stdout is not None
        pid, home = parent.stdout.readline().split()
        family = [one.pid for one in descendants(int(pid), table())]
        assert len(family) > 4
    finally:
        parent.kill()
        parent.communicate()
    _until(lambda: not _alive(family))
    _until(lambda: not Path(home).exists())
