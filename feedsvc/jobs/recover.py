"""Clean up after a capture run that was killed."""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
from contextlib import suppress

from feedsvc.logs import logger
from feedsvc.runtime import Runtime
from feedsvc.storage.blobs import lives

_OURS = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9a-f-]{36}\.warc\.gz")

log = logger(__name__)


def new_lease() -> str:
    """Return a token that tells who holds a lease: this process, on this machine."""
    return f"{os.getpid()}@{_host()}/{secrets.token_hex(6)}"


def recover(runtime: Runtime) -> int:
    """Hand back what dead processes of this machine had leased; return how many captures.

    The bytes they had put at rest without recording them go too, if nobody else captures now.
    """
    began = time.time()
    with runtime.database.reading() as store:
        leases = store.leases()
    dead = [lease for lease in leases if _is_dead(lease)]
    if not dead:
        return 0
    with runtime.database.transaction() as store:
        back = sum(store.release_captures(lease) for lease in dead)
    if len(dead) == len(leases):
        _sweep(runtime, before=began - 1)
    log.info("captures.recovered", captures=back)
    return back


def _is_dead(lease: str) -> bool:
    pid, _, rest = lease.partition("@")
    return rest.partition("/")[0] == _host() and pid.isdecimal() and not lives(int(pid))


def _sweep(runtime: Runtime, *, before: float) -> None:
    """Remove unfinished files, and snapshots at rest that no row knows."""
    runtime.archive.sweep()
    for key in runtime.archive.stored():
        if not _OURS.fullmatch(key):
            continue
        with runtime.database.reading() as store:
            if store.has_key(key):
                continue
        with suppress(FileNotFoundError):
            if runtime.archive.path(key).stat().st_mtime < before:
                runtime.archive.delete(key)
                log.info("snapshot.swept", key=key, reason="its capture was killed unrecorded")


def _host() -> str:
    return socket.gethostname()[:30]
