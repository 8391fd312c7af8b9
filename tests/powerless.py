"""Programs run by somebody to whom permissions apply, even where the tests are run by root."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import feedsvc

_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE = 1


def run_powerless(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with arguments and return what it left behind."""
    paths = [str(Path(feedsvc.__file__).parents[1]), *sys.path]
    return subprocess.run(
        [sys.executable, *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(paths)},
        preexec_fn=_give_up,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _give_up() -> None:
    """Give up what lets root write everywhere; nobody else has it."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0)
