"""A process and all that came of it: found, measured and ended.

Chromium is a dozen processes in groups of their own, so that ending the one we started leaves
the rest. On Linux they are read from /proc, elsewhere `ps` is asked.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the table of processes."""

    pid: int
    parent: int
    group: int


class Family:
    """A process, its descendants, and the process groups they were ever seen in."""

    def __init__(self, pid: int) -> None:
        """``pid`` is a child of ours that leads a group of its own."""
        self._pid = pid
        self._groups = {pid}

    def look(self) -> list[int]:
        """Return the process ids, and remember the groups, so that orphans are found as well."""
        ours = os.getpgrp()
        found = descendants(self._pid, table(), groups=self._groups)
        # A new set: another thread may be going through the old one.
        self._groups = self._groups | {one.group for one in found} - {0, 1, ours}
        return [one.pid for one in found]

    def memory(self) -> int:
        """Return the bytes of memory that they have to themselves."""
        return sum(map(_memory, self.look())) if _PROC.is_dir() else _memory_told(self.look())

    def end(self) -> None:
        """Kill all of them; the caller waits for its own child."""
        for _ in range(200):
            # What is forked meanwhile is caught by the next look.
            alive = self.look()
            for group in self._groups:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
            for pid in alive:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if not alive:
                return
            time.sleep(0.01)


def descendants(pid: int, table: Iterable[Process], *, groups: Iterable[int] = ()) -> list[Process]:
    """Return a process, what it started, what that started, and the members of groups."""
    listed = {one.pid: one for one in table}
    children: dict[int, list[int]] = {}
    for one in listed.values():
        children.setdefault(one.parent, []).append(one.pid)
    members = set(groups)
    waiting = [pid, *(one.pid for one in listed.values() if one.group in members)]
    found: dict[int, Process] = {}
    while waiting:
        current = waiting.pop()
        if current in listed and current not in found:
            found[current] = listed[current]
            waiting += children.get(current, ())
    return list(found.values())


def table() -> list[Process]:
    """Return all processes of the machine that are alive."""
    return _from_proc() if _PROC.is_dir() else _from_ps()


def _from_proc() -> list[Process]:
    found = []
    for name in os.listdir(_PROC):  # noqa: PTH208 - names are enough, and there are hundreds
        if not name.isdigit():
            continue
        with suppress(OSError, ValueError, IndexError):
            # The name, in brackets, may hold anything (proc_pid_stat(5)).
            fields = (_PROC / name / "stat").read_bytes().rpartition(b")")[2].split()
            if fields[0] != b"Z":
                found.append(Process(int(name), int(fields[1]), int(fields[2])))
    return found


def _from_ps() -> list[Process]:
    lines = _ps("pid=,ppid=,pgid=,stat=")
    return [
        Process(int(one[0]), int(one[1]), int(one[2]))
        for one in lines
        if len(one) > 3 and not one[3].startswith("Z")
    ]


def _ps(columns: str) -> list[list[str]]:
    done = subprocess.run(  # noqa: S603 - a fixed program and columns of ours
        ["/bin/ps", "-ax", "-o", columns], capture_output=True, text=True, check=False
    )
    return [line.split() for line in done.stdout.splitlines()]


def _memory(pid: int) -> int:
    """Return resident memory that is no file's: Chromium's processes share most of those."""
    total = 0
    with suppress(OSError, ValueError, IndexError):
        for line in (_PROC / str(pid) / "status").read_bytes().splitlines():
            if line.startswith((b"RssAnon:", b"RssShmem:")):
                total += int(line.split()[1]) << 10
    return total


def _memory_told(pids: Iterable[int]) -> int:
    wanted = set(map(str, pids))
    return sum(int(one[1]) << 10 for one in _ps("pid=,rss=") if len(one) > 1 and one[0] in wanted)


def others(pid: int) -> list[int]:
    """Return what a process started, itself left out."""
    return [one.pid for one in descendants(pid, table()) if one.pid != pid]
