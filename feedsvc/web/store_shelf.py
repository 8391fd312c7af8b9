"""Documents from an object store: held in memory, and fetched again when the database says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

import anyio
import anyio.to_thread

from feedsvc.errors import FeedsvcError, NotFound
from feedsvc.logs import logger
from feedsvc.text import without_tokens
from feedsvc.web.documents import Document, Memory
from feedsvc.web.names import FeedName

Versions = Callable[[Sequence[str]], Mapping[str, tuple[str, datetime]]]
"""Names -> SHA-256 and time of writing of those that there are, as recorded."""

PATIENCE = 1.0
"""Seconds that a request waits for the store while an older document is held."""
LONGEST_WAIT = 5.0
"""Seconds that a request waits where nothing is held."""
ABSENT_SECONDS = 15.0
"""For how long a name without a document is remembered, unless one is told of."""
MOST_ABSENT = 4096
_PAUSES = (0.05, 0.2, None)
"""Seconds before a document is fetched again whose bytes are not those recorded."""
_FETCHES = 4
"""How many requests to database and store one web server makes at a time."""

log = logger(__name__)


class Unreadable(OSError):
    """Nothing is held, and nobody answers who could tell more."""


class StoreShelf:
    """The documents of an object store, of which ``memory`` holds what was asked for lately.

    What is held is served at once, without a look at anything. Whoever follows the database tells
    which names to doubt: those are looked up before they are served again, and where that fails
    what is held goes on being served.
    """

    def __init__(self, versions: Versions, fetch: Callable[[str], bytes], memory: Memory) -> None:
        """``versions`` and ``fetch`` (raises NotFound) are called in threads."""
        self.memory = memory
        self._held = memory.held
        self._versions = versions
        self._fetch = fetch
        self._doubted: set[str] = set()
        self._unsettled: set[str] = set()
        self._absent: dict[str, float] = {}
        self._loading: dict[str, asyncio.Task[Document | None]] = {}
        self._limiter: anyio.CapacityLimiter | None = None

    # --- for whoever follows the database, in another thread ---------------------------------

    def doubt(self, names: Collection[str] | None) -> None:
        """Look these documents, or all, up again before they are served the next time."""
        if names is None:
            self._absent = {}
            self._doubted.update(list(self._held))
            return
        for name in names:
            self._absent.pop(name, None)
            if name in self._held or name in self._loading:
                self._doubted.add(name)

    def doubt_unsettled(self) -> None:
        """Doubt again what could not be brought up to date."""
        unsettled, self._unsettled = self._unsettled, set()
        self.doubt(unsettled)

    def check(self) -> None:
        """Doubt all that is held and is not any more what is recorded. Raises FeedsvcError."""
        self._absent = {}
        held = {name: one.digest.hex() for name, one in list(self._held.items())}
        recorded = self._versions(sorted(held))
        self.doubt([n for n, digest in held.items() if recorded.get(n, ("",))[0] != digest])

    # --- for requests --------------------------------------------------------------------------

    def current(self, name: str) -> Document | None:
        """Return what is held, unless it is doubted."""
        held = self._held.get(name)
        if held is None or name in self._doubted:
            return None
        self._held.move_to_end(name)
        return held

    async def find(self, name: FeedName) -> Document | None:
        """Return a document as it is now, None if there is none.

        Where that cannot be found out soon, what is held; raise OSError if nothing is.
        """
        current = self.current(name.path)
        if current is not None or self._is_absent(name.path):
            return current
        loading = self._loading.get(name.path)
        if loading is None:
            loading = asyncio.create_task(self._load(name))
            self._loading[name.path] = loading
            loading.add_done_callback(lambda done: self._loaded(name.path, done))
        held = self._held.get(name.path)
        await asyncio.wait({loading}, timeout=PATIENCE if held is not None else LONGEST_WAIT)
        if loading.done():
            return loading.result()
        if held is None:
            raise Unreadable(name.path)
        return held

    def _is_absent(self, name: str) -> bool:
        until = self._absent.get(name)
        return until is not None and time.monotonic() < until

    def _loaded(self, name: str, done: asyncio.Task[Document | None]) -> None:
        self._loading.pop(name, None)
        with suppress(asyncio.CancelledError, OSError):
            done.result()

    async def _load(self, name: FeedName) -> Document | None:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_FETCHES)
        path = name.path
        # Before the look: what is told from here on counts again.
        self._doubted.discard(path)
        held = self._held.get(path)
        try:
            found = await anyio.to_thread.run_sync(self._look, name, held, limiter=self._limiter)
        except (FeedsvcError, OSError) as error:
            log.warning("feed.unreadable", name=without_tokens(path), reason=str(error))
            if held is None:
                raise Unreadable(path) from error
            self._unsettled.add(path)
            return held
        if found is not held:
            self.memory.keep(path, found)
        if found is None:
            self._note_absent(path)
        return found

    def _note_absent(self, name: str) -> None:
        if len(self._absent) >= MOST_ABSENT:
            self._absent = {}
        # Told of meanwhile, it is there now.
        if name not in self._doubted:
            self._absent[name] = time.monotonic() + ABSENT_SECONDS
        self._doubted.discard(name)

    def _look(self, name: FeedName, held: Document | None) -> Document | None:
        """Return a document whose bytes are those recorded; in a thread."""
        found = None
        for pause in _PAUSES:
            version = self._versions([name.path]).get(name.path)
            if version is None:
                return None
            digest, written = version
            if held is not None and held.digest.hex() == digest:
                return held
            with suppress(NotFound):
                found = self._document(name, self._fetch(name.path), written)
                if found.digest.hex() == digest:
                    return found
            if pause is not None:
                time.sleep(pause)
        # A publisher stores first and records later: what is there may be newer than recorded.
        self._unsettled.add(name.path)
        return found or held

    def _document(self, name: FeedName, body: bytes, written: datetime) -> Document:
        stamp = (len(body), 0, 0)
        return self.memory.document(name, body, written=written, stamp=stamp)
