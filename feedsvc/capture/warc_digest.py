"""Digests as WARC records declare them, in the spellings of several tools. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import IO, Any

_STEP = 1 << 18
_SIZES = {"sha1": 20, "md5": 16, "sha256": 32, "sha512": 64}


class Declared:
    """A digest a record declares; what it is compared with is fed to it."""

    def __init__(self, algorithm: str, value: bytes) -> None:
        self.algorithm = algorithm
        self._value = value
        self._found: Any = hashlib.new(algorithm, usedforsecurity=False)

    def update(self, data: bytes) -> None:
        """Take bytes."""
        self._found.update(data)

    def fits(self) -> bool:
        """Tell whether the bytes taken are those declared."""
        return bool(self._found.digest() == self._value)

    def fits_file(self, file: IO[bytes]) -> bool:
        """Tell whether a whole file is what is declared."""
        fresh = Declared(self.algorithm, self._value)
        file.seek(0)
        while chunk := file.read(_STEP):
            fresh.update(chunk)
        file.seek(0)
        return fresh.fits()


def declared(text: str | None) -> Declared | None:
    """Return a digest such as `sha1:` and base32 or hex; None for none, or one nobody can check."""
    algorithm, colon, value = (text or "").strip().partition(":")
    algorithm = algorithm.lower().replace("-", "")
    size = _SIZES.get(algorithm)
    if not colon or size is None:
        return None
    raw = _decoded(value.strip(), size)
    return None if raw is None else Declared(algorithm, raw)


def canonical(text: str | None) -> str:
    """Return a declared digest in one spelling, empty if it has none."""
    found = declared(text)
    if found is None:
        return ""
    return f"{found.algorithm}:{base64.b32encode(found._value).decode('ascii')}"


def _decoded(value: str, size: int) -> bytes | None:
    try:
        if len(value) == 2 * size:
            return bytes.fromhex(value)
        padded = value.upper() + "=" * (-len(value) % 8)
        raw = base64.b32decode(padded)
    except (ValueError, binascii.Error):
        return None
    return raw if len(raw) == size else None
