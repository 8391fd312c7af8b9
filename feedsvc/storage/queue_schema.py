"""The schema of Procrastinate's tables: created, and migrated, beside our own."""

from __future__ import annotations

import json
from pathlib import Path

from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, text

from feedsvc.errors import SchemaMismatch
from feedsvc.storage.advisory import lock_until_commit

_OURS = "feedsvc "


def ensure_queue_schema(connection: Connection) -> None:
    """Create the tables, or apply those migrations that they have not seen.

    What they have seen stands in a comment on the table itself, so that it is there whenever the
    table is. Raises SchemaMismatch.
    """
    if _seen(connection) == _known():
        return
    lock_until_commit(connection, "queue-schema")
    seen, known = _seen(connection), _known()
    if seen == known:
        return
    if seen is None:
        _run(connection, SchemaManager.get_schema())
        _run(connection, _SETTINGS)
    else:
        newer = sorted(set(seen) - set(known))
        if newer:
            raise SchemaMismatch(
                f"the queue's tables have seen {newer[-1]}, which this feedsvc does not know: "
                "start the feedsvc release that the other workers run, or a newer one"
            )
        for name in known[len(seen) :]:
            _run(connection, (_folder() / name).read_text())
    note = json.dumps(known[-1])
    _run(connection, f"COMMENT ON TABLE procrastinate_jobs IS '{_OURS}{note}'")


def _folder() -> Path:
    return Path(SchemaManager.get_migrations_path())


def _known() -> list[str]:
    return sorted(path.name for path in _folder().glob("*.sql"))


def _seen(connection: Connection) -> list[str] | None:
    """Return the migrations that the tables have seen, None if there are no tables."""
    row = connection.execute(_COMMENT).one_or_none()
    if row is None:
        return None
    (note,) = row
    if not (note or "").startswith(_OURS):
        raise SchemaMismatch(
            "the database holds a queue of Procrastinate that is not feedsvc's; give feedsvc a "
            "database of its own"
        )
    last = json.loads(note.removeprefix(_OURS))
    known = _known()
    return known[: known.index(last) + 1] if last in known else [*known, last]


def _run(connection: Connection, statements: str) -> None:
    # Several statements at once go only without parameters, past SQLAlchemy.
    raw = connection.connection.driver_connection
    assert raw is not None  # noqa: S101 - an open connection has one
    raw.execute(statements)


# The catalogue itself: to_regclass answers from a cache that the wait for a lock leaves stale.
_COMMENT = text("""
    SELECT obj_description(oid, 'pg_class') FROM pg_class
    WHERE relname = 'procrastinate_jobs' AND relnamespace = ANY(
        SELECT n.oid FROM pg_namespace n WHERE n.nspname = ANY(current_schemas(false))
    )
""")
# Rows live for seconds: left to the usual fifth of a table, dead ones would pile up by the
# thousand, and every look for work would read past them.
_SETTINGS = "".join(
    f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.01, "
    "autovacuum_vacuum_threshold = 500, autovacuum_vacuum_insert_threshold = 10000);"
    for table in ("procrastinate_jobs", "procrastinate_events")
)
