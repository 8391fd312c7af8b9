"""Checks of `feedsvc doctor` of what lies in an object store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from feedsvc.cli.finding import Check, Finding
from feedsvc.errors import FeedsvcError, Temporary

if TYPE_CHECKING:
    from feedsvc.settings import Settings
    from feedsvc.storage.blobs import BlobStore

_ASKED = 6
"""Requests that `BlobStore.check` takes."""


def is_store(address: str) -> bool:
    """Tell whether a setting names an object store, and no folder."""
    return "://" in address


def readable(address: str, settings: Settings) -> Check:
    """Can seeds be listed here?"""
    return _asked("seeds", address, settings, lambda store: next(store.stored(), None))


def writable(name: str, address: str, settings: Settings) -> Check:
    """Can objects be created, listed, read and deleted here?"""
    return _asked(name, address, settings, lambda store: store.check(), requests=_ASKED)


def _asked(
    name: str,
    address: str,
    settings: Settings,
    ask: Callable[[BlobStore], object],
    *,
    requests: int = 1,
) -> Check:
    from feedsvc.runtime import blob_store

    started = time.perf_counter()
    try:
        store = blob_store(address, settings)
        ask(store)
    except Temporary as error:
        return Check(name, Finding.PROBLEM, str(error), "start the store, or correct s3.endpoint")
    except FeedsvcError as error:
        what, _, remedy = str(error).rpartition(": ")
        return Check(name, Finding.PROBLEM, what or remedy, remedy if what else "")
    took = (time.perf_counter() - started) / requests * 1000
    verb = "written" if requests > 1 else "read"
    return Check(name, Finding.OK, f"{store.place()} can be {verb}, {took:.0f} ms for each request")
