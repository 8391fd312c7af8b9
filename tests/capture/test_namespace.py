"""The guard against a hostile server with a public address, in a network namespace of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_public_server_leads_to_no_private_address(unshare: tuple[str, ...]) -> None:
    rig = Path(__file__).with_name("public_rig.py")
    done = subprocess.run(
        [*unshare, sys.executable, str(rig)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    outcomes = report["outcomes"]
    assert outcomes.pop("/to-public") == "200 from 2606:4700::1111"
    assert outcomes.pop("/to-name") == "200 from 93.184.216.34"
    assert set(outcomes.values()) == {"CaptureRefused"}
    assert len(outcomes) == 9
    assert report["private"] == 0
    assert report["public"] == 11 + 2
