"""Run the benchmarks and print a table. Nothing fails for being slow."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from benchmarks import (
    beside_nginx,
    browsing,
    capturing,
    fidelity,
    fixity,
    loading,
    replaying,
    serving,
    sharing,
    simulation,
    starting,
)
from benchmarks.measure import Row


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    seeds: tuple[int, ...]
    pages: int
    pairs: int
    rounds: int
    requests: int
    captures: int = 1_000_000
    """Captures that the TimeGate finds one among."""
    snapshots: int = 10_000
    """Snapshots that are verified."""
    articles: int = 100_000
    """Articles of the site whose pages are asked for."""
    hosts: int = 60
    """Newspapers whose articles a fleet archives."""
    each: int = 20
    """Articles of each."""


FULL = Sizes(seeds=(1_000, 10_000), pages=500, pairs=3, rounds=7, requests=12_800)
QUICK = Sizes(
    seeds=(100,),
    pages=20,
    pairs=1,
    rounds=3,
    requests=3_200,
    captures=10_000,
    snapshots=200,
    articles=1_000,
    hosts=6,
    each=5,
)
LARGE = 100_000


def benchmarks(work: Path, sizes: Sizes) -> Mapping[str, Callable[[], Iterator[Row]]]:
    """Return every benchmark by its name, in the order in which they run."""
    largest = sizes.seeds[-1]
    sites = {seeds: work / f"site-{seeds}" for seeds in sizes.seeds}

    def one_new() -> Iterator[Row]:
        for seeds, site in sites.items():
            yield from loading.one_new(site, seeds=seeds)

    return {
        "help": starting.help_text,
        "ingest": lambda: loading.ingest(sites[largest], seeds=largest),
        "rebuild": lambda: loading.rebuild(sites[largest], seeds=largest),
        "one-new": one_new,
        "feeds": serving.feeds,
        "web": lambda: chain(
            serving.web(sites[sizes.seeds[0]], seeds=sizes.seeds[0]),
            beside_nginx.beside_nginx(work, rounds=sizes.rounds, requests=sizes.requests),
        ),
        "capture": lambda: capturing.capture(work, pages=sizes.pages, pairs=sizes.pairs),
        "fidelity": lambda: fidelity.fidelity(work, pages=sizes.pages),
        "replay": lambda: replaying.replay(work),
        "timegate": lambda: replaying.timegate(work, captures=sizes.captures),
        "pages": lambda: browsing.pages(work, articles=sizes.articles),
        "verify": lambda: fixity.verify(work, snapshots=sizes.snapshots),
        "fleet": lambda: sharing.fleet(
            work, hosts=sizes.hosts, articles=sizes.each, rounds=min(sizes.pairs, 2)
        ),
        "simulate": simulation.simulate,
    }


def main() -> None:
    """Parse the command line, run what it names."""
    names = list(benchmarks(Path(), FULL))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"which: {', '.join(names)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--large", action="store_true", help=f"also {LARGE:,} articles")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="work there and leave it")
    given = parser.parse_args()
    if unknown := set(given.name) - set(names):
        parser.error(
            f"no benchmark is called {', '.join(sorted(unknown))}; known: {', '.join(names)}"
        )
    sizes = QUICK if given.quick else FULL
    if given.large:
        sizes = replace(sizes, seeds=(*sizes.seeds, LARGE))
    with tempfile.TemporaryDirectory(prefix="feedsvc-bench-") as temporary:
        work = given.keep or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        _run(benchmarks(work, sizes), given.name or names)


def _run(known: Mapping[str, Callable[[], Iterator[Row]]], chosen: list[str]) -> None:
    print(
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    for name, benchmark in known.items():
        if name not in chosen:
            continue
        print(f"\n{name}")
        for row in benchmark():
            print(f"  {row.what:<62} {row.measured:<44} {row.goal}".rstrip(), flush=True)
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
