"""Which process is this site's daemon."""

from __future__ import annotations

import os
from pathlib import Path

LOCK_FILE = "data/feedsvc.lock"
"""Of the daemon, inside a site's folder."""


def held_by(path: Path) -> int | None:
    """Return the process id of who holds the lock file, None if nobody of this machine does.

    The lock itself is not tried: a daemon that starts at that moment would find it taken.
    """
    try:
        holder = int(path.read_bytes()[:32])
        os.kill(holder, 0)
    except PermissionError:
        return holder
    except (OSError, ValueError):
        return None
    return holder
