"""Captures by address and time, as Memento clients ask for them (RFC 7089)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, literal, or_, select

from feedsvc.storage.memento_rows import memento_key
from feedsvc.storage.tables import mementos

_SECOND = timedelta(microseconds=999_999)


@dataclass(frozen=True, slots=True)
class Memento:
    """A capture of an address that counts."""

    snapshot_id: str
    captured: datetime


@dataclass(frozen=True, slots=True)
class Neighbours:
    """A memento among the others of its address; prev and next are None at the ends."""

    first: Memento
    prev: Memento | None
    here: Memento
    next: Memento | None
    last: Memento


class MementoStore:
    """Mementos of an address, in the order of time; addresses compare as `urls.surt` says."""

    connection: Connection

    def memento_near(self, url: str, moment: datetime | None) -> Memento | None:
        """Return the memento nearest to a moment, the later one of two; the last one for None.

        Whoever asks knows seconds: what was captured within that one is what they mean.
        """
        key = memento_key(url)
        if key is None:
            return None
        if moment is None:
            return self._one(_LAST, key=key)
        before = self._one(_UNTIL, key=key, moment=moment + _SECOND)
        if before is not None and before.captured >= moment:
            return before
        after = self._one(_FROM, key=key, moment=moment)
        if before is None or after is None:
            return before or after
        return after if after.captured - moment <= moment - before.captured else before

    def memento_neighbours(self, url: str, snapshot_id: str) -> Neighbours | None:
        """Return a snapshot among the mementos of an address, None if it is none of them."""
        key = memento_key(url)
        here = self._one(_HERE, key=key, snapshot_id=snapshot_id)
        first, last = self._one(_FIRST, key=key), self._one(_LAST, key=key)
        if here is None or first is None or last is None:
            return None
        place = {"key": key, "moment": here.captured, "snapshot_id": snapshot_id}
        return Neighbours(
            first, self._one(_PREVIOUS, **place), here, self._one(_NEXT, **place), last
        )

    def mementos(self, url: str, *, limit: int) -> list[Memento]:
        """Return the mementos of an address in the order of time, the last ``limit`` of them."""
        key = memento_key(url)
        rows = self.connection.execute(_ALL.limit(limit), {"key": key})
        return [_memento(row) for row in rows][::-1]

    def _one(self, query: Select[Any], **values: Any) -> Memento | None:
        row = self.connection.execute(query, values).first()
        return None if row is None else _memento(row)


def _memento(row: Any) -> Memento:
    return Memento(row.snapshot_id, row.captured)


def _queries() -> Iterator[Select[Any]]:
    """Build the queries once: each is one descent in the key (surt, captured, snapshot_id)."""
    captured, snapshot_id = mementos.c.captured, mementos.c.snapshot_id
    moment = bindparam("moment", type_=captured.type)
    other = bindparam("snapshot_id", type_=snapshot_id.type)
    of_key = select(snapshot_id, captured).where(mementos.c.surt == bindparam("key"))
    up = of_key.order_by(captured, snapshot_id)
    down = of_key.order_by(captured.desc(), snapshot_id.desc())
    yield down
    yield up.limit(literal(1))
    yield down.limit(literal(1))
    yield down.where(captured <= moment).limit(literal(1))
    yield up.where(captured >= moment).limit(literal(1))
    yield of_key.where(snapshot_id == other)
    same = captured == moment
    yield down.where(captured <= moment, or_(captured < moment, and_(same, snapshot_id < other)))
    yield up.where(captured >= moment, or_(captured > moment, and_(same, snapshot_id > other)))


_ALL, _FIRST, _LAST, _UNTIL, _FROM, _HERE, _PREVIOUS, _NEXT = _queries()
