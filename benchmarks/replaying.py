"""Showing archived pages, and finding the capture nearest to a time among very many."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from benchmarks.asking import ask
from benchmarks.capturing import prepare, server
from benchmarks.corpus import as_seed, make_article
from benchmarks.measure import FEEDSVC, Row, run
from benchmarks.website import write_site
from feedsvc.runtime import Runtime, open_runtime
from feedsvc.settings import load_settings
from feedsvc.urls import surt

_PAGES = 20
_ROUNDS = 10
_HTML = 100_000
_ASKED = 300
_EACH = 10
"""Captures of each address."""
_FIRST = datetime(2015, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Shown:
    html: list[float]
    requisites: list[float]


def replay(work: Path) -> Iterator[Row]:
    """Show archived pages of 100 kB, and what they need, each asked for anew."""
    website = work / "pages"
    shutil.rmtree(website, ignore_errors=True)
    write_site(website, _PAGES)
    for path in website.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        filler = f"<!-- {'made longer ' * 3000} -->"[: max(_HTML - len(text), 0)]
        path.write_text(text.replace("</main>", f"{filler}</main>"), encoding="utf-8")
    with server(website, work) as (_, port):
        base = f"http://127.0.0.1:{port}"
        site = prepare(work / "replay", base, port=port, pages=_PAGES)
        run([*FEEDSVC, "capture", "--root", site, "--json"])
    with open_runtime(load_settings(site)) as runtime:
        shown = asyncio.run(_show(runtime, base))
    yield _costs("a page of 100 kB, rewritten", shown.html, "< 30 ms")
    yield _costs("a requisite", shown.requisites, "< 5 ms")


async def _show(runtime: Runtime, base: str) -> _Shown:
    from feedsvc.web import create_app

    app, shown = create_app(runtime), _Shown([], [])
    with runtime.database.reading() as store:
        snapshots = list(store.all_snapshots())
    files = ("theme.css", "code.css", "search.js", "logo.svg", "diagram.png")
    for _ in range(_ROUNDS):
        for one in snapshots:
            root = f"/snapshots/{one.id}/mp_/"
            shown.html.append(await _cost(app, f"{root}{one.url}"))
            name = files[len(shown.html) % len(files)]
            shown.requisites.append(await _cost(app, f"{root}{base}/_static/{name}"))
    return shown


async def _cost(app: Any, path: str, **headers: str) -> float:
    """Return the seconds of CPU that an answer takes, those of its threads included."""
    began = time.process_time()
    answer = await ask(app, path, **headers)
    assert answer.status in (200, 302), (answer.status, path)
    return time.process_time() - began


def _costs(what: str, seconds: list[float], goal: str) -> Row:
    low, high = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    return Row(what, f"{low * 1e3:.1f} ms CPU, 95 % under {high * 1e3:.1f} ms", goal)


def timegate(work: Path, *, captures: int) -> Iterator[Row]:
    """Ask the TimeGate for captures among very many, ten of each address."""
    site = work / "timegate"
    began = time.perf_counter()
    path = _made(site, captures)
    yield Row(
        f"{captures:,} captures of {captures // _EACH:,} addresses, {path.stat().st_size / 1e6:.0f} MB",
        f"made in {time.perf_counter() - began:.0f} s",
    )
    with open_runtime(load_settings(site)) as runtime:
        costs = asyncio.run(_ask(runtime, captures))
    for what, seconds in costs.items():
        high = statistics.quantiles(seconds, n=100)[-2]
        yield Row(
            f"  {what}",
            f"{statistics.median(seconds) * 1e3:.2f} ms, 98 % under {high * 1e3:.2f} ms",
            "< 50 ms",
        )


async def _ask(runtime: Runtime, captures: int) -> dict[str, list[float]]:
    from feedsvc.web import create_app

    app, chance = create_app(runtime), random.Random("timegate")
    costs: dict[str, list[float]] = {"TimeGate, with a time": [], "TimeMap as links": []}
    for _ in range(_ASKED):
        url = _url(chance.randrange(captures // _EACH))
        when = format_datetime(_FIRST + timedelta(days=chance.randrange(4000)), usegmt=True)
        for name, path, headers in (
            ("TimeGate, with a time", f"/timegate/{url}", {"accept_datetime": when}),
            ("TimeMap as links", f"/timemap/link/{url}", {}),
        ):
            began = time.perf_counter()
            answer = await ask(app, path, **headers)
            costs[name].append(time.perf_counter() - began)
            assert answer.status in (200, 302), (answer.status, path)
    return costs


def _url(number: int) -> str:
    return f"https://news{number % 500}.example/archive/{number}.html"


def _made(site: Path, captures: int) -> Path:
    """Make a site that knows of so many captures; there are no files behind them."""
    shutil.rmtree(site, ignore_errors=True)
    (site / "seeds").mkdir(parents=True)
    (site / "seeds" / "one.md").write_text(as_seed(make_article(0), url=_url(0)), encoding="utf-8")
    run([*FEEDSVC, "ingest", "--root", site, "--json"])
    path = site / "data" / "feedsvc.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        (article,) = connection.execute("SELECT id FROM articles").fetchone()
        connection.executemany(
            "INSERT INTO snapshots (id, article_id, url, final_url, captured, status, verdict, share,"
            " evidence, key, size, sha256, records, requisites, missing)"
            " VALUES (?, ?, ?, ?, ?, 200, 'verified', 1.0, '', ?, 1, '', 1, 0, 0)",
            (_row(number, article) for number in range(captures)),
        )
        connection.execute("ANALYZE")
        connection.executemany(
            "INSERT INTO mementos (surt, captured, snapshot_id) VALUES (?, ?, ?)",
            ((surt(_url(n // _EACH)), _captured(n), _id(n)) for n in range(captures)),
        )
    connection.close()
    return path


def _row(number: int, article: str) -> tuple[str, ...]:
    url, id_ = _url(number // _EACH), _id(number)
    return id_, article, url, url, _captured(number), f"2026/01/{id_}.warc.gz"


def _id(number: int) -> str:
    return f"{number:08x}-0000-7000-8000-000000000000"


def _captured(number: int) -> str:
    moment = _FIRST + timedelta(days=number % _EACH * 400, seconds=number % 86400)
    return f"{moment:%Y-%m-%d %H:%M:%S}.000000"
