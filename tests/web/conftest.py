"""A real site on a temporary SQLite file, served by a real uvicorn on loopback."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from feedsvc.model import (
    Attempt,
    Following,
    Judgement,
    Outcome,
    ParsedArticle,
    Payload,
    Purpose,
    Snapshot,
    Topic,
    TopicScore,
    TopicSource,
    Verdict,
)
from feedsvc.runtime import Runtime, open_runtime, utc_now
from feedsvc.settings import Settings
from feedsvc.storage.store_articles import ArticlePut
from feedsvc.storage.store_feeds import FeedFile
from feedsvc.urls import article_id, normalise
from feedsvc.web import create_app
from feedsvc.web.server import serve
from tests.databases import SITE_FILE, put_new_file

NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)
VERIFIED = Judgement(Verdict.VERIFIED, 0.97, None, "found in the page")
SCIENCE = Topic(slug="science", label="Science & <technology>")


@dataclass
class Library:
    """Puts articles, snapshots and captures into a site the way jobs do."""

    runtime: Runtime

    def article(
        self, title: str = "A title", *, topics: tuple[Topic, ...] = (), **more: Any
    ) -> str:
        url = more.pop("url", f"https://example.org/{hashlib.sha256(title.encode()).hexdigest()}")
        more = {"html": "<p>Its text.</p>", "text": "Its text.", "summary": "A summary."} | more
        published = more.pop("published", NOON)
        parsed = ParsedArticle(title=title, url=url, published=published, **more)
        key = article_id(url, seed=f"seeds/{title}.txt")
        put = ArticlePut(
            id=key,
            url_key=normalise(url) if url else None,
            seed=f"seeds/{title[:40]}.txt",
            revision=1,
            digest="d",
            published=published,
            updated=published,
            parsed=parsed,
            topics_version="1",
            revised=True,
        )
        scores = tuple(TopicScore(topic, 1.0, TopicSource.KEYWORDS) for topic in topics)
        with self.runtime.database.transaction() as store:
            store.put_articles([put], now=NOON)
            if scores:
                store.put_topics({key: scores})
        return key

    def snapshot(
        self,
        article: str,
        content: bytes = b"warc bytes",
        *,
        judgement: Judgement = VERIFIED,
        captured: datetime = NOON,
        url: str = "https://example.org/a",
        final_url: str = "https://www.example.org/a?x=<1>",
        payloads: tuple[Payload, ...] = (),
    ) -> Snapshot:
        number = hashlib.sha256(f"{article}{captured}".encode() + content).hexdigest()
        made = Snapshot(
            id=f"{number[:8]}-{number[8:12]}-{number[12:16]}",
            article_id=article,
            url=url,
            final_url=final_url,
            captured=captured,
            status=200,
            judgement=judgement,
            key=f"2024/{number[:12]}.warc.gz",
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            records=7,
            requisites=3,
            missing=1,
        )
        self.runtime.archive.put(made.key, content)
        with self.runtime.database.transaction() as store:
            store.add_snapshot(made, payloads)
        return made

    def attempt(self, article: str, outcome: Outcome, *, cause: str, next_at: datetime) -> None:
        with self.runtime.database.transaction() as store:
            (job,) = store.claim_captures(
                [article], now=utc_now(), lease="l", until=utc_now() + timedelta(minutes=5)
            )
            tried = Attempt(article, job.url, NOON, 1.0, outcome, cause, next_at=next_at)
            following = Following(Purpose.CAPTURE, 0, next_at, attempts=1)
            assert store.finish_capture(job, tried, following)

    def withdraw(self, article: str) -> None:
        with self.runtime.database.transaction() as store:
            store.withdraw([article], now=NOON)

    def feed(self, name: str, content: bytes) -> Path:
        self.runtime.feeds.put(name, content)
        written = FeedFile(hashlib.sha256(content).hexdigest(), len(content), None)
        with self.runtime.database.transaction() as store:
            store.put_feed_files({name: written}, now=NOON)
        return Path(self.runtime.feeds.place(name))


@dataclass
class Served:
    """A running server."""

    port: int
    client: httpx.Client

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.client.get(path, **more)

    def raw(self, request: bytes) -> bytes:
        """Send bytes as they are and return the answer up to where the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def ask(self, path: bytes, *, method: bytes = b"GET", host: bytes = b"localhost") -> bytes:
        """Ask for a path no client library would send."""
        return self.raw(
            method + b" " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
        )


class Exchangeable:
    """An application that can be exchanged while it is served, quick answers included."""

    def __init__(self) -> None:
        self.app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    def quick(self, target: bytes, fields: Any, peer: str) -> Any:
        quick = getattr(self.app, "quick", None)
        return quick(target, fields, peer) if quick else None

    def largest(self, target: bytes) -> int:
        largest = getattr(self.app, "largest", None)
        return largest(target) if largest else 0


class Servers:
    """Running servers whose application can be exchanged, as starting one takes a while."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._free: list[tuple[int, Exchangeable]] = []

    @contextmanager
    def serving(self, app: ASGIApp) -> Iterator[Served]:
        port, holder = self._free.pop() if self._free else self._start()
        holder.app = app
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield Served(port, client)
        # What it does in the background must not outlive the site it does it to.
        if (end := getattr(app, "end", None)) is not None:
            end(5.0)
        self._free.append((port, holder))

    def _start(self) -> tuple[int, Exchangeable]:
        holder = Exchangeable()
        stop, ready, ports = threading.Event(), threading.Event(), list[int]()
        calls = {"ready": ready.set, "stop": stop, "listening": ports.append}
        thread = threading.Thread(
            target=serve, args=(holder,), kwargs={"host": "127.0.0.1", "port": 0, **calls}
        )
        thread.start()
        self._stack.callback(thread.join, 10)
        self._stack.callback(stop.set)
        assert ready.wait(10)
        return ports[0], holder


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(stack)


@contextmanager
def opened(root: Path, **sections: Any) -> Iterator[Runtime]:
    if "database" not in sections:
        put_new_file(root / SITE_FILE)
    with open_runtime(
        Settings.model_validate({"root": root, "origins": {}, **sections})
    ) as runtime:
        yield runtime


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    with opened(tmp_path) as runtime:
        yield runtime


@pytest.fixture
def library(runtime: Runtime) -> Library:
    return Library(runtime)


@pytest.fixture
def web(runtime: Runtime, servers: Servers) -> Iterator[Served]:
    with servers.serving(create_app(runtime)) as running:
        yield running


@pytest.fixture
def open_site(tmp_path: Path, servers: Servers) -> Iterator[Callable[..., tuple[Library, Served]]]:
    """Open and serve a site with those sections of settings."""
    with ExitStack() as stack:

        def start(**sections: Any) -> tuple[Library, Served]:
            runtime = stack.enter_context(opened(tmp_path, **sections))
            return Library(runtime), stack.enter_context(servers.serving(create_app(runtime)))

        yield start


@pytest.fixture(scope="session")
def shelf(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers
) -> Iterator[tuple[Library, Served]]:
    """A site with something on it, for tests that only read."""
    root = tmp_path_factory.mktemp("shelf")
    sections = {"site": {"title": "The <Shelf>", "base_url": "http://127.0.0.1:9"}}
    with opened(root, **sections) as runtime:
        library = Library(runtime)
        key = library.article("A <b>bold</b> claim", topics=(SCIENCE,), author="A & B")
        library.snapshot(key, b"0123456789" * 100)
        for name in ("all.rss", "all.atom", "science.atom"):
            library.feed(name, f"<feed>{name} {'entry ' * 300}</feed>".encode())
        library.feed("index.opml", b"<opml/>")
        with servers.serving(create_app(runtime)) as running:
            yield library, running


@pytest.fixture
def reading(shelf: tuple[Library, Served]) -> Served:
    return shelf[1]
