"""Which browser is there, and whether it can be kept from every network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome-headless-shell",
)
_APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_CACHES = (".cache/ms-playwright", "Library/Caches/ms-playwright")
_OWN = (
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/Chromium.app/Contents/MacOS/Chromium",
)
# The user stays who he is where that can be had: Chromium's own sandbox does not run as root.
_ISOLATED = (
    ("unshare", "--net", "--map-current-user", "--"),
    ("unshare", "--net", "--map-root-user", "--"),
)


@dataclass(frozen=True, slots=True)
class Chromium:
    """A browser that can be started."""

    path: str
    prefix: tuple[str, ...] = ()
    """What to start it by, so that it has no network at all; empty if that cannot be had."""

    @property
    def isolated(self) -> bool:
        """True if the system keeps it from every network, false if only its settings do."""
        return bool(self.prefix)


@dataclass(frozen=True, slots=True)
class Absent:
    """Why there is no browser, and what to do about it."""

    reason: str
    remedy: str


def find_browser(path: str) -> Chromium | Absent:
    """Return the Chromium at ``path``, or one with a usual name or place if that is empty."""
    if find_spec("playwright") is None:
        return Absent("Playwright is not installed", "install the extra: feedsvc[browser]")
    if path:
        found = shutil.which(str(Path(path).expanduser()))
        if found is None:
            return Absent(f"{path} is no program", "correct archive.browser_path")
    else:
        found = next(_candidates(), None)
        if found is None:
            return Absent("no Chromium was found", "install chromium, or set archive.browser_path")
    return Chromium(found, isolation())


def _candidates() -> Iterator[str]:
    for name in NAMES:
        if found := shutil.which(name):
            yield found
    yield from (one for one in _APPLICATIONS if os.access(one, os.X_OK))
    for cache_folder in _CACHES:
        for pattern in _OWN:
            # The newest of those that `playwright install` left.
            found_there = sorted((Path.home() / cache_folder).glob(pattern), reverse=True)
            yield from (str(one) for one in found_there if os.access(one, os.X_OK))


def isolation() -> tuple[str, ...]:
    """Return the command that runs another without any network, empty if this system has none."""
    if not sys.platform.startswith("linux"):
        return ()
    for prefix in _ISOLATED:
        try:
            done = subprocess.run([*prefix, "true"], capture_output=True, check=False, timeout=10)  # noqa: S603 - fixed commands
        except (OSError, subprocess.TimeoutExpired):
            return ()
        if done.returncode == 0:
            return prefix
    return ()
