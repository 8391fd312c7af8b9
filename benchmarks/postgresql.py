"""A large library in PostgreSQL: what each page, search and call of the store costs there.

`python -m benchmarks.postgresql postgresql+psycopg://user@host/database` asks everything of a
database that `python -m benchmarks.million` filled, and lists statements whose plans are poor.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import million
from benchmarks.asking import ask
from benchmarks.measure import Row
from benchmarks.plans import Collected, Plan, Sent, collecting, explained
from benchmarks.statements import READING, WRITING, sample
from feedsvc.runtime import Runtime, open_runtime
from feedsvc.settings import load_settings
from feedsvc.storage.store import Store

SLOW = 50.0
"""Milliseconds from which on a statement is listed."""
_TIMES = 3
_GOAL = "< 200 ms"
_IN_THE_MIDDLE = {
    "article": "SELECT id FROM articles WHERE withdrawn IS NULL ORDER BY published OFFSET 3000 LIMIT 1",
    "member": "SELECT article_id FROM sequence WHERE slug = 'topic-0' ORDER BY published OFFSET 500 LIMIT 1",
    "change": "SELECT id FROM changes ORDER BY at OFFSET 100 LIMIT 1",
    "gone": "SELECT article_id FROM originals WHERE state = 'gone' ORDER BY since OFFSET 100 LIMIT 1",
    "snapshot": "SELECT id FROM snapshots LIMIT 1",
    "url": "SELECT url FROM snapshots LIMIT 1",
}


def postgresql(url: str, *, articles: int = million.ARTICLES) -> Iterator[Row]:
    """Fill a database if it is empty, and ask for everything; yields a row for each."""
    with tempfile.TemporaryDirectory(prefix="feedsvc-bench-") as folder:
        (Path(folder) / "config").mkdir()
        settings = Path(folder) / "config" / "feedsvc.toml"
        settings.write_text(f'[database]\nurl = "{url}"\n', encoding="utf-8")
        with (
            open_runtime(load_settings(Path(folder))) as runtime,
            runtime.database.reading() as store,
        ):
            filled = bool(store.newest(1))
        if not filled:
            million.fill(url, articles=articles)
        with open_runtime(load_settings(Path(folder))) as runtime:
            with collecting(runtime.database.engine) as collected:
                yield from asyncio.run(_pages(runtime, collected))
                yield from _calls(runtime, collected)
            yield from _plans(runtime, collected)


async def _pages(runtime: Runtime, collected: Collected) -> list[Row]:
    from feedsvc.web import create_app

    app, rows = create_app(runtime), []
    with runtime.database.reading() as store:
        paths = _paths(store)
    for what, path in paths.items():
        collected.asker, took = path, []
        for _ in range(_TIMES):
            began = time.perf_counter()
            answer = await ask(app, path)
            took.append((time.perf_counter() - began) * 1e3)
        told = f"{min(took):.1f} ms, at first {took[0]:.1f} ms"
        rows.append(Row(what, told if answer.status < 400 else f"{answer.status}", _GOAL))
    return rows


def _paths(store: Store) -> dict[str, str]:
    of = {
        name: store.connection.exec_driver_sql(query).scalar()
        for name, query in _IN_THE_MIDDLE.items()
    }
    words = million.words()
    paths = [
        "/", f"/?after={of['article']}", "/index.json", "/topics", "/topics/topic-0",
        f"/topics/topic-0?after={of['member']}", "/topics/topic-150", "/authors",
        "/authors?after=author-5", "/authors/author-0", "/agencies",
        f"/articles/{of['article']}", f"/articles/{of['article']}.json", "/feeds", "/about",
        "/changes", f"/changes?after={of['change']}", f"/changes/{of['change']}.json", "/gone",
        f"/gone?after={of['gone']}", f"/snapshots/{of['snapshot']}.json", f"/timegate/{of['url']}",
        f"/timemap/link/{of['url']}", "/metrics", "/status", "/search",
    ]  # fmt: skip
    searches = {
        "a word in nearly all": words[0],
        "two words in nearly all": f"{words[0]} {words[1]}",
        "a word in one of ten": words[100],
        "a word in one of a hundred": words[1000],
        "a rare word": words[19_000],
        "a phrase of frequent words": f'"{words[0]} {words[1]}"',
        "a phrase that is rare": f'"{words[100]} {words[200]}"',
        "without a frequent word": f"-{words[0]}",
        "without a rare word": f"-{words[5000]}",
        "one of three words": f"{words[0]} OR {words[1]} OR {words[2]}",
        "a word in the title": f"title:{words[0]}",
        "a beginning": "ba*",
        "a word in one month": f"{words[0]} after:2020-01 before:2020-02",
    }
    found = {path.partition("?after=")[0] + ", further on" * ("?" in path): path for path in paths}
    return found | {
        f"/search, {what}": f"/search?q={query.replace(' ', '+')}"
        for what, query in searches.items()
    }


def _calls(runtime: Runtime, collected: Collected) -> Iterator[Row]:
    """Call every method; what is written is taken back."""
    slowest: list[tuple[float, str]] = []
    for name, call in {**READING, **WRITING}.items():
        with runtime.database.engine.connect() as connection, connection.begin() as taken_back:
            store = Store(connection)
            of = sample(store)
            collected.asker = name
            began = time.perf_counter()
            call(store, of)
            slowest.append(((time.perf_counter() - began) * 1e3, name))
            taken_back.rollback()
    for took, name in sorted(slowest, reverse=True)[:8]:
        yield Row(f"store.{name}", f"{took:.1f} ms", "")


def _plans(runtime: Runtime, collected: Collected) -> Iterator[Row]:
    poor: list[tuple[Sent, Plan]] = []
    with runtime.database.engine.connect() as connection, connection.begin() as taken_back:
        for sent in collected.by_text.values():
            plan = explained(connection, sent)
            if plan.faults or plan.milliseconds > SLOW:
                poor.append((sent, plan))
        taken_back.rollback()
    yield Row(
        "distinct statements, and how many are poor", f"{len(collected.by_text)}, {len(poor)}"
    )
    for sent, plan in sorted(poor, key=_cost, reverse=True):
        what = f"{sent.asked_by}: {' '.join(sent.statement.split())[:110]}"
        yield Row(what, f"{plan.milliseconds:.0f} ms; {'; '.join(plan.faults)}")


def _cost(one: tuple[Sent, Plan]) -> Any:
    return one[1].milliseconds


def main() -> None:
    """Parse the command line and print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.postgresql", description=__doc__)
    parser.add_argument("url", help="postgresql+psycopg://user@host/database")
    parser.add_argument("--articles", type=int, default=million.ARTICLES)
    given = parser.parse_args()
    for row in postgresql(given.url, articles=given.articles):
        print(f"  {row.what:<62} {row.measured:<44} {row.goal}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
