"""Does a table parted by month pay? Attempts, kept flat and parted, asked the same things."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg

MONTHS = 48
_COLUMNS = (
    "id bigint, article_id varchar(36) NOT NULL, url text NOT NULL, started timestamptz NOT NULL,"
    " seconds float NOT NULL, outcome varchar(16) NOT NULL, cause text NOT NULL, status int, size bigint"
)
_ROWS = (
    "SELECT n, md5((n * 7919 % {rows} / 4)::text)::uuid::text, 'https://news.example/' || n,"
    " timestamptz '2022-01-01Z' + n * (interval '{months} months' / {rows}), 0.4, 'verified', '', 200, 20000"
    " FROM generate_series({first}::bigint, {last}) n"
)
_SOME = "SELECT article_id FROM {table} LIMIT 500"
_REMOVE = "DELETE FROM flat WHERE started < '{before}'"
_NEWEST = (
    "SELECT article_id, started FROM {table} WHERE article_id = %s ORDER BY started DESC LIMIT 20"
)


def measure(address: str, *, rows: int) -> Iterator[tuple[str, str, str]]:
    """Yield what was measured, flat and parted."""
    with closing(psycopg.connect(address, autocommit=True)) as connection:
        for setting in ("synchronous_commit = off", "jit = off"):
            connection.execute(f"SET {setting}")
        _create(connection)
        both = {name: _measured(connection, name, rows) for name in ("flat", "parted")}
    for (what, flat), (_, parted) in zip(both["flat"], both["parted"], strict=True):
        yield what, flat, parted


def _create(connection: psycopg.Connection) -> None:
    connection.execute(f"CREATE TABLE flat ({_COLUMNS}, PRIMARY KEY (id))")
    connection.execute(
        f"CREATE TABLE parted ({_COLUMNS}, PRIMARY KEY (id, started)) PARTITION BY RANGE (started)"
    )
    for month in range(MONTHS + 1):
        first, last = _month(month), _month(month + 1)
        connection.execute(
            f"CREATE TABLE parted_{month} PARTITION OF parted FOR VALUES FROM ('{first}') TO ('{last}')"
        )
    for table in ("flat", "parted"):
        connection.execute(f"CREATE INDEX ix_{table} ON {table} (article_id, started)")


def _month(number: int) -> str:
    return f"{2022 + number // 12}-{number % 12 + 1:02}-01Z"


def _measured(connection: psycopg.Connection, table: str, rows: int) -> list[tuple[str, str]]:
    found = []

    def took(what: str, statement: str, each: int = 1, unit: str = "s") -> None:
        began = time.monotonic()
        connection.execute(statement)
        seconds = time.monotonic() - began
        told = f"{each / seconds:,.0f} rows/s" if unit == "rows" else f"{seconds:.2f} s"
        found.append((what, told))

    def some(first: int, last: int) -> str:
        made = _ROWS.format(rows=rows, months=MONTHS, first=first, last=last)
        return f"INSERT INTO {table} {made}"

    took("inserted at once", some(1, rows), rows, "rows")
    connection.execute(f"VACUUM ANALYZE {table}")
    began = time.monotonic()
    for start in range(1000):
        connection.execute(some(rows + 1 + start * 20, rows + start * 20 + 20))
    found.append(
        ("inserted 20 by 20, as captures end", f"{20_000 / (time.monotonic() - began):,.0f} rows/s")
    )
    ids = [row[0] for row in connection.execute(_SOME.format(table=table)).fetchall()]
    began = time.monotonic()
    for id_ in ids:
        connection.execute(_NEWEST.format(table=table), [id_], prepare=True)
    found.append(
        ("the last attempts of an article", f"{(time.monotonic() - began) / 500 * 1e3:.2f} ms")
    )
    size = connection.execute(
        "SELECT sum(pg_total_relation_size(oid)) / 1e6 FROM pg_class"
        " WHERE relkind = 'r' AND relname ~ ('^' || %s || '(_[0-9]+)?$')",
        [table],
    ).fetchone() or (0,)
    found.append(("size", f"{size[0]:,.0f} MB"))
    if table == "flat":
        took("the oldest month removed", _REMOVE.format(before=_month(1)))
    else:
        took("the oldest month removed", "DROP TABLE parted_0")
    took("vacuumed after that", f"VACUUM {table}")
    return found


def main() -> None:
    """Measure in the empty database that is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.partitions", description=__doc__)
    parser.add_argument("address", help="postgresql://user@host/an-empty-database")
    parser.add_argument("--rows", type=int, default=4_000_000)
    given = parser.parse_args()
    for what, flat, parted in measure(given.address, rows=given.rows):
        print(f"{what:<40} {flat:>16} {parted:>16}")


if __name__ == "__main__":
    main()
