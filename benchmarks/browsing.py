"""Pages of a large site: what each costs the server, from the first request to the last."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.asking import ask
from benchmarks.corpus import as_seed, make_article
from benchmarks.measure import Row
from feedsvc.ingest import parse_seed
from feedsvc.jobs import index_articles
from feedsvc.model import ParsedArticle
from feedsvc.runtime import Runtime, open_runtime
from feedsvc.settings import load_settings
from feedsvc.storage import tables
from feedsvc.urls import article_id

_TEXTS = 500
"""Articles that are made up; the others repeat them under other titles."""
_BATCH = 5_000
_ASKED = 60
_GOAL = "< 30 ms"
_LATEST = datetime(2026, 6, 1, 12, tzinfo=UTC)
_TOPICS = ("politics", "economy", "sport", "health", "science", "weather", "arts", "labour")
_AUTHORS = 300
_STATES = ("alive",) * 16 + ("changed", "gone", "redirected", "blocked")


def pages(work: Path, *, articles: int) -> Iterator[Row]:
    """Ask for every kind of page, again and again, of a site with that many articles."""
    site = work / f"pages-{articles}"
    site.mkdir(parents=True, exist_ok=True)
    with open_runtime(load_settings(site)) as runtime:
        with runtime.database.reading() as store:
            filled = bool(store.newest(1))
        if not filled:
            _fill(runtime, articles)
            began = time.process_time()
            index_articles(runtime)
            yield Row(
                f"bring {articles:,} articles into the index",
                f"{(time.process_time() - began) / articles * 1e6:.0f} µs CPU each",
            )
        yield from asyncio.run(_measure(runtime, articles))


async def _measure(runtime: Runtime, articles: int) -> list[Row]:
    from feedsvc.web import create_app

    app = create_app(runtime)
    began = time.perf_counter()
    assert (await ask(app, "/")).status == 200
    rows = [Row("/, asked for first", f"{(time.perf_counter() - began) * 1e3:.0f} ms")]
    for what, path in _paths(articles).items():
        seconds = []
        for _ in range(_ASKED):
            begin = time.perf_counter()
            answer = await ask(app, path, accept_encoding="gzip")
            seconds.append(time.perf_counter() - begin)
            assert answer.status == 200, (answer.status, path)
        middle, worst = statistics.median(seconds), statistics.quantiles(seconds, n=100)[-1]
        told = (
            f"{middle * 1e3:.1f} ms, 99 % in {worst * 1e3:.1f} ms, {len(answer.body) / 1e3:.1f} kB"
        )
        rows.append(Row(what, told, _GOAL))
    return rows


def _paths(articles: int) -> dict[str, str]:
    """Return what is asked for, by how the table calls it."""
    middle, last = _key(articles // 2), _key(articles - 40)
    return {
        "/": "/",
        "/index.json": "/index.json",
        "/, half way through": f"/?after={middle}",
        "/, the last page": f"/?after={last}",
        "/topics": "/topics",
        "/topics/sport": "/topics/sport",
        "/topics/sport, the last page": f"/topics/sport?after={_key(articles - 322)}",
        "/authors": "/authors",
        "/authors/author-7": "/authors/author-7",
        "/articles/<id>": f"/articles/{middle}",
        "/articles/<id>.json": f"/articles/{middle}.json",
        "/search, one common word": "/search?q=coach",
        "/search, two words in a topic": "/search?q=cup+final&topic=sport",
        "/search, a rare word": "/search?q=77777",
        "/search, by state": "/search?state=gone",
        "/changes": "/changes",
        "/gone": "/gone",
        "/feeds": "/feeds",
        "/about": "/about",
    }


def _key(number: int) -> str:
    return article_id(_url(number), seed="")


def _url(number: int) -> str:
    return f"https://news{number % 20}.example/{number}.html"


def _fill(runtime: Runtime, count: int) -> None:
    """Write rows as jobs would, in far less time."""
    texts = [
        parse_seed("bench.md", as_seed(make_article(number), url=_url(number)).encode())
        for number in range(min(_TEXTS, count))
    ]
    _insert(runtime, {"topics": [_topic(slug) for slug in _TOPICS], "channels": _channels()})
    for start in range(0, count, _BATCH):
        rows: dict[str, list[dict[str, Any]]] = {}
        for number in range(start, min(start + _BATCH, count)):
            for table, row in _rows(number, texts[number % len(texts)]):
                rows.setdefault(table, []).append(row)
        _insert(runtime, rows)
    with runtime.database.transaction() as store:
        store.await_whole_index()


def _insert(runtime: Runtime, rows: dict[str, list[dict[str, Any]]]) -> None:
    with runtime.database.transaction() as store:
        for table, some in rows.items():
            store.connection.execute(getattr(tables, table).insert(), some)


def _topic(slug: str) -> dict[str, Any]:
    return {"slug": slug, "label": slug.capitalize(), "definition": f"All about {slug}."}


def _channels() -> list[dict[str, Any]]:
    named = [("all", "all", "All articles")]
    named += [(slug, "topic", slug.capitalize()) for slug in _TOPICS]
    named += [(f"authors/author-{one}", "author", f"Author {one}") for one in range(_AUTHORS)]
    fixed = {"definition": "", "dirty": 1, "clean": 1, "entries": 50, "closed": 0}
    return [{"slug": slug, "kind": kind, "label": label, **fixed} for slug, kind, label in named]


def _rows(number: int, text: ParsedArticle) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every row that one article has, parents first."""
    key, url = _key(number), _url(number)
    moment = _LATEST - timedelta(minutes=7 * number)
    topics = [_TOPICS[number % 8], *([_TOPICS[(number // 8) % 8]] if number % 3 == 0 else [])]
    yield (
        "articles",
        {
            "id": key,
            "url_key": url,
            "seed": f"seeds/{number}.md",
            "revision": 1,
            "digest": "",
            "published": moment,
            "updated": moment,
            "first_seen": moment,
            "topics_version": "",
            "filed": "",
        },
    )
    yield (
        "revisions",
        {
            "article_id": key,
            "number": 1,
            "recorded": moment,
            "digest": "",
            "title": f"{text.title} {number}",
            "html": text.html,
            "text": text.text,
            "summary": text.summary,
            "url": url,
            "author": f"Author {number % _AUTHORS}",
            "agency": text.agency,
            "topics": [],
        },
    )
    yield (
        "captures",
        {
            "article_id": key,
            "url": url,
            "host": f"news{number % 20}.example",
            "state": "due",
            "due": moment,
            "attempts": 0,
            "cause": "",
            "purpose": "look",
            "step": 1,
        },
    )
    yield "snapshots", _snapshot(key, url, moment)
    yield (
        "originals",
        {
            "article_id": key,
            "state": _STATES[number % len(_STATES)],
            "since": moment,
            "looked": moment,
            "cause": "",
        },
    )
    for rank, slug in enumerate(dict.fromkeys(topics)):
        yield (
            "article_topics",
            {
                "article_id": key,
                "slug": slug,
                "rank": rank,
                "score": 1.0,
                "source": "keywords",
            },
        )
    for slug in ("all", *dict.fromkeys(topics), f"authors/author-{number % _AUTHORS}"):
        yield "sequence", {"slug": slug, "article_id": key, "member": 1, "published": moment}


def _snapshot(key: str, url: str, moment: datetime) -> dict[str, Any]:
    return {
        "id": f"5{key[1:]}",
        "article_id": key,
        "url": url,
        "final_url": url,
        "captured": moment,
        "status": 200,
        "verdict": "verified",
        "share": 0.97,
        "evidence": "found",
        "key": f"bench/{key}.warc.gz",
        "size": 50_000,
        "sha256": "0" * 64,
        "records": 4,
        "requisites": 1,
        "missing": 0,
    }
