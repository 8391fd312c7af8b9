"""Workers as processes that share hosts, for the tests of politeness among machines."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from feedsvc import jobs
from feedsvc.runtime import Runtime, open_runtime
from feedsvc.settings import load_settings
from tests.databases import connection
from tests.fleet.press import Press, host
from tests.jobs.site import Seeds

PATIENCE = 120.0


def fleet_environ(site: Path, postgresql: str) -> dict[str, str]:
    """Return the settings of a fleet on one machine, and make the site's."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FEEDSVC_")}
    (site / "config").mkdir()
    (site / "config" / "feedsvc.toml").write_text("")
    return clean | {
        "PYTHONPATH": str(Path(jobs.__file__).parents[2]),
        "FEEDSVC_FLEET__ENABLED": "true",
        "FEEDSVC_DATABASE__URL": postgresql,
        "FEEDSVC_ARCHIVE__BROWSER": "never",
        "FEEDSVC_ARCHIVE__MIN_FREE": "1MB",
        "FEEDSVC_ARCHIVE__PER_HOST": "1",
        "FEEDSVC_ARCHIVE__PER_HOST_DELAY": "50ms",
        "FEEDSVC_ARCHIVE__RECHECK_AFTER": "[]",
    }


@contextmanager
def opened(site: Path, environ: dict[str, str]) -> Iterator[Runtime]:
    """Open the site in this process."""
    with open_runtime(load_settings(site, environ=environ)) as runtime:
        yield runtime


@contextmanager
def workers(
    site: Path, environ: dict[str, str], press: Press, *at: tuple[int, ...], skews: str = "000"
) -> Iterator[list[subprocess.Popen[str]]]:
    """Start a worker for some numbers of hosts each; all begin at once.

    ``skews``: by how many hours their clocks are ahead.
    """
    started = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.jobs.host_worker", str(site)),
                ",".join(f"{host(number)}:{press.port}" for number in hosts),
                "3",
            ],
            env=environ | {"SKEW": f"{hours}h"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for hosts, hours in zip(at, skews, strict=False)
    ]
    try:
        for one in started:
            assert one.stdout is not None
            assert one.stdin is not None
            assert one.stdout.readline() == "ready\n"
        for one in started:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        yield started
    finally:
        for one in started:
            one.kill()
            one.communicate()


def load(site: Path, environ: dict[str, str], press: Press, articles: range) -> int:
    """Load articles of every newspaper; return how many."""
    seeds = Seeds(site / "seeds")
    for number in range(1, press.hosts + 1):
        for article in articles:
            seeds.write(f"{number}-{article}.md", text=press.seed(number, article))
    with opened(site, environ) as runtime:
        jobs.ingest_seeds(runtime)
    return press.hosts * len(articles)


def eventually(check: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)


def count(environ: dict[str, str], query: str) -> Any:
    """Return what a query finds."""
    with connection(make_url(environ["FEEDSVC_DATABASE__URL"])) as connected:
        (found,) = connected.execute(query.encode()).fetchone() or (None,)
    return found


def is_polite(press: Press) -> None:
    """At no host, that of the shared pictures included, too much at once or too soon."""
    for name, seen in press.counted().items():
        assert seen.most == 1, name
        assert seen.too_soon(delay=0.05, slack=0.03) == [], name


def settled(site: Path, environ: dict[str, str], press: Press, articles: int) -> None:
    """Every article has one snapshot, and its bytes are at rest; no bytes but those."""
    with opened(site, environ) as runtime:
        with runtime.database.reading() as store:
            kept = [one for article in store.newest(500) for one in store.snapshots(article.id)]
            assert len({one.article_id for one in kept}) == len(kept) == articles
            assert store.leases() == []
        assert sorted(runtime.archive.stored()) == sorted(one.key for one in kept)
    is_polite(press)
