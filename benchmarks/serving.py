"""Writing feeds and answering requests for them, in one process."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import loading
from benchmarks.corpus import as_seed, make_article
from benchmarks.measure import Row
from feedsvc.ingest import parse_seed
from feedsvc.model import Article, FeedItem, Site, Topic
from feedsvc.publish import FEED_FORMATS, Kept, compose_feed, topic_channel
from feedsvc.runtime import open_runtime
from feedsvc.settings import load_settings
from feedsvc.urls import article_id

ENTRIES = 50
_ROUNDS = 20
_REQUESTS = 3000
_SITE = Site("Our articles", "https://news.example", "Our articles", "en")
_TOPIC = Topic("sport", "sport", "http://cv.iptc.org/newscodes/mediatopic/15000000")


def feeds() -> Iterator[Row]:
    """Compose a feed and write it in every format."""
    items = [_item(number) for number in range(ENTRIES)]
    feed, seconds = _timed(
        lambda: compose_feed(topic_channel(_TOPIC), items, site=_SITE, entry_link="article")
    )
    yield Row(
        f"compose a feed of {ENTRIES} entries", f"{seconds / ENTRIES * 1e6:.0f} µs CPU per entry"
    )
    for name, write in FEED_FORMATS.items():
        written, seconds = _timed(lambda write=write: write(feed))
        yield Row(
            f"write it as {name} ({len(written.data) / 1e3:.0f} kB)",
            f"{seconds / ENTRIES * 1e6:.0f} µs CPU per entry",
        )
        kept = Kept()
        write(feed, kept)
        _, seconds = _timed(lambda write=write, kept=kept: write(feed, kept))
        yield Row(
            f"the same as {name}, its entries kept from another feed",
            f"{seconds / ENTRIES * 1e6:.0f} µs CPU per entry",
        )


def _timed(call: Any) -> tuple[Any, float]:
    """Return a call's value and its median seconds of CPU."""
    costs = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        value = call()
        costs.append(time.process_time() - began)
    return value, statistics.median(costs)


def _item(number: int) -> FeedItem:
    url = f"https://news.example/{number}.html"
    parsed = parse_seed("bench.md", as_seed(make_article(number), url=url).encode())
    published = parsed.published or datetime(2026, 1, 1, tzinfo=UTC)
    article = Article(
        id=article_id(url, seed=""),
        title=parsed.title,
        html=parsed.html,
        text=parsed.text,
        summary=parsed.summary,
        url=parsed.url,
        author=parsed.author,
        agency=parsed.agency,
        credit=parsed.credit,
        published=published,
        updated=published,
        language=None,
        image=None,
        topics=(),
        revision=1,
        seed=f"seeds/{number}.md",
    )
    return FeedItem(article, (_TOPIC,))


def web(work: Path, *, seeds: int) -> Iterator[Row]:
    """Ask the application for a feed, without a network between."""
    loading.ensure(work, seeds)
    yield from asyncio.run(_ask(work))


async def _ask(work: Path) -> list[Row]:
    from feedsvc.web import create_app

    with open_runtime(load_settings(work)) as runtime:
        app = create_app(runtime)
        status, headers = await _request(app, [])
        assert status == 200, status
        etag = dict(headers)[b"etag"]
        rows = []
        for name, sent, expected in (
            ("200, whole", [], 200),
            ("200, gzip", [(b"accept-encoding", b"gzip")], 200),
            ("304, If-None-Match", [(b"if-none-match", etag)], 304),
        ):
            await _request(app, sent)
            began = time.process_time()
            for _ in range(_REQUESTS):
                status, _ = await _request(app, sent)
                assert status == expected, status
            cost = (time.process_time() - began) / _REQUESTS
            rows.append(Row(f"GET /feeds/all.atom: {name}", f"{cost * 1e6:.0f} µs CPU"))
    return rows


async def _request(
    app: Any, headers: list[tuple[bytes, bytes]]
) -> tuple[int, list[tuple[bytes, bytes]]]:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/feeds/all.atom",
        "raw_path": b"/feeds/all.atom",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8080"), *headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
    }
    answer: dict[str, Any] = {}

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.update(message)

    await app(scope, receive, send)
    return answer["status"], answer["headers"]
