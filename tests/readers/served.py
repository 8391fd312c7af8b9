"""A site that is loaded, published and served as feedsvc does it, and what readers asked of it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedsvc import jobs
from feedsvc.runtime import Runtime
from feedsvc.web import create_app
from feedsvc.web.server import serve
from tests.jobs.site import Clock, Seeds, open_site

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

ENTRIES = 5
"""Entries of an archive page, so that few articles make several."""

FORMATS = ("rss", "atom", "json")
TOPIC = "harbours"

_VOCABULARY = """
vocabulary = "ours"
scheme = "http://news.example/topics/"
version = "1"

[[topic]]
uri = "http://news.example/topics/1"
slug = "{slug}"
label = "{slug}"
aliases = [{aliases}]
definition = "Where ships lie."
keywords = ["ferry^3", "harbour^3"]
"""


class Watched:
    """Passes requests on and remembers how feeds were answered; the site behind it may change."""

    def __init__(self) -> None:
        self.app: Any = None
        self.answers: list[tuple[str, int]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watching(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.answers.append((scope["path"], message["status"]))
            await send(message)

        await self.app(scope, receive, watching)

    def quick(self, target: bytes, fields: Any, peer: str) -> Any:
        found = self.app.quick(target, fields, peer)
        if found is not None:
            self.answers.append((target.decode(), found[0]))
        return found


class ServedSite:
    """One site on one port of loopback, whatever happens to its settings and its database."""

    def __init__(self, root: Path, port: int, watched: Watched) -> None:
        self.root = root
        self.port = port
        self.base = f"http://127.0.0.1:{port}"
        """Where it answers, whatever it calls itself."""
        self.seeds = Seeds(root / "seeds")
        self.clock = Clock()
        self._watched = watched
        self._stack = ExitStack()
        self.runtime: Runtime
        self.vocabulary(TOPIC)

    def vocabulary(self, slug: str, *aliases: str) -> None:
        """Write the site's topics."""
        listed = ", ".join(f'"{alias}"' for alias in aliases)
        path = self.root / "config" / "topics.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(_VOCABULARY.format(slug=slug, aliases=listed), encoding="utf-8")

    def open(self, *, base_url: str | None = None, **feeds: Any) -> None:
        """Open the site and serve it; ``feeds`` are more settings of that section."""
        self.close()
        self.runtime = self._stack.enter_context(
            open_site(
                self.root,
                now=self.clock,
                site={"title": "Harbour News", "base_url": base_url or self.base},
                feeds={"entries": ENTRIES, **feeds},
            )
        )
        self.publish()
        self._watched.app = create_app(self.runtime)

    def publish(self) -> None:
        """Load what changed in the seeds and write the feeds."""
        jobs.ingest_seeds(self.runtime)
        jobs.publish_feeds(self.runtime)

    def lose_the_database(self) -> None:
        """Delete everything but the seeds and the settings."""
        self.close()
        shutil.rmtree(self.root / "data")
        shutil.rmtree(self.root / "feeds")

    def close(self) -> None:
        self._stack.close()

    def article(self, number: int, *, body: str = "") -> None:
        """Write a seed, or another version of it."""
        self.seeds.write(
            f"{number:03}.md",
            title=f"Ferry number {number} & its <harbour>",
            url=f"https://example.org/ferries/{number}",
            date=f"2024-05-{number % 28 + 1:02}",
            body=body or f"The ferry number {number} left the harbour.\n",
        )

    def feed(self, slug: str, form: str) -> str:
        return f"{self.base}/feeds/{slug}.{form}"

    def asked(self) -> list[tuple[str, int]]:
        """Return path and status of every answer since the last call."""
        answers, self._watched.answers = self._watched.answers, []
        return answers


@contextmanager
def served_site(root: Path) -> Iterator[ServedSite]:
    """Serve a site in a folder until the block ends."""
    watched = Watched()
    stop, ready, ports = threading.Event(), threading.Event(), list[int]()
    thread = threading.Thread(
        target=serve,
        args=(watched,),
        kwargs={
            "host": "127.0.0.1",
            "port": 0,
            "ready": ready.set,
            "stop": stop,
            "listening": ports.append,
        },
    )
    thread.start()
    assert ready.wait(10)
    site = ServedSite(root, ports[0], watched)
    try:
        yield site
    finally:
        stop.set()
        thread.join(10)
        site.close()
