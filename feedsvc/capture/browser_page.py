"""One page in a browser, inside the browser's process: opened, scrolled, read, closed."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, TypeVar

from playwright.async_api import Browser, BrowserContext, CDPSession, Error, Page

from feedsvc.capture.browser_view import HEIGHT, THUMBNAIL, VIEW_HEIGHT, WIDTH

MAX_PART = 16 << 20
"""Bytes of text, markup or picture; a larger one is left out."""
_CLOSING = 5.0
# A browser without a way to other hosts but the parent's must not look for another.
_INIT = """
for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection', 'RTCDataChannel', 'WebTransport'])
  delete globalThis[name];
globalThis.open = () => null;
globalThis.print = () => {};
"""
_SCRIPT = files(__package__).joinpath("browser_page.js").read_text("utf-8")

T = TypeVar("T")


@dataclass(slots=True)
class Tab:
    """A page in a context of its own: no cookies, cache or storage of another page."""

    context: BrowserContext
    page: Page
    session: CDPSession
    frame: str
    """Id of its main frame."""

    @classmethod
    async def new(cls, browser: Browser, *, user_agent: str) -> Tab:
        """Make an empty one."""
        context = await browser.new_context(
            service_workers="block",
            accept_downloads=False,
            viewport={"width": WIDTH, "height": HEIGHT},
            user_agent=user_agent,
        )
        await context.add_init_script(_INIT)
        page = await context.new_page()
        session = await context.new_cdp_session(page)
        tree = await session.send("Page.getFrameTree")
        context.on("page", lambda other: asyncio.ensure_future(_shut(other)))
        page.on("dialog", lambda dialog: asyncio.ensure_future(_quietly(dialog.dismiss())))
        return cls(context, page, session, tree["frameTree"]["frame"]["id"])

    async def open(self, url: str, *, seconds: float) -> None:
        """Go to an address, until its first bytes are there; raise playwright's errors."""
        limit = seconds * 1000
        try:
            await self.page.goto(url, wait_until="commit", timeout=limit)
        except Error as error:
            # A page that leads elsewhere by script before it is there.
            if "interrupted by another navigation" not in str(error):
                raise

    async def scroll(self, seconds: float) -> str:
        """Have lazy pictures loaded and scroll to the end; return what went wrong."""
        _, problem = await self._bounded(
            lambda: self._run(f"page.scroll({int(seconds * 1000)})"), seconds + 2
        )
        return problem

    async def read(self, seconds: float) -> tuple[dict[str, bytes], str]:
        """Return the page's text, pictures and markup, and what went wrong.

        Each has ``seconds``; of those that take longer there is none.
        """
        parts: dict[str, bytes] = {}
        problems = []
        ways: tuple[tuple[str, Callable[[], Awaitable[bytes]]], ...] = (
            ("text", self._text),
            ("view", self._view),
            ("thumbnail", self._thumbnail),
            ("dom", self._dom),
        )
        for name, way in ways:
            found, problem = await self._bounded(way, seconds)
            if found is None:
                # The first try may have freed the page of a script that never ended.
                found, problem = await self._bounded(way, seconds)
            if found is not None and len(found) <= MAX_PART:
                parts[name] = found
            elif problem:
                problems.append(f"{name}: {problem}")
        return parts, "; ".join(problems)

    async def close(self) -> None:
        """Close it; raise TimeoutError if it does not close."""
        await asyncio.wait_for(self.context.close(), _CLOSING)

    async def _run(self, expression: str) -> Any:
        """Return what an expression gives, in a world that the page's own scripts do not share."""
        world = await self.session.send("Page.createIsolatedWorld", {"frameId": self.frame})
        asked = {"expression": f"{_SCRIPT}\n{expression}", "awaitPromise": True}
        context = {"contextId": world["executionContextId"], "returnByValue": True}
        answer = await self.session.send("Runtime.evaluate", {**asked, **context})
        if failed := answer.get("exceptionDetails"):
            raise Error(str(failed.get("exception", {}).get("description") or failed.get("text")))
        return answer["result"].get("value")

    async def _text(self) -> bytes:
        return str(await self._run("page.text()")).encode("utf-8", "replace")

    async def _dom(self) -> bytes:
        return str(await self._run("page.markup()")).encode("utf-8", "replace")

    async def _view(self) -> bytes:
        layout = await self.session.send("Page.getLayoutMetrics")
        height = min(max(float(layout["cssContentSize"]["height"]), HEIGHT), VIEW_HEIGHT)
        return await self._picture({"format": "png"}, height=height, scale=1.0)

    async def _thumbnail(self) -> bytes:
        kind = {"format": "jpeg", "quality": 70}
        return await self._picture(kind, height=HEIGHT, scale=THUMBNAIL / WIDTH)

    async def _picture(self, kind: dict[str, Any], *, height: float, scale: float) -> bytes:
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": scale}
        beyond = {"captureBeyondViewport": height > HEIGHT, "clip": clip}
        shot = await self.session.send("Page.captureScreenshot", {**kind, **beyond})
        return base64.b64decode(shot["data"])

    async def _bounded(
        self, way: Callable[[], Awaitable[T]], seconds: float
    ) -> tuple[T | None, str]:
        """Do something with the page that may never end, and free it of what keeps it busy."""
        try:
            return await asyncio.wait_for(way(), seconds), ""
        except TimeoutError:
            await self._free()
            return None, f"not done in {seconds:g} s"
        except Error as error:
            return None, str(error).partition("\n")[0][:200]

    async def _free(self) -> None:
        """Stop the page's scripts: these two are heard even while one of them runs for ever."""
        for method, parameters in (
            ("Emulation.setScriptExecutionDisabled", {"value": True}),
            ("Runtime.terminateExecution", {}),
        ):
            with suppress(Error, TimeoutError):
                await asyncio.wait_for(self.session.send(method, parameters), 1)


async def _shut(page: Page) -> None:
    await _quietly(page.close())


async def _quietly(action: Awaitable[Any]) -> None:
    with suppress(Error):
        await action
