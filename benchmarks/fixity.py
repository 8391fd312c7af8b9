"""Verifying an archive: every byte read and hashed, next to programs that do only that."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.corpus import as_seed, make_article
from benchmarks.measure import FEEDSVC, Cost, Row, megabytes, run
from feedsvc.model import Judgement, Snapshot, Verdict
from feedsvc.runtime import Runtime, open_runtime
from feedsvc.settings import load_settings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_SHARED = 1 << 24
"""Random bytes that the made-up snapshots are cut from."""
_SIZES = (20_000, 60_000, 120_000)
_ROUNDS = 3


def verify(work: Path, *, snapshots: int) -> Iterator[Row]:
    """Verify many snapshots, beside cat and sha256sum over the same files; then with one damaged."""
    site = work / "verify"
    total = _prepare(site, snapshots)
    files = sorted((site / "data" / "snapshots").rglob("*.warc.gz"))
    (work / "files").write_bytes(b"\0".join(os.fsencode(path) for path in files))
    yield Row(f"{snapshots:,} snapshots, {total / 1e6:.0f} MB, in the page cache", "")
    for name, command in (
        ("cat", ["cat"]),
        ("sha256sum", ["sha256sum"]),
        ("sha256sum, two at a time", ["-P", "2", "-n", "500", "sha256sum"]),
    ):
        yield _rate(f"  {name}", [_over(work / "files", command) for _ in range(_ROUNDS)], total)
    costs = [run([*FEEDSVC, "verify", "--root", site, "--json"]) for _ in range(_ROUNDS)]
    assert not json.loads(costs[0].output)["damage"], costs[0].output[:500]
    yield _rate("feedsvc verify", costs, total)
    yield Row("  peak memory", megabytes(max(one.peak for one in costs)))
    yield _flipped(site, files)


def _rate(name: str, costs: list[Cost], total: int) -> Row:
    rates = ", ".join(f"{total / 1e6 / one.wall:.0f}" for one in costs)
    return Row(name, f"{rates} MB/s, {min(one.cpu for one in costs):.2f} s CPU")


def _over(files: Path, command: list[str]) -> Cost:
    """Run a program over all the files."""
    with files.open("rb") as names:
        began = time.perf_counter()
        before = os.times()
        subprocess.run(
            ["xargs", "-0", *command], stdin=names, stdout=subprocess.DEVNULL, check=True
        )
        after = os.times()
    cpu = after.children_user - before.children_user
    cpu += after.children_system - before.children_system
    return Cost(time.perf_counter() - began, cpu, 0, 0, "")


def _flipped(site: Path, files: list[Path]) -> Row:
    """Flip a bit in any one of the files and see that exactly this one is named."""
    chance = random.Random()
    path = chance.choice(files)
    place = chance.randrange(path.stat().st_size)
    with path.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 1 << chance.randrange(8)]))
    found = json.loads(run([*FEEDSVC, "verify", "--root", site, "--json"]).output)["damage"]
    assert [one["name"] for one in found] == [str(path)], found
    return Row("a bit flipped in any one of them is found", f"byte {place:,} of {path.name[:8]}…")


def _prepare(site: Path, count: int) -> int:
    """Make a site with so many snapshots; return their bytes together."""
    shutil.rmtree(site, ignore_errors=True)
    (site / "seeds").mkdir(parents=True)
    (site / "seeds" / "one.md").write_text(
        as_seed(make_article(0), url="https://news.example/0.html"), encoding="utf-8"
    )
    run([*FEEDSVC, "ingest", "--root", site, "--json"])
    data = random.Random("verify").randbytes(_SHARED)
    with open_runtime(load_settings(site)) as runtime:
        made = [_snapshot(runtime, number, data) for number in range(count)]
        with runtime.database.transaction() as store:
            (article,) = store.newest(1)
            store.add_snapshots((_of(one, article.id), ()) for one in made)
    return sum(size for _, _, size in made)


def _snapshot(runtime: Runtime, number: int, data: bytes) -> tuple[int, str, int]:
    """Put bytes at rest under a snapshot's name; return its number, digest and size."""
    chance = random.Random(number)
    size = chance.choice(_SIZES)
    start = chance.randrange(len(data) - size)
    content = data[start : start + size]
    path = Path(runtime.archive.place(_key(number)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)  # a sync for each would take longer than all the rest
    return number, hashlib.sha256(content).hexdigest(), size


def _key(number: int) -> str:
    return f"2026/{number % 12 + 1:02}/{number:08x}-0000-7000-8000-000000000000.warc.gz"


def _of(made: tuple[int, str, int], article_id: str) -> Snapshot:
    number, sha256, size = made
    return Snapshot(
        id=f"{number:08x}-0000-7000-8000-000000000000",
        article_id=article_id,
        url="https://news.example/0.html",
        final_url="https://news.example/0.html",
        captured=NOON + timedelta(minutes=number),
        status=200,
        judgement=Judgement(Verdict.VERIFIED, 1.0),
        key=_key(number),
        size=size,
        sha256=sha256,
        records=2,
    )
