"""Blobs as objects below a prefix of a bucket."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from io import BufferedRandom, BufferedReader
from pathlib import Path

from feedsvc.errors import ConfigurationError, FeedsvcError, NotFound, Temporary
from feedsvc.storage.blobs import checked_key, disk_errors
from feedsvc.storage.s3 import Bucket
from feedsvc.storage.s3_access import StoredObject
from feedsvc.storage.s3_reading import ObjectFile

SINGLE = 16 << 20
"""Bytes up to which an object is stored by one request, which no other can come between."""
_BUFFER = 64 << 10
_CHUNK = 1 << 20


class S3Blobs:
    """Blobs in an object store: an object appears whole or not at all, and is durable then."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def put(self, key: str, data: bytes, *, attributes: Mapping[str, str] | None = None) -> None:
        """Store all of data or nothing; replaces. ``attributes``: headers it is served with."""
        self.bucket.put(checked_key(key), data, attributes=attributes)

    @contextmanager
    def writing(self, key: str) -> Iterator[BufferedRandom]:
        """Open a file on this machine, stored as a new object only if the block ends well.

        Raises ConfigurationError if there is one of that name with other bytes: keys of snapshots
        never repeat.
        """
        checked_key(key)
        with disk_errors(Path(tempfile.gettempdir())), tempfile.TemporaryFile() as file:
            yield file
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            if size <= SINGLE:
                created = self.bucket.create(key, file.read())
            else:
                created = self._upload(key, file, size)
        if not created:
            raise ConfigurationError(
                f"{self.place(key)} holds other bytes already, which are kept: does another site "
                "use this place? Give each site a prefix of its own"
            )

    def _upload(self, key: str, file: BufferedRandom, size: int) -> bool:
        """Store a large object in parts, which cannot be made to depend on there being none."""
        if (there := self._is_same(key, file, size)) is not None:
            return there
        try:
            self.bucket.upload(key, file)
        except (Temporary, NotFound):
            # The last answer may have got lost, or an earlier one to the same request.
            if not self._is_same(key, file, size):
                raise
        return True

    def _is_same(self, key: str, file: BufferedRandom, size: int) -> bool | None:
        """Tell whether the object is what the file is; None if there is none."""
        try:
            if self.size(key) != size:
                return False
            with self.open(key) as there:
                found = hashlib.file_digest(there, "sha256").digest()
        except NotFound:
            return None
        file.seek(0)
        return hashlib.file_digest(file, "sha256").digest() == found

    def open(self, key: str, *, at: int = 0) -> BufferedReader:
        """Open for reading at a place; raise NotFound if there is none."""
        checked_key(key)

        def fetch(start: int, length: int, etag: str) -> tuple[StoredObject, bytes]:
            return self.bucket.fetch(key, start, length, etag=etag)

        return BufferedReader(ObjectFile(fetch, at=at), _BUFFER)

    def stored(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        """Yield the keys that begin so and follow ``after``, in order."""
        try:
            for one in self.bucket.objects(prefix, after=after):
                yield one.key
        except ValueError:
            raise ConfigurationError(
                f"{self.place()} holds an object whose key is no path, such as one with two "
                "slashes together: remove it, nothing but feedsvc's belongs there"
            ) from None

    def size(self, key: str) -> int:
        """Return bytes; raise NotFound if there is none."""
        return self.bucket.head(checked_key(key)).size

    def written(self, key: str) -> datetime:
        """Return when the store took it; raise NotFound if there is none."""
        return self.bucket.head(checked_key(key)).written

    def delete(self, key: str) -> None:
        """Remove; nothing happens if there is none."""
        self.bucket.delete(checked_key(key))

    def place(self, key: str = "") -> str:
        """Return the address of the store, or of an object in it."""
        return self.bucket.place(key)

    def free(self) -> int | None:
        """Nobody can say what still fits."""
        return None

    def sweep(self, *, age: float = 0.0) -> int:
        """Leave it to the store: parts of uploads that never ended are its own affair."""
        del age
        return 0

    def check(self) -> None:
        """Create, list, read and delete a small object. Raises ConfigurationError or Temporary."""
        key = f"check-{secrets.token_hex(8)}"
        next(self.stored(), None)
        try:
            if not self.bucket.create(key, b"feedsvc"):
                raise ConfigurationError(f"{self.place(key)} is there already; look again")
            if self.bucket.create(key, b"other") or self._read(key) != b"feedsvc":
                raise ConfigurationError(
                    f"{self.place()}: the store replaces what it was told to create only if it is "
                    "not there (If-None-Match): use a store that heeds that"
                )
        except FeedsvcError:
            with suppress(FeedsvcError):
                self.delete(key)
            raise
        self.delete(key)

    def _read(self, key: str) -> bytes:
        with self.open(key) as file:
            return file.read()
