"""Run a program and tell what it cost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FEEDSVC = (sys.executable, "-m", "feedsvc")
_SAMPLE_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a program took; CPU includes its children's."""

    wall: float
    cpu: float
    peak: int
    """Bytes of resident memory of the program and its children together, at the worst moment.

    Pages that they share count for each of them. 0 where there is no /proc."""
    code: int
    output: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    measured: str
    goal: str = ""


def run(
    command: Sequence[str | Path],
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Cost:
    """Run a program to its end, its stdout kept, its stderr shown if it fails."""
    began = time.perf_counter()
    with subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, **(environ or {})},
    ) as process:
        memory = _Memory(process.pid)
        memory.start()
        texts: dict[str, str] = {}
        readers = [
            threading.Thread(target=lambda n=name, s=stream: texts.__setitem__(n, s.read()))
            for name, stream in (("out", process.stdout), ("err", process.stderr))
        ]
        for reader in readers:
            reader.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        memory.stop()
        for reader in readers:
            reader.join()
    if process.returncode not in (0, 2):
        sys.stderr.write(texts["err"])
    return Cost(
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        peak=memory.peak,
        code=process.returncode,
        output=texts["out"],
    )


class _Memory(threading.Thread):
    """Looks again and again at how much memory a process and its children hold."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._end = threading.Event()
        self.peak = 0

    def run(self) -> None:
        while not self._end.wait(_SAMPLE_SECONDS):
            self.peak = max(self.peak, sum(map(_resident, _family(self._pid))))

    def stop(self) -> None:
        self._end.set()
        self.join()


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            tasks = [task.name for task in Path(f"/proc/{one}/task").iterdir()]
            for task in tasks:
                children = Path(f"/proc/{one}/task/{task}/children").read_text(encoding="ascii")
                found += map(int, children.split())
        except OSError:
            continue
    return found


def _resident(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def megabytes(size: int) -> str:
    """Return bytes for a person; unknown ones too."""
    return f"{size / 1e6:.0f} MB" if size else "unknown"
