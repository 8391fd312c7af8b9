"""A site with a free port, and the service as a process whose log can be waited for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import feedsvc
from tests.databases import SITE_FILE, put_new_file

PATIENCE = 30.0
ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if not key.startswith("FEEDSVC_")},
    "PYTHONPATH": str(Path(feedsvc.__file__).parents[1]),
    "PYTHONUNBUFFERED": "1",
    "FEEDSVC_LOG": "plain",
}


def eventually(check: Callable[[], Any], *, seconds: float = PATIENCE) -> Any:
    """Return the first true answer of ``check``; fail if there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come true in time")


class Running:
    """A started command line; its log is collected line by line."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environ
        )
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                self.log.append(line)

    def logged(self, text: str) -> str:
        """Wait for a log line that contains ``text`` and return it."""

        def found() -> str | None:
            lines = [line for line in list(self.log) if text in line]
            if not lines and self.process.poll() is not None and not self._reader.is_alive():
                raise AssertionError(f"ended without {text!r}: {''.join(self.log)}")
            return lines[-1] if lines else None

        return str(eventually(found))

    def signal(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for its end and return the exit code."""
        code = self.process.wait(timeout=PATIENCE)
        self._reader.join(timeout=PATIENCE)
        return code


Start = Callable[..., Running]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def site(tmp_path: Path, port: int) -> Path:
    """A site with one article and a port of its own."""
    (tmp_path / "config").mkdir()
    (tmp_path / "seeds").mkdir()
    write_settings(tmp_path, port)
    put_new_file(tmp_path / SITE_FILE)
    write_seed(tmp_path, "first", "The first article")
    return tmp_path


@pytest.fixture
def start(site: Path) -> Iterator[Start]:
    """Start `feedsvc COMMAND` on the site."""
    running: list[Running] = []

    def launch(*arguments: str, command: list[str] | None = None, **environ: str) -> Running:
        line = command or [sys.executable, "-m", "feedsvc", "--root", str(site), *arguments]
        one = Running(line, ENVIRONMENT | environ)
        running.append(one)
        return one

    yield launch
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
        one.ended()


@dataclass(frozen=True)
class Helpers:
    """What tests of the service do to a site and ask of it."""

    eventually: Callable[..., Any]
    fetch: Callable[[int, str], str]
    write_seed: Callable[[Path, str, str], None]
    write_settings: Callable[..., None]


@pytest.fixture
def helpers() -> Helpers:
    return Helpers(eventually, fetch, write_seed, write_settings)


def write_settings(site: Path, port: int, more: str = "") -> None:
    """Write a site's settings."""
    (site / "config" / "feedsvc.toml").write_text(f"[web]\nport = {port}\n{more}")


def write_seed(site: Path, name: str, title: str) -> None:
    """Write a seed, whole, as an editor does."""
    text = f"# {title}\n\n2026-01-02\n\nHeavy rain and a gale reached the coast on Friday.\n"
    part = site / "seeds" / f".{name}.part"
    part.write_text(text, encoding="utf-8")
    part.rename(site / "seeds" / f"{name}.md")


def fetch(port: int, path: str) -> str:
    """Return what the server answers, empty if it does not (yet)."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""
