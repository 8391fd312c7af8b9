"""Bytes moved from one store to another, several at a time, each read again where it arrived."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import TypeVar

from feedsvc.errors import NotFound
from feedsvc.publish.packing import PACKED_FILES
from feedsvc.storage.blobs import BlobStore
from feedsvc.storage.extent import StoredBytes

AT_ONCE = 16
"""Files that are on their way at a time: what takes the time is waiting for a store to answer."""
_LARGE = 4 << 20
_FEW = threading.BoundedSemaphore(3)
"""For what is large: several of those at a time would fill the memory of a small machine."""
_CHUNK = 1 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of one file."""

    key: str
    sent: int | None = None
    """Bytes that were sent; None: it was there, or could not be sent."""
    there: bool = True
    """Whether its bytes are at the target, as they are at the source."""
    damage: str = ""
    """What is wrong with it at the source."""
    known: bool = False
    """Whether that damage was recorded before."""
    difference: str = ""
    """How the target differs from the source."""


def move_snapshot(source: BlobStore, target: BlobStore, one: StoredBytes, *, quick: bool) -> Moved:
    """Have the bytes of a snapshot at the target, and say what is not as it was recorded.

    ``quick`` compares the size of what arrived, not its digest. What is damaged is moved as it is.
    """
    with _FEW if one.size > _LARGE else nullcontext():
        return _move(source, target, one, quick=quick)


def _move(source: BlobStore, target: BlobStore, one: StoredBytes, *, quick: bool) -> Moved:
    if has(target, one.key, one.size, one.sha256, quick=quick):
        return Moved(one.key)
    try:
        digest, size = _send(source, target, one.key)
    except NotFound:
        return Moved(one.key, there=False, damage="is missing", known=one.damaged is not None)
    except OSError as error:
        return Moved(
            one.key,
            there=False,
            damage=f"cannot be read: {error.strerror or error}",
            known=one.damaged is not None,
        )
    damage = "" if digest == one.sha256 else "is not as it was recorded"
    arrived = has(target, one.key, size, digest, quick=quick)
    return Moved(
        one.key,
        sent=size,
        there=arrived,
        damage=damage,
        known=one.damaged is not None,
        difference="" if arrived else "what arrived is not what was sent",
    )


def move_feed(source: BlobStore, target: BlobStore, name: str, sha256: str, size: int) -> Moved:
    """Have a document of a feed and its packed copies at the target; packed copies come first."""
    try:
        with source.open(name) as file:
            data = file.read()
    except NotFound:
        return Moved(name, there=False, damage="is missing", known=True)
    if len(data) != size or hashlib.sha256(data).hexdigest() != sha256:
        return Moved(name, there=False, damage="is not as it was recorded", known=True)
    for ending in PACKED_FILES:
        _move_copy(source, target, f"{name}.{ending}")
    if has(target, name, size, sha256, quick=False):
        return Moved(name)
    target.put(name, data)
    if not has(target, name, size, sha256, quick=False):
        return Moved(name, there=False, difference="what arrived is not what was sent")
    return Moved(name, sent=size)


def _move_copy(source: BlobStore, target: BlobStore, key: str) -> None:
    try:
        with source.open(key) as file:
            data = file.read()
    except NotFound:
        target.delete(key)
        return
    if not has(target, key, len(data), hashlib.sha256(data).hexdigest(), quick=False):
        target.put(key, data)


def look_at(_: BlobStore, store: BlobStore, one: StoredBytes, *, quick: bool) -> Moved:
    """Say whether a snapshot that stays where it is is as it was recorded."""
    if has(store, one.key, one.size, one.sha256, quick=quick):
        return Moved(one.key)
    known = one.damaged is not None
    return Moved(one.key, there=False, damage="is missing, or not as it was recorded", known=known)


def has(store: BlobStore, key: str, size: int, sha256: str, *, quick: bool) -> bool:
    """Tell whether a store has those very bytes under a key, by reading them unless it is quick."""
    try:
        if store.size(key) != size:
            return False
        if quick:
            return True
        digest = hashlib.sha256()
        with store.open(key) as file:
            while data := file.read(_CHUNK):
                digest.update(data)
    except NotFound:
        return False
    return digest.hexdigest() == sha256


def _send(source: BlobStore, target: BlobStore, key: str) -> tuple[str, int]:
    """Copy bytes; return digest and size of what was read. Raises NotFound, OSError."""
    digest, size = hashlib.sha256(), 0
    with source.open(key) as file:
        make_way(target, key)
        with target.writing(key) as out:
            while data := file.read(_CHUNK):
                digest.update(data)
                size += len(data)
                out.write(data)
    return digest.hexdigest(), size


def make_way(store: BlobStore, key: str) -> None:
    """Remove what is under a key: it is not what it should be, and stores take new names only."""
    with suppress(NotFound):
        store.size(key)
        store.delete(key)


def several(work: Callable[[T], Moved], items: Iterable[T]) -> Iterator[Moved]:
    """Do that to several items at a time; yield what became of them, in order.

    The first exception ends it: a store that is away is away for all of them.
    """
    waiting = iter(items)
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="move")
    ahead: list[Future[Moved]] = []
    try:
        ahead = [pool.submit(work, one) for one in itertools.islice(waiting, 2 * AT_ONCE)]
        while ahead:
            result = ahead.pop(0).result()
            ahead += [pool.submit(work, one) for one in itertools.islice(waiting, 1)]
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
