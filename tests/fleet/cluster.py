"""A fleet on one machine: a database, an object store, workers and web servers as processes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import httpx

import feedsvc
from feedsvc.runtime import Runtime, open_runtime
from feedsvc.settings import load_settings
from tests.fleet.servers import free_port

PATIENCE = 120.0
MEMORY = 400e6
"""Bytes that no worker may ever have needed, whatever befell it."""
_TROUBLE = re.compile(
    r"(?m)^(?:\S+ (?:error|critical) |Traceback|.*(?:Traceback|exception=|Warning:)).*$"
)
_CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("FEEDSVC_")}

T = TypeVar("T")


def eventually(check: Callable[[], T], *, seconds: float = PATIENCE, what: str = "it") -> T:
    """Return the first true answer of ``check``; fail if there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := check():
            return found
        # What looks must not be what keeps the machine busy.
        time.sleep(0.2)
    raise AssertionError(f"{what} did not come true in {seconds:.0f} s")


class Process:
    """A feedsvc command that runs, its log in a file."""

    def __init__(self, root: Path, environ: Mapping[str, str], *arguments: str) -> None:
        self.root = root
        self.was_killed = False
        self.log = root / f"log-{arguments[0]}-{time.monotonic_ns()}.txt"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "feedsvc", "--root", str(root), *arguments],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.poll() is None

    def send(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.was_killed = True
        self._process.kill()
        self._process.wait()

    def memory(self) -> float:
        """Return the most bytes that it ever had in memory, as it runs."""
        said = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", said)
        assert found, said
        return float(found[1]) * 1024

    def troubles(self, expected: str) -> list[str]:
        """Return the lines of its log that tell of an error, other than what is expected."""
        return [
            line
            for line in _TROUBLE.findall(self.said())
            if not (expected and re.search(expected, line))
        ]

    def end(self) -> int:
        """Ask it to end; return its exit code."""
        if self.is_alive():
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        return self.ended()

    def ended(self) -> int:
        """Wait for its end and return its exit code."""
        try:
            return self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not end:\n{self.said()}") from None

    def said(self) -> str:
        """Return its log."""
        return self.log.read_text(errors="replace")


class Fleet:
    """Machines that share a database and a store, each with a folder of its own."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        """``settings`` are environment variables of every machine, `FEEDSVC_` left out."""
        self._folder = folder
        self._settings = {f"FEEDSVC_{name}": value for name, value in settings.items()}
        self._machines = 0
        self._looking = contextlib.ExitStack()
        self._runtime: Runtime | None = None
        self.workers: list[Process] = []
        self.webs: dict[Process, int] = {}

    def machine(self) -> Path:
        """Make a machine's folder: nothing in it but empty settings."""
        self._machines += 1
        root = self._folder / f"machine{self._machines}"
        (root / "config").mkdir(parents=True)
        (root / "config" / "feedsvc.toml").write_text("")
        return root

    def environ(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return a process's environment."""
        return {
            **_CLEAN,
            "PYTHONPATH": str(Path(feedsvc.__file__).parents[1]),
            "PYTHONUNBUFFERED": "1",
            "FEEDSVC_LOG": "plain",
            **self._settings,
            **(more or {}),
        }

    def start_worker(self, more: Mapping[str, str] | None = None) -> Process:
        """Start a worker on a machine of its own."""
        worker = Process(self.machine(), self.environ(more), "worker")
        self.workers.append(worker)
        return worker

    def start_web(self, more: Mapping[str, str] | None = None) -> Process:
        """Start a web server on a machine of its own."""
        port = free_port()
        environ = self.environ({"FEEDSVC_WEB__PORT": str(port), **(more or {})})
        web = Process(self.machine(), environ, "serve")
        self.webs[web] = port
        return web

    def get(self, web: Process, path: str, *, timeout: float = 10) -> bytes | None:
        """Return the body of an answer 200 of a web server, None for any other or none."""
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.get(
                f"http://127.0.0.1:{self.webs[web]}{path}", timeout=timeout, trust_env=False
            )
            return answer.content if answer.status_code == 200 else None
        return None

    def command(self, *arguments: str, more: Mapping[str, str] | None = None) -> str:
        """Run a command on a machine of its own; return what it wrote to stdout."""
        done = subprocess.run(
            [sys.executable, "-m", "feedsvc", "--root", str(self.machine()), *arguments],
            env=self.environ(more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode in {0, 2}, done.stdout + done.stderr
        return done.stdout

    def rebuilt_alone(self, site: Path) -> dict[str, bytes]:
        """Write every feed of an embedded site anew; return its documents by name."""
        (site / "config").mkdir(parents=True, exist_ok=True)
        (site / "seeds").mkdir(exist_ok=True)
        feeds = site / "feeds"
        environ = {
            name: value
            for name, value in self.environ().items()
            if not name.startswith(("FEEDSVC_S3__", "FEEDSVC_FLEET__"))
        } | {
            "FEEDSVC_DATABASE__URL": f"sqlite:///{site}/data/feedsvc.db",
            "FEEDSVC_ARCHIVE__STORE": str(site / "data" / "snapshots"),
            "FEEDSVC_FEEDS__DIR": str(feeds),
            "FEEDSVC_SEEDS__PATHS": "seeds",
        }
        done = subprocess.run(
            [sys.executable, "-m", "feedsvc", "--root", str(site), "publish"],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return {
            path.relative_to(feeds).as_posix(): path.read_bytes()
            for path in feeds.rglob("*")
            if path.suffix in {".rss", ".atom", ".json", ".opml"}
        }

    @contextlib.contextmanager
    def opened(self) -> Iterator[Runtime]:
        """Look at what is stored, from this process."""
        if self._runtime is None:
            settings = load_settings(self.machine(), environ=self.environ())
            self._runtime = self._looking.enter_context(open_runtime(settings))
        yield self._runtime

    def check_processes(self, *, expected: str = "") -> None:
        """Every process that was not killed ends when it is asked to, and had nothing to complain of.

        ``expected`` matches the errors that the test itself brought about.
        """
        alive = [one for one in [*self.workers, *self.webs] if not one.was_killed]
        large = {
            one.log.name: one.memory() / 1e6
            for one in alive
            if one.is_alive() and one.memory() > MEMORY
        }
        codes = {one.log.name: one.end() for one in alive}
        said = [line for one in [*self.workers, *self.webs] for line in one.troubles(expected)]
        assert (large, set(codes.values()), said) == ({}, {0}, [])

    def close(self) -> None:
        """End every process that was started here."""
        self._looking.close()
        for process in [*self.workers, *self.webs]:
            if process.is_alive():
                process.send(signal.SIGCONT)
                process.kill()
