"""One daemon for each site."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedsvc.errors import AlreadyRunning
from feedsvc.jobs.holder import held_by

__all__ = ["held_by", "single_instance"]


@contextmanager
def single_instance(path: Path) -> Iterator[None]:
    """Hold the lock file, our process id in it; raise AlreadyRunning naming who holds it.

    The kernel frees the lock when its holder dies, however it dies.
    """
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            raise AlreadyRunning(
                f"a daemon of this site runs already, process {holder} ({path}); "
                f"stop it with `kill {holder}`, or use the site through it"
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
        # Emptied, not removed: a third process might lock a file that has no name any more.
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)
