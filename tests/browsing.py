"""One real browser for each process of tests: starting one takes a second, a window none."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

T = TypeVar("T")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"),
    *("--no-first-run", "--disable-sync", "--disable-background-networking"),
    *("--disable-component-update", "--no-pings"),
)
PATIENCE = 60.0


@dataclass(frozen=True)
class Chromium:
    """A running browser, used in the one thread Playwright may be used from."""

    browser: Browser
    thread: ThreadPoolExecutor

    def use(self, act: Callable[[Browser], T]) -> T:
        """Return what ``act`` does with the browser; it closes the windows it opens."""
        return self.thread.submit(act, self.browser).result(PATIENCE)


@contextmanager
def running_chromium(*, everywhere: str) -> Iterator[Chromium]:
    """Start the browser of this machine, or skip.

    Names below .test lead to the server ``everywhere``, all others but this machine's nowhere.
    """
    if not CHROMIUM:
        pytest.skip("no Chromium: install chromium")  # .ci/run always has one
    # An extra; tests/requirements.lock has it.
    playwright = pytest.importorskip("playwright.sync_api")
    rules = f"MAP *.test {everywhere}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
    arguments = [*ARGUMENTS, f"--host-resolver-rules={rules}"]
    # Playwright's loop lives in a thread of its own, so that no other test finds one running.
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(playwright.sync_playwright().start).result(PATIENCE)
        browser = thread.submit(
            lambda: running.chromium.launch(executable_path=CHROMIUM, args=arguments)
        ).result(PATIENCE)
        yield Chromium(browser, thread)
        thread.submit(browser.close).result(PATIENCE)
        thread.submit(running.stop).result(PATIENCE)
