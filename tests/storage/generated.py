"""Sites that nobody would write by hand: any value a column takes, in every table of a site."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import JSON, BigInteger, Column, Connection, Float, Integer, String, Table

from feedsvc.storage.columns import UTCDateTime
from feedsvc.storage.rows import carried_tables
from feedsvc.storage.tables import facts

Rows = dict[str, list[dict[str, Any]]]

# PostgreSQL has no NUL in text, and no encoding has half a surrogate pair.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
ODD = st.sampled_from(
    [
        "",
        "\u200f\u202eabc",
        "\x01\x1f\x7f\x85",
        "\\N",
        "\\.",
        "\t\r\n",
        "e\u0301 é",
        "🦑" * 3,
        "a'\"b",
    ]
)
MOMENTS = st.integers(-(30 * 10**15), 250 * 10**15).map(
    lambda number: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=number)
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def _values(column: Column[Any]) -> st.SearchStrategy[Any]:
    kind: st.SearchStrategy[Any]
    if isinstance(column.type, JSON):
        kind = VALUES
    elif isinstance(column.type, UTCDateTime):
        kind = MOMENTS
    elif isinstance(column.type, Float):
        kind = st.floats(allow_nan=False, allow_infinity=False)
    elif isinstance(column.type, BigInteger):
        kind = st.integers(-(2**63), 2**63 - 1)
    elif isinstance(column.type, Integer):
        kind = st.integers(-(2**31), 2**31 - 1)
    else:
        kind = TEXT | ODD
        if isinstance(column.type, String) and column.type.length:
            length = column.type.length
            kind = kind.map(lambda text: text[:length])
    return st.none() | kind if column.nullable else kind


@st.composite
def sites(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Rows:
    """Up to three rows in every table; what refers to another row refers to one there is."""
    rows: Rows = {}
    for table in carried_tables():
        rows[table.name] = [
            _row(draw, table, number, rows) for number in range(draw(st.integers(0, 3)))
        ]
        rows[table.name] = [one for one in rows[table.name] if one]
    return rows


def _row(draw: Any, table: Table, number: int, rows: Rows) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.foreign_keys:
            parent = next(iter(column.foreign_keys)).column
            parents = rows[parent.table.name]
            if number >= len(parents):
                return {}
            row[column.name] = parents[number][parent.name]
        elif column.primary_key or column.unique or _is_unique(table, column):
            row[column.name] = _unlike(draw, column, number)
        else:
            row[column.name] = draw(_values(column))
    return row


def _is_unique(table: Table, column: Column[Any]) -> bool:
    return table.name == "sequence" and column.name == "position"


def _unlike(draw: Any, column: Column[Any], number: int) -> Any:
    """A value no other row of the table has: keys sort as bytes, so they have odd letters too."""
    if isinstance(column.type, UTCDateTime):
        return draw(MOMENTS)
    if isinstance(column.type, Integer):
        return number * 1000 + 7
    return draw(st.sampled_from(["a", "B", "é", "_", "🦑", "Z-", "ﬀ"])) + f" {number}"


def put(connection: Connection, rows: Rows) -> None:
    """Write a generated site into an empty database."""
    for table in carried_tables():
        if rows[table.name]:
            connection.execute(table.insert(), rows[table.name])
    assert facts.name in rows
