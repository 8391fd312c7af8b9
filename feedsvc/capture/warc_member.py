"""One gzip member for each WARC record (WARC 1.1 annex D), the same bytes on every machine.

The ten bytes of a member's head hold nothing a reader needs, and no checksum covers them. So they
are always the same here, and a check can tell when one of them was changed.
"""

from __future__ import annotations

from typing import IO

from zlib_ng import zlib_ng

# RFC 1952 §2.3: deflate, no flags, no time, no extra flags, "unknown" operating system.
HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
LEVEL = 6
STORED = 0


class Member:
    """A gzip member being written; `flush` ends it."""

    def __init__(self, file: IO[bytes], *, level: int) -> None:
        self._file = file
        self._deflate = zlib_ng.compressobj(level, zlib_ng.DEFLATED, -zlib_ng.MAX_WBITS)
        self._crc = 0
        self._size = 0
        file.write(HEAD)

    def write(self, data: bytes) -> None:
        """Add bytes of the record."""
        self._crc = zlib_ng.crc32(data, self._crc)
        self._size += len(data)
        if packed := self._deflate.compress(data):
            self._file.write(packed)

    def flush(self) -> None:
        """End the member; nothing may be written to it afterwards."""
        tail = self._crc.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little")
        self._file.write(self._deflate.flush() + tail)
