"""Archives as other tools write them, and what became of them here."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from feedsvc import jobs
from feedsvc.model import ImportReport, Snapshot
from feedsvc.runtime import Runtime
from tests.jobs.site import BODY

URL = "https://example.org/ferry"
STYLE = b"h1 { background: url(/back.png) } " * 20
IMAGE = b"\x89PNG" + b"harbour" * 100
PAGE = (
    '<html><head><title>A ferry for the harbour</title><link rel="stylesheet" href="/site.css">'
    "</head><body><h1>A ferry for the harbour</h1>"
    + "".join(f"<p>{part}</p>" for part in BODY.split("\n\n"))
    + '<img src="/boat.png"></body></html>'
).encode()
HTML, CSS, PNG = "text/html; charset=utf-8", "text/css", "image/png"


class Archive:
    """A WARC file as other tools write them."""

    def __init__(self, *, packed: bool = True, version: str = "1.0") -> None:
        self.file = io.BytesIO()
        self.writer = WARCWriter(self.file, gzip=packed, warc_version=version)
        fields = {"software": "Otherbot/2.0"}
        self.writer.write_record(self.writer.create_warcinfo_record("o.warc.gz", fields))

    def response(
        self,
        url: str,
        body: bytes,
        kind: str = HTML,
        *,
        date: str = "2025-01-02T03:04:05Z",
        status: str = "200 OK",
        headers: tuple[tuple[str, str], ...] = (),
        fields: dict[str, str] | None = None,
        request: bool = False,
    ) -> Any:
        head = StatusAndHeaders(status, [("Content-Type", kind), *headers], protocol="HTTP/1.1")
        record = self.writer.create_warc_record(
            url,
            "response",
            payload=io.BytesIO(body),
            length=len(body),
            http_headers=head,
            warc_headers_dict={"WARC-Date": date, **(fields or {})},
        )
        if request:
            sent = StatusAndHeaders(
                "GET /ferry HTTP/1.1", [("User-Agent", "Otherbot")], is_http_request=True
            )
            self.writer.write_request_response_pair(
                self.writer.create_warc_record(url, "request", http_headers=sent), record
            )
        else:
            self.writer.write_record(record)
        return record

    def revisit(self, url: str, digest: str, *, date: str) -> None:
        head = StatusAndHeaders("200 OK", [("Content-Type", HTML)], protocol="HTTP/1.1")
        record = self.writer.create_revisit_record(
            url,
            digest,
            URL,
            "2025-01-02T03:04:05Z",
            http_headers=head,
            warc_headers_dict={"WARC-Date": date},
        )
        self.writer.write_record(record)

    def page(self, **options: Any) -> Archive:
        """Add the article with all its requisites."""
        self.response(URL, PAGE, **options)
        self.response("https://example.org/site.css", STYLE, CSS)
        self.response("https://example.org/boat.png", IMAGE, PNG)
        self.response("https://example.org/back.png", IMAGE[::-1], PNG)
        return self

    @property
    def data(self) -> bytes:
        return self.file.getvalue()


def take_in(runtime: Runtime, tmp_path: Path, *contents: bytes) -> ImportReport:
    files = []
    for number, data in enumerate(contents):
        path = tmp_path / f"file-{number}.warc.gz"
        path.write_bytes(data)
        files.append(path)
    return jobs.import_archives(runtime, files)


def snapshots(runtime: Runtime) -> list[Snapshot]:
    with runtime.database.reading() as store:
        return sorted(store.all_snapshots(), key=lambda one: one.captured)


def records(runtime: Runtime, snapshot: Snapshot) -> dict[str, tuple[str, bytes]]:
    with runtime.archive.open(snapshot.key) as file:
        return {
            record.rec_headers.get_header("WARC-Target-URI"): (
                record.rec_type,
                record.raw_stream.read(),
            )
            for record in ArchiveIterator(file, check_digests="raise")
            if record.rec_type in {"response", "revisit"}
        }


def metadata(runtime: Runtime, snapshot: Snapshot) -> str:
    with runtime.archive.open(snapshot.key) as file:
        blocks = [
            one.raw_stream.read() for one in ArchiveIterator(file) if one.rec_type == "metadata"
        ]
    return str(blocks[-1].decode())


def wacz(
    entries: dict[str, bytes], *, method: int = zipfile.ZIP_STORED, wrong: bool = False
) -> bytes:
    file = io.BytesIO()
    resources = [
        {"path": name, "hash": f"sha256:{hashlib.sha256(b'' if wrong else data).hexdigest()}"}
        for name, data in entries.items()
    ]
    with zipfile.ZipFile(file, "w", method) as made:
        for name, data in entries.items():
            made.writestr(name, data)
        made.writestr("datapackage.json", json.dumps({"resources": resources}))
    return file.getvalue()
