"""Indexes of tables that may be large, made while everybody goes on reading and writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import op
from sqlalchemy import Connection, text

_INVALID = text(
    "SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(quote_ident(:name))"
)


def create_index(name: str, table: str, columns: list[Any], **options: Any) -> None:
    """Create an index, on PostgreSQL without keeping anybody waiting.

    It ends the migration's transaction, so that such a migration holds nothing else. One that
    was interrupted left an index that is not valid: it is dropped and made anew.
    """
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(name, table, columns, **options)
        return
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        found = connection.scalar(_INVALID, {"name": name})
        if found is False:
            return
        with _patient(connection):
            if found:
                op.drop_index(name, postgresql_concurrently=True)
            op.create_index(name, table, columns, postgresql_concurrently=True, **options)


def drop_index(name: str, table: str) -> None:
    """Drop an index that no release in use needs, on PostgreSQL without keeping anybody waiting."""
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index(name, table_name=table)
        return
    with op.get_context().autocommit_block(), _patient(op.get_bind()):
        op.drop_index(name, postgresql_concurrently=True, if_exists=True)


@contextmanager
def _patient(connection: Connection) -> Iterator[None]:
    """Let what keeps nobody waiting wait itself, for as long as older transactions last."""
    limit = connection.scalar(text("SHOW lock_timeout"))
    connection.execute(text("SET lock_timeout = 0"))
    try:
        yield
    finally:
        restore = text("SELECT set_config('lock_timeout', :limit, false)")
        connection.execute(restore, {"limit": limit})
