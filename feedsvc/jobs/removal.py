"""Bytes of snapshots that no row needs any more: noted with the change, deleted after it."""

from __future__ import annotations

from feedsvc.logs import logger
from feedsvc.runtime import Runtime

ARCHIVE_LOCK = "archive"
"""Held by whoever has snapshots at rest that no row knows yet, and no lease: nobody sweeps then."""

log = logger(__name__)


def finish_removals(runtime: Runtime) -> int:
    """Delete the bytes that are noted as to be deleted; return how many files.

    Called after the change, and again by whoever comes after a crash.
    """
    with runtime.database.reading() as store:
        keys = store.removals()
    if not keys:
        return 0
    for key in keys:
        runtime.archive.delete(key)
    with runtime.database.transaction() as store:
        store.drop_removals(keys)
    log.info("snapshots.removed", files=len(keys))
    return len(keys)
