"""Listing a bucket that other programs write to, whose keys need not be names of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from feedsvc.storage.s3_access import StoredObject

if TYPE_CHECKING:
    from feedsvc.storage.s3 import Bucket


def all_objects(bucket: Bucket, prefix: str = "") -> Iterator[StoredObject | str]:
    """Yield objects below a prefix that ends in a slash, or all, in no particular order.

    The client library gives a whole page up for one key that is no path. Where that happens the
    bucket is listed folder by folder; a folder that holds such a key is yielded as its name.
    Raises Temporary, ConfigurationError or NotFound.
    """
    last = ""
    try:
        for one in bucket.objects(prefix):
            last = one.key
            yield one
    except ValueError:
        yield from _by_folder(bucket, prefix.rstrip("/"), after=last)


def _by_folder(bucket: Bucket, folder: str, *, after: str) -> Iterator[StoredObject | str]:
    waiting = [folder]
    while waiting:
        inside = waiting.pop()
        try:
            folders, objects = bucket.level(inside)
        except ValueError:
            yield inside
            continue
        waiting += folders
        yield from (one for one in objects if one.key.encode() > after.encode())
