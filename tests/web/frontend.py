"""A real web server in front of a real site, from the configuration that docs/serve has."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "serve"
_PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin"
_SECONDS = 15.0


def program(name: str) -> str:
    """Return where a program is; without it the test is skipped, which fails in CI."""
    found = shutil.which(name, path=_PLACES)
    if found is None:
        pytest.skip(f"no {name} on this machine")  # .ci/run installs it
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def nginx(work: Path, *, root: Path, upstream: int) -> Iterator[int]:
    """Run nginx with docs/serve/nginx.conf for a site's folder; yield its port."""
    port = free_port()
    site = _changed(
        "nginx.conf",
        {
            "listen 80;": f"listen 127.0.0.1:{port};",
            "server_name feeds.example.org;": "server_name localhost;",
            "/var/log/nginx/access.log": str(work / "access.log"),
            "/srv/feedsvc": str(root),
            "127.0.0.1:8080": f"127.0.0.1:{upstream}",
        },
    )
    (work / "site.conf").write_text(site)
    places = "\n".join(
        f"{kind}_temp_path {work}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # As root nginx would work as somebody who may not read what a test wrote.
    user = f"user {pwd.getpwuid(0).pw_name};" if os.getuid() == 0 else ""
    (work / "main.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid {work}/pid; error_log stderr;\n"
        f"events {{ worker_connections 64; }}\n"
        f"http {{ default_type application/octet-stream;\n{places}\ninclude {work}/site.conf; }}\n"
    )
    command = [program("nginx"), "-p", str(work), "-e", "stderr", "-c", str(work / "main.conf")]
    with _running(command, port=port, log=work / "log"):
        yield port


@contextmanager
def caddy(work: Path, *, root: Path, upstream: int) -> Iterator[int]:
    """Run Caddy with docs/serve/Caddyfile for a site's folder; yield its port."""
    port = free_port()
    site = _changed(
        "Caddyfile",
        {
            "feeds.example.org {": f"http://localhost:{port}, http://127.0.0.1:{port} {{\n\tbind 127.0.0.1",
            "/srv/feedsvc": str(root),
            "127.0.0.1:8080": f"127.0.0.1:{upstream}",
        },
    )
    (work / "Caddyfile").write_text("{\n\tadmin off\n}\n" + site)
    command = [
        program("caddy"),
        "run",
        "--config",
        str(work / "Caddyfile"),
        "--adapter",
        "caddyfile",
    ]
    environment = {**os.environ, "HOME": str(work), "XDG_DATA_HOME": str(work)}
    with _running(command, port=port, log=work / "log", environment=environment):
        yield port


def _changed(name: str, changes: Mapping[str, str]) -> str:
    text = (DOCS / name).read_text()
    for old, new in changes.items():
        assert old in text, f"docs/serve/{name} has no {old!r}"
        text = text.replace(old, new)
    return text


@contextmanager
def _running(
    command: list[str], *, port: int, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output, env=environment) as process,
    ):
        try:
            _await_port(process, port, log)
            yield
        finally:
            process.terminate()
            process.wait(_SECONDS)


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    ends = time.monotonic() + _SECONDS
    while time.monotonic() < ends:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(log.read_text())
