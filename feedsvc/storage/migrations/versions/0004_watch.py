"""Originals are looked at again: what a row of the queue is for, how each original is, what changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from feedsvc.storage.columns import UTCDateTime

revision = "0004"
down_revision = "0003"

_BATCH = 1000
_DAY = timedelta(days=1)
# Looks of the usual schedule (1, 7, 30, 90, 365 days apart) that an archived page of so many days
# would have had by now.
_STEPS = (1, 8, 38, 128)
_LONGEST = 30


def upgrade() -> None:
    op.add_column(
        "captures",
        sa.Column("purpose", sa.String(length=8), nullable=False, server_default="capture"),
    )
    op.add_column("captures", sa.Column("step", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("snapshots", sa.Column("repeats", sa.String(length=36), nullable=True))
    op.add_column("snapshots", sa.Column("image", sa.JSON(), nullable=True))
    op.add_column("snapshots", sa.Column("thumbnail", sa.JSON(), nullable=True))
    op.add_column("snapshots", sa.Column("source", sa.Text(), nullable=True))
    op.create_table(
        "originals",
        sa.Column("article_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("final_url", sa.Text(), nullable=True),
        sa.Column("missed", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["article_id"],
            ["articles.id"],
            name="fk_originals_article_id_articles",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("article_id", name="pk_originals"),
    )
    op.create_index(
        "ix_originals_state_since", "originals", ["state", "since", "article_id"], unique=False
    )
    op.create_table(
        "changes",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("article_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before_id", sa.String(length=36), nullable=False),
        sa.Column("after_id", sa.String(length=36), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.Column("difference", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"],
            ["articles.id"],
            name="fk_changes_article_id_articles",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_changes"),
    )
    op.create_index("ix_changes_at_id", "changes", ["at", "id"], unique=False)
    op.create_index("ix_changes_article_id_at", "changes", ["article_id", "at"], unique=False)
    op.create_index("ix_changes_after_id", "changes", ["after_id"], unique=False)
    op.drop_index("ix_captures_due", table_name="captures")
    op.create_index("ix_captures_purpose_due", "captures", ["purpose", "due"], unique=False)
    _schedule_looks(op.get_bind(), datetime.now(UTC))


def _schedule_looks(connection: sa.Connection, now: datetime) -> None:
    """Let what is archived be looked at: within a day or, the older it is, within up to a month.

    All at once would be a herd, and as the schedule would have it by now some would wait a year.
    """
    captures = sa.table(
        "captures",
        sa.column("article_id", sa.String),
        sa.column("state", sa.String),
        sa.column("purpose", sa.String),
        sa.column("step", sa.Integer),
        sa.column("due", UTCDateTime()),
        sa.column("attempts", sa.Integer),
    )
    statement = (
        sa.update(captures)
        .where(captures.c.article_id == sa.bindparam("of_article"))
        .values(
            state="due",
            purpose="look",
            attempts=0,
            step=sa.bindparam("new_step"),
            due=sa.bindparam("new_due"),
        )
    )
    for archived in _archived(connection, captures):
        connection.execute(statement, [_look(*one, now=now) for one in archived])


def _archived(
    connection: sa.Connection, captures: sa.TableClause
) -> Iterator[list[tuple[str, datetime]]]:
    """Yield the articles whose capture is done and counts, and when they were captured last."""
    snapshots = sa.table(
        "snapshots",
        sa.column("article_id", sa.String),
        sa.column("captured", UTCDateTime()),
        sa.column("verdict", sa.String),
        sa.column("damaged", UTCDateTime()),
    )
    captured = sa.func.max(snapshots.c.captured, type_=UTCDateTime())
    last = ""
    while True:
        rows = connection.execute(
            sa.select(captures.c.article_id, captured)
            .join(snapshots, snapshots.c.article_id == captures.c.article_id)
            .where(
                captures.c.article_id > last,
                captures.c.state == "done",
                snapshots.c.verdict.in_(["verified", "partial"]),
                snapshots.c.damaged.is_(None),
            )
            .group_by(captures.c.article_id)
            .order_by(captures.c.article_id)
            .limit(_BATCH)
        ).all()
        if not rows:
            return
        last = rows[-1][0]
        yield [(row[0], row[1]) for row in rows]


def _look(article_id: str, captured: datetime, *, now: datetime) -> dict[str, Any]:
    age = max((now - captured) / _DAY, 0.0)
    spread = int.from_bytes(hashlib.sha256(article_id.encode()).digest()[:4]) / 2**32
    return {
        "of_article": article_id,
        "new_step": sum(age >= day for day in _STEPS),
        "new_due": now + spread * min(max(age, 1.0), _LONGEST) * _DAY,
    }
