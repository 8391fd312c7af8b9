"""A fleet: what one, two and three workers archive, what that costs, and how soon others know."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from benchmarks.measure import Row
from tests.fleet import press as press_
from tests.fleet.cluster import Fleet, Process, eventually
from tests.fleet.press import Press
from tests.fleet.servers import Postgresql, postgresql_programs
from tests.fleet.stored import archived

TOKEN = "of-the-benchmark-and-long-enough"  # noqa: S105 - of a site that nobody else reaches
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """One run over all pages."""

    seconds: float
    database: float
    """CPU seconds of PostgreSQL."""
    workers: float
    """CPU seconds of the workers and their children."""


def fleet(work: Path, *, hosts: int, articles: int, rounds: int) -> Iterator[Row]:
    """Archive the pages of so many newspapers, from nothing, by fleets of several sizes."""
    programs = postgresql_programs()
    if programs is None:
        yield Row("PostgreSQL is not installed", "skipped")
        return
    with ExitStack() as stack:
        press = stack.enter_context(press_.running(hosts=hosts, takes=0.0))
        server = Postgresql(programs, work / "postgresql")
        server.start()
        stack.callback(server.stop)
        bench = Bench(work, press, server, articles)
        yield Row(f"{bench.pages:,} pages of {hosts} hosts, no delays, snapshots in a folder", "")
        yield bench.idle()
        alone = bench.embedded()
        yield Row(
            "embedded: feedsvc capture, SQLite",
            f"{bench.pages / alone.seconds:.0f} pages/s, "
            f"{1000 * alone.workers / bench.pages:.1f} ms CPU a page",
        )
        for _ in range(rounds):
            for count in (1, 2, 3):
                yield bench.row(count)
        yield bench.takeover()
        yield from bench.latency()


@dataclass(frozen=True, slots=True)
class Bench:
    """What every run has in common."""

    work: Path
    press: Press
    server: Postgresql
    articles: int

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return self.press.hosts * self.articles

    @contextmanager
    def fleet(self, **settings: str) -> Iterator[Fleet]:
        """Make a fleet without workers, its articles loaded and due."""
        name = f"bench_{uuid.uuid4().hex[:8]}"
        place = self.work / name
        made = Fleet(
            place,
            self.common(place)
            | {
                "FLEET__ENABLED": "true",
                "FLEET__HEARTBEAT": "2s",
                "FLEET__STALLED": "6s",
                "DATABASE__URL": self.server.create(name),
            }
            | settings,
        )
        self.write_seeds(place / "seeds")
        try:
            yield made
        finally:
            made.close()

    def common(self, place: Path) -> dict[str, str]:
        """Return the settings of every site here."""
        return {
            "SEEDS__PATHS": str(place / "seeds"),
            "SITE__BASE_URL": "http://127.0.0.1:8080",
            "ARCHIVE__STORE": str(place / "snapshots"),
            "FEEDS__DIR": str(place / "feeds"),
            "ARCHIVE__ALLOW_HOSTS": self.press.allow_hosts,
            "ARCHIVE__ROBOTS": "ignore",
            "ARCHIVE__BROWSER": "never",
            "ARCHIVE__PER_HOST": "4",
            "ARCHIVE__PER_HOST_DELAY": "0s",
            "ARCHIVE__RECHECK_AFTER": "[]",
            "SCHEDULE__VERIFY": "off",
            "ADMIN__TOKEN": TOKEN,
        }

    def write_seeds(self, folder: Path) -> None:
        """Write every article as a seed."""
        for number in range(1, self.press.hosts + 1):
            (folder / f"ward-{number}").mkdir(parents=True)
            for article in range(self.articles):
                path = folder / f"ward-{number}" / f"{article}.md"
                path.write_text(self.press.seed(number, article), encoding="utf-8")

    def idle(self) -> Row:
        """Measure what a fleet costs that has nothing to do."""
        with self.fleet(SEEDS__PATHS="seeds") as made:
            worker = made.start_worker()
            eventually(lambda: "worker.ready" in worker.said())
            (worker.root / "seeds").mkdir(exist_ok=True)
            time.sleep(5)
            database, own, began = self.server.cpu(), cpu_of(worker.pid), time.monotonic()
            time.sleep(15)
            took = time.monotonic() - began
            database, own = self.server.cpu() - database, cpu_of(worker.pid) - own
        return Row(
            "a worker with nothing to do, CPU a second",
            f"PostgreSQL {1000 * database / took:.1f} ms, worker {1000 * own / took:.1f} ms",
        )

    def run(self, count: int) -> Measured:
        """Archive everything with so many workers; loading is over before."""
        with self.fleet() as made:
            made.command("ingest")
            database, began = self.server.cpu(), time.monotonic()
            workers = [made.start_worker() for _ in range(count)]
            self.await_snapshots(made)
            took = time.monotonic() - began
            return Measured(
                took, self.server.cpu() - database, sum(cpu_of(one.pid) for one in workers)
            )

    def await_snapshots(self, made: Fleet) -> None:
        """Wait for all of them, asking little of the server that is measured."""
        name = made.environ()["FEEDSVC_DATABASE__URL"].rpartition("/")[2]
        deadline = time.monotonic() + 1200
        with self.server.connect(name) as connection:
            while time.monotonic() < deadline:
                (count,) = connection.execute("SELECT count(*) FROM snapshots").fetchone() or (0,)
                if count >= self.pages:
                    return
                time.sleep(0.25)
        raise AssertionError(f"only {archived(made)} of {self.pages} were archived")

    def row(self, count: int) -> Row:
        """Measure so many workers."""
        found = self.run(count)
        return Row(
            f"{count} worker{'s' if count > 1 else ''}, started, indexing and publishing too",
            f"{self.pages / found.seconds:.0f} pages/s, CPU a page: PostgreSQL "
            f"{1000 * found.database / self.pages:.2f} ms, worker "
            f"{1000 * found.workers / self.pages:.1f} ms",
        )

    def embedded(self) -> Measured:
        """Archive everything on one machine, as `feedsvc capture` does."""
        place = self.work / "embedded"
        settings = {f"FEEDSVC_{name}": value for name, value in self.common(place).items()}
        self.write_seeds(place / "seeds")
        (place / "config").mkdir()
        command = [sys.executable, "-m", "feedsvc", "--root", str(place), "--json"]
        environ = {**os.environ, **settings}
        subprocess.run([*command, "ingest"], env=environ, check=True, stdout=subprocess.DEVNULL)
        before, began = os.times(), time.monotonic()
        done = subprocess.run(
            [*command, "capture"], env=environ, check=True, stdout=subprocess.PIPE, text=True
        )
        took, after = time.monotonic() - began, os.times()
        assert json.loads(done.stdout)["archived"] == self.pages
        used = after.children_user + after.children_system
        return Measured(took, 0.0, used - before.children_user - before.children_system)

    def takeover(self) -> Row:
        """Kill one of two workers at work; measure until another has what it held."""
        seconds = []
        for _ in range(3):
            with self.fleet(ARCHIVE__PER_HOST_DELAY="300ms") as made:
                made.command("ingest")
                victim, _ = made.start_worker(), made.start_worker()
                eventually(partial(_has_archived, made, 20))
                os.kill(victim.pid, signal.SIGKILL)
                killed = time.monotonic()
                eventually(partial(_taken_over, made, victim), seconds=60)
                seconds.append(time.monotonic() - killed)
        return Row(
            "takeover after kill -9 (heartbeat 2 s, stalled 6 s)",
            ", ".join(f"{one:.1f} s" for one in sorted(seconds)),
            "<= 15 s",
        )

    def latency(self) -> Iterator[Row]:
        """Send an article to one web process; measure until another answers with it."""
        with self.fleet(SCHEDULE__CAPTURE="off") as made:
            made.command("ingest")
            made.start_worker()
            first, second = made.start_web(), made.start_web()
            eventually(lambda: made.get(second, "/feeds/all.atom"))
            time.sleep(3)
            seconds = []
            for number in range(10):
                title = f"Late news number {number} {uuid.uuid4().hex}"
                seed = f"# {title}\n\nBy A Reporter\n\n2026-11-01\n\nThe ferry is late again.\n"
                began = time.monotonic()
                answer = httpx.put(
                    f"http://127.0.0.1:{made.webs[first]}/api/seeds/late-{number}.md",
                    content=seed.encode(),
                    headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "text/markdown"},
                    trust_env=False,
                    timeout=30,
                )
                assert answer.status_code in {201, 202}, answer.text
                eventually(_shows(made, second, title), seconds=60)
                seconds.append(time.monotonic() - began)
            seconds.sort()
        yield Row(
            "from an upload to 200 with it in another web process",
            f"median {seconds[len(seconds) // 2]:.2f} s, longest {seconds[-1]:.2f} s",
        )


def _shows(made: Fleet, web: Process, title: str) -> Callable[[], bool]:
    return lambda: title.encode() in (made.get(web, "/feeds/all.atom") or b"")


def _has_archived(made: Fleet, count: int) -> bool:
    return archived(made) > count


def _taken_over(made: Fleet, victim: Process) -> bool:
    found = json.loads(made.command("status", "--json"))["fleet"]["workers"]
    return any(
        one["worker"]["pid"] == victim.pid and one["liveness"] == "gone" and not one["held"]
        for one in found
    )


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process, its living and its reaped children."""
    seconds = 0.0
    with suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
        seconds = sum(map(int, fields[11:15])) / _TICKS
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                seconds += cpu_of(int(child))
    return seconds
