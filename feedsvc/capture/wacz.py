"""WACZ 1.1.1: WARC files, their index and a list of pages in one ZIP file, written as a stream."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

from feedsvc.capture.cdxj import SortedLines, compressed_index

VERSION = "1.1.1"
_STEP = 1 << 18
_INDEX = "index.cdx.gz"


@dataclass(frozen=True, slots=True)
class Page:
    """A page to begin with: its address and moment as they stand in the index."""

    id: str
    url: str
    date: datetime
    title: str
    text: str


class WaczWriter:
    """Writes one WACZ: first every WARC file and page, then `finish`; use it in a `with`.

    The ZIP's entries bear ``now``, so that the same call writes the same bytes.
    """

    def __init__(self, file: IO[bytes], *, software: str, now: datetime) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._software = software
        self._now = now
        self._resources: list[dict[str, Any]] = []
        self._pages = tempfile.SpooledTemporaryFile(1 << 20)  # noqa: SIM115 - __exit__ closes it
        self._main: Page | None = None
        self._count = 0

    def __enter__(self) -> WaczWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._pages.close()
        self._zip.close()

    def add_warc(self, name: str, source: IO[bytes]) -> int:
        """Add a WARC file under `archive/`; return its bytes."""
        # Stored: a reader takes single records out of the middle of it.
        start = source.tell()
        whole = source.seek(0, os.SEEK_END) - start
        source.seek(start)
        with self._entry(f"archive/{name}", packed=False, most=whole) as put:
            size = 0
            while chunk := source.read(_STEP):
                put(chunk)
                size += len(chunk)
        return size

    def add_page(self, page: Page) -> None:
        """Add a page a reader begins with."""
        self._main = self._main or page
        self._count += 1
        line = {
            "id": page.id,
            "url": page.url,
            "ts": _moment(page.date),
            "title": page.title,
            "text": page.text,
        }
        self._pages.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def finish(self, lines: SortedLines, *, title: str, description: str) -> None:
        """Write index, pages and the package's own description; nothing may follow."""
        self._write_index(lines)
        head = {"format": "json-pages-1.0", "id": "pages", "title": "Pages", "hasText": True}
        first = json.dumps(head).encode() + b"\n"
        most = len(first) + self._pages.tell()
        with self._entry("pages/pages.jsonl", packed=True, most=most) as put:
            put(first)
            self._pages.seek(0)
            while chunk := self._pages.read(_STEP):
                put(chunk)
        package = self._package(title=title, description=description)
        self._write("datapackage.json", package)
        digest = {"path": "datapackage.json", "hash": _hash(package)}
        self._write("datapackage-digest.json", json.dumps(digest, indent=2).encode())

    def _write_index(self, lines: SortedLines) -> None:
        places: list[bytes] = []
        # A block that does not shrink grows by a few bytes for each of its lines, not by a quarter.
        most = lines.size + lines.size // 4 + 100
        with self._entry(f"indexes/{_INDEX}", packed=False, most=most) as put:
            for block, place in compressed_index(lines, name=_INDEX):
                put(block)
                places.append(place)
        size = sum(map(len, places))
        with self._entry("indexes/index.idx", packed=True, most=size) as put:
            for place in places:
                put(place)

    def _package(self, *, title: str, description: str) -> bytes:
        main = self._main if self._count == 1 else None
        package: dict[str, Any] = {
            "profile": "data-package",
            "wacz_version": VERSION,
            "title": title,
            "description": description,
            "created": _moment(self._now),
            "software": self._software,
        }
        if main is not None:
            package |= {"mainPageUrl": main.url, "mainPageDate": _moment(main.date)}
        package["resources"] = self._resources
        return json.dumps(package, indent=2, ensure_ascii=False).encode()

    def _write(self, path: str, data: bytes) -> None:
        self._zip.writestr(self._named(path, packed=True), data)

    @contextmanager
    def _entry(self, path: str, *, packed: bool, most: int) -> Iterator[_Put]:
        """Write an entry of at most so many bytes."""
        # ReplayWeb.page takes an entry whose place in the directory at the end has no ZIP64 field
        # for one that has none at its beginning either, and would read the bytes of that field.
        large = most > zipfile.ZIP64_LIMIT
        with self._zip.open(self._named(path, packed=packed), "w", force_zip64=large) as entry:
            put = _Put(entry)
            yield put
        self._resources.append(
            {
                "name": path.rpartition("/")[2].lower(),
                "path": path,
                "hash": f"sha256:{put.sha256.hexdigest()}",
                "bytes": put.size,
            }
        )

    def _named(self, path: str, *, packed: bool) -> zipfile.ZipInfo:
        moment = self._now.astimezone(UTC)
        name = zipfile.ZipInfo(path, moment.timetuple()[:6])
        name.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        name.external_attr = 0o644 << 16
        return name


class _Put:
    """Writes into an entry and remembers what a package says of it."""

    def __init__(self, entry: IO[bytes]) -> None:
        self._entry = entry
        self.sha256 = hashlib.sha256()
        self.size = 0

    def __call__(self, data: bytes) -> None:
        self._entry.write(data)
        self.sha256.update(data)
        self.size += len(data)


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _hash(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def copy(source: IO[bytes], out: IO[bytes]) -> int:
    """Copy what is left of a file; return its bytes."""
    return sum(out.write(chunk) for chunk in _pieces(source))


def _pieces(source: IO[bytes]) -> Iterable[bytes]:
    return iter(lambda: source.read(_STEP), b"")
