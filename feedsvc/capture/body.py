"""A body on its way in: to disk when it is large, digested as it comes."""

from __future__ import annotations

import base64
import errno
import hashlib
import tempfile
from typing import IO

from feedsvc.errors import OutOfSpace

SPOOL = 1 << 20
"""Bytes of a body kept in memory; larger bodies go to disk."""


class Body:
    """Takes the chunks of a body into a spooled file, up to a cap in bytes."""

    def __init__(self, cap: int) -> None:
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=SPOOL)  # noqa: SIM115 - whoever holds the exchange closes it
        self.size = 0
        self._cap = cap
        self._sha1 = hashlib.sha1(usedforsecurity=False)

    def take(self, chunk: bytes) -> bool:
        """Add chunk; False if it does not fit, and what fits was added."""
        fits = len(chunk) <= self._cap - self.size
        if not fits:
            chunk = chunk[: self._cap - self.size]
        try:
            self.file.write(chunk)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise OutOfSpace(
                    f"no room in {tempfile.gettempdir()} for a fetched body"
                ) from error
            raise
        self._sha1.update(chunk)
        self.size += len(chunk)
        return fits

    def digest(self) -> str:
        """Return WARC-Payload-Digest: `sha1:` + base32."""
        return "sha1:" + base64.b32encode(self._sha1.digest()).decode("ascii")
