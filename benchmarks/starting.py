"""What starting the program costs."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks.measure import FEEDSVC, Row, run

TIMES = 10


def help_text() -> Iterator[Row]:
    """Print the help, again and again."""
    cpu = [run([*FEEDSVC, "--help"]).cpu for _ in range(TIMES)]
    yield Row(
        f"feedsvc --help, {TIMES} times",
        f"{min(cpu) * 1000:.0f} ms CPU at best, {statistics.median(cpu) * 1000:.0f} ms median",
        "< 150 ms CPU",
    )
