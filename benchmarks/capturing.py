"""Archiving a website: feedsvc against wget, the same pages from the same server, in pairs."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpus import as_seed, make_article
from benchmarks.measure import FEEDSVC, Cost, Row, megabytes, run
from benchmarks.website import write_site

_NGINX = """
daemon off; master_process on; worker_processes 2; pid {work}/nginx.pid; error_log stderr crit;
events {{ worker_connections 512; }}
http {{
    include /etc/nginx/mime.types; access_log off; sendfile on; keepalive_requests 100000;
    client_body_temp_path {work}; proxy_temp_path {work}; fastcgi_temp_path {work};
    uwsgi_temp_path {work}; scgi_temp_path {work};
    server {{ listen 127.0.0.1:{port}; root {site}; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Archived:
    """One run over the whole site."""

    cost: Cost
    responses: int
    """Records of type response or revisit: what was fetched."""
    size: int


def capture(work: Path, *, pages: int, pairs: int) -> Iterator[Row]:
    """Capture static pages with what they need."""
    wget = shutil.which("wget")
    site = work / "website"
    total = write_site(site, pages)
    with server(site, work) as (name, port):
        base = f"http://127.0.0.1:{port}"
        prepared = prepare(work / "capture", base, port=port, pages=pages)
        (work / "list.txt").write_text("".join(f"{base}/{n}.html\n" for n in range(pages)))
        yield Row(f"{pages} pages, {total / 1e6:.0f} MB, 6 shared files, served by {name}", "")
        if wget is None:
            yield Row("wget is not installed, so there is nothing to compare with", "skipped")
        ours: list[Archived] = []
        theirs: list[Archived] = []
        for pair in range(pairs):
            ours.append(_feedsvc(prepared, work / f"ours-{pair}", pages))
            if wget is not None:
                theirs.append(_wget(wget, work / f"theirs-{pair}", work / "list.txt"))
    yield _row("feedsvc capture", ours, pages)
    yield Row("  peak memory", megabytes(max(one.cost.peak for one in ours)))
    if theirs:
        yield _row("wget --warc-file -p", theirs, pages)
        yield _ratio(ours, theirs)


def _row(name: str, runs: list[Archived], pages: int) -> Row:
    rates = [pages / one.cost.wall for one in runs]
    last = runs[-1]
    return Row(
        f"{name} ({last.responses:,} responses, {last.size / 1e6:.1f} MB of WARC)",
        f"{', '.join(f'{rate:.0f}' for rate in rates)} pages/s, "
        f"{statistics.median(one.cost.cpu for one in runs):.2f} s CPU",
    )


def _ratio(ours: list[Archived], theirs: list[Archived]) -> Row:
    ratios = [b.cost.wall / a.cost.wall for a, b in zip(ours, theirs, strict=True)]
    cpu = statistics.median(b.cost.cpu / a.cost.cpu for a, b in zip(ours, theirs, strict=True))
    return Row(
        "feedsvc / wget, pages per second, by pair",
        f"{', '.join(f'{one:.2f}' for one in ratios)}: median {statistics.median(ratios):.2f}"
        f" (CPU {cpu:.2f})",
        ">= 1.5, aim 2",
    )


def prepare(site: Path, base: str, *, port: int, pages: int) -> Path:
    """Make a site whose articles are those of the pages, loaded and due."""
    for folder in ("config", "seeds"):
        (site / folder).mkdir(parents=True, exist_ok=True)
    (site / "config" / "feedsvc.toml").write_text(
        f'[archive]\nallow_hosts = ["127.0.0.1:{port}"]\nper_host = 16\nper_host_delay = "0s"\n'
        'robots = "ignore"\n',
        encoding="utf-8",
    )
    for number in range(pages):
        seed = as_seed(make_article(number), url=f"{base}/{number}.html")
        (site / "seeds" / f"{number}.md").write_text(seed, encoding="utf-8")
    shutil.rmtree(site / "data", ignore_errors=True)
    loaded = run([*FEEDSVC, "ingest", "--root", site, "--json"])
    assert json.loads(loaded.output)["new"] == pages, loaded.output
    return site


def _feedsvc(prepared: Path, copy: Path, pages: int) -> Archived:
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(prepared, copy)
    cost = run([*FEEDSVC, "capture", "--root", copy, "--json"])
    report = json.loads(cost.output)
    verified = sum(one["outcome"] == "verified" for one in report["attempts"])
    assert verified == pages, f"{verified} of {pages} verified: {report['attempts'][:3]}"
    return _archived(cost, copy / "data" / "snapshots")


def _wget(program: str, folder: Path, pages: Path) -> Archived:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    cost = run(
        [
            *(program, "--quiet", "--execute", "robots=off", "--page-requisites"),
            *("--warc-file", folder / "site", "--directory-prefix", folder / "files"),
            *("--input-file", pages),
        ]
    )
    return _archived(cost, folder)


def _archived(cost: Cost, folder: Path) -> Archived:
    responses = size = 0
    for path in folder.rglob("*.warc.gz"):
        size += path.stat().st_size
        with gzip.open(path) as file:
            text = file.read()
        responses += len(re.findall(rb"\r\nWARC-Type: (?:response|revisit)\r\n", text))
    return Archived(cost, responses, size)


@contextmanager
def server(site: Path, work: Path) -> Iterator[tuple[str, int]]:
    """Serve a folder on loopback from processes of their own; give name and port."""
    nginx = shutil.which("nginx")
    if nginx is None:
        command = [sys.executable, "-m", "benchmarks.server", str(site)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            assert process.stdout is not None
            try:
                yield "a Python server", int(process.stdout.readline())
            finally:
                _end(process)
        return
    port = _free_port()
    configuration = work / "nginx.conf"
    configuration.write_text(_NGINX.format(work=work, site=site, port=port), encoding="ascii")
    with subprocess.Popen([nginx, "-c", configuration], start_new_session=True) as process:
        try:
            _wait_for(port)
            yield "nginx", port
        finally:
            _end(process)


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """End a server with the processes it started: they share a session of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def _wait_for(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing answers on port {port}")
