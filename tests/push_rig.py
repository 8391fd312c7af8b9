"""A published site with push turned on, for the tests of jobs and of the hub."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from feedsvc import jobs
from feedsvc.jobs.push_notes import note_pushes
from feedsvc.jobs.subscribe import HubAnswer, ask_hub
from feedsvc.model import PushReport, PushStatus, Subscription
from feedsvc.runtime import Runtime
from feedsvc.storage.store_feeds import FeedFile
from tests.jobs.site import Clock, Seeds, open_site
from tests.subscriber import Subscriber

TOPICS = """vocabulary = "test"
version = "1"

[[topic]]
slug = "sea"
label = "Sea"
keywords = ["ferry", "harbour"]
"""
SHARED = "the tide turns at four"


@dataclass
class Rig:
    """One site, its seeds and its clock."""

    runtime: Runtime
    seeds: Seeds
    clock: Clock

    def publish(self, title: str = "A ferry for the harbour") -> None:
        """Write an article and publish it; nobody is told yet."""
        name = title.lower().replace(" ", "-")
        self.seeds.write(f"{name}.md", title=title, url=f"https://example.org/{name}")
        jobs.ingest_seeds(self.runtime)
        jobs.publish_feeds(self.runtime)

    def change(self, text: str, name: str = "all.atom") -> bytes:
        """Publish a document as jobs do, without the articles it would be made of."""
        data = f"<feed>{text}</feed>".encode()
        self.runtime.feeds.put(name, data)
        file = FeedFile(hashlib.sha256(data).hexdigest(), len(data), name.partition(".")[0], None)
        with self.runtime.database.transaction() as store:
            store.put_feed_files({name: file}, now=self.clock())
            note_pushes(self.runtime, store, {name: (file.sha256, file.size)})
        return data

    def remove(self, name: str = "all.atom") -> None:
        """Take a document back as jobs do."""
        self.runtime.feeds.delete(name)
        with self.runtime.database.transaction() as store:
            store.drop_feed_files([name])
            note_pushes(self.runtime, store, {}, gone=[name])

    def topic(self, name: str = "all.atom") -> str:
        return f"{self.runtime.site.base_url}/feeds/{name}"

    def served(self, name: str = "all.atom") -> bytes:
        with self.runtime.feeds.open(name) as file:
            return file.read()

    def form(self, callback: str, **more: str) -> dict[str, str]:
        """Return a request's parameters; ``more``: without `hub.`."""
        values = {"mode": "subscribe", "topic": self.topic(), "callback": callback} | more
        return {f"hub.{name}": value for name, value in values.items()}

    def ask(self, callback: str, **more: str) -> HubAnswer:
        return ask_hub(self.runtime, list(self.form(callback, **more).items()))

    def subscribe(self, subscriber: Subscriber, path: str = "/callback", **more: str) -> None:
        """Ask, and let the subscriber confirm."""
        assert self.ask(subscriber.url(path), **more).status == 202
        self.push()

    def push(self) -> PushReport | None:
        return jobs.push_due(self.runtime)

    def subscriptions(self) -> list[Subscription]:
        return jobs.list_subscriptions(self.runtime)

    def status(self) -> PushStatus:
        return jobs.status(self.runtime).push


@contextmanager
def rig_at(
    root: Path, *, database: str | None = None, moment: datetime | None = None, **websub: Any
) -> Iterator[Rig]:
    """Open a site; ``websub`` are the settings of that section, ``moment`` sets the clock."""
    (root / "seeds").mkdir(exist_ok=True)
    (root / "config").mkdir(exist_ok=True)
    # The built-in vocabulary takes longer to read than most of these tests.
    (root / "config" / "topics.toml").write_text(TOPICS)
    clock = Clock()
    clock.moment = moment or clock.moment
    with open_site(root, database=database, now=clock, websub=websub) as runtime:
        yield Rig(runtime, Seeds(root / "seeds"), clock)
