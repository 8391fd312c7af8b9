"""Chunk framing taken off a body that an archive kept as it came over the wire."""

from __future__ import annotations

import re
from typing import IO

from feedsvc.capture.body import Body

_STEP = 1 << 18
_LONGEST_LINE = 4096
_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")


def dechunked(file: IO[bytes], *, cap: int) -> Body | None:
    """Return what a chunked body holds (RFC 9112 §7.1), up to a cap; None if it is not chunked.

    Some archives take the framing off and leave the header that announces it.
    """
    file.seek(0)
    body = Body(cap)
    while True:
        size = _chunk_size(file)
        if size is None:
            body.file.close()
            return None
        if size == 0:
            return body
        while size:
            data = file.read(min(size, _STEP))
            if not data:
                return body  # cut off, as the record says or as it is
            size -= len(data)
            body.take(data)
        file.readline(8)


def _chunk_size(file: IO[bytes]) -> int | None:
    line = file.readline(_LONGEST_LINE)
    found = _SIZE.fullmatch(line)
    return int(found[1], 16) if found else None
