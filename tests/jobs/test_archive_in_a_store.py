"""An embedded site whose snapshots lie in an object store: the whole way of an article."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from feedsvc import jobs
from feedsvc.capture.warc_check import check_warc
from feedsvc.errors import ConfigurationError, NotFound, Temporary
from feedsvc.jobs.helper import Helper
from feedsvc.jobs.orders import snapshot_id
from feedsvc.jobs.orphans import SWEPT
from feedsvc.model import Snapshot
from feedsvc.runtime import Runtime
from feedsvc.storage.s3_blobs import S3Blobs
from tests.jobs.originals import load, records, serve, snapshots, state, trusting
from tests.jobs.site import Clock, Seeds, open_site
from tests.jobs.test_helper import an_order
from tests.origin import Origin

if TYPE_CHECKING:
    from tests.object_store import FaultyProxy, ObjectStore

pytestmark = pytest.mark.fleet


@pytest.fixture
def online(
    site: Path, origin: Origin, clock: Clock, object_store: ObjectStore, faulty: FaultyProxy
) -> Iterator[Runtime]:
    """A site on SQLite with its snapshots behind a proxy that may fail."""
    access = object_store.access(port=faulty.port, timeout=2.0)
    archive = trusting(origin) | {"store": f"s3://{object_store.bucket()}/our/snapshots"}
    s3 = {
        "endpoint": access.endpoint,
        "region": access.region,
        "key_id": access.key_id,
        "secret_key": access.secret_key,
        "timeout": access.timeout,
    }
    with open_site(site, now=clock, archive=archive, s3=s3) as opened:
        yield opened


@pytest.fixture
def archived(online: Runtime, seeds: Seeds, origin: Origin) -> list[Snapshot]:
    """An article captured twice: the second snapshot refers to payloads of the first."""
    article = load(online, seeds, serve(origin))
    for _ in range(2):
        assert jobs.capture_due(online, article=article).archived == 1
    return sorted(snapshots(online, article), key=lambda one: one.key)


def test_a_capture_is_kept_in_the_store_and_found_whole(
    online: Runtime, archived: list[Snapshot], site: Path
) -> None:
    assert list(online.archive.stored()) == [one.key for one in archived]
    for one in archived:
        assert online.archive.size(one.key) == one.size
        with online.archive.open(one.key) as file:
            assert check_warc(file).ok
    kinds = [{kind for kind, _ in records(online, one)} for one in archived]
    assert "revisit" not in kinds[0]
    assert "revisit" in kinds[1]
    assert not (site / "data" / "snapshots").exists()
    report = jobs.verify(online)
    assert (report.snapshots, report.damage) == (2, ())
    assert jobs.status(online).disk_free is None


def test_what_is_damaged_or_gone_is_found_and_captured_again(
    online: Runtime, archived: list[Snapshot], seeds: Seeds, origin: Origin
) -> None:
    first, second = archived
    with online.archive.open(second.key) as file:
        data = bytearray(file.read())
    data[len(data) // 2] ^= 1
    online.archive.put(second.key, bytes(data))
    online.archive.delete(first.key)
    found = {one.name: one.problem for one in jobs.verify(online).damage}
    assert found[online.archive.place(first.key)] == "the file is missing"
    assert "SHA-256" in found[online.archive.place(second.key)]
    assert jobs.capture_due(online).archived == 1
    assert jobs.verify(online).damage == ()


def test_a_store_that_is_away_is_no_damage(
    online: Runtime, archived: list[Snapshot], faulty: FaultyProxy
) -> None:
    from tests.object_store import Fault

    faulty.fail(Fault.BUSY)
    with pytest.raises(Temporary, match="503"):
        jobs.verify(online)
    faulty.mend()
    assert jobs.verify(online).damage == ()
    assert jobs.status(online).damaged == 0


def test_a_store_that_is_away_stops_captures_which_go_on_later(
    online: Runtime, seeds: Seeds, origin: Origin, faulty: FaultyProxy, clock: Clock
) -> None:
    from tests.object_store import Fault

    article = load(online, seeds, serve(origin))
    faulty.fail(Fault.BUSY, method="PUT")
    with pytest.raises(Temporary, match="could not be written"):
        jobs.capture_due(online)
    assert snapshots(online, article) == []
    assert "could not be written" in state(online, article).cause
    assert any(run.job == "capture" and not run.ok for run in jobs.status(online).runs)
    faulty.mend()
    clock.advance(days=1)
    assert jobs.capture_due(online).archived == 1
    assert len(list(online.archive.stored())) == 1


def test_a_lost_answer_keeps_a_capture_once(
    online: Runtime, seeds: Seeds, origin: Origin, faulty: FaultyProxy
) -> None:
    from tests.object_store import Fault

    load(online, seeds, serve(origin))
    faulty.fail(Fault.LOST, method="PUT", times=1)
    assert jobs.capture_due(online).archived == 1
    assert len(list(online.archive.stored())) == 1
    assert jobs.verify(online).damage == ()


def test_a_helper_process_writes_to_the_store_and_no_secret_is_on_its_command_line(
    online: Runtime, object_store: ObjectStore
) -> None:
    order = an_order()
    with closing(Helper(online.archive)) as helper:
        words = Path(f"/proc/{helper.pid}/cmdline").read_bytes().decode().split("\0")
        kept = helper.keep(order)
    assert kept is not None
    assert online.archive.size(order.key) == kept.size
    assert not any(object_store.secret_key in word for word in words)


def test_a_snapshot_is_exported_and_backed_up_from_the_store(
    online: Runtime, archived: list[Snapshot], tmp_path: Path
) -> None:
    jobs.export_archive(online, "wacz", tmp_path / "all.wacz")
    with zipfile.ZipFile(tmp_path / "all.wacz") as packed:
        (name,) = [one for one in packed.namelist() if one.startswith("archive/")][:1]
        assert check_warc(io.BytesIO(packed.read(name))).ok
    jobs.back_up(online, tmp_path / "all.tar")
    with tarfile.open(tmp_path / "all.tar") as backup:
        kept = {one.name: one.size for one in backup if one.name.endswith(".warc.gz")}
    assert kept == {f"snapshots/{one.key}": one.size for one in archived}


def test_what_is_forgotten_leaves_the_store(online: Runtime, archived: list[Snapshot]) -> None:
    jobs.forget_article(online, archived[0].article_id, who="a test", reason="")
    assert list(online.archive.stored()) == []
    assert jobs.verify(online).damage == ()


# --- what nobody recorded ----------------------------------------------------------------------


def orphan(runtime: Runtime, moment: datetime) -> str:
    """Put bytes at rest as a capture at that moment would that is killed before it is recorded."""
    key = f"{moment:%Y/%m}/{snapshot_id(moment, os.urandom(10))}.warc.gz"
    with runtime.archive.writing(key) as file:
        file.write(b"left behind")
    return key


def listings(faulty: FaultyProxy) -> list[str]:
    return [path for method, path in faulty.requests if method == "GET" and "list-type" in path]


def test_orphans_are_swept_when_they_are_a_day_old(
    online: Runtime, archived: list[Snapshot], clock: Clock
) -> None:
    # The store has a clock of its own: what is written now is as old as that says.
    assert isinstance(online.archive, S3Blobs)
    now = online.archive.written(archived[0].key)
    clock.moment = now
    left, young = orphan(online, now), orphan(online, now - timedelta(days=5))
    jobs.capture_due(online)
    assert online.archive.size(left)
    # Its name tells of days ago, but it may be about to be recorded.
    assert online.archive.size(young)
    online.archive.delete(young)
    clock.moment = now + timedelta(days=2, minutes=5)
    jobs.capture_due(online)
    with pytest.raises(NotFound):
        online.archive.size(left)
    assert [one for one in archived if not online.archive.size(one.key)] == []
    assert jobs.verify(online).damage == ()


def test_orphans_are_looked_for_once_a_day_and_among_the_last_days_only(
    online: Runtime, archived: list[Snapshot], clock: Clock, faulty: FaultyProxy
) -> None:
    clock.moment = online.archive.written(archived[0].key) + timedelta(days=3)
    faulty.requests.clear()
    jobs.capture_due(online)
    assert listings(faulty)
    faulty.requests.clear()
    clock.advance(hours=23)
    jobs.capture_due(online)
    assert listings(faulty) == []
    clock.advance(hours=2)
    jobs.capture_due(online)
    first, *others = listings(faulty)
    assert f"{clock.moment - timedelta(days=2):%Y%%2F%m}" in first
    assert "start-after" in first
    assert len(others) <= 1  # a month may have ended
    with online.database.reading() as store:
        assert store.fact(SWEPT) == (clock.moment - timedelta(days=1)).isoformat()


def test_bytes_of_another_site_are_never_replaced(
    online: Runtime, archived: list[Snapshot]
) -> None:
    with (
        pytest.raises(ConfigurationError, match="a prefix of its own"),
        online.archive.writing(archived[0].key) as file,
    ):
        file.write(b"of another site")
    assert jobs.verify(online).damage == ()


# --- feeds beside them -------------------------------------------------------------------------


def test_feeds_in_the_store_are_verified_too(
    site: Path, seeds: Seeds, object_store: ObjectStore
) -> None:
    access = object_store.access()
    s3 = {"endpoint": access.endpoint, "region": access.region}
    s3 |= {"key_id": access.key_id, "secret_key": access.secret_key}
    place = f"s3://{object_store.bucket()}"
    archive, feeds = {"store": f"{place}/a"}, {"dir": f"{place}/f"}
    with open_site(site, s3=s3, archive=archive, feeds=feeds) as runtime:
        seeds.write("ferry.md", url=None)
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
        assert jobs.verify(runtime).damage == ()
        runtime.feeds.delete("all.rss")
        runtime.feeds.put("all.atom", b"<feed/>")
        runtime.feeds.put("what.is", b"this")
        assert {one.name: one.problem for one in jobs.verify(runtime).damage} == {
            "all.rss": "the file is missing",
            "all.atom": "its bytes are not those written",
            f"{place}/f/what.is": "feedsvc did not write it",
        }
