"""What snapshots hold, looked up by address."""

from __future__ import annotations

from feedsvc.model import Snapshot
from feedsvc.replay.content import Contents, Found, Missing
from feedsvc.replay.index import Shelf
from feedsvc.runtime import Runtime


def contents_of(runtime: Runtime) -> Contents:
    """Return what looks addresses up in the snapshots of a site."""

    def holder(digest: str) -> str | None:
        with runtime.database.reading() as store:
            payload = store.known_payloads([digest]).get(digest)
            snapshot = store.snapshot(payload.snapshot_id) if payload else None
        return snapshot.key if snapshot else None

    return Contents(Shelf(runtime.archive.open), resolve=holder)


def look_in(
    runtime: Runtime, contents: Contents, snapshot: Snapshot, url: str, *, follow: bool
) -> Found | Missing:
    """Return what an address gave in a snapshot, or in the one it repeats."""
    repeated = None
    if snapshot.repeats is not None:
        with runtime.database.reading() as store:
            repeated = store.snapshot(snapshot.repeats)
    behind = repeated.key if repeated else None
    return contents.look(snapshot.key, url, follow=follow, behind=behind)
