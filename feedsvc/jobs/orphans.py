"""Objects that no row points to, left by captures that were killed: swept once they are a day old.

Keys begin with the moment of their capture, so that a look at the last days lists those days only.
What imports leave stands under the moment of old captures; `feedsvc verify` finds it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from feedsvc.errors import NotFound, Temporary
from feedsvc.logs import logger
from feedsvc.runtime import Runtime

OURS = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9a-f-]{36}\.warc\.gz")
"""Keys that snapshots have."""
SWEPT = "archive.swept"
"""The fact that says until which moment objects were looked through."""
AGE = timedelta(days=1)
"""So old is nothing that is about to be recorded."""
_FIRST = timedelta(days=30)
"""How far the first look reaches back."""
_LATE = timedelta(hours=2)
"""So long after the moment in its key an object may be stored: looks overlap by it."""
_BATCH = 1000

log = logger(__name__)


def sweep_orphans(runtime: Runtime) -> int:
    """Delete what lies in an object store unrecorded for a day, at most once a day; return how many.

    Nothing happens while another process is at it.
    """
    with runtime.database.reading() as store:
        fact = store.fact(SWEPT)
    now = runtime.now()
    until = now - AGE
    since = datetime.fromisoformat(fact) if fact else until - _FIRST
    if until - since < AGE:
        return 0
    with suppress(Temporary), runtime.lock("sweep", wait=0.0):
        swept = sum(
            _sweep(runtime, keys, until) for keys in _batches(runtime, since - _LATE, until)
        )
        with runtime.database.transaction() as store:
            store.set_fact(SWEPT, until.isoformat())
        return swept
    return 0


def _sweep(runtime: Runtime, keys: list[str], until: datetime) -> int:
    with runtime.database.reading() as store:
        unknown = set(keys) - store.known_keys(keys)
    swept = 0
    for key in sorted(unknown):
        with suppress(NotFound):
            if runtime.archive.written(key) < until:
                runtime.archive.delete(key)
                log.info("snapshot.swept", key=key, reason="its capture was killed unrecorded")
                swept += 1
    return swept


def _batches(runtime: Runtime, since: datetime, until: datetime) -> Iterator[list[str]]:
    keys = (key for month in _months(since, until) for key in _keys(runtime, month, since, until))
    while batch := list(itertools.islice(keys, _BATCH)):
        yield batch


def _keys(runtime: Runtime, month: str, since: datetime, until: datetime) -> Iterator[str]:
    """Yield the keys of snapshots of a month between two moments."""
    last = month + _beginning(until)
    for key in runtime.archive.stored(month, after=month + _beginning(since)):
        if key > last:
            return
        if OURS.fullmatch(key):
            yield key


def _months(since: datetime, until: datetime) -> Iterator[str]:
    """Yield the beginnings of keys, one for each month that two moments touch."""
    year, month = since.astimezone(UTC).year, since.astimezone(UTC).month
    end = until.astimezone(UTC)
    while (year, month) <= (end.year, end.month):
        yield f"{year:04}/{month:02}/"
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def _beginning(moment: datetime) -> str:
    """Return how the UUIDv7 of a moment begins (RFC 9562 §5.7)."""
    milliseconds = f"{int(moment.timestamp() * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"
