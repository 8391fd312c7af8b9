"""Leases that die with their holder, and cleaning up after a capture run that was killed."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feedsvc.errors import NotFound, Temporary
from feedsvc.jobs.orphans import OURS, sweep_orphans
from feedsvc.jobs.presence import is_present, present
from feedsvc.jobs.removal import ARCHIVE_LOCK, finish_removals
from feedsvc.logs import logger
from feedsvc.runtime import Runtime
from feedsvc.storage.blobs import DiskBlobs

_FOLDER = "leases"
_LAG = timedelta(seconds=0.05)
"""By so much the clock that dates files may lag behind."""
_TOKEN = re.compile(r"(?P<host>[A-Za-z0-9_-]{1,30})\.[0-9a-f]{16}")

log = logger(__name__)


@contextmanager
def holding_lease(runtime: Runtime) -> Iterator[str]:
    """Yield a new lease token, which everybody can tell to be held as long as this process lives.

    Its proof is a lock on a file of that name: the kernel frees it with the process, and unlike
    a process id nobody gets it again. In a fleet it is the name of the worker that this process
    is, for as long as it says that it is alive.
    """
    if runtime.queue is not None:
        with present(runtime) as worker:
            yield worker
        return
    token = f"{_host()}.{secrets.token_hex(8)}"
    folder = runtime.state / _FOLDER
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    path = folder / token
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield token
    finally:
        with suppress(FileNotFoundError):
            path.unlink()
        os.close(handle)


def recover(runtime: Runtime) -> int:
    """Hand back what dead processes had leased; return how many captures.

    The bytes they had put at rest without recording them go too, if nobody else captures now.
    """
    began = datetime.now(UTC)
    finish_removals(runtime)
    if not isinstance(runtime.archive, DiskBlobs):
        sweep_orphans(runtime)
    with runtime.database.reading() as store:
        leases = store.leases()
    dead = [lease for lease in leases if is_dead(runtime, lease)]
    traces = [] if runtime.queue is not None else _dead_files(runtime)
    if not dead and not traces:
        return 0
    back = 0
    if dead:
        with runtime.database.transaction() as store:
            back = sum(store.release_captures(lease) for lease in dead)
    # In a fleet somebody may be about to record what lies there: only what is old is swept.
    if len(dead) == len(leases) and runtime.queue is None:
        # Whoever adds, imports or forgets holds this lock instead of leases.
        with suppress(Temporary), runtime.lock(ARCHIVE_LOCK, wait=0.0):
            if isinstance(runtime.archive, DiskBlobs):
                _sweep(runtime, before=began - _LAG)
            for path in traces:
                path.unlink(missing_ok=True)
    log.info("captures.recovered", captures=back)
    return back


def is_capturing(runtime: Runtime) -> bool:
    """Tell whether somebody holds a lease now, so that a file may be about to be recorded."""
    with runtime.database.reading() as store:
        return any(not is_dead(runtime, lease) for lease in store.leases())


def is_dead(runtime: Runtime, lease: str) -> bool:
    """Tell whether a lease's holder is gone for certain; on another machine nobody can say."""
    if runtime.queue is not None:
        return not is_present(runtime, lease)
    named = _TOKEN.fullmatch(lease)
    if named is None:
        return False
    path = runtime.state / _FOLDER / lease
    if not path.exists():
        # A database in a file is this folder's alone, whatever a container's host is called.
        return runtime.database.is_sqlite or named["host"] == _host()
    return not _is_locked(path)


def _dead_files(runtime: Runtime) -> list[Path]:
    folder = runtime.state / _FOLDER
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if not _is_locked(path)]


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _sweep(runtime: Runtime, *, before: datetime) -> None:
    """Remove unfinished files, and snapshots at rest that no row knows."""
    runtime.archive.sweep()
    for key in runtime.archive.stored():
        if not OURS.fullmatch(key):
            continue
        with runtime.database.reading() as store:
            if store.has_key(key):
                continue
        with suppress(NotFound):
            if runtime.archive.written(key) < before:
                runtime.archive.delete(key)
                log.info("snapshot.swept", key=key, reason="its capture was killed unrecorded")


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:30] or "here"
