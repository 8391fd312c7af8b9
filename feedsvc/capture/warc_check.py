"""The check of a snapshot's WARC file: every byte accounted for, in bounded memory.

Other readers skip what they cannot read: a file cut in the middle passes `warcio check`. Here each
gzip member must be whole and hold exactly one record, and the last record says how many there are.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from fastwarc.warc import WarcRecord
from zlib_ng import zlib_ng

from feedsvc.capture.warc_member import HEAD

MAX_PROBLEMS = 20
"""Problems named at most; one damaged place rarely comes alone."""
_STEP = 1 << 18
_SMALL = 1 << 20
"""Bytes of a record held in memory; a larger one is unpacked again for each digest."""
_MAX_HEAD = 1 << 20
_END = b"\r\n\r\n"
# The only types whose record holds HTTP with a payload of its own.
_WITH_PAYLOAD = frozenset({"response"})

_Damaged: type[Exception] = zlib_ng.error  # type: ignore[assignment]  # its stub says: an instance

Opener = Callable[[], "IO[bytes] | _Inflating"]


@dataclass(frozen=True, slots=True)
class WarcCheck:
    """What a check found."""

    records: int
    problems: tuple[str, ...]
    """Empty: the file is whole. Each names the offset."""
    size: int = 0
    """Bytes of the file that were looked at."""

    @property
    def ok(self) -> bool:
        """True if nothing is wrong."""
        return not self.problems


def check_warc(file: IO[bytes]) -> WarcCheck:
    """Check a seekable file that `write_warc` wrote; report, do not raise, what is wrong with it.

    Found: a member that is cut, damaged or followed by anything else, a wrong block or payload
    digest, a dishonest Content-Length, a missing record. Not found: a change to the few padding
    bits of a deflate stream, which carry nothing; a digest of the whole file finds those too.
    """
    problems: list[str] = []
    records, offset, last = 0, 0, _Fields("", b"")
    file.seek(0, io.SEEK_END)
    size = file.tell()
    while offset < size and len(problems) < MAX_PROBLEMS:
        member = _unpack(file, offset)
        if isinstance(member, str):
            problems.append(f"offset {offset}: {member}")
            break
        last = _check_record(file, member, first=records == 0, problems=problems)
        records += 1
        offset = member.end
    if not problems:
        problems += (f"end: {problem}" for problem in _check_end(last, records))
    return WarcCheck(records=records, problems=tuple(problems), size=offset)


@dataclass(frozen=True, slots=True)
class _Unpacked:
    """A whole gzip member."""

    start: int
    end: int
    """Offset of the byte after it."""
    length: int
    """Bytes unpacked."""
    head: bytes
    """The first bytes unpacked: all of a small record."""
    tail: bytes
    """The last four bytes unpacked."""

    def opener(self, file: IO[bytes]) -> Opener:
        """Return a function that opens the unpacked record from its beginning."""
        if self.length <= len(self.head):
            return lambda: io.BytesIO(self.head)
        return lambda: _Inflating(file, self.start)


@dataclass(frozen=True, slots=True)
class _Fields:
    """Type and block of a record of fields; the block is empty for other types."""

    kind: str
    block: bytes


def _unpack(file: IO[bytes], start: int) -> _Unpacked | str:
    """Unpack the member at ``start`` without keeping it; return what is wrong if it is not whole."""
    file.seek(start)
    inflate = zlib_ng.decompressobj(31)
    head, tail, length, packed = bytearray(), b"", 0, 0
    first = True
    while not inflate.eof:
        data = inflate.unconsumed_tail or file.read(_STEP)
        if not data:
            return "the file ends in the middle of a record"
        if first and data[: len(HEAD)] != HEAD[: len(data)]:
            return "not a gzip member as feedsvc writes them"
        packed += 0 if inflate.unconsumed_tail else len(data)
        first = False
        try:
            out = inflate.decompress(data, _STEP)
        except _Damaged as error:
            return f"damaged: {error}"
        length += len(out)
        if len(head) < _SMALL:
            head += out[: _SMALL - len(head)]
        tail = (tail + out[-4:])[-4:]
    end = start + packed - len(inflate.unused_data)
    return _Unpacked(start=start, end=end, length=length, head=bytes(head), tail=tail)


class _Inflating:
    """A gzip member, known to be whole, as what fastwarc reads from: it asks to seek as well."""

    def __init__(self, file: IO[bytes], start: int) -> None:
        self._file = file
        self._start = start
        self._rest = b""
        self._place = 0
        self._chunks = _inflated(file, start)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most ``size``; none at the end."""
        data = self._rest or next(self._chunks, b"")
        out, self._rest = (data, b"") if size < 0 else (data[:size], data[size:])
        self._place += len(out)
        return out

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; going back begins from the start."""
        wanted = offset + (self._place if whence == io.SEEK_CUR else 0)
        if wanted < self._place:
            self._restart()
        while self._place < wanted and self.read(wanted - self._place):
            pass
        return self._place

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._place

    def close(self) -> None:
        """Do nothing: the file is the caller's."""

    def _restart(self) -> None:
        self._chunks = _inflated(self._file, self._start)
        self._rest = b""
        self._place = 0


def _inflated(file: IO[bytes], start: int) -> Iterator[bytes]:
    file.seek(start)
    inflate = zlib_ng.decompressobj(31)
    while not inflate.eof:
        data = inflate.unconsumed_tail or file.read(_STEP)
        if out := inflate.decompress(data, _STEP):
            yield out


def _check_record(
    file: IO[bytes], member: _Unpacked, *, first: bool, problems: list[str]
) -> _Fields:
    """Check the record in a whole member and add what is wrong; return its fields."""

    def wrong(problem: str) -> None:
        problems.append(f"offset {member.start}: {problem}")

    opener = member.opener(file)
    try:
        record = WarcRecord.from_reader(opener())
        kind = record.headers.get("WARC-Type") or ""
        head = member.head.find(_END) + len(_END)
        if head + record.content_length + len(_END) != member.length or member.tail != _END:
            wrong("Content-Length is not the length of the block")
        if first != (kind == "warcinfo"):
            wrong("the first record, and only that, has to be warcinfo")
        for problem in _check_digests(record, opener, kind):
            wrong(problem)
    except (ValueError, OSError, RuntimeError, EOFError) as error:
        wrong(f"not a WARC record: {error}")
        return _Fields("", b"")
    block = member.head[head : head + record.content_length]
    return _Fields(kind, block if kind == "metadata" else b"")


def _check_digests(record: WarcRecord, opener: Opener, kind: str) -> Iterator[str]:
    """Let fastwarc verify the digests: the block's of this record, the payload's of a fresh one."""
    if not record.headers.get("WARC-Block-Digest"):
        yield "no block digest"
    elif not record.verify_block_digest(consume=True):
        yield "the block digest does not fit the block"
    if kind not in _WITH_PAYLOAD:
        return
    again = WarcRecord.from_reader(opener())
    if not again.headers.get("WARC-Payload-Digest"):
        yield "no payload digest"
        return
    again.parse_http(max_header_len=_MAX_HEAD)
    if not again.verify_payload_digest(consume=True):
        yield "the payload digest does not fit the payload"


def _check_end(last: _Fields, records: int) -> Iterator[str]:
    """Compare what the last record says with what was read: a cut between records shows here."""
    if not records:
        yield "the file is empty"
    elif last.kind != "metadata":
        yield "the last record is missing: it has to be the metadata of the capture"
    elif f"\r\nrecords: {records}\r\n".encode() not in last.block:
        yield f"there are {records} records, and the last one counts otherwise"
