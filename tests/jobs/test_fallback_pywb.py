"""The law of fallbacks before a real archive: pywb, in a process of its own, on loopback."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.model import Verdict
from feedsvc.runtime import Runtime
from tests.jobs.importing import CSS, PNG, Archive
from tests.jobs.site import Seeds, open_site
from tests.jobs.test_fallback_job import PAGE, files, snapshots
from tests.origin import Listener, Origin

PYWB = "FEEDSVC_TEST_PYWB"
IMAGE = b"\x89PNG\r\n\x1a\n" + b"harbour" * 100
STYLE = b"h1 { background: url(/boat.png) }" * 20


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    """Where the article was: nothing but 404."""
    served = Origin()
    listener = Listener(served)
    yield served
    listener.close()


@pytest.fixture(scope="module")
def pywb(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve what was captured of the origin with pywb; give the address of its TimeGate."""
    programs = _programs()
    folder = tmp_path_factory.mktemp("pywb")
    (folder / "other.warc.gz").write_bytes(_captured(origin))
    for command in (("init", "web"), ("add", "web", "other.warc.gz")):
        run = [str(programs / "wb-manager"), *command]
        subprocess.run(run, cwd=folder, check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serving = [str(programs / "wayback"), "--bind", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(serving, cwd=folder, stdout=log, stderr=log)
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}/web/"
    finally:
        process.terminate()
        process.wait(20)


def _programs() -> Path:
    place = os.environ.get(PYWB)
    if not place:
        pytest.skip(f"no pywb: {PYWB} is not set")  # .ci/run always has one
    path = Path(place).absolute()
    return path / "bin" if (path / "bin").is_dir() else path.parent


def _captured(origin: Origin) -> bytes:
    archive = Archive()
    url = origin.url("/ferry")
    for date, page in (
        ("2023-01-02T03:04:05Z", b"<h1>An old front page</h1>"),
        ("2024-06-01T03:04:05Z", PAGE),
        ("2025-12-24T03:04:05Z", b"<h1>For sale</h1>"),
    ):
        archive.response(url, page, date=date)
    archive.response(origin.url("/site.css"), STYLE, CSS, date="2024-06-02T03:04:05Z")
    archive.response(origin.url("/boat.png"), IMAGE, PNG, date="2024-06-02T03:04:05Z")
    moved = (("Location", url),)
    archive.response(origin.url("/old"), b"", date="2024-06-01T00:00:00Z", status="301 Moved", headers=moved)  # fmt: skip
    return archive.data


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "pywb ended by itself"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("pywb never listened")


@pytest.fixture
def runtime(site: Path, origin: Origin, pywb: str) -> Iterator[Runtime]:
    archive = {
        "allow_hosts": (origin.host, pywb.split("/")[2]),
        "per_host_delay": 0.0,
        "per_host": 8,
        "fallbacks": (pywb,),
    }
    with open_site(site, archive=archive) as opened:
        yield opened


@pytest.mark.parametrize("path", ["/ferry", "/old"])
def test_the_memento_nearest_to_the_article_is_had_from_pywb_byte_for_byte(
    runtime: Runtime, seeds: Seeds, origin: Origin, pywb: str, path: str, tmp_path: Path
) -> None:
    seeds.write("ferry.md", url=origin.url(path))
    jobs.ingest_seeds(runtime)
    (attempt,) = jobs.capture_due(runtime).attempts
    assert attempt.status == 404
    (snapshot,) = snapshots(runtime, attempt.article_id)
    assert snapshot.judgement.verdict is Verdict.VERIFIED
    assert f"{snapshot.captured:%Y-%m-%d}" == "2024-06-01"
    assert (snapshot.source or "").startswith(f"{pywb}20240601")
    assert (snapshot.final_url, snapshot.requisites) == (origin.url("/ferry"), 2)
    assert files(runtime) == [snapshot.key]
    assert not jobs.verify(runtime).damage
    bodies = _bodies(runtime, snapshot.key)
    assert {bodies[origin.url(one)] for one in ("/ferry", "/site.css", "/boat.png")} == {
        *(PAGE, STYLE, IMAGE),
    }
    report = jobs.export_archive(runtime, "wacz", tmp_path / "all.wacz")
    assert report.snapshots == 1
    assert zipfile.ZipFile(tmp_path / "all.wacz").testzip() is None


def _bodies(runtime: Runtime, key: str) -> dict[str, bytes]:
    from warcio.archiveiterator import ArchiveIterator

    with runtime.archive.open(key) as file:
        data = io.BytesIO(file.read())
    return {
        record.rec_headers.get_header("WARC-Target-URI"): record.content_stream().read()
        for record in ArchiveIterator(data, check_digests="raise")
        if record.rec_type == "response"
    }
