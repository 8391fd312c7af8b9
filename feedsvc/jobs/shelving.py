"""Documents of feeds → the folder or the object store they are served from."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from feedsvc.errors import NotFound
from feedsvc.jobs.packed import complete_packed, delete_packed, put_packed
from feedsvc.publish.keeping import attributes, max_age
from feedsvc.runtime import Runtime
from feedsvc.storage.blobs import BlobStore, DiskBlobs
from feedsvc.storage.store_feeds import FeedFile
from feedsvc.storage.store_names import PRIVATE

_AT_ONCE = 8
"""Documents that are on their way to an object store at a time."""


class Shelving:
    """Puts documents where they are served from, if their bytes changed, and counts.

    Into a folder one by one. To an object store, which takes far longer to answer, several go at
    the same time, so that `wait` is called before any of them is relied upon.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._blobs = runtime.feeds
        self._packed = runtime.settings.feeds.packed
        self._max_age = max_age(runtime.settings.schedule.publish.seconds)
        self._recorded: Mapping[str, FeedFile] = {}
        self._doubted = False
        self._is_near = isinstance(self._blobs, DiskBlobs)
        self._under_way: list[Future[bool]] = []
        self._pool: ThreadPoolExecutor | None = None
        self.written = self.unchanged = 0

    def look_up(self, names: Collection[str], *, doubted: bool = False) -> None:
        """Ask the database what is there, in place of an object store.

        Not of files that are ``doubted``, and not where the files are close at hand.
        """
        self._doubted = doubted
        if doubted or self._is_near:
            self._recorded = {}
            return
        with self._runtime.database.reading() as store:
            self._recorded = store.known_files(sorted(names))

    def put(self, name: str, data: bytes, *, archive: bool = False) -> None:
        """Store a document and its packed copies. ``archive``: it is a closed page."""
        known = self._recorded.get(name)
        if known is not None and _is_same(known, data):
            self.unchanged += 1
            return
        others = self._is_near or self._doubted or (known is not None and known.doomed)
        is_other = known is not None and not known.doomed

        def store() -> bool:
            return self._store(name, data, archive=archive, is_other=is_other, others=others)

        if self._is_near:
            self._count(store())
        else:
            self._pool = self._pool or ThreadPoolExecutor(_AT_ONCE, "feedsvc-shelving")
            self._under_way.append(self._pool.submit(store))

    def wait(self) -> None:
        """Return once all is stored; raise what went wrong."""
        under_way, self._under_way = self._under_way, []
        for one in under_way:
            self._count(one.result())

    def close(self) -> None:
        """End its threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _count(self, is_written: bool) -> None:
        self.written += is_written
        self.unchanged += not is_written

    def _store(
        self, name: str, data: bytes, *, archive: bool, is_other: bool, others: bool
    ) -> bool:
        """Store a document if it differs, which is known if it ``is_other``; tell whether it did.

        ``others``: whether there may be packed copies that are not wanted.
        """
        private = name.startswith(PRIVATE)

        def said(file: str) -> Mapping[str, str]:
            return attributes(file, archive=archive, private=private, max_age=self._max_age)

        blobs, wanted = self._blobs, self._packed
        if is_other or _differs(blobs, name, data):
            put_packed(blobs, name, data, endings=wanted, attributes=said, others=others)
            blobs.put(name, data, attributes=said(name))
            return True
        complete_packed(blobs, name, data, endings=wanted, attributes=said)
        return False


def _is_same(known: FeedFile, data: bytes) -> bool:
    # A doomed one may lack a packed copy that is wanted since.
    if known.doomed or known.size != len(data):
        return False
    return known.sha256 == hashlib.sha256(data).hexdigest()


def _differs(blobs: BlobStore, name: str, data: bytes) -> bool:
    try:
        if blobs.size(name) != len(data):
            return True
        with blobs.open(name) as file:
            return file.read() != data
    except NotFound:
        return True


def remove(blobs: BlobStore, names: Iterable[str]) -> None:
    """Remove documents with their packed copies, and folders that are empty then."""
    names = list(names)
    for name in names:
        blobs.delete(name)
        delete_packed(blobs, name)
    if isinstance(blobs, DiskBlobs):
        _remove_folders(blobs, names)


def _remove_folders(blobs: DiskBlobs, names: Iterable[str]) -> None:
    for folder in sorted({name.rpartition("/")[0] for name in names}, key=len, reverse=True):
        while folder:
            # Another file of it may still be there, or come at this very moment.
            with suppress(OSError):
                blobs.path(folder).rmdir()
            folder = folder.rpartition("/")[0]


def make_private_folder(blobs: BlobStore) -> None:
    """Have the folder of private feeds, which nobody but the web server's group may list."""
    if not isinstance(blobs, DiskBlobs):
        return
    folder = blobs.path(PRIVATE.rstrip("/"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o750)
