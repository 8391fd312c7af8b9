"""What a `kill -9` in the middle of looks may do: repeat them, never keep one twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from feedsvc import jobs
from feedsvc.runtime import Runtime, utc_now
from tests.jobs.originals import trusting
from tests.jobs.site import Seeds, open_site
from tests.jobs.watched import PARAGRAPHS, TITLE, page, serve
from tests.origin import Origin

COUNT = 4
SOON = '["0.001s", "365d"]'
"""A look is due at once, and after it none for a year."""


def environment(origin: Origin) -> dict[str, str]:
    return os.environ | {
        "FEEDSVC_ARCHIVE__ALLOW_HOSTS": origin.host,
        "FEEDSVC_ARCHIVE__PER_HOST_DELAY": "0s",
        "FEEDSVC_ARCHIVE__RECHECK_AFTER": SOON,
    }


def feedsvc(site: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "feedsvc", "--root", str(site), "--json", *arguments]


def recheck(site: Path, origin: Origin) -> dict[str, Any]:
    done = subprocess.run(
        feedsvc(site, "recheck"),
        env=environment(origin),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def filled(site: Path, seeds: Seeds, origin: Origin) -> None:
    """Archive originals, half of which change afterwards."""
    for number in range(COUNT):
        url = serve(origin, page(*PARAGRAPHS), f"/{number}")
        seeds.write(f"{number}.md", title=TITLE, url=url, body="\n\n".join(PARAGRAPHS))
    soon = trusting(origin, recheck_after=(0.001, 365 * 86400.0))
    with open_site(site, now=utc_now, archive=soon) as online:
        jobs.ingest_seeds(online)
        assert jobs.capture_due(online).archived == COUNT
    for number in range(0, COUNT, 2):
        serve(origin, page(*PARAGRAPHS, "Correction: cups, not mugs."), f"/{number}")


def check(site: Path, origin: Origin) -> None:
    """Every original was looked at once, as far as anything at rest tells."""
    with open_site(site, now=utc_now, archive=trusting(origin)) as online:
        assert jobs.verify(online).damage == ()
        keys = set(online.archive.stored())
        with online.database.reading() as store:
            for article in store.newest(COUNT):
                kept = store.snapshots(article.id)
                assert len(kept) == 2
                changes = store.changes_of(article.id)
                assert len(changes) == (0 if kept[0].repeats else 1)
                keys -= {one.key for one in kept}
            assert len(store.recent_changes(limit=99)) == COUNT // 2
        assert not keys
        assert jobs.status(online).in_flight == 0


def test_a_run_of_looks_that_is_killed_is_finished_by_the_next(
    site: Path, seeds: Seeds, origin: Origin
) -> None:
    filled(site, seeds, origin)
    reply = origin.replies["/1"]
    reached, go_on = threading.Event(), threading.Event()

    def hold(_connection: object, _seen: object) -> None:
        reached.set()
        go_on.wait(30)

    origin.raw("/1", hold)
    process = subprocess.Popen(
        feedsvc(site, "recheck"),
        env=environment(origin),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert reached.wait(20)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    go_on.set()
    # What was put at rest and not recorded, as a kill between the two leaves it.
    stray = site / "data" / "snapshots" / "2026" / "11"
    stray.mkdir(parents=True, exist_ok=True)
    orphan = stray / "019a0000-0000-7000-8000-000000000000.warc.gz"
    orphan.write_bytes(b"half")
    os.utime(orphan, (1, 1))
    origin.replies["/1"] = reply
    assert recheck(site, origin)["looked"] >= 1
    assert not orphan.exists()
    check(site, origin)


def test_kills_at_any_moment_double_nothing(site: Path, seeds: Seeds, origin: Origin) -> None:
    filled(site, seeds, origin)
    for kill_after in (0.5, 0.75):
        process = subprocess.Popen(
            feedsvc(site, "recheck"),
            env=environment(origin),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
    recheck(site, origin)
    check(site, origin)


def test_a_lease_that_was_lost_leaves_no_bytes_and_no_row(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    url = serve(origin, page(*PARAGRAPHS))
    seeds.write("a.md", title=TITLE, url=url, body="\n\n".join(PARAGRAPHS))
    jobs.ingest_seeds(online)
    jobs.capture_due(online)
    (before,) = online.archive.stored()

    def rob(connection: Any, _seen: object) -> None:
        with online.database.transaction() as store:
            for lease in store.leases():
                store.release_captures(lease)
        body = page(*PARAGRAPHS)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n")
        connection.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    origin.raw("/light", rob)
    jobs.recheck_due(online, everything=True, limit=1)
    assert list(online.archive.stored()) == [before]
    with online.database.reading() as store:
        (article,) = store.newest(9)
        assert len(store.snapshots(article.id)) == 1
