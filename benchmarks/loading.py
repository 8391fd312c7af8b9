"""Loading, rebuilding, and what one new article costs."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.corpus import write_seeds
from benchmarks.measure import FEEDSVC, Cost, Row, megabytes, run
from feedsvc import jobs
from feedsvc.runtime import Runtime, open_runtime
from feedsvc.settings import load_settings

NEW = 5
"""New seeds, one after the other, that one measurement takes."""


def ingest(work: Path, *, seeds: int) -> Iterator[Row]:
    """Load generated seeds into an empty database until all feeds are on disk."""
    cost = _rebuilt(work, seeds)
    report = json.loads(cost.output)
    feeds = len(list((work / "feeds").rglob("*.*")))
    assert report["articles"] == seeds, report
    yield Row(
        f"{seeds:,} seeds, empty database → {feeds} feed files",
        f"{cost.wall:.2f} s wall, {cost.cpu:.2f} s CPU, {seeds / cost.wall:,.0f} seeds/s",
        "< 8 s for 10,000",
    )
    yield Row("  peak memory, children included", megabytes(cost.peak), "< 250 MB")


def rebuild(work: Path, *, seeds: int) -> Iterator[Row]:
    """Make every feed and archive page again, in every format, with nothing changed."""
    ensure(work, seeds)
    costs = [run([*FEEDSVC, "rebuild", "--root", work, "--json"]) for _ in range(3)]
    written = sum(json.loads(cost.output)["written"] for cost in costs[1:])
    yield Row(
        f"rebuild, all formats and archives, {seeds:,} articles ({written} files written)",
        f"{statistics.median(cost.wall for cost in costs):.2f} s wall, "
        f"{statistics.median(cost.cpu for cost in costs):.2f} s CPU",
        "< 10 s at 10,000",
    )
    yield Row("  peak memory", megabytes(max(cost.peak for cost in costs)), "< 250 MB")


def one_new(work: Path, *, seeds: int) -> Iterator[Row]:
    """Add single seeds as the daemon does: named by its watcher, in a process that is warm."""
    ensure(work, seeds)
    first = 10_000_000 + time.time_ns() // 1000 % 1_000_000_000
    with open_runtime(load_settings(work)) as runtime:
        _add(runtime, first)
        costs = [_add(runtime, first + number) for number in range(1, NEW + 1)]
    cpu = [cost[0] for cost in costs]
    yield Row(
        f"one new seed among {seeds:,} → its feeds on disk",
        f"{statistics.median(cpu) * 1000:.0f} ms CPU (max {max(cpu) * 1000:.0f}), "
        f"{statistics.median(cost[1] for cost in costs) * 1000:.0f} ms wall",
        "< 300 ms CPU, not growing",
    )


def _add(runtime: Runtime, number: int) -> tuple[float, float]:
    """Write a seed, load it and publish; return seconds of CPU and of wall time."""
    write_seeds(runtime.root / "seeds", [number])
    name = f"seeds/{number // 100:04}/{number:06}.md"
    cpu, wall = time.process_time(), time.perf_counter()
    report = jobs.ingest_seeds(runtime, names=[name])
    published = jobs.publish_feeds(runtime)
    assert report.new == 1, report
    assert published.written, published
    return time.process_time() - cpu, time.perf_counter() - wall


def ensure(work: Path, seeds: int) -> None:
    """Have a site with that many articles at ``work``, loaded and published."""
    marker = work / "loaded"
    if not marker.exists():
        _rebuilt(work, seeds)


def _rebuilt(work: Path, seeds: int) -> Cost:
    if not (work / "seeds").exists():
        write_seeds(work / "seeds", range(seeds))
    for name in ("data", "feeds"):
        shutil.rmtree(work / name, ignore_errors=True)
    cost = run([*FEEDSVC, "rebuild", "--root", work, "--json"])
    (work / "loaded").touch()
    return cost
