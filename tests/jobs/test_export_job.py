"""Laws of exports: what is handed on is whole, needs nothing else, and is what the standards say."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

from feedsvc import jobs
from feedsvc.capture.warc_check import check_warc
from feedsvc.errors import NotFound
from feedsvc.model import Snapshot
from feedsvc.runtime import Runtime
from tests.jobs.site import BODY, Clock, Seeds, open_site
from tests.origin import Listener, Origin

STYLE = b"h1 { color: teal } " * 40


@pytest.fixture
def origin() -> Iterator[Origin]:
    served = Origin()
    listener = Listener(served)
    yield served
    listener.close()


@pytest.fixture
def runtime(site: Path, origin: Origin) -> Iterator[Runtime]:
    archive = {"allow_hosts": (origin.host,), "per_host_delay": 0.0, "per_host": 8}
    with open_site(site, now=Clock(), archive=archive) as opened:
        yield opened


@pytest.fixture
def archived(runtime: Runtime, seeds: Seeds, origin: Origin) -> list[Snapshot]:
    """Three articles that share a stylesheet; one after the other, so the later ones refer to it."""
    origin.page("/site.css", STYLE, headers=(("Content-Type", "text/css"),))
    for number in range(3):
        title = f"Report number {number}"
        body = "".join(f"<p>{part}</p>" for part in BODY.split("\n\n"))
        page = f"<html><head><title>{title}</title><link rel=stylesheet href=/site.css></head>"
        url = origin.page(f"/{number}", f"{page}<h1>{title}</h1>{body}</html>".encode())
        seeds.write(f"{number}.md", title=title, url=url, date=f"2024-05-0{number + 1}")
        jobs.ingest_seeds(runtime)
        assert jobs.capture_due(runtime).archived == 1
    with runtime.database.reading() as store:
        return sorted(store.all_snapshots(), key=lambda one: one.url)


def payloads(warc: bytes) -> dict[str, bytes]:
    """Return what each URL's record holds, revisits resolved by digest inside the same bytes."""
    by_digest: dict[str, bytes] = {}
    found: dict[str, bytes] = {}
    later: list[tuple[str, str]] = []
    for record in ArchiveIterator(io.BytesIO(warc), check_digests="raise"):
        url = record.rec_headers.get_header("WARC-Target-URI")
        digest = record.rec_headers.get_header("WARC-Payload-Digest")
        if record.rec_type == "response":
            found[url] = by_digest[digest] = record.raw_stream.read()
        elif record.rec_type == "revisit":
            later.append((url, digest))
    return found | {url: by_digest[digest] for url, digest in later}


def served(origin: Origin, *paths: str) -> dict[str, bytes]:
    return {origin.url(path): _body(origin.replies[path]) for path in paths}


def _body(reply: object) -> bytes:
    assert isinstance(reply, bytes)
    return reply.partition(b"\r\n\r\n")[2]


def test_a_wacz_of_everything_holds_every_file_as_it_lies_and_lists_every_record(
    runtime: Runtime, archived: list[Snapshot], tmp_path: Path, origin: Origin
) -> None:
    target = tmp_path / "all.wacz"
    report = jobs.export_archive(runtime, "wacz", target)
    assert (report.snapshots, report.problems) == (3, ())
    with zipfile.ZipFile(target) as wacz:
        assert wacz.testzip() is None
        for snapshot in archived:
            entry = wacz.getinfo(f"archive/{snapshot.id}.warc.gz")
            assert entry.compress_type == zipfile.ZIP_STORED
            assert hashlib.sha256(wacz.read(entry)).hexdigest() == snapshot.sha256
        package = json.loads(wacz.read("datapackage.json"))
        assert package["wacz_version"] == "1.1.1"
        for resource in package["resources"]:
            data = wacz.read(resource["path"])
            assert resource["hash"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
            assert resource["bytes"] == len(data)
        listed = {one["path"] for one in package["resources"]}
        assert listed == set(wacz.namelist()) - {"datapackage.json", "datapackage-digest.json"}
        digest = json.loads(wacz.read("datapackage-digest.json"))
        package_hash = hashlib.sha256(wacz.read("datapackage.json")).hexdigest()
        assert digest["hash"] == f"sha256:{package_hash}"
        pages = [json.loads(line) for line in wacz.read("pages/pages.jsonl").splitlines()]
        lines = gzip.decompress(wacz.read("indexes/index.cdx.gz")).splitlines()
        assert lines == sorted(lines)
        for line in lines:
            at = json.loads(line.split(b" ", 2)[2])
            piece = wacz.read(f"archive/{at['filename']}")[int(at["offset"]) :]
            record = next(iter(ArchiveIterator(io.BytesIO(piece[: int(at["length"])]))))
            assert record.rec_headers.get_header("WARC-Target-URI") == at["url"]
        indexed = {
            (json.loads(x.split(b" ", 2)[2])["url"], x.split(b" ")[1].decode()) for x in lines
        }
    assert [page.get("title") for page in pages[1:]] == [f"Report number {n}" for n in range(3)]
    for page in pages[1:]:
        stamp = "".join(filter(str.isdigit, page["ts"]))
        assert (page["url"], stamp) in indexed
        assert "harbour council" in page["text"]


def test_the_same_export_writes_the_same_bytes(
    runtime: Runtime, archived: list[Snapshot], tmp_path: Path
) -> None:
    for name in ("a.wacz", "b.wacz"):
        jobs.export_archive(runtime, "wacz", tmp_path / name)
    assert (tmp_path / "a.wacz").read_bytes() == (tmp_path / "b.wacz").read_bytes()


@pytest.mark.parametrize("form", ["wacz", "warc"])
def test_an_export_of_one_article_needs_no_file_of_another(
    form: str, runtime: Runtime, archived: list[Snapshot], tmp_path: Path, origin: Origin
) -> None:
    target = tmp_path / f"one.{form}"
    last = archived[-1]
    assert jobs.export_archive(runtime, form, target, article=last.article_id).snapshots == 1
    data = target.read_bytes()
    if form == "wacz":
        with zipfile.ZipFile(target) as wacz:
            data = wacz.read(f"archive/{last.id}.warc.gz")
    found = payloads(data)
    assert found == served(origin, "/2", "/site.css") | {origin.url("/favicon.ico"): b"not found"}
    assert check_warc(io.BytesIO(data)).problems == ()
    assert hashlib.sha256(data).hexdigest() != last.sha256


def test_a_warc_of_everything_is_its_snapshots_one_after_the_other(
    runtime: Runtime, archived: list[Snapshot], tmp_path: Path, origin: Origin
) -> None:
    target = tmp_path / "all.warc.gz"
    report = jobs.export_archive(runtime, "warc", target)
    data = target.read_bytes()
    assert report.size == len(data) == sum(one.size for one in archived)
    assert payloads(data).items() >= served(origin, "/0", "/1", "/2", "/site.css").items()
    assert report.records == sum(one.records for one in archived)


def test_a_warc_into_a_folder_is_one_file_for_each_snapshot(
    runtime: Runtime, archived: list[Snapshot], tmp_path: Path
) -> None:
    folder = tmp_path / "warcs"
    folder.mkdir()
    jobs.export_archive(runtime, "warc", folder)
    names = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert names == {f"{one.id}.warc.gz": one.size for one in archived}


def test_an_index_leads_to_the_files_where_they_lie_and_to_what_they_refer_to(
    runtime: Runtime, archived: list[Snapshot], tmp_path: Path, origin: Origin
) -> None:
    target = tmp_path / "index.cdxj"
    jobs.export_archive(runtime, "cdxj", target, article=archived[-1].article_id)
    lines = target.read_bytes().splitlines()
    assert lines == sorted(lines)
    found: dict[str, set[str]] = {}
    for line in lines:
        at = json.loads(line.split(b" ", 2)[2])
        with runtime.archive.open(at["filename"]) as file:
            file.seek(int(at["offset"]))
            record = next(iter(ArchiveIterator(io.BytesIO(file.read(int(at["length"]))))))
        found.setdefault(at["url"], set()).add(record.rec_type)
    assert found[origin.url("/site.css")] == {"revisit", "response"}
    assert origin.url("/0") not in found


def test_a_topic_holds_its_articles_snapshots(
    runtime: Runtime, archived: list[Snapshot], tmp_path: Path
) -> None:
    jobs.set_topics(runtime, archived[0].article_id, ["harbours"], new=True)
    report = jobs.export_archive(runtime, "wacz", tmp_path / "t.wacz", topic="harbours")
    assert report.snapshots == 1
    with pytest.raises(NotFound, match="no article is in a topic"):
        jobs.export_archive(runtime, "wacz", tmp_path / "u.wacz", topic="none-such")


def test_a_damaged_snapshot_is_left_out_and_named(
    runtime: Runtime, archived: list[Snapshot], tmp_path: Path
) -> None:
    path = Path(runtime.archive.place(archived[1].key))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    Path(runtime.archive.place(archived[2].key)).unlink()
    report = jobs.export_archive(runtime, "wacz", tmp_path / "rest.wacz")
    assert report.snapshots == 1
    assert [one.split()[1] for one in report.problems] == [archived[1].id, archived[2].id]
    with zipfile.ZipFile(tmp_path / "rest.wacz") as wacz:
        assert sum(name.startswith("archive/") for name in wacz.namelist()) == 1


def test_an_export_that_fails_leaves_nothing_behind(
    runtime: Runtime, archived: list[Snapshot], tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match="is no folder"):
        jobs.export_archive(runtime, "wacz", tmp_path / "missing" / "x.wacz")

    def break_off(stage: str, done: int, total: int | None, detail: str = "") -> None:
        if done:
            raise KeyboardInterrupt

    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        jobs.export_archive(runtime, "wacz", tmp_path / "x.wacz", progress=break_off)
    assert sorted(tmp_path.iterdir()) == before


def test_what_a_killed_export_left_is_removed_by_the_next(
    runtime: Runtime, archived: list[Snapshot], tmp_path: Path
) -> None:
    with subprocess.Popen(["true"]) as dead:
        pass
    left = tmp_path / f".out.wacz.{dead.pid}.part"
    others = [tmp_path / f".out.wacz.{os.getppid()}.part", tmp_path / f".my.wacz.{dead.pid}.part"]
    for path in (left, *others):
        path.write_bytes(b"half of it")
    jobs.export_archive(runtime, "wacz", tmp_path / "out.wacz")
    assert set(tmp_path.glob(".*.part")) == set(others)


def test_without_a_snapshot_there_is_nothing_to_export(runtime: Runtime, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no snapshot to export"):
        jobs.export_archive(runtime, "wacz", tmp_path / "x.wacz")
