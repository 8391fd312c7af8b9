"""What a process needed at most, itself alone."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path


def peak_kib() -> int:
    """Return the most memory this process held at once, in KiB.

    On Linux getrusage(2) counts what the process it was forked from held, so that nothing seems
    to grow in the child of a large one.
    """
    status = Path("/proc/self/status")
    if status.exists() and (
        found := re.search(r"^VmHWM:\s+(\d+)", status.read_text(), re.MULTILINE)
    ):
        return int(found[1])
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held // 1024 if sys.platform == "darwin" else held
