"""Addresses of captures in the form under which Memento clients ask for them (RFC 7089)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from feedsvc.storage.columns import UTCDateTime
from feedsvc.storage.memento_rows import mementos_of

revision = "0002"
down_revision = "0001"

_BATCH = 1000


def upgrade() -> None:
    mementos = op.create_table(
        "mementos",
        sa.Column("surt", sa.Text(), nullable=False),
        sa.Column("captured", UTCDateTime(), nullable=False),
        sa.Column("snapshot_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["snapshot_id"],
            ["snapshots.id"],
            name="fk_mementos_snapshot_id_snapshots",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("surt", "captured", "snapshot_id", name="pk_mementos"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_mementos_snapshot_id", "mementos", ["snapshot_id"], unique=False)
    # Only SQL can tell which snapshots there are, and only Python what their addresses are called.
    for rows in _rows(op.get_bind()):
        op.bulk_insert(mementos, rows)


def _rows(connection: sa.Connection) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of all snapshots, a batch of snapshots at a time."""
    snapshots = sa.table(
        "snapshots",
        sa.column("id", sa.String),
        sa.column("url", sa.Text),
        sa.column("final_url", sa.Text),
        sa.column("captured", UTCDateTime()),
        sa.column("verdict", sa.String),
    )
    last = ""
    while True:
        batch = connection.execute(
            sa.select(snapshots).where(snapshots.c.id > last).order_by(snapshots.c.id).limit(_BATCH)
        ).all()
        if not batch:
            return
        last = batch[-1].id
        if rows := mementos_of(one._asdict() for one in batch):
            yield rows
