"""Laws of imports of what a browser showed, and of what a server called unchanged."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from warcio.statusandheaders import StatusAndHeaders

from feedsvc import jobs
from feedsvc.jobs.contents import contents_of, look_in
from feedsvc.model import Verdict
from feedsvc.replay.content import VIEW, Found
from feedsvc.runtime import Runtime
from tests.jobs.importing import IMAGE, PAGE, STYLE, URL, Archive, records, snapshots, take_in
from tests.jobs.originals import snapshots as snapshots_of
from tests.jobs.site import BODY, Clock, Seeds, open_site
from tests.jobs.watched import PARAGRAPHS, archive, look, page, serve
from tests.origin import Origin

APP = b"<!doctype html><title>A ferry for the harbour</title><div id=app></div><script src=/app.js></script>"
DATE = "2025-01-02T03:04:05Z"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10" + b"\0" * 20


def resource(archive: Archive, name: str, data: bytes, kind: str, *, date: str = DATE) -> None:
    archive.writer.write_record(
        archive.writer.create_warc_record(
            name,
            "resource",
            payload=io.BytesIO(data),
            length=len(data),
            warc_content_type=kind,
            warc_headers_dict={"WARC-Date": date},
        )
    )


@pytest.fixture
def article(runtime: Runtime, seeds: Seeds) -> str:
    seeds.write("ferry.md", url=URL)
    jobs.ingest_seeds(runtime)
    with runtime.database.reading() as store:
        return store.newest(1)[0].id


@pytest.mark.parametrize("markup", [False, True], ids=["text", "text-and-markup"])
def test_a_page_that_scripts_build_is_judged_by_what_a_browser_showed(
    markup: bool, runtime: Runtime, article: str, tmp_path: Path
) -> None:
    app = Archive()
    app.response(URL, APP)
    app.response("https://example.org/site.css", STYLE, "text/css")
    app.response("https://example.org/boat.png", IMAGE, "image/png")
    shown = Archive()  # as other archivers do, in a file of its own
    resource(shown, f"urn:text:{URL}", BODY.encode(), "text/plain", date="2025-01-02T03:04:09Z")
    resource(shown, f"urn:view:{URL}", PNG, "image/png")
    resource(shown, f"urn:thumbnail:{URL}", b"<script>", "image/jpeg")
    if markup:
        resource(shown, f"urn:dom:{URL}", PAGE, "text/html")
    report = take_in(runtime, tmp_path, app.data, shown.data)
    assert (report.attached, report.problems) == (1, ())
    (snapshot,) = snapshots(runtime)
    assert (snapshot.judgement.verdict, snapshot.thumbnail) == (Verdict.VERIFIED, None)
    assert records(runtime, snapshot)[URL] == ("response", APP)
    assert ("https://example.org/boat.png" in records(runtime, snapshot)) is markup
    contents = contents_of(runtime)
    view = look_in(runtime, contents, snapshot, VIEW + URL, follow=False)
    assert isinstance(view, Found)
    seen = look_in(runtime, contents, snapshot, URL, follow=True)
    assert isinstance(seen, Found)
    assert jobs.verify(runtime).damage == ()
    assert take_in(runtime, tmp_path, app.data, shown.data).known == 1


@pytest.mark.parametrize(
    ("name", "date"),
    [
        (f"urn:text:{URL}", "2025-01-03T03:04:05Z"),
        ("urn:text:https://example.org/barge", DATE),
    ],
    ids=["another-time", "another-page"],
)
def test_a_browsers_text_of_something_else_proves_nothing(
    name: str, date: str, runtime: Runtime, article: str, tmp_path: Path
) -> None:
    app = Archive()
    app.response(URL, APP)
    resource(app, name, BODY.encode(), "text/plain", date=date)
    report = take_in(runtime, tmp_path, app.data)
    assert (report.attached, report.mismatch) == (0, 1)


def test_a_page_that_a_server_called_unchanged_is_the_page_it_was(
    runtime: Runtime, article: str, tmp_path: Path
) -> None:
    held = Archive()
    first = held.response(URL, PAGE, date=DATE)
    held.response("https://example.org/site.css", STYLE, "text/css")
    head = StatusAndHeaders("304 Not Modified", [("ETag", "x")], protocol="HTTP/1.1")
    digest = first.rec_headers.get_header("WARC-Payload-Digest")
    record = held.writer.create_revisit_record(
        URL,
        digest,
        URL,
        DATE,
        http_headers=head,
        warc_headers_dict={
            "WARC-Date": "2025-02-02T03:04:05Z",
            "WARC-Profile": "http://netpreserve.org/warc/1.1/revisit/server-not-modified",
        },
    )
    held.writer.write_record(record)
    assert take_in(runtime, tmp_path, held.data).attached == 2
    again = snapshots(runtime)[1]
    assert (again.status, again.requisites > 0) == (200, True)
    found = look_in(runtime, contents_of(runtime), again, URL, follow=True)
    assert isinstance(found, Found)
    assert found.media_type == "text/html; charset=utf-8"


def test_our_own_exports_are_taken_in_with_their_repeats(
    online: Runtime, seeds: Seeds, origin: Origin, clock: Clock, tmp_path: Path
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    clock.advance(days=2)
    look(online, article)
    out = tmp_path / "out.wacz"
    assert jobs.export_archive(online, "wacz", out).snapshots == 2
    other = tmp_path / "other"
    (other / "seeds").mkdir(parents=True)
    body = "\n\n".join(PARAGRAPHS) + "\n"
    url = origin.url("/light")
    Seeds(other / "seeds").write("light.md", title="The lighthouse", url=url, body=body)
    with open_site(other, now=clock) as elsewhere:
        jobs.ingest_seeds(elsewhere)
        assert jobs.import_archives(elsewhere, [out]).attached == 2
        with elsewhere.database.reading() as store:
            kept = store.snapshots(store.newest(1)[0].id)
        assert [one.captured for one in kept] == [
            one.captured for one in snapshots_of(online, article)
        ]
        assert jobs.verify(elsewhere).damage == ()


def test_what_a_killed_import_left_is_swept(runtime: Runtime, article: str, tmp_path: Path) -> None:
    trace = runtime.state / "leases" / ("here." + "0" * 16)
    trace.parent.mkdir(parents=True, exist_ok=True)
    trace.touch()
    key = "2025/01/01941f29-7c00-7000-8000-000000000000.warc.gz"
    with runtime.archive.writing(key) as file:
        file.write(b"half of it")
    os.utime(Path(runtime.archive.place(key)), (1e9, 1e9))
    assert take_in(runtime, tmp_path, Archive().page().data).attached == 1
    assert list(runtime.archive.stored()) == [snapshots(runtime)[0].key]
    assert not trace.exists()
