"""Several machines: who works, and when a host may be asked next."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("started", moment, nullable=False),
        sa.Column("seen", moment, nullable=False),
        sa.Column("skew", sa.Float(), nullable=False),
        sa.Column("stopping", sa.Integer(), server_default="0", nullable=False),
        sa.Column("numbers", sa.Text(), server_default="", nullable=False),
        sa.Column("config", sa.Text(), server_default="{}", nullable=False),
        sa.Column("lost", moment),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.create_index("ix_workers_seen", "workers", ["seen"])
    op.create_table(
        "hosts",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("next_allowed_at", moment),
        sa.Column("held_until", moment),
        sa.Column("wanted_until", moment),
        sa.PrimaryKeyConstraint("host", name="pk_hosts"),
    )
    op.create_table(
        "host_places",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until", moment, nullable=False),
        sa.PrimaryKeyConstraint("host", "number", name="pk_host_places"),
    )
    op.create_index("ix_host_places_holder", "host_places", ["holder"])
    op.create_table(
        "tallies",
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("minute", moment, nullable=False),
        sa.Column("worker", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("what", "minute", "worker", name="pk_tallies"),
    )
    op.create_table(
        "failed_tasks",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("tried", moment, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name="pk_failed_tasks"),
    )
    op.create_table(
        "staged_seeds",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("batch", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("asked", moment, nullable=False),
        sa.Column("loaded", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("name", name="pk_staged_seeds"),
    )
    op.create_index("ix_staged_seeds_batch", "staged_seeds", ["batch"])
    op.create_index("ix_staged_seeds_asked", "staged_seeds", ["asked"])
