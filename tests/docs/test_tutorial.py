"""Law of the tutorial: whoever types its commands gets what it shows."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.origin import Listener, Origin

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
PAGE = "https://www.rfc-editor.org/rfc/rfc4287.html"
SERVE = "feedsvc run\n"

_BLOCK = re.compile(r"```sh\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)


@pytest.fixture
def page() -> Iterator[Origin]:
    origin = Origin()
    listener = Listener(origin)
    text = "".join(f"<p>Paragraph {n} of a format for feeds, said in full.</p>" for n in range(9))
    title = "The Atom Syndication Format"
    origin.page(
        "/rfc4287.html",
        f"<html><head><title>{title}</title></head><body><article><h1>{title}</h1>{text}"
        "</article></body></html>".encode(),
    )
    yield origin
    listener.close()


@pytest.fixture
def environ(page: Origin, tmp_path: Path) -> dict[str, str]:
    """What a reader's terminal has, but no way to the internet."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "feedsvc").write_text(f'#!/bin/sh\nexec {sys.executable} -m feedsvc "$@"\n')
    (programs / "feedsvc").chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FEEDSVC_")}
    return kept | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "FEEDSVC_ARCHIVE__ALLOW_HOSTS": page.host,
        "FEEDSVC_ARCHIVE__BROWSER": "never",
        # The articles of the demonstration have their originals on the web.
        "FEEDSVC_SCHEDULE__CAPTURE": "off",
    }


@pytest.fixture
def start(environ: dict[str, str]) -> Iterator[Callable[[Path, int], subprocess.Popen[bytes]]]:
    """Start the service, as in a terminal of its own, and wait until it answers."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(folder: Path, port: int) -> subprocess.Popen[bytes]:
        service = subprocess.Popen(
            ["feedsvc", "run"], cwd=folder, env=environ, stderr=subprocess.DEVNULL
        )
        running.append(service)
        _await(port, service)
        return service

    yield begin
    for one in running:
        one.kill()
        one.wait()


def test_every_command_does_what_the_tutorial_shows(
    environ: dict[str, str],
    page: Origin,
    tmp_path: Path,
    start: Callable[[Path, int], subprocess.Popen[bytes]],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ["FEEDSVC_WEB__PORT"] = str(port)
    folder, service = tmp_path, None
    blocks = _BLOCK.findall(TUTORIAL)
    assert len(blocks) > 6
    for commands, shown in blocks:
        if commands == SERVE:
            folder = tmp_path / "tutorial"
            service = start(folder, port)
            continue
        script = commands.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
        script = script.replace(PAGE, page.url("/rfc4287.html"))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), commands
        assert _is_shown(shown, done.stdout), (commands, done.stdout)
    assert page.count("/rfc4287.html") == 1
    assert service is not None
    service.send_signal(signal.SIGINT)
    assert service.wait(timeout=20) == 0


def test_the_drill_ends_with_the_same_feeds(environ: dict[str, str], tmp_path: Path) -> None:
    text = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")
    (drill,) = re.findall(r"```sh\n(.*?)```", text.partition("## A drill")[2], re.DOTALL)
    script = f"feedsvc init --demo .\nfeedsvc rebuild\n{drill}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("the same, byte for byte\n")
    assert not (tmp_path / "drill").exists()


def _is_shown(shown: str, out: str) -> bool:
    """Tell whether the lines shown end what was printed; an ellipsis stands for anything."""
    pattern = ".*".join(map(re.escape, shown.rstrip("\n").split("…")))
    return re.search(rf"(?:^|\n){pattern}\n*\Z", out, re.DOTALL) is not None


def _await(port: int, service: subprocess.Popen[bytes]) -> None:
    """Wait until a feed with entries is served; fail if the service ends before."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    deadline = time.monotonic() + 60
    while service.poll() is None and time.monotonic() < deadline:
        try:
            connection.request("GET", "/feeds/all.atom")
            if b"<entry" in connection.getresponse().read():
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise AssertionError("the service does not answer")
