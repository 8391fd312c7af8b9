"""Digests as WARC writes them: `sha1:` and base32 or hexadecimal, and other algorithms alike."""

from __future__ import annotations

import base64
import binascii
import hashlib

_ALGORITHMS = frozenset({"md5", "sha1", "sha256", "sha384", "sha512"})


class PayloadDigest:
    """Holds bytes against a labelled digest as they pass."""

    def __init__(self, label: str) -> None:
        """Expect ``label``; one that is empty or of an unknown kind fits everything."""
        name, _, value = label.strip().partition(":")
        algorithm = name.lower().replace("-", "")
        self._expected = value
        self._hash = (
            hashlib.new(algorithm, usedforsecurity=False)
            if value and algorithm in _ALGORITHMS
            else None
        )
        self.size = 0
        """Bytes so far."""

    def update(self, chunk: bytes) -> None:
        """Add bytes."""
        self.size += len(chunk)
        if self._hash is not None:
            self._hash.update(chunk)

    @property
    def fits(self) -> bool:
        """True unless the bytes are known to be others than expected."""
        if self._hash is None:
            return True
        return _octets(self._expected, self._hash.digest_size) == self._hash.digest()


def _octets(value: str, size: int) -> bytes | None:
    """Return the octets of a digest in hexadecimal or base32, None if it is neither."""
    try:
        if len(value) == 2 * size:
            return bytes.fromhex(value)
        padded = value.rstrip("=").upper()
        return base64.b32decode(padded + "=" * (-len(padded) % 8))
    except (ValueError, binascii.Error):
        return None
