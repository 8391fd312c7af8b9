"""Laws of a site that can only be read: it is looked at, checked and served all the same."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.powerless import run_powerless

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(command: Callable[..., Any], site: Path) -> Iterator[Run]:
    """Run commands on a published site whose files and folders cannot be written."""
    assert command("rebuild", "--root", site).code == 0
    places = [site, *site.rglob("*")]
    modes = {path: path.stat().st_mode for path in places}
    for path in places:
        path.chmod(modes[path] & 0o555)
    yield lambda *words: run_powerless("-m", "feedsvc", "--root", str(site), *words)
    for path in places:
        path.chmod(modes[path])


def test_it_is_looked_at_and_checked(run: Run) -> None:
    for words in (("status",), ("verify",), ("topics",), ("config", "check")):
        done = run(*words)
        assert (done.returncode, done.stderr) == (0, ""), words
        assert done.stdout


def test_damage_is_found_and_told(run: Run, site: Path) -> None:
    feed = site / "feeds" / "all.atom"
    mode = feed.stat().st_mode
    feed.chmod(0o600)
    feed.write_bytes(b"something else")
    feed.chmod(mode)
    done = run("verify")
    assert done.returncode == 6
    assert "all.atom" in done.stdout


@pytest.mark.parametrize("word", ["ingest", "publish", "capture", "rebuild", "run"])
def test_what_would_write_says_what_it_may_not(run: Run, site: Path, word: str) -> None:
    done = run(word)
    assert done.returncode == 4
    assert len([line for line in done.stderr.splitlines() if line.startswith("feedsvc: ")]) == 1
    assert str(site / "data") in done.stderr


def test_it_is_served(run: Run) -> None:
    program = """
import os, signal, socket, sys, threading, urllib.request
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
os.environ["FEEDSVC_WEB__PORT"] = str(port)

def ask():
    for _ in range(200):
        try:
            for path in ("/", "/feeds/all.atom"):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                    print(answer.status)
            break
        except OSError:
            threading.Event().wait(0.05)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=ask).start()
from feedsvc.cli import main
sys.exit(main(sys.argv[1:]))
"""
    root = run("config", "show").stdout.splitlines()[0].removeprefix("root ")
    done = run_powerless("-c", program, "--root", root, "serve")
    assert (done.returncode, done.stdout) == (0, "200\n200\n"), done.stderr
