"""An index of WARC records as web archives exchange it: sorted lines of key, time and JSON."""

from __future__ import annotations

import hashlib
import heapq
import json
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import IO
from urllib.parse import quote_from_bytes, unquote_to_bytes

from feedsvc.capture.http_head import read_head
from feedsvc.capture.warc_read import BadRecord, WarcRecord

INDEXED = frozenset({"response", "revisit", "resource"})
"""Records a reader may ask for."""
BLOCK_LINES = 3000
"""Lines of one block of a compressed index."""
SORT_BYTES = 32 << 20
"""Bytes of lines sorted in memory; more are sorted on disk."""
MAX_RUNS = 200
"""Sorted pieces on disk at a time: each is an open file."""

_WWW = re.compile(r"www\d*\.")
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<netloc>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?",
    re.IGNORECASE,
)
_DEFAULT = {"http": "80", "https": "443"}
_KEPT = "!\"$&'()*+,-./:;<=>?@[\\]^_`{|}~"
_DIGITS = re.compile(r"[^0-9]")


@dataclass(frozen=True, slots=True)
class CdxLine:
    """One record, as an index describes it."""

    key: str
    timestamp: str
    """14 digits, UTC."""
    url: str
    mime: str
    status: str
    digest: str
    offset: int
    length: int
    filename: str

    def __str__(self) -> str:
        fields = {
            "url": self.url,
            "mime": self.mime,
            "status": self.status,
            "digest": self.digest,
            "length": str(self.length),
            "offset": str(self.offset),
            "filename": self.filename,
        }
        known = {name: value for name, value in fields.items() if value}
        return f"{self.key} {self.timestamp} {json.dumps(known)}"


def cdx_line(record: WarcRecord, *, filename: str) -> CdxLine | None:
    """Return the line of a record, which is read to its end; None for one no reader asks for.

    Raises BadRecord.
    """
    kind, url = record.kind, record.url
    if kind not in INDEXED or not url or record.field("Content-Type") == "application/warc-fields":
        return None
    mime, status = (record.field("Content-Type") or ""), ""
    if mime.startswith("application/http"):
        head = read_head(record.read)
        if head is None:
            raise BadRecord("its HTTP head does not end")
        mime, status = head.header("content-type") or "", str(head.status or "")
    mime = "warc/revisit" if kind == "revisit" else re.split(r"[;\s]", mime.strip(), maxsplit=1)[0]
    return CdxLine(
        key=url_key(url),
        timestamp=timestamp(record.field("WARC-Date") or ""),
        url=url,
        mime=mime,
        status=status,
        digest=record.field("WARC-Payload-Digest") or record.field("WARC-Block-Digest") or "",
        offset=record.offset,
        length=record.finish(),
        filename=filename,
    )


def timestamp(date: str) -> str:
    """Return a WARC-Date as 14 digits."""
    return _DIGITS.sub("", date)[:14].ljust(14, "0")


def url_key(url: str) -> str:
    """Return a URL in the form archives sort by: host reversed, in lower case, parameters in order.

    It is what other tools look captures up by, so that it differs from `urls.normalise` on
    purpose: tracking parameters stay. What is no web address is its own key.
    """
    found = _URL.match(url)
    if found is None:
        return quote_from_bytes(url.encode("utf-8", "replace"), safe=_KEPT)
    netloc = found["netloc"].rpartition("@")[2].lower()
    host, port = _host_and_port(netloc)
    if port and port != _DEFAULT[found["scheme"].lower()]:
        host = f"{host}:{port}"
    path = _path(_folded(found["path"]))
    query = _folded(found["query"] or "")
    if query:
        pairs = sorted(tuple(pair.split("=", 1)) for pair in query.split("&"))
        query = "?" + "&".join("=".join(pair) for pair in pairs)
    return f"{host}){path}{query}"


def _host_and_port(netloc: str) -> tuple[str, str]:
    if netloc.startswith("["):
        host, _, port = netloc[1:].partition("]")
        return host, port.removeprefix(":")
    host, _, port = netloc.partition(":")
    host = _WWW.sub("", host, count=1) if _WWW.match(host) else host
    return ",".join(reversed(host.strip(".").split("."))), port


def _path(part: str) -> str:
    """Return a path without empty and dot segments, and without a slash at its end."""
    kept: list[str] = []
    for segment in part.split("/"):
        if segment == "..":
            kept[-1:] = []
        elif segment not in {"", "."}:
            kept.append(segment)
    return "/" + "/".join(kept)


def _folded(part: str) -> str:
    """Undo escapes for good, write again those that are needed, all in lower case."""
    raw = part.encode("utf-8", "replace")
    for _ in range(8):
        decoded = unquote_to_bytes(raw)
        if decoded == raw:
            break
        raw = decoded
    return quote_from_bytes(raw, safe=_KEPT).lower()


class SortedLines:
    """Lines written in any order and read in byte order, on disk where they are many."""

    def __init__(self, *, memory: int = SORT_BYTES) -> None:
        self._memory = memory
        self._lines: list[bytes] = []
        self._size = 0
        self.size = 0
        """Bytes of all lines together."""
        self._stack = ExitStack()
        self._runs: list[IO[bytes]] = []

    def __enter__(self) -> SortedLines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def add(self, line: CdxLine) -> None:
        """Take a line."""
        data = f"{line}\n".encode()
        self._lines.append(data)
        self._size += len(data)
        self.size += len(data)
        if self._size >= self._memory:
            self._spill(self._sorted_in_memory())
            if len(self._runs) >= MAX_RUNS:
                self._merge_runs()

    def __iter__(self) -> Iterator[bytes]:
        """Yield every line once, in order."""
        for run in self._runs:
            run.seek(0)
        return heapq.merge(*self._runs, self._sorted_in_memory(keep=True))

    def _sorted_in_memory(self, *, keep: bool = False) -> Iterable[bytes]:
        lines = sorted(self._lines)
        if not keep:
            self._lines, self._size = [], 0
        return lines

    def _merge_runs(self) -> None:
        runs, self._runs = self._runs, []
        for run in runs:
            run.seek(0)
        self._spill(heapq.merge(*runs))
        for run in runs:
            run.close()

    def _spill(self, lines: Iterable[bytes]) -> None:
        run = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        run.writelines(lines)
        self._runs.append(run)


def compressed_index(lines: Iterable[bytes], *, name: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield blocks of a compressed index and, for each, its line in the index of blocks.

    ``name`` is the file the blocks are written to. At least one block is yielded.
    """
    offset = 0
    for block in _blocks(lines):
        packer = zlib.compressobj(wbits=31)
        packed = packer.compress(b"".join(block)) + packer.flush()
        first = b" ".join(block[0].split(b" ", 2)[:2]).decode() if block else ""
        place = {
            "offset": offset,
            "length": len(packed),
            "digest": f"sha256:{hashlib.sha256(packed).hexdigest()}",
        }
        head = json.dumps({"format": "cdxj-gzip-1.0", "filename": name})
        line = f"{first} {json.dumps(place)}\n" if block else ""
        yield packed, (line if offset else f"!meta 0 {head}\n{line}").encode()
        offset += len(packed)


def _blocks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    block: list[bytes] = []
    some = False
    for line in lines:
        block.append(line)
        if len(block) == BLOCK_LINES:
            yield block
            block, some = [], True
    if block or not some:
        yield block
