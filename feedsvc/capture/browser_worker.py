"""The child process that runs a browser: `python -m feedsvc.capture.browser_worker`.

It has no network, and neither has its browser. Every request of the browser is paused before it
leaves (DevTools' Fetch domain on the browser's own session: redirects, workers, frames and
preflights stop there as well), asked of the parent, and fulfilled with what the parent says; what
cannot be asked or answered fails. The parent leads page by page: open, scroll, read, close.
It ends, and everything it started with it, when its line to the parent does.
"""

from __future__ import annotations

import asyncio
import base64
import ctypes
import json
import os
import resource
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from playwright.async_api import Browser, CDPSession, Error, async_playwright

from feedsvc.capture.browser_page import Tab
from feedsvc.capture.browser_processes import others
from feedsvc.capture.browser_protocol import LENGTHS, packed

HEAP = 512
"""MiB of JavaScript objects of one page."""
_SUBREAPER = 36
# A later list of features replaces Playwright's own, so that its names stand here as well.
_OFF = (
    "AcceptCHFrame,AimEnabled,AvoidCorsURLLoaderRestartOnRedirect,"
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsFirstBalancedModeAutoEnable,"
    "HttpsUpgrades,LazyFrameLoading,MediaRouter,NetworkTimeServiceQuerying,OptimizationHints,"
    "PaintHolding,PreconnectToSearch,Prerender2,ServiceWorkerAutoPreload,ThirdPartyStoragePartitioning,"
    "Translate"
)
# The second wall: should the browser have a network after all, nothing leads into it.
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-client-side-phishing-detection",
    "--disable-domain-reliability",
    f"--disable-features={_OFF}",
    "--dns-prefetch-disable",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    f"--js-flags=--max-old-space-size={HEAP}",
    "--no-first-run",
    "--no-pings",
    "--proxy-bypass-list=<-loopback>",
    "--proxy-server=http://127.0.0.1:9",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
)
_WEB = ("http://", "https://")

Told = tuple[dict[str, Any], bytes]
"""A message and the bytes behind it."""


class Worker:
    """One browser, one page at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = 0
        self._asked: dict[int, asyncio.Future[Told]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._tab: Tab | None = None
        self._main = ""

    async def serve(self, path: str) -> None:
        """Start the browser, then do what the parent says until it hangs up."""
        async with async_playwright() as playwright:
            self._browser: Browser = await playwright.chromium.launch(
                executable_path=path,
                args=list(ARGUMENTS),
                chromium_sandbox=os.geteuid() != 0,
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
            self._browser.on("disconnected", lambda _: self._crashed("the browser ended"))
            self._session: CDPSession = await self._browser.new_browser_cdp_session()
            self._session.on("Fetch.requestPaused", lambda event: self._begin(self._paused(event)))
            await self._session.send("Fetch.enable", {"patterns": [{"urlPattern": "*"}]})
            version = await self._session.send("Browser.getVersion")
            agent = version["userAgent"].replace("HeadlessChrome", "Chrome")
            self._say({"say": "ready", "version": version["product"], "user_agent": agent})
            while True:
                lengths = LENGTHS.unpack(await self._reader.readexactly(LENGTHS.size))
                message = json.loads(await self._reader.readexactly(lengths[0]))
                self._act(message, await self._reader.readexactly(lengths[1]))

    def _act(self, message: dict[str, Any], data: bytes) -> None:
        if "answer" in message:
            waiting = self._asked.pop(message["answer"], None)
            if waiting is not None and not waiting.done():
                waiting.set_result((message, data))
        else:
            self._begin(self._step(message))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _say(self, message: dict[str, Any], data: bytes = b"") -> None:
        with suppress(OSError):
            self._writer.write(packed(message, data))

    def _crashed(self, reason: str) -> None:
        self._say({"say": "crashed", "reason": reason})

    async def _step(self, message: dict[str, Any]) -> None:
        """Do one step, and say how it went; a step never fails the process."""
        step, problem = message["do"], ""
        try:
            if step == "open":
                await self._open(message)
            elif step == "close":
                await self._close()
            elif self._tab is None:
                problem = "no page is open"
            elif step == "scroll":
                problem = await self._tab.scroll(message["seconds"])
            else:
                parts, problem = await self._tab.read(message["seconds"])
                for name, data in parts.items():
                    self._say({"say": "part", "name": name}, data)
        except (Error, TimeoutError) as error:
            problem = f"{type(error).__name__}: {error}"[:500]
        self._say({"say": "done", "step": step, "problem": problem})

    async def _open(self, message: dict[str, Any]) -> None:
        await self._close()
        self._tab = tab = await Tab.new(self._browser, user_agent=message["user_agent"])
        tab.page.on("crash", lambda _: self._crashed("the page used up its memory, or broke"))
        self._main = tab.frame
        await tab.open(message["url"], seconds=message["seconds"])

    async def _close(self) -> None:
        tab, self._tab, self._main = self._tab, None, ""
        if tab is not None:
            await tab.close()

    # --- requests -----------------------------------------------------------------------

    async def _paused(self, event: dict[str, Any]) -> None:
        """Answer one request of the browser, whatever happens: an unanswered one hangs for ever."""
        number, self._numbers = self._numbers, self._numbers + 1
        paused = {"requestId": event["requestId"]}
        try:
            try:
                answer, data = await self._ask(number, event)
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001 - whatever is wrong with a request, it must not pass
                answer, data = {"refused": "Failed"}, b""
            if "refused" in answer:
                reason = {"errorReason": answer["refused"]}
                await self._session.send("Fetch.failRequest", {**paused, **reason})
                return
            pairs = [{"name": name, "value": value} for name, value in answer["headers"]]
            filled = {"responseCode": answer["status"], "responseHeaders": pairs}
            body = base64.b64encode(data).decode("ascii")
            await self._session.send("Fetch.fulfillRequest", {**paused, **filled, "body": body})
        except Error:
            # The page went on and no longer wants it, the browser is gone, or it takes no such answer.
            with suppress(Error):
                await self._session.send("Fetch.failRequest", {**paused, "errorReason": "Failed"})

    async def _ask(self, number: int, event: dict[str, Any]) -> Told:
        request = event["request"]
        if self._tab is None or not request["url"].startswith(_WEB):
            return {"refused": "BlockedByClient"}, b""
        entries = request.get("postDataEntries") or []
        if request.get("hasPostData") and not all("bytes" in entry for entry in entries):
            return {"refused": "Failed"}, b""
        kind = event.get("resourceType") or ""
        asked = {
            "say": "ask",
            "number": number,
            "method": request["method"],
            "url": request["url"],
            "headers": list(request["headers"].items()),
            "kind": kind,
            "main": kind == "Document" and event.get("frameId") == self._main,
        }
        waiting: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._asked[number] = waiting
        self._say(asked, b"".join(base64.b64decode(entry["bytes"]) for entry in entries))
        return await waiting


def _end() -> None:
    """End everything this process started, and itself."""
    for _ in range(50):
        running = others(os.getpid())
        for pid in running:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not running:
            break
        time.sleep(0.01)
    shutil.rmtree(os.environ["HOME"], ignore_errors=True)
    os._exit(0)


def _watch(lifeline: int) -> None:
    """Wait until the parent is gone, in a thread: the event loop may be stuck."""
    with suppress(OSError):
        while os.read(lifeline, 1):
            pass
    _end()


def _limit(memory: int) -> None:
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):
        # Not RLIMIT_AS: Chromium reserves terabytes of addresses that it never uses.
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            # What loses its parent becomes ours, so that it is found and ended.
            ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


async def _main(line: int, path: str) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=line))
    worker = Worker(reader, writer)
    try:
        await worker.serve(path)
    except (EOFError, OSError):
        pass
    except Error as error:
        writer.write(packed({"say": "crashed", "reason": str(error)[:500]}))
        await writer.drain()


def main(line: str, lifeline: str, path: str, memory: str) -> None:
    """Run until the parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _limit(int(memory))
    threading.Thread(target=_watch, args=(int(lifeline),), daemon=True).start()
    try:
        asyncio.run(_main(int(line), path))
    finally:
        _end()


if __name__ == "__main__":
    main(*sys.argv[1:])
