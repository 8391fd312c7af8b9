"""The records of a snapshot by address, and the snapshots that were looked at lately."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from typing import IO
from urllib.parse import urljoin

from feedsvc.errors import NotFound
from feedsvc.replay.records import Damage, Record, Unreadable, read_records
from feedsvc.urls import InvalidURL, surt

MAX_HOPS = 20
"""Redirects followed, as in browsers."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Index:
    """What one WARC file holds."""

    def __init__(self, found: Iterable[Record | Damage]) -> None:
        self.damaged = False
        """True: at some place in the file nothing could be made out, so that records are lost."""
        self.whole = True
        """False: something in the file is damaged, a record's payload at least."""
        self._by_url: defaultdict[str, list[Record]] = defaultdict(list)
        self._by_surt: defaultdict[str, list[Record]] = defaultdict(list)
        self._by_digest: dict[str, Record] = {}
        self.count = 0
        for one in found:
            if isinstance(one, Damage):
                self.damaged, self.whole = True, False
                continue
            self.count += 1
            self.whole = self.whole and not one.damage
            self._by_url[one.url].append(one)
            if (key := _key(one.url)) is not None:
                self._by_surt[key].append(one)
            if one.digest and not one.revisit and not one.damage:
                self._by_digest.setdefault(one.digest, one)

    def find(self, url: str) -> Record | None:
        """Return the response for an address: for exactly this one, or for one like it."""
        # What browsers ask for has no fragment, and percent-encodes what some pages do not.
        url = url.partition("#")[0]
        if same := self._by_url.get(url):
            return _best(same)
        key = _key(url)
        alike = self._by_surt.get(key) if key is not None else None
        return _best(alike) if alike else None

    def follow(self, url: str) -> Record | None:
        """Return the response that redirects lead to; the last redirect if they lead nowhere."""
        record = self.find(url)
        seen: set[int] = set()
        while record is not None and (target := redirect_of(record)) and len(seen) < MAX_HOPS:
            seen.add(record.offset)
            following = self.find(target)
            if following is None or following.offset in seen:
                # `http://a/` that leads to an address only a capture of itself is like.
                return self._beyond(target, seen) or record
            record = following
        return record

    def of_digest(self, digest: str) -> Record | None:
        """Return a whole record that holds a payload."""
        return self._by_digest.get(digest)

    def _beyond(self, target: str, seen: set[int]) -> Record | None:
        key = _key(target)
        alike = self._by_surt.get(key, ()) if key is not None else ()
        return _best([one for one in alike if one.offset not in seen])


def redirect_of(record: Record) -> str | None:
    """Return where a redirect leads, None for any other response."""
    location = record.header("location")
    if record.status not in _REDIRECTS or not location:
        return None
    try:
        return urljoin(record.url, location.strip())
    except ValueError:
        return None


def _best(records: list[Record]) -> Record | None:
    """Return the record to show of several: a whole one, an answer with content, the first."""
    if not records:
        return None
    return min(records, key=lambda one: (bool(one.damage), not 200 <= one.status < 300))


def _key(url: str) -> str | None:
    try:
        return surt(url)
    except InvalidURL:
        return None


class Shelf:
    """Indexes of snapshots that were asked for lately, each made once; for many threads."""

    def __init__(self, open_blob: Callable[..., IO[bytes]], *, records: int = 200_000) -> None:
        """Read snapshots through ``open_blob(key, at=place)``; keep indexes of about so many records."""
        self._open = open_blob
        self._most = records
        self._held = 0
        self._indexes: OrderedDict[str, Index] = OrderedDict()
        self._making: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def open(self, key: str, *, at: int = 0) -> IO[bytes]:
        """Open a snapshot's file at a place; raise Unreadable if it is gone."""
        try:
            return self._open(key, at=at)
        except (NotFound, OSError, ValueError) as error:
            raise Unreadable("the archive no longer holds the file it is in") from error

    def index(self, key: str) -> Index:
        """Return a snapshot's index; raise Unreadable if its file is gone."""
        if (found := self._recent(key)) is not None:
            return found
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        # Others who want the same wait here instead of reading the file as well.
        with making:
            if (found := self._recent(key)) is not None:
                return found
            try:
                with self.open(key) as file:
                    made = Index(read_records(file))
                # What is damaged may be put right from a backup at any time.
                if made.whole:
                    self._keep(key, made)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return made

    def _recent(self, key: str) -> Index | None:
        with self._lock:
            if key in self._indexes:
                self._indexes.move_to_end(key)
            return self._indexes.get(key)

    def _keep(self, key: str, made: Index) -> None:
        with self._lock:
            self._indexes[key] = made
            self._held += made.count + _OVERHEAD
            while self._held > self._most and len(self._indexes) > 1:
                _, dropped = self._indexes.popitem(last=False)
                self._held -= dropped.count + _OVERHEAD


_OVERHEAD = 10
"""Records' worth of memory an index takes by itself."""
