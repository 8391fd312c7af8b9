"""The pictures of the README: the demonstration in a real Chromium.

`python -m tests.docs.pictures docs/images` takes them again.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

from feedsvc.ingest import parse_seed
from tests.browsing import ARGUMENTS, CHROMIUM
from tests.jobs.importing import Archive

ROOT = Path(__file__).parents[2]
WIDTH, HEIGHT = 1000, 760
PICTURES = ("home.png", "article.png")
CAPTURED = ("2026-08-30T07:12:09Z", "2026-09-29T07:40:51Z")


def make_site(root: Path) -> str:
    """Make the demonstration with captures of its originals; return one article's path."""
    for words in (["init", "--demo", str(root)], ["ingest"]):
        _run(root, words)
    archive = Archive()
    for file in sorted((root / "seeds").iterdir()):
        seed = parse_seed(file.name, file.read_bytes())
        page = f"<title>{seed.title}</title><article><h1>{seed.title}</h1>{seed.html}</article>"
        for moment in CAPTURED:
            archive.response(str(seed.url), page.encode(), date=moment)
    captures = root / "captures.warc.gz"
    captures.write_bytes(archive.file.getvalue())
    for words in (["import", str(captures)], ["publish"]):
        _run(root, words)
    told = json.loads(_run(root, ["topics", "show", "seeds/memento.md", "--json"]))
    return f"/articles/{told['article']['id']}"


def _run(root: Path, words: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "feedsvc", "--root", str(root), "--quiet", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


@contextlib.contextmanager
def served(root: Path) -> Iterator[str]:
    """Serve a site from a process of its own; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "FEEDSVC_WEB__PORT": str(port)}
    words = [sys.executable, "-m", "feedsvc", "--root", str(root), "--quiet", "serve"]
    server = subprocess.Popen(words, env=environ)
    try:
        _await(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=20)


def _await(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise RuntimeError("the site is not served")


def take(folder: Path) -> None:
    """Write the pictures into a folder."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "site"
        pages = dict(zip(PICTURES, ("/", make_site(root)), strict=True))
        with served(root) as site, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS])
            page = browser.new_page(
                viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light"
            )
            for name, path in pages.items():
                answer = page.goto(f"{site}{path}")
                if answer is None or answer.status != 200:
                    raise RuntimeError(f"{path} was not answered")
                (folder / name).write_bytes(page.screenshot(animations="disabled"))
            browser.close()


def size_of(picture: bytes) -> tuple[int, int]:
    """Return width and height of a PNG."""
    file = io.BytesIO(picture)
    file.seek(16)
    return int.from_bytes(file.read(4)), int.from_bytes(file.read(4))


if __name__ == "__main__":
    take(Path(sys.argv[1]))
