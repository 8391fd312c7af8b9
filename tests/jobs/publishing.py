"""Sites of a fleet whose feeds lie in an object store, published channel by channel."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from feedsvc.jobs.publish_one import arrange_feeds, publish_channel
from feedsvc.runtime import Runtime
from tests.jobs.site import open_site
from tests.object_store import REGION, ObjectStore


def in_store(store: ObjectStore, bucket: str, *, port: int | None = None) -> dict[str, Any]:
    """Return the settings of a fleet that keeps snapshots and feeds in a bucket."""
    return {
        "fleet": {"enabled": True},
        "archive": {"store": f"s3://{bucket}/snapshots"},
        "feeds": {"dir": f"s3://{bucket}/feeds"},
        "s3": {
            "endpoint": store.endpoint(port),
            "region": REGION,
            "key_id": store.key_id,
            "secret_key": store.secret_key,
        },
    }


@contextmanager
def open_fleet(root: Path, database: str, **sections: Any) -> Iterator[Runtime]:
    """Open a site as one process of a fleet."""
    with open_site(root, database=database, **sections) as runtime:
        yield runtime


def publish_by_channel(runtime: Runtime, *, order: random.Random | None = None) -> None:
    """Publish as tasks do: arrange, every channel that waits in any order, arrange again."""
    arrange_feeds(runtime)
    while True:
        with runtime.database.reading() as store:
            slugs = store.dirty_slugs()
        if not slugs:
            break
        if order is not None:
            order.shuffle(slugs)
        for slug in slugs:
            publish_channel(runtime, slug)
    arrange_feeds(runtime)


def published(runtime: Runtime) -> dict[str, bytes]:
    """Return every file of feeds, by name."""
    found = {}
    for name in runtime.feeds.stored():
        with runtime.feeds.open(name) as file:
            found[name] = file.read()
    return found
