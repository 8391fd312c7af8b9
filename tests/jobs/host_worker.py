"""A worker of a fleet that does nothing but work on hosts: `host_worker.py ROOT HOST,HOST THREADS`.

It says `ready`, begins when a line comes, and ends when nothing is due at its hosts. `SKEW` says
by how many hours its clock is ahead: `1h`.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feedsvc.jobs.host_round import work_host
from feedsvc.jobs.presence import present
from feedsvc.runtime import open_runtime
from feedsvc.settings import load_settings


def wrong_clock() -> datetime:
    """Return what this machine takes for the time."""
    return datetime.now(UTC) + timedelta(hours=int(os.environ.get("SKEW", "0h").rstrip("h")))


def main(root: str, hosts: str, threads: str) -> None:
    """Work on hosts, each in a thread, until nothing is due there."""
    with open_runtime(load_settings(Path(root)), now=wrong_clock) as runtime, present(runtime):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()

        def work(host: str) -> None:
            while work_host(runtime, host):
                pass

        with ThreadPoolExecutor(int(threads)) as pool:
            list(pool.map(work, hosts.split(",")))


if __name__ == "__main__":
    main(*sys.argv[1:])
