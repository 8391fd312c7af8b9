"""What a fleet has stored, looked at from outside its processes."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

from feedsvc.runtime import Runtime
from tests.fleet.cluster import Fleet
from tests.fleet.press import Press


def put_seeds(fleet: Fleet, press: Press, *, hosts: int, articles: int, first: int = 0) -> None:
    """Put the articles ``first`` to ``articles`` of so many newspapers into the bucket of seeds."""
    with fleet.opened() as runtime:
        if not runtime.settings.seeds.paths[0].startswith("s3://"):
            _write_seeds(
                Path(runtime.settings.seeds.paths[0]), press, hosts, range(first, articles)
            )
            return
        from feedsvc.runtime import s3_access
        from feedsvc.storage.s3 import Bucket
        from feedsvc.storage.s3_access import parse_address

        bucket, prefix = parse_address(runtime.settings.seeds.paths[0])
        store = Bucket(bucket, prefix, s3_access(runtime.settings))
        for number in range(1, hosts + 1):
            for article in range(first, articles):
                seed = press.seed(number, article).encode()
                assert store.create(f"ward-{number:03}/{article:03}.md", seed)


def _write_seeds(folder: Path, press: Press, hosts: int, articles: range) -> None:
    for number in range(1, hosts + 1):
        (folder / f"ward-{number:03}").mkdir(exist_ok=True)
        for article in articles:
            (folder / f"ward-{number:03}" / f"{article:03}.md").write_text(
                press.seed(number, article)
            )


def archived(fleet: Fleet) -> int:
    """Return how many articles have a snapshot that counts."""
    with fleet.opened() as runtime, runtime.database.reading() as store:
        return store.counts().archived


def check_snapshots(runtime: Runtime, *, expected: int) -> None:
    """Every article has one snapshot, whose bytes are at rest as recorded."""
    with runtime.database.reading() as store:
        found = list(store.all_snapshots())
    assert Counter(Counter(one.article_id for one in found).values()) == {1: expected}
    assert len({one.key for one in found}) == expected
    for one in found:
        with runtime.archive.open(one.key) as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == one.sha256


def published(runtime: Runtime) -> dict[str, bytes]:
    """Return every feed document in the store by name."""
    found = {}
    for name in runtime.feeds.stored():
        if name.endswith((".rss", ".atom", ".json", ".opml")) and name != "feedsvc.json":
            with runtime.feeds.open(name) as file:
                found[name] = file.read()
    return found


def is_at_rest(runtime: Runtime) -> bool:
    """Tell whether nothing waits to be loaded, captured, published or taken over."""
    with runtime.database.reading() as store:
        counts = store.counts()
        waiting = store.count_waiting()
        due = store.count_due(now=runtime.now())
    assert runtime.queue is not None
    with runtime.database.reading() as store:
        queued = sum(one.waiting + one.running for one in runtime.queue.counts(store))
    return not (counts.in_flight or waiting or due or queued)


def embedded(folder: Path, fleet: Fleet) -> Path:
    """Move what a fleet holds into an embedded site; return its folder."""
    fleet.command(
        "migrate",
        "--to",
        f"sqlite:///{folder}/data/feedsvc.db",
        "--store",
        f"{folder}/data/snapshots",
    )
    return folder
