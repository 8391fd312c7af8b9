"""A site's rows moved into another database, a batch at a time: whoever is killed goes on later."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.engine import URL

from feedsvc.errors import ConfigurationError
from feedsvc.storage.columns import UTCDateTime
from feedsvc.storage.database import Database, translated
from feedsvc.storage.row_writing import add_rows, resume_numbering
from feedsvc.storage.rows import (
    MOVED,
    Digest,
    Key,
    Row,
    RowDifference,
    carried_tables,
    count_rows,
    differing_rows,
    key_columns,
    key_of,
    read_rows,
)
from feedsvc.storage.store import Store
from feedsvc.storage.tables import articles, unindexed

ROWS = 5000
"""Rows that are committed at a time, with the note of how far this is."""
_HEAVY = 8 << 20
"""Characters that are committed at a time, however few the rows."""

Tell = Callable[[int], None]
_Note = Callable[[Connection], None]


@dataclass
class Progress:
    """How far a site has been moved, as it stands in the target."""

    source: str
    """Address of the database it comes from, without the password."""
    mark: str
    """Its first article: two sites under one address are not taken for one another."""
    began: str
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By table: rows so far, the last key, and whether that was all."""
    ended: str = ""
    """When all of it had been moved and compared."""


class Transfer:
    """The rows of one database on their way into another."""

    def __init__(self, source: Database, target: Database, *, at_once: int = ROWS) -> None:
        self.source = source
        self.target = target
        self.progress = Progress("", "", "")
        self.resumed = False
        self._at_once = at_once
        self._read: dict[str, Digest] = {}

    def begin(self, *, now: datetime) -> None:
        """Claim the target. Raises ConfigurationError if it holds anything but what this move put there."""
        mine = Progress(_named(self.source.url), _mark(self.source), now.isoformat())
        found = moved_into(self.target)
        if found is not None and (found.source, found.mark) == (mine.source, mine.mark):
            self.progress, self.resumed = found, True
            return
        require_unused(self.target, found)
        self.progress = mine
        with self.target.transaction() as store:
            self._note(store.connection)

    @property
    def ended(self) -> bool:
        """Whether all of it was moved and compared before: then nothing is written any more."""
        return bool(self.progress.ended)

    def copy(self, table: Table, tell: Tell) -> int:
        """Copy the rows of a table that are not there yet; return how many."""
        state = self.progress.tables.get(table.name, {"rows": 0, "key": None, "all": False})
        if state["all"]:
            return 0
        digest = Digest(table) if state["key"] is None else None
        after = None if state["key"] is None else _revived(table, state["key"])
        copied, key = 0, key_of(table)
        with _writer(self.target, table) as write, _reading(self.source) as rows:
            for batch in _batches(read_rows(rows, table, after=after), self._at_once):
                if digest is not None:
                    digest.add(batch)
                state = {
                    "rows": state["rows"] + len(batch),
                    "key": [_plain(value) for value in key(batch[-1])],
                    "all": False,
                }
                self.progress.tables[table.name] = state
                write(batch, self._note)
                copied += len(batch)
                tell(state["rows"])
        if digest is not None:
            self._read[table.name] = digest
        with self.target.transaction() as store:
            resume_numbering(store.connection, table)
            self.progress.tables[table.name] = state | {"all": True}
            self._note(store.connection)
        return copied

    def compare(self, table: Table) -> tuple[int, Iterator[RowDifference]]:
        """Hold a table at the target to that of the source; return its rows, and what differs."""
        here = self._read.get(table.name) or _digest(self.source, table)
        there = _digest(self.target, table)
        same = (here.rows, here.value) == (there.rows, there.value)
        return there.rows, iter(()) if same else self._differing(table)

    def _differing(self, table: Table) -> Iterator[RowDifference]:
        with _reading(self.source) as here, _reading(self.target) as there:
            yield from differing_rows(here, there, table)

    def hand_over(self) -> None:
        """Have the target's search index made of every article: indexes do not travel."""
        with self.target.transaction() as store:
            missing = select(articles.c.id).where(
                articles.c.id.not_in(select(unindexed.c.article_id))
            )
            store.connection.execute(unindexed.insert().from_select(["article_id"], missing))

    def end(self, *, now: datetime) -> None:
        """Note that all of it was moved and compared."""
        self.progress.ended = now.isoformat()
        with self.target.transaction() as store:
            self._note(store.connection)

    def _note(self, connection: Connection) -> None:
        Store(connection).set_fact(MOVED, json.dumps(vars(self.progress)))


def moved_into(database: Database) -> Progress | None:
    """Return how far a site has been moved into a database, None if none was."""
    with database.reading() as store:
        found = store.fact(MOVED)
    return None if found is None else Progress(**json.loads(found))


def require_unused(target: Database, moved: Progress | None) -> None:
    """Raise ConfigurationError if a database holds a site, or some of one."""
    where = _named(target.url)
    if moved is not None and not moved.ended:
        raise ConfigurationError(
            f"{where} holds part of another site, moved there from {moved.source} since "
            f"{moved.began[:16]}; end that move, or name an empty database"
        )
    with target.reading() as store:
        for table in carried_tables():
            if count := count_rows(store.connection, table):
                raise ConfigurationError(
                    f"{where} already holds a site ({count} rows in {table.name}); name an empty "
                    f"database{_remedy(target.url)}"
                )


def _remedy(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f", or move that one away (`mv {url.database} {url.database}.before`)"
    return " (`createdb`)"


def _named(url: URL) -> str:
    return url.render_as_string(hide_password=True)


def _mark(database: Database) -> str:
    first = select(articles.c.id).order_by(articles.c.first_seen, articles.c.id).limit(1)
    with database.reading() as store:
        return store.connection.scalar(first) or ""


@contextmanager
def _reading(database: Database) -> Iterator[Connection]:
    with database.reading() as store:
        yield store.connection


def _digest(database: Database, table: Table) -> Digest:
    digest = Digest(table)
    with _reading(database) as connection:
        for rows in read_rows(connection, table):
            digest.add(rows)
    return digest


def _batches(parts: Iterator[Sequence[Row]], at_once: int) -> Iterator[list[Row]]:
    """Yield rows in batches that are worth a transaction, few where rows are large."""
    batch: list[Row] = []
    weight = 0
    for part in parts:
        batch += part
        weight += sum(len(value) for row in part for value in row if isinstance(value, str))
        if len(batch) >= at_once or weight >= _HEAVY:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


@contextmanager
def _writer(database: Database, table: Table) -> Iterator[Callable[[list[Row], _Note], None]]:
    """Yield a function that adds rows that are not there, and a note, in one transaction."""
    with translated(database.url), database.engine.connect() as connection:

        def write(rows: list[Row], note: _Note) -> None:
            with connection.begin():
                add_rows(connection, table, rows)
                note(connection)

        yield write


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _revived(table: Table, key: Sequence[Any]) -> Key:
    return tuple(
        datetime.fromisoformat(value) if isinstance(column.type, UTCDateTime) else value
        for column, value in zip(key_columns(table), key, strict=True)
    )
