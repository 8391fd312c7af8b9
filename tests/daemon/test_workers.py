"""Laws of several processes on one address: all of them show the same, and none is missed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from feedsvc.daemon.signals import Signals
from feedsvc.daemon.workers import Crew, attend, inherited
from feedsvc.storage.blobs import DiskBlobs
from tests.web.frontend import free_port

SECONDS = 30.0


class Workers:
    """`feedsvc serve --workers 2` on a site's folder."""

    def __init__(self, root: Path) -> None:
        self.port = free_port()
        self.log = root / "log"
        environment = {**os.environ, "FEEDSVC_WEB__PORT": str(self.port)}
        command = [sys.executable, "-m", "feedsvc", "serve", "--root", str(root), "--workers", "2"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stderr=log)

    def pids(self) -> list[int]:
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return [int(line) for line in found.stdout.split()]

    def ready(self) -> set[int]:
        """Return which processes have said that they answer."""
        lines = self.log.read_text().splitlines()
        pids = {line.partition(" pid=")[2].split()[0] for line in lines if "service.ready" in line}
        return {int(pid) for pid in pids}

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False, timeout=SECONDS)

    def by_each(self, path: str) -> list[str]:
        """Return what each process answers, the others standing still."""
        answers = []
        for pid in self.pids():
            others = [other for other in self.pids() if other != pid]
            for other in others:
                os.kill(other, signal.SIGSTOP)
            try:
                answers.append(self.get(path).text)
            finally:
                for other in others:
                    os.kill(other, signal.SIGCONT)
        return answers


def eventually(law: Callable[[], bool]) -> None:
    ends = time.monotonic() + SECONDS
    while not law():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(tmp_path)
    try:
        eventually(lambda: len(workers.ready()) == 3)  # the parent is the third
        yield workers
    finally:
        workers.process.kill()
        workers.process.wait(SECONDS)


def test_a_publication_is_seen_at_once_in_every_process(workers: Workers, tmp_path: Path) -> None:
    feeds = DiskBlobs(tmp_path / "feeds")
    for content in ("one", "two", "three"):
        feeds.put("all.atom", content.encode())
        assert workers.by_each("/feeds/all.atom") == [content, content]
    feeds.delete("all.atom")
    assert workers.get("/feeds/all.atom").status_code == 404
    pids = workers.pids()
    # All of them end when they are told, and nobody is left behind.
    workers.process.send_signal(signal.SIGTERM)
    assert workers.process.wait(SECONDS) == 0
    eventually(lambda: not any(map(is_alive, pids)))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# --- with processes that cost less --------------------------------------------------------------


def small(program: str) -> list[str]:
    return [sys.executable, "-S", "-c", program]


def test_a_worker_that_dies_is_replaced_until_a_signal_comes() -> None:
    crew = Crew(small("import sys; sys.stdin.read()"))
    crew.start()
    (first,) = crew.pids

    def act() -> None:
        os.kill(first, signal.SIGKILL)
        eventually(lambda: crew.pids not in ([], [first]))
        os.kill(os.getpid(), signal.SIGTERM)

    acting = threading.Thread(target=act)
    with Signals() as signals:
        acting.start()
        assert attend(crew, signals, young=0) == 0
    acting.join(SECONDS)
    (second,) = crew.pids
    crew.stop()
    assert not is_alive(second)


def test_what_keeps_a_worker_from_starting_is_the_exit_code_of_all() -> None:
    crew = Crew(small("raise SystemExit(7)"))
    crew.start()
    with Signals() as signals:
        assert attend(crew, signals) == 7
    crew.stop()


def test_a_worker_ends_when_the_first_process_is_killed() -> None:
    program = (
        "import sys, time; sys.path[:0] = sys.argv[1:]\n"
        "from feedsvc.daemon.workers import end_with_parent\n"
        "end_with_parent(); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, *sys.path], stdin=subprocess.PIPE
    ) as worker:
        assert worker.stdin is not None
        worker.stdin.close()  # as the kernel does for whoever is killed
        assert worker.wait(SECONDS) == -signal.SIGTERM


@pytest.mark.parametrize("numbers", ["", "x", "-1", "0,", "1000"])
def test_what_is_no_socket_is_refused(numbers: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        inherited(numbers)
