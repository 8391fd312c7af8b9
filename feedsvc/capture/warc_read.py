"""WARC files read record by record, our own and those of strangers, in bounded memory.

Other readers stop at the first damage, or pass it over in silence. Here what is damaged is named
with its offset and reading goes on at the next record; a head without end and a bomb are damage.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from zlib_ng import zlib_ng

MAX_HEAD = 64 << 10
"""Bytes of a record's own header lines."""
MAX_RATIO = 400
"""Unpacked bytes for each packed one of a gzip member; more is a bomb, beyond FREE of them."""
FREE = 32 << 20
MAX_PROBLEMS = 1000
"""Damaged places in one file after which the rest of it is given up."""
_STEP = 1 << 18
_GZIP = b"\x1f\x8b\x08"
_WARC = b"WARC/"
_VERSION = re.compile(rb"WARC/\d{1,2}\.\d{1,3}[ \t]*")
_LENGTH = re.compile(r"[0-9]{1,18}")
_ERROR: type[Exception] = zlib_ng.error  # type: ignore[assignment]  # its stub says: an instance


class BadRecord(Exception):
    """A record, or the gzip member around it, cannot be read; the message says why."""


class WarcRecord:
    """One record: its header lines at once, its block as it is read, forwards only."""

    def __init__(
        self, source: _Source, fields: tuple[tuple[str, str], ...], *, offset: int, length: int
    ) -> None:
        self.fields = fields
        """Names and values in the file's order and spelling."""
        self.offset = offset
        """Where the record begins in the file; its gzip member, where it is packed."""
        self.length = length
        """Bytes of the block, as Content-Length says."""
        self._source = source
        self._left = length

    def field(self, name: str) -> str | None:
        """Return the first value of a header field, whatever the case of its name."""
        wanted = name.lower()
        return next((value for key, value in self.fields if key.lower() == wanted), None)

    @property
    def kind(self) -> str:
        """WARC-Type in lower case, empty if there is none."""
        return (self.field("WARC-Type") or "").lower()

    @property
    def url(self) -> str:
        """WARC-Target-URI without the <> that some wrote, empty if there is none."""
        return (self.field("WARC-Target-URI") or "").strip("<>")

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes of the block, all of them without a size; none at its end.

        Raises BadRecord where the file ends or is damaged before.
        """
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._source.take(wanted)
        self._left -= len(data)
        if len(data) < wanted:
            raise BadRecord("the file ends in the middle of a record")
        return data

    def chunks(self) -> Iterator[bytes]:
        """Yield the rest of the block in pieces."""
        while chunk := self.read(_STEP):
            yield chunk

    def finish(self) -> int:
        """Pass over the rest; return how many bytes of the file the record takes."""
        for _ in self.chunks():
            pass
        return self._source.pass_ends() - self.offset


@dataclass(frozen=True, slots=True)
class Damaged:
    """A place in a file that could not be read."""

    offset: int
    problem: str

    def __str__(self) -> str:
        return f"offset {self.offset}: {self.problem}"


class WarcReader:
    """Reads a seekable file from its beginning; plain, or gzip with one or many members.

    Iterating yields records; each is gone when the next one is asked for. What could not be
    read is in ``damage``.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.damage: list[Damaged] = []

    def __iter__(self) -> Iterator[WarcRecord]:
        self._file.seek(0, io.SEEK_END)
        size = self._file.tell()
        packed = _starts_with(self._file, 0, _GZIP[:2])
        offset = 0
        while offset < size and len(self.damage) < MAX_PROBLEMS:
            source = _Source(self._file, offset, packed=packed)
            try:
                while (record := source.record()) is not None:
                    yield record
                    record.finish()
                offset = source.end()
            except BadRecord as error:
                self.damage.append(Damaged(source.begin, str(error)))
                offset = _resume(self._file, max(source.begin + 1, source.safe), size, packed)
        if offset < size:
            self.damage.append(Damaged(offset, "too much is damaged; the rest is not read"))

    def at(self, offset: int) -> WarcRecord:
        """Return the first record of the member at an offset; raise BadRecord."""
        packed = _starts_with(self._file, offset, _GZIP[:2])
        record = _Source(self._file, offset, packed=packed).record()
        if record is None:
            raise BadRecord("no record begins there")
        return record


class _Source:
    """Unpacked bytes of one gzip member, or of a plain file from a place on."""

    def __init__(self, file: IO[bytes], start: int, *, packed: bool) -> None:
        self._file = file
        self._next = start
        self._inflate = zlib_ng.decompressobj(31) if packed else None
        self._start = start
        self._used = 0
        self._made = 0
        self._buffer = b""
        self._at = 0
        self.begin = start
        """Where the record that is read begins in the file."""
        self.safe = start
        """No record that was not read begins before here."""

    def record(self) -> WarcRecord | None:
        """Read the next record's head; None at the end."""
        self.begin = self.pass_ends() if self._inflate is None else self._start
        if self._inflate is not None:
            self.pass_ends()
        line = self._line(MAX_HEAD)
        if not line:
            return None
        if not _VERSION.fullmatch(line.rstrip(b"\r\n")):
            raise BadRecord("not a WARC record")
        fields = self._fields()
        length = next((value for name, value in fields if name.lower() == "content-length"), "")
        if not _LENGTH.fullmatch(length):
            raise BadRecord(f"its Content-Length is {length[:40]!r}")
        return WarcRecord(self, fields, offset=self.begin, length=int(length))

    def _fields(self) -> tuple[tuple[str, str], ...]:
        fields: list[tuple[str, str]] = []
        room = MAX_HEAD
        while True:
            line = self._line(room)
            room -= len(line)
            if not line.endswith(b"\n"):
                raise BadRecord(
                    f"its header is longer than {MAX_HEAD} bytes"
                    if room <= 0
                    else "the file ends in the middle of a record"
                )
            text = line.rstrip(b"\r\n").decode("utf-8", "replace")
            if not text:
                return tuple(fields)
            if text[0] in " \t" and fields:
                name, value = fields[-1]
                fields[-1] = (name, f"{value} {text.strip()}")
                continue
            name, _, value = text.partition(":")
            fields.append((name.strip(), value.strip()))

    def take(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end."""
        pieces: list[bytes] = []
        while size > 0 and (self._at < len(self._buffer) or self._fill()):
            piece = self._buffer[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def pass_ends(self) -> int:
        """Pass over line ends between records; return where the file is then, or its member ends."""
        while self._at < len(self._buffer) or self._fill():
            rest = self._buffer[self._at :].lstrip(b"\r\n")
            self._at = len(self._buffer) - len(rest)
            if rest:
                break
        if self._inflate is None:
            return self._next - (len(self._buffer) - self._at)
        return self.end() if self._inflate.eof and self._at == len(self._buffer) else self._next

    def end(self) -> int:
        """Return where the member ends; for a plain file, its end."""
        return self._next - (len(self._inflate.unused_data) if self._inflate is not None else 0)

    def _line(self, limit: int) -> bytes:
        line = b""
        while len(line) < limit and (self._at < len(self._buffer) or self._fill()):
            found = self._buffer.find(b"\n", self._at, self._at + limit - len(line))
            stop = found + 1 if found >= 0 else min(len(self._buffer), self._at + limit - len(line))
            line += self._buffer[self._at : stop]
            self._at = stop
            if found >= 0:
                break
        return line

    def _fill(self) -> bool:
        """Put the next unpacked bytes into the buffer; False at the end."""
        if self._inflate is None:
            self._buffer, self._at = self._read(), 0
            return bool(self._buffer)
        while not self._inflate.eof:
            data = self._inflate.unconsumed_tail
            if not data:
                data = self._read()
                self._used += len(data)
            if not data:
                raise BadRecord("the file ends in the middle of a gzip member")
            try:
                out = self._inflate.decompress(data, _STEP)
            except _ERROR as error:
                raise BadRecord(f"its gzip member is damaged: {error}") from error
            self._made += len(out)
            if self._made > FREE and self._made > MAX_RATIO * self._used:
                self.safe = self._next - len(self._inflate.unconsumed_tail)
                raise BadRecord(f"it unpacks to more than {MAX_RATIO} times its size")
            if out:
                self._buffer, self._at = out, 0
                return True
        return False

    def _read(self) -> bytes:
        # Somebody else may have moved the file's position since.
        self._file.seek(self._next)
        data = self._file.read(_STEP)
        self._next += len(data)
        return data


def _starts_with(file: IO[bytes], offset: int, mark: bytes) -> bool:
    file.seek(offset)
    return file.read(len(mark)) == mark


def _resume(file: IO[bytes], start: int, size: int, packed: bool) -> int:
    """Return where the next readable record begins, the file's size if nowhere."""
    mark = _GZIP if packed else _WARC
    place, kept = start, b""
    while place < size:
        file.seek(place)
        data = kept + file.read(_STEP)
        base = place - len(kept)
        found = data.find(mark)
        while found >= 0:
            if _is_record(file, base + found, packed):
                return base + found
            found = data.find(mark, found + 1)
        kept = data[-(len(mark) - 1) :]
        place = base + len(data)
    return size


def _is_record(file: IO[bytes], offset: int, packed: bool) -> bool:
    file.seek(offset)
    head = file.read(1024)
    if packed:
        try:
            head = zlib_ng.decompressobj(31).decompress(head, 64)
        except _ERROR:
            return False
    return _VERSION.match(head) is not None
