"""Packed copies beside feeds, for a web server in front that sends files as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum

from feedsvc.errors import NotFound
from feedsvc.publish.packing import PACKED_FILES, PACKERS, unpacked
from feedsvc.storage.blobs import BlobStore

_LONGER = 64 << 10
"""No coding makes a document this much longer, so that nobody reads a file without an end."""


class Problem(StrEnum):
    """What can be wrong with a packed copy, as it is told."""

    MISSING = "the packed copy is missing"
    UNREADABLE = "the packed copy cannot be read"
    OTHER = "the packed copy does not unpack to the bytes of the feed"


Attributes = Callable[[str], Mapping[str, str]]
"""The name of a file -> the headers that a store is to serve it with."""


def without_attributes(_name: str) -> Mapping[str, str]:
    """Say nothing."""
    return {}


def put_packed(
    blobs: BlobStore,
    name: str,
    data: bytes,
    *,
    endings: Collection[str],
    attributes: Attributes = without_attributes,
    others: bool = True,
) -> None:
    """Write a document's packed copies, to be called before the document itself is written.

    Should a crash come between, the document still differs from what is due, and the next
    publication writes both again. A copy that is not wanted any more goes: it would be sent in
    place of what changed since. ``others``: whether there may be such.
    """
    for ending, coding in PACKED_FILES.items():
        if ending in endings:
            copy = f"{name}.{ending}"
            blobs.put(copy, PACKERS[coding](data), attributes=attributes(copy))
        elif others:
            blobs.delete(f"{name}.{ending}")


def complete_packed(
    blobs: BlobStore,
    name: str,
    data: bytes,
    *,
    endings: Collection[str],
    attributes: Attributes = without_attributes,
) -> None:
    """Make the packed copies of a document that stays as it is those that are wanted, all right."""
    digest = hashlib.sha256(data).hexdigest()
    for ending, coding in PACKED_FILES.items():
        if ending not in endings:
            blobs.delete(f"{name}.{ending}")
        elif copy_problem(blobs, name, ending, sha256=digest, size=len(data)):
            copy = f"{name}.{ending}"
            blobs.put(copy, PACKERS[coding](data), attributes=attributes(copy))


def copy_problem(
    blobs: BlobStore, name: str, ending: str, *, sha256: str, size: int
) -> Problem | None:
    """Return what is wrong with a document's packed copy; the document has that digest and size."""
    try:
        with blobs.open(f"{name}.{ending}") as file:
            data = file.read(size + _LONGER)
    except NotFound:
        return Problem.MISSING
    except OSError:
        return Problem.UNREADABLE
    found = unpacked(data, PACKED_FILES[ending], size=size)
    if found is None or hashlib.sha256(found).hexdigest() != sha256:
        return Problem.OTHER
    return None


def delete_packed(blobs: BlobStore, name: str) -> None:
    """Remove a document's packed copies."""
    for ending in PACKED_FILES:
        blobs.delete(f"{name}.{ending}")


def document_of(key: str) -> str:
    """Return the document a file belongs to: itself, or what it is a packed copy of."""
    name, _, ending = key.rpartition(".")
    return name if ending in PACKED_FILES else key
