"""Every statement that something sends to PostgreSQL, and what the server does for it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, event

LARGE = 10_000
"""Rows of a table that nothing may read as a whole."""
MANY = 2_000
"""Rows that may be sorted, or read and thrown away."""
_LISTS = re.compile(r"\((?:%\(\w+\)s(?:::\w+)?(?:, )?)+\)")
_EXPLAINED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


@dataclass(slots=True)
class Sent:
    """A statement, with the parameters with which it took longest."""

    statement: str
    parameters: Any
    asked_by: str
    times: int = 0
    slowest: float = 0.0
    """Milliseconds as the client waited."""


@dataclass(slots=True)
class Plan:
    """What the server did for a statement."""

    milliseconds: float
    buffers: int
    faults: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


@dataclass
class Collected:
    """Distinct statements, by their text; lists of any length are one."""

    by_text: dict[str, Sent] = field(default_factory=dict)
    asker: str = ""

    def note(self, statement: str, parameters: Any, milliseconds: float) -> None:
        """Remember a statement that was executed."""
        if not statement.lstrip().startswith(_EXPLAINED):
            return
        key = _LISTS.sub("(…)", statement)
        sent = self.by_text.setdefault(key, Sent(statement, parameters, self.asker))
        sent.times += 1
        if milliseconds >= sent.slowest:
            sent.statement, sent.parameters = statement, parameters
            sent.slowest, sent.asked_by = milliseconds, self.asker


@contextmanager
def collecting(engine: Engine) -> Iterator[Collected]:
    """Collect what is sent through an engine."""
    collected = Collected()

    def before(*given: Any) -> None:
        given[4]._began = time.perf_counter()

    def after(_connection: Any, _cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        took = (time.perf_counter() - rest[0]._began) * 1e3
        some = parameters[0] if rest[1] and parameters else parameters
        collected.note(statement, some, took)

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield collected
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)


def explained(
    connection: Connection, sent: Sent, *, large: int = LARGE, analyze: bool = True
) -> Plan:
    """Return the plan of a statement; it is executed, and taken back by whoever calls."""
    how = "ANALYZE, BUFFERS, FORMAT JSON" if analyze else "FORMAT JSON"
    with connection.begin_nested() as taken_back:
        found = connection.exec_driver_sql(f"EXPLAIN ({how}) {sent.statement}", sent.parameters)
        (document,) = found.scalar_one()
        taken_back.rollback()
    top = document["Plan"]
    plan = Plan(
        document.get("Execution Time", 0.0),
        top.get("Shared Hit Blocks", 0) + top.get("Shared Read Blocks", 0),
    )
    sizes = table_sizes(connection)
    for node in _nodes(top):
        plan.text.append(_line(node))
        plan.faults += _faults(node, sizes, large)
    return plan


def table_sizes(connection: Connection) -> dict[str, int]:
    """Return about how many rows each table has."""
    rows = connection.exec_driver_sql(
        "SELECT relname, reltuples::bigint FROM pg_class WHERE relkind IN ('r', 'p')"
    )
    return {row[0]: row[1] for row in rows}


def _nodes(node: Mapping[str, Any], depth: int = 0) -> Iterator[dict[str, Any]]:
    yield {**node, "depth": depth}
    for inner in node.get("Plans", ()):
        yield from _nodes(inner, depth + 1)


def _faults(node: Mapping[str, Any], sizes: Mapping[str, int], large: int) -> Iterator[str]:
    kind, table = node["Node Type"], node.get("Relation Name", "")
    loops = node.get("Actual Loops", 1)
    read = node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0)
    if kind == "Seq Scan" and sizes.get(table, 0) > large and 2 * read > sizes[table] and loops:
        yield f"reads all of {table}"
    removed = sum(
        node.get(f"Rows Removed by {what}", 0)
        for what in ("Filter", "Join Filter", "Index Recheck")
    )
    if removed * loops > MANY:
        yield f"throws {removed * loops:,.0f} rows of {table or kind} away"
    rows = node.get("Actual Rows", 0) * loops
    if kind in {"Sort", "Incremental Sort"} and node.get("Plans"):
        inner = node["Plans"][0]
        rows = inner.get("Actual Rows", 0) * inner.get("Actual Loops", 1)
        if rows > MANY:
            yield f"sorts {rows:,.0f} rows"
    elif "Scan" in kind and rows > 20 * MANY:
        yield f"reads {rows:,.0f} rows of {table or node.get('Index Name')}"


def _line(node: Mapping[str, Any]) -> str:
    name = node.get("Index Name") or node.get("Relation Name") or ""
    told = f"{'  ' * node['depth']}{node['Node Type']} {name}".rstrip()
    if "Actual Rows" in node:
        told += f" ({node['Actual Rows']:,.0f} rows, {node['Actual Loops']} times, {node['Actual Total Time']:.1f} ms)"
    for what in ("Index Cond", "Filter", "Recheck Cond", "Sort Key"):
        if node.get(what):
            told += f" {what}: {str(node[what])[:160]}"
    return told
