"""Sites that move: a stocked one, what it shows, and the command in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from feedsvc import jobs
from feedsvc.runtime import Runtime
from feedsvc.settings import Settings, load_settings
from feedsvc.storage.blobs import BlobStore
from feedsvc.storage.database import Database, database_url
from feedsvc.storage.rows import carried_tables, read_rows
from feedsvc.storage.tables import snapshots
from tests.jobs.site import NOON, Seeds, open_site
from tests.object_store import ObjectStore

SNAPSHOT = {
    "url": "https://example.org/ferry",
    "final_url": "https://example.org/ferry",
    "captured": NOON,
    "status": 200,
    "verdict": "verified",
    "share": 1.0,
    "evidence": "",
    "records": 1,
    "requisites": 0,
    "missing": 0,
    "refers": [],
}


def stock(root: Path, *, articles: int = 5) -> None:
    """Give a site articles, one with a snapshot, a correction, a secret feed, and feeds."""
    seeds = Seeds(root / "seeds")
    seeds.write("ferry.md")
    seeds.many(articles)
    with open_site(root) as runtime:
        jobs.ingest_seeds(runtime)
        add_snapshots(runtime, 1, folder="2026/10")
        with runtime.database.reading() as store:
            newest = store.newest(1)[0].id
        jobs.set_topics(runtime, newest, ["sport"])
        jobs.share_feed(runtime, "sport")
        jobs.publish_feeds(runtime)
        jobs.index_articles(runtime)


def add_snapshots(
    runtime: Runtime, count: int, *, size: int = 2000, folder: str = "2026/11"
) -> dict[str, bytes]:
    """Add snapshots, of which only their bytes matter here; return those by key."""
    added = {
        f"{folder}/{number:05}.warc.gz": f"{number:07} ".encode() * (size // 8)
        for number in range(count)
    }
    for key, data in added.items():
        runtime.archive.put(key, data)
    with runtime.database.transaction() as store:
        article = store.newest(1)[0].id
        rows = [
            SNAPSHOT
            | {
                "id": str(uuid.uuid5(uuid.NAMESPACE_URL, key)),
                "article_id": article,
                "key": key,
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
            for key, data in added.items()
        ]
        store.connection.execute(snapshots.insert(), rows)
    return added


def rows_at(address: str, root: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the site in a database, JSON as the text it is."""
    with (
        closing(Database(database_url(address, root=root))) as database,
        database.reading() as store,
    ):
        return {
            table.name: [tuple(row) for part in read_rows(store.connection, table) for row in part]
            for table in carried_tables()
        }


def documents(blobs: BlobStore) -> dict[str, bytes]:
    """Everything in a store but the mark of whose it is."""
    found = {}
    for key in blobs.stored():
        if key != "feedsvc.json":
            with blobs.open(key) as file:
                found[key] = file.read()
    return found


def settings_for(root: Path, **sections: dict[str, Any]) -> Settings:
    """The site's settings, some of them changed: database={"url": …}."""
    settings = load_settings(root)
    for section, values in sections.items():
        changed = getattr(settings, section).model_copy(update=values)
        settings = settings.model_copy(update={section: changed})
    return settings


def fleet_settings(root: Path, database: str, store: ObjectStore, bucket: str) -> Settings:
    """The settings of the same site as a fleet has them."""
    return settings_for(
        root,
        fleet={"enabled": True},
        database={"url": database},
        archive={"store": f"s3://{bucket}/snapshots"},
        feeds={"dir": f"s3://{bucket}/feeds"},
        s3=reached(store),
    )


def reached(store: ObjectStore) -> dict[str, Any]:
    """The section of settings that says how to reach an object store."""
    return {
        name.removeprefix("FEEDSVC_S3__").lower(): value for name, value in store.settings().items()
    }


def command(root: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "feedsvc", "--root", str(root), "--json", "migrate", *arguments]


def run(root: Path, *arguments: str, code: int = 0, env: Iterable[tuple[str, str]] = ()) -> Any:
    """Run `feedsvc migrate` to its end; return what it says."""
    done = subprocess.run(
        command(root, *arguments),
        env=os.environ | dict(env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)
