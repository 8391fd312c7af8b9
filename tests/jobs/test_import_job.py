"""Laws of imports: what others captured of our articles is ours, judged; the rest is told or left."""

from __future__ import annotations

import gzip
import hashlib
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.errors import NotFound
from feedsvc.model import Verdict
from feedsvc.runtime import Runtime
from tests.jobs.importing import (
    IMAGE,
    PAGE,
    PNG,
    STYLE,
    URL,
    Archive,
    metadata,
    records,
    snapshots,
    take_in,
    wacz,
)
from tests.jobs.site import Clock, Seeds, open_site


@pytest.fixture
def runtime(site: Path) -> Iterator[Runtime]:
    with open_site(site, now=Clock()) as opened:
        yield opened


@pytest.fixture
def article(runtime: Runtime, seeds: Seeds) -> str:
    seeds.write("ferry.md", url=URL)
    jobs.ingest_seeds(runtime)
    with runtime.database.reading() as store:
        return store.newest(1)[0].id


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(Archive().page(), id="gzip"),
        pytest.param(Archive(packed=False).page(), id="plain"),
        pytest.param(
            Archive(version="1.1").page(date="2025-01-02T03:04:05.678901Z"), id="warc-1.1"
        ),
        pytest.param(Archive().page(request=True), id="with-request"),
    ],
)
def test_a_capture_of_an_articles_address_becomes_its_snapshot(
    archive: Archive, runtime: Runtime, article: str, tmp_path: Path
) -> None:
    report = take_in(runtime, tmp_path, archive.data)
    assert (report.attached, report.problems) == (1, ())
    (snapshot,) = snapshots(runtime)
    assert snapshot.article_id == article
    assert snapshot.judgement.verdict is Verdict.VERIFIED
    assert snapshot.captured.strftime("%Y-%m-%d %H:%M:%S") == "2025-01-02 03:04:05"
    found = records(runtime, snapshot)
    assert found[URL] == ("response", PAGE)
    assert found["https://example.org/site.css"] == ("response", STYLE)
    assert found["https://example.org/boat.png"] == ("response", IMAGE)
    assert found["https://example.org/back.png"] == ("response", IMAGE[::-1])
    about = metadata(runtime, snapshot)
    assert "importedFrom: file-0.warc.gz" in about
    assert "importedSoftware: Otherbot/2.0" in about
    assert jobs.verify(runtime).damage == ()
    again = take_in(runtime, tmp_path, archive.data)
    assert (again.attached, again.known) == (0, 1)
    assert len(snapshots(runtime)) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://www.example.org/ferry",
        "https://example.org/ferry?utm_source=x",
        "https://example.org/ferry/",
        "http://EXAMPLE.org:80/Ferry",
    ],
)
def test_spellings_of_an_address_are_one(
    url: str, runtime: Runtime, article: str, tmp_path: Path
) -> None:
    archive = Archive()
    archive.response(url, PAGE)
    assert take_in(runtime, tmp_path, archive.data).attached == 1


def test_redirects_are_followed_inside_the_files(
    runtime: Runtime, article: str, tmp_path: Path
) -> None:
    archive = Archive()
    moved = (("Location", "https://example.org/ferry"),)
    archive.response("http://example.org/ferry", b"", status="301 Moved", headers=moved)
    archive.page(date="2025-01-02T03:04:06Z")
    report = take_in(runtime, tmp_path, archive.data)
    assert (report.attached, report.problems) == (1, ())
    (snapshot,) = snapshots(runtime)
    assert snapshot.final_url == URL
    assert set(records(runtime, snapshot)) >= {"http://example.org/ferry", URL}


def test_an_address_that_only_redirects_leads_to_its_page(
    runtime: Runtime, article: str, tmp_path: Path
) -> None:
    archive = Archive()
    archive.response(URL, b"", "", status="302 Found", headers=(("Location", "/2025/ferry"),))
    archive.response("https://example.org/2025/ferry", PAGE)
    assert take_in(runtime, tmp_path, archive.data).attached == 1
    assert snapshots(runtime)[0].final_url == "https://example.org/2025/ferry"


def test_bodies_in_chunks_are_stored_without_their_framing(
    runtime: Runtime, article: str, tmp_path: Path
) -> None:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in (PAGE[:100], PAGE[100:]))
    framed += b"0\r\n\r\n"
    archive = Archive()
    # As wget does, the digest is over the framing.
    archive.response(URL, framed, headers=(("Transfer-Encoding", "chunked"),))
    assert take_in(runtime, tmp_path, archive.data).attached == 1
    assert records(runtime, snapshots(runtime)[0])[URL] == ("response", PAGE)


def test_a_header_that_announces_framing_which_is_not_there_does_no_harm(
    runtime: Runtime, article: str, tmp_path: Path
) -> None:
    archive = Archive()
    packed = gzip.compress(PAGE, mtime=0)
    headers = (("Transfer-Encoding", "chunked"), ("Content-Encoding", "gzip"))
    archive.response(URL, packed, headers=headers)
    assert take_in(runtime, tmp_path, archive.data).attached == 1
    assert records(runtime, snapshots(runtime)[0])[URL] == ("response", packed)


def test_a_payload_that_is_here_is_not_written_again(
    runtime: Runtime, article: str, tmp_path: Path
) -> None:
    take_in(runtime, tmp_path, Archive().page().data)
    later = Archive().page(date="2025-02-03T00:00:00Z")
    assert take_in(runtime, tmp_path, later.data).attached == 1
    first, second = snapshots(runtime)
    assert {kind for kind, _ in records(runtime, second).values()} == {"revisit"}
    assert second.size < first.size


def test_a_revisit_is_resolved_in_the_files_or_in_the_archive(
    runtime: Runtime, article: str, tmp_path: Path
) -> None:
    full, lonely = Archive(), Archive()
    record = full.response(URL, PAGE)
    digest = record.rec_headers.get_header("WARC-Payload-Digest")
    for month in (2, 3):
        lonely.revisit(URL, digest, date=f"2025-0{month}-01T00:00:00Z")
    report = take_in(runtime, tmp_path, lonely.data)
    assert (report.attached, report.unresolved) == (0, 2)
    assert take_in(runtime, tmp_path, lonely.data, full.data).attached == 3
    jobs_left = Archive()
    jobs_left.response("https://example.org/other", b"<p>x</p>")
    jobs_left.revisit(URL, digest, date="2025-04-01T00:00:00Z")
    assert take_in(runtime, tmp_path, jobs_left.data).attached == 1
    jobs_left.revisit(URL, "sha1:" + "A" * 32, date="2025-05-01T00:00:00Z")
    report = take_in(runtime, tmp_path, jobs_left.data)
    assert (report.attached, report.known, report.unresolved) == (0, 1, 1)
    assert "none of the files" in report.problems[0]


def test_what_is_not_the_article_and_what_nobody_has_is_counted(
    runtime: Runtime, article: str, tmp_path: Path
) -> None:
    archive = Archive()
    archive.response(URL, b"<html><h1>Are you human?</h1><p>Solve this captcha.</p></html>")
    archive.response("https://example.org/another", PAGE)
    report = take_in(runtime, tmp_path, archive.data)
    assert (report.attached, report.mismatch, report.unknown) == (0, 1, 1)
    assert report.partial
    assert snapshots(runtime) == []
    assert list(runtime.archive.stored()) == []


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"WARC-Payload-Digest": "sha1:" + "A" * 32}, id="payload"),
        pytest.param({"WARC-Block-Digest": "sha1:" + "A" * 32}, id="block"),
        pytest.param({"WARC-Payload-Digest": "sha256:" + "0" * 64}, id="sha256"),
    ],
)
def test_a_wrong_digest_is_told_by_name_and_offset_and_the_rest_goes_on(
    fields: dict[str, str], runtime: Runtime, article: str, tmp_path: Path
) -> None:
    archive = Archive()
    offset = archive.file.tell()
    archive.response(URL, PAGE, fields=fields)
    archive.response(URL, PAGE, date="2025-06-01T00:00:00Z")
    report = take_in(runtime, tmp_path, archive.data)
    assert (report.attached, report.damaged) == (1, 1)
    assert f"file-0.warc.gz: offset {offset}: " in report.problems[0]
    assert "digest" in report.problems[0]


def test_digests_in_other_spellings_are_right_too(
    runtime: Runtime, article: str, tmp_path: Path
) -> None:
    archive = Archive()
    for number, algorithm in enumerate(("sha1", "sha256", "md5"), 1):
        digest = f"{algorithm}:{hashlib.new(algorithm, PAGE, usedforsecurity=False).hexdigest()}"
        date = f"2025-0{number}-01T00:00:00Z"
        archive.response(URL, PAGE, date=date, fields={"WARC-Payload-Digest": digest})
    assert take_in(runtime, tmp_path, archive.data).attached == 3


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_cut_anywhere_gives_what_is_whole(
    packed: bool, runtime: Runtime, article: str, tmp_path: Path
) -> None:
    archive = Archive(packed=packed).page()
    whole = len(archive.data)
    archive.response("https://example.org/last", IMAGE * 50, PNG)
    for cut in range(whole + 1, len(archive.data) - 4, (len(archive.data) - whole) // 6):
        report = take_in(runtime, tmp_path, archive.data[:cut])
        assert report.damaged == 1, cut
        assert f"offset {whole}" in report.problems[0]
        assert report.attached + report.known == 1


@pytest.mark.parametrize("packed", [True, False])
def test_damage_in_the_middle_does_not_hide_what_follows(
    packed: bool, runtime: Runtime, article: str, tmp_path: Path
) -> None:
    archive = Archive(packed=packed)
    archive.response("https://example.org/first", IMAGE, PNG)
    start = archive.file.tell()
    archive.response("https://example.org/second", IMAGE * 20, PNG)
    end = archive.file.tell()
    archive.page()
    data = bytearray(archive.data)
    data[start : start + 40] = bytes(40)
    report = take_in(runtime, tmp_path, bytes(data))
    assert end > start
    assert (report.attached, report.damaged) == (1, 1)


HOSTILE = {
    "endless-head": b"WARC/1.0\r\n" + b"X: y\r\n" * 200_000,
    "endless-line": b"WARC/1.0\r\nX: " + b"y" * 2_000_000,
    "huge-length": b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 99999999999999999\r\n\r\nx",
    "negative-length": b"WARC/1.0\r\nContent-Length: -1\r\n\r\n",
    "no-length": b"WARC/1.0\r\nWARC-Type: response\r\n\r\n",
    "bomb": gzip.compress(b"WARC/1.0\r\nContent-Length: 100000000\r\n\r\n" + bytes(100_000_000)),
    "marks-only": b"\x1f\x8b\x08" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_bounded_and_told(
    name: str, runtime: Runtime, article: str, tmp_path: Path
) -> None:
    tracemalloc.start()
    report = take_in(runtime, tmp_path, HOSTILE[name], Archive().page().data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.attached == 1
    assert report.damaged >= 1
    assert all(one.startswith("file-0.warc.gz: ") for one in report.problems)
    assert peak < 64 << 20


def test_a_file_of_another_kind_is_told(runtime: Runtime, article: str, tmp_path: Path) -> None:
    report = take_in(
        runtime, tmp_path, b"hello", b"", b"\x28\xb5\x2f\xfdzstd", Archive().page().data
    )
    assert (report.attached, report.damaged) == (1, 3)
    assert "zstd" in report.problems[2]
    with pytest.raises(NotFound, match="no such file"):
        jobs.import_archives(runtime, [tmp_path / "missing.warc"])


# --- WACZ -----------------------------------------------------------------------------------


def test_a_wacz_is_read_and_names_that_lead_outside_are_not(
    runtime: Runtime, article: str, tmp_path: Path
) -> None:
    data = wacz(
        {
            "archive/data.warc.gz": Archive().page().data,
            "../../evil.warc.gz": b"x",
            "/etc/evil.warc.gz": b"x",
            "archive/../../evil.warc": b"x",
            "pages/pages.jsonl": b"{}",
        }
    )
    report = take_in(runtime, tmp_path, data)
    assert (report.attached, report.damaged) == (1, 3)
    assert all("leads outside" in one for one in report.problems)
    assert not list(tmp_path.parent.glob("evil*"))


def test_a_bomb_in_a_wacz_and_a_wrong_hash_are_told(
    runtime: Runtime, article: str, tmp_path: Path
) -> None:
    bomb = {"archive/bomb.warc": bytes(100 << 20), "archive/data.warc.gz": Archive().page().data}
    report = take_in(runtime, tmp_path, wacz(bomb, method=zipfile.ZIP_DEFLATED))
    assert report.attached == 1
    assert any("unpacks to more than" in one for one in report.problems)
    other = {"archive/data.warc.gz": Archive().page(date="2025-07-01T00:00:00Z").data}
    report = take_in(runtime, tmp_path, wacz(other, wrong=True))
    assert report.attached == 1
    assert "datapackage.json names" in report.problems[0]


def test_a_damaged_wacz_is_told(runtime: Runtime, article: str, tmp_path: Path) -> None:
    data = wacz({"archive/data.warc.gz": Archive().page().data})
    report = take_in(runtime, tmp_path, data[:-200], data[:40])
    assert (report.attached, report.damaged) == (0, 2)
    flipped = bytearray(data)
    flipped[300] ^= 1
    report = take_in(runtime, tmp_path, bytes(flipped))
    assert report.damaged >= 1


def test_what_one_site_exports_another_takes_in(
    runtime: Runtime, article: str, tmp_path: Path
) -> None:
    take_in(runtime, tmp_path, Archive().page().data)
    jobs.export_archive(runtime, "wacz", tmp_path / "site.wacz")
    (tmp_path / "other" / "seeds").mkdir(parents=True)
    Seeds(tmp_path / "other" / "seeds").write("ferry.md", url=URL)
    with open_site(tmp_path / "other", now=Clock()) as other:
        jobs.ingest_seeds(other)
        report = jobs.import_archives(other, [tmp_path / "site.wacz"])
        assert (report.attached, report.problems) == (1, ())
        (theirs,), (ours,) = snapshots(other), snapshots(runtime)
        assert records(other, theirs) == records(runtime, ours)
