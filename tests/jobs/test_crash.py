"""What a `kill -9` may do: repeat work, never lose or double a result."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedsvc import jobs
from feedsvc.jobs.helper import WORTH
from feedsvc.runtime import Runtime
from tests.jobs.site import BODY, Seeds, open_site
from tests.origin import Listener, Origin

COUNT = 12
ENDS = {".rss": b"</rss>", ".atom": b"</feed>", ".opml": b"</opml>"}
"""How documents end that are whole."""


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A web server that takes a moment for every page, so that kills hit captures."""
    served = Origin()
    listener = Listener(served)
    yield served
    listener.close()


def fill(seeds: Seeds, origin: Origin, count: int = COUNT) -> None:
    body = "".join(f"<p>{part}</p>" for part in BODY.split("\n\n"))
    origin.page("/style.css", b"p{}" * 2000, headers=(("Content-Type", "text/css"),))
    for number in range(count):
        page = f"<html><head><link rel=stylesheet href=/style.css></head><h1>Report {number}</h1>"
        origin.page(f"/{number}", (page + body + "</html>").encode())
        url = origin.url(f"/{number}")
        seeds.write(
            f"{number}.md", title=f"Report {number}", url=url, date=f"2024-05-{number % 28 + 1:02}"
        )


def environment(origin: Origin) -> dict[str, str]:
    return os.environ | {
        "FEEDSVC_ARCHIVE__ALLOW_HOSTS": origin.host,
        "FEEDSVC_ARCHIVE__PER_HOST_DELAY": "0s",
    }


def feedsvc(site: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "feedsvc", "--root", str(site), "--json", *arguments]


def finish(site: Path, origin: Origin, *arguments: str) -> dict[str, object]:
    done = subprocess.run(
        feedsvc(site, *arguments),
        env=environment(origin),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, object] = json.loads(done.stdout)
    return report


def load(site: Path) -> None:
    with open_site(site) as runtime:
        jobs.ingest_seeds(runtime)


def feeds_without_snapshots(site: Path) -> dict[str, bytes]:
    """Feed files; which snapshot an entry leads to is chance, so captures come afterwards."""
    return {path.name: path.read_bytes() for path in (site / "feeds").iterdir()}


def test_kills_at_any_moment_lose_nothing_and_double_nothing(
    site: Path, seeds: Seeds, origin: Origin, tmp_path: Path
) -> None:
    fill(seeds, origin)
    reference = tmp_path / "reference"
    (reference / "seeds").mkdir(parents=True)
    fill(Seeds(reference / "seeds"), origin)
    finish(reference, origin, "rebuild")
    fixed: dict[Path, bytes] = {}

    for kill_after in (0.3, 0.45, 0.55, 0.65, 0.75, 0.9, 1.1):
        process = subprocess.Popen(
            feedsvc(site, "rebuild", "--capture"),
            env=environment(origin),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        for path in (site / "feeds").rglob("[a-z0-9]*.*"):
            seen = path.read_bytes()
            if path.suffix in ENDS:
                assert seen.rstrip().endswith(ENDS[path.suffix])
            elif path.suffix == ".json":
                json.loads(seen)
            else:
                fixed[path] = seen

    report = finish(site, origin, "rebuild", "--capture")
    assert report["articles"] == COUNT
    assert {path: path.read_bytes() for path in fixed} == fixed
    check(site)
    finish(site, origin, "publish")
    assert finish(site, origin, "rebuild")["written"] == 0
    names = feeds_without_snapshots(reference).keys()
    assert feeds_without_snapshots(site).keys() == names


def check(site: Path, count: int = COUNT) -> None:
    """Every article is archived once, and everything at rest is known and whole."""
    with open_site(site) as runtime:
        assert jobs.verify(runtime).damage == ()
        assert jobs.status(runtime).archived == count
        assert in_flight(runtime) == 0
        with runtime.database.reading() as store:
            for article in store.newest(count):
                assert len(store.snapshots(article.id)) == 1
        assert len(list(runtime.archive.stored())) == count


def in_flight(runtime: Runtime) -> int:
    return jobs.status(runtime).in_flight


def test_what_a_killed_run_had_leased_is_due_at_once(
    site: Path, seeds: Seeds, origin: Origin
) -> None:
    fill(seeds, origin)
    hung = origin.stopping

    def hang(_connection: object, _seen: object) -> None:
        reached.set()
        hung.wait(30)

    reached = threading.Event()
    quick = origin.replies["/0"]
    origin.raw("/0", hang)
    load(site)
    process = subprocess.Popen(
        feedsvc(site, "capture", "--article", "seeds/0.md"),
        env=environment(origin),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert reached.wait(20)
    process.kill()
    process.wait(10)
    with open_site(site) as runtime:
        assert in_flight(runtime) == 1
    stray = site / "data" / "snapshots" / "2026" / "11"
    stray.mkdir(parents=True)
    (stray / ".tmp-0").write_bytes(b"half a snapshot")
    os.utime(stray / ".tmp-0", (1, 1))
    origin.replies["/0"] = quick
    finish(site, origin, "capture")
    assert list(stray.glob(".tmp-*")) == []
    check(site)


@pytest.mark.parametrize("victim", ["helper", "run"])
def test_a_run_with_a_helper_process_survives_the_death_of_either(
    victim: str, site: Path, seeds: Seeds, origin: Origin
) -> None:
    fill(seeds, origin, WORTH + 6)
    reply = origin.replies[f"/{WORTH // 2}"]
    reached, go_on = threading.Event(), threading.Event()

    def hold(connection: Any, _seen: object) -> None:
        reached.set()
        go_on.wait(30)
        connection.sendall(reply)

    assert isinstance(reply, bytes)
    origin.raw(f"/{WORTH // 2}", hold)
    load(site)
    process = subprocess.Popen(
        feedsvc(site, "capture"),
        env=environment(origin),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert reached.wait(20)
    (helper,) = children(process.pid)
    ended = os.pidfd_open(helper)
    os.kill(helper if victim == "helper" else process.pid, signal.SIGKILL)
    go_on.set()
    code = process.wait(30)
    assert select.select([ended], [], [], 10)[0], "the helper is still there"
    os.close(ended)
    assert code == (0 if victim == "helper" else -signal.SIGKILL)
    finish(site, origin, "capture")
    check(site, WORTH + 6)


def children(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
