"""The process that helps a capture run: its work is the threads' work, and it can be lost."""

from __future__ import annotations

import base64
import hashlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest

from feedsvc.capture.exchange import Exchange
from feedsvc.capture.warc import check_warc
from feedsvc.jobs.helper import Helper
from feedsvc.jobs.keep import MAX_PORTABLE, Order, keep, portable
from feedsvc.model import Verdict
from feedsvc.storage.blobs import DiskBlobs

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEXT = "The mill by the river grinds barley again, as it did before the flood took its wheel."


def an_order(name: str = "one", *, padding: int = 0) -> Order:
    body = f"<h1>The mill</h1><p>{TEXT}</p>{'<!-- x -->' * padding}".encode()
    page = Exchange(
        url=f"http://example.org/{name}",
        method="GET",
        request_headers=(("Host", "example.org"),),
        status=200,
        reason="OK",
        headers=(("Content-Type", "text/html"),),
        protocol="http/1.1",
        ip="192.0.2.1",
        body=BytesIO(body),
        size=len(body),
        sha1="sha1:" + name.upper().ljust(32, "A"),
        started=NOW,
        seconds=0.1,
    )
    return Order(
        snapshot_id=name,
        key=f"2026/11/{name}.warc.gz",
        title="The mill",
        text=TEXT,
        url=page.url,
        final_url=page.url,
        status=200,
        seconds=0.1,
        content_type="text/html",
        body=body,
        page=[_true(page, body)],
        requisites=[],
        missing=[],
        known={},
        robots="respect",
        software="test",
        now=NOW,
    )


def _true(page: Exchange, body: bytes) -> Exchange:
    page.sha1 = "sha1:" + base64.b32encode(hashlib.sha1(body).digest()).decode()  # noqa: S324 - what WARC uses
    return page


@pytest.fixture
def archive(tmp_path: Path) -> DiskBlobs:
    return DiskBlobs(tmp_path / "snapshots")


@pytest.fixture
def helper(archive: DiskBlobs) -> Iterator[Helper]:
    with closing(Helper(archive)) as started:
        yield started


def test_it_leaves_the_same_bytes_as_a_thread_would(
    helper: Helper, archive: DiskBlobs, tmp_path: Path
) -> None:
    order = an_order()
    elsewhere = DiskBlobs(tmp_path / "elsewhere")
    kept = helper.keep(order)
    assert kept is not None
    assert kept.judgement.verdict is Verdict.VERIFIED
    assert kept == keep(order, elsewhere)
    with archive.open(order.key) as file, elsewhere.open(order.key) as other:
        assert file.read() == other.read()
        assert check_warc(other).ok


def test_what_is_too_large_to_travel_is_left_to_the_thread(helper: Helper) -> None:
    order = an_order(padding=MAX_PORTABLE // 10)
    assert portable(order) is None
    assert helper.keep(order) is None
    assert helper.keep(an_order()) is not None


def test_what_it_cannot_do_is_left_to_the_thread(helper: Helper, archive: DiskBlobs) -> None:
    archive.folder.write_text("not a folder")
    assert helper.keep(an_order()) is None
    archive.folder.unlink()
    assert helper.keep(an_order()) is not None


def test_many_threads_share_it(helper: Helper, archive: DiskBlobs) -> None:
    orders = [an_order(f"n{number}") for number in range(24)]

    def carry_out(mine: list[Order]) -> None:
        for order in mine:
            if helper.keep(order) is None:
                keep(order, archive)

    threads = [threading.Thread(target=carry_out, args=(orders[n::8],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(archive.stored()) == sorted(order.key for order in orders)


def test_its_death_costs_nothing(helper: Helper) -> None:
    assert helper.keep(an_order()) is not None
    os.kill(helper.pid, signal.SIGKILL)
    assert helper.keep(an_order("two")) is None
    assert helper.keep(an_order("three")) is None


def test_signals_meant_for_its_parent_do_not_end_it(helper: Helper) -> None:
    assert helper.keep(an_order()) is not None
    for meant_for_others in (signal.SIGINT, signal.SIGTERM):
        os.kill(helper.pid, meant_for_others)
    assert helper.keep(an_order("two")) is not None


def test_it_outlives_nobody(tmp_path: Path) -> None:
    """A parent killed with -9 leaves no helper behind."""
    script = (
        "import sys, time; from pathlib import Path; from feedsvc.jobs.helper import Helper\n"
        "from feedsvc.storage.blobs import DiskBlobs\n"
        f"print(Helper(DiskBlobs(Path({str(tmp_path)!r}))).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        ended = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert select.select([ended], [], [], 10)[0]
    finally:
        os.close(ended)
