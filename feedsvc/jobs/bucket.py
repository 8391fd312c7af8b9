"""Seeds in a bucket: found by listing it, read as they were listed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from feedsvc.errors import ConfigurationError, NotFound, SeedBusy, SeedRejected, Temporary
from feedsvc.ingest.files import FoundSeed, found_object, hidden_objects, too_large
from feedsvc.logs import logger
from feedsvc.model import FileStamp
from feedsvc.storage.s3_access import S3Access, StoredObject, parse_address

if TYPE_CHECKING:
    from feedsvc.storage.s3 import Bucket

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class BucketSource:
    """Seeds below a prefix of a bucket."""

    name: str
    """Its address as it is configured."""
    access: S3Access

    @property
    def is_atomic(self) -> bool:
        """An object is whole from the first moment on."""
        return True

    @property
    def bucket(self) -> Bucket:
        """The open bucket. Raises ConfigurationError."""
        return _opened(self.name, self.access)

    def is_present(self) -> bool:
        """Tell whether the bucket can be listed."""
        try:
            next(self.bucket.objects(), None)
        except ValueError:
            return True
        except (ConfigurationError, NotFound, Temporary) as error:
            log.warning("seeds.bucket_absent", bucket=self.name, reason=str(error))
            return False
        return True

    def scan(self, inside: str = "") -> Iterator[FoundSeed]:
        """Yield every seed, or every one inside a folder of it. Raises Temporary."""
        from feedsvc.storage.s3_listing import all_objects

        for one in all_objects(self.bucket, f"{inside}/" if inside else ""):
            if isinstance(one, str):
                yield hidden_objects(one, name=self.name)
            elif found := found_object(one.key, _stamp(one), name=self.name):
                yield found

    def look(self, relative: str) -> FoundSeed | None:
        """Return the seed at one key as `scan` would find it, None if it would not."""
        if not is_path(relative):
            return None
        try:
            return found_object(relative, _stamp(self.bucket.head(relative)), name=self.name)
        except NotFound:
            return None

    def is_folder(self, relative: str) -> bool:
        """Tell whether there are keys inside."""
        if not relative:
            return True
        if not is_path(relative):
            return False
        try:
            return next(self.bucket.objects(f"{relative}/"), None) is not None
        except ValueError:
            return True

    def read(self, seed: FoundSeed, *, limit: int) -> tuple[bytes, FileStamp]:
        """Return a seed's bytes and their stamp, of the version that was found.

        Raises SeedRejected for one that is too large, SeedBusy for one that changed meanwhile or
        is gone, Temporary where the store does not answer.
        """
        if seed.problem is not None:
            raise seed.problem
        if seed.stamp.size > limit:
            raise too_large(seed.stamp.size, limit)
        if not is_path(seed.relative):
            raise SeedRejected("its key is no path", remedy="Rename the object")
        try:
            # One more byte than it has: a larger one has taken its place.
            found, content = self.bucket.fetch(seed.relative, 0, seed.stamp.size + 1)
        except NotFound as error:
            raise SeedBusy(f"{seed.name}: it went away before it could be read") from error
        if _stamp(found) != seed.stamp or len(content) != seed.stamp.size:
            raise SeedBusy(f"{seed.name}: it changed; it is read again next time")
        return content, seed.stamp

    def keep(self, stem: str, data: bytes, *, suffix: str) -> str:
        """Put a new seed under the first key that is free, or that holds these bytes."""
        number = 1
        while True:
            key = f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}"
            if self.bucket.create(key, data):
                return key
            number += 1

    def put(self, relative: str, data: bytes, *, instead_of: FoundSeed | None) -> bool:
        """Put a seed under that key; False if what lies there is not ``instead_of``."""
        if instead_of is None:
            return self.bucket.create(relative, data)
        there = self.bucket.head(relative)
        if _stamp(there) != instead_of.stamp:
            return False
        return self.bucket.put(relative, data, etag=there.etag)

    def remove(self, relative: str) -> None:
        """Delete a seed; nothing happens if there is none."""
        self.bucket.delete(relative)


def is_path(key: str) -> bool:
    """Tell whether a key is one that can be asked for by name."""
    return all(part not in {"", ".", ".."} for part in key.split("/")) and key.isprintable()


@lru_cache(maxsize=16)
def _opened(address: str, access: S3Access) -> Bucket:
    from feedsvc.storage.s3 import Bucket

    try:
        name, prefix = parse_address(address)
    except ValueError as error:
        raise ConfigurationError(f"seeds.paths: {address}: {error}") from error
    return Bucket(name, prefix, access)


def _stamp(one: StoredObject) -> FileStamp:
    moment = (one.written - _EPOCH) // timedelta(microseconds=1) * 1000
    mark = int.from_bytes(blake2b(one.etag.encode(), digest_size=8).digest()) >> 1
    return FileStamp(one.size, moment, mark)
