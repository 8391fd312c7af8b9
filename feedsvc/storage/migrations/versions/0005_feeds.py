"""What feeds need beyond topics: archive pages, other channels, shares, former names."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _channels()
    _sequence()
    _names()
    op.add_column(
        "articles", sa.Column("filed", sa.String(length=64), nullable=False, server_default="")
    )
    op.create_index("ix_articles_filed", "articles", ["filed"], unique=False)
    with op.batch_alter_table("feed_files") as table:
        table.alter_column("name", existing_type=sa.String(160), type_=sa.String(255))
        table.add_column(sa.Column("slug", sa.String(length=160), nullable=True))
        table.add_column(sa.Column("page", sa.Integer(), nullable=True))
        # What is written again is spared; the rest goes with the next publication.
        table.add_column(sa.Column("doomed", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_feed_files_slug", "feed_files", ["slug"], unique=False)
    op.create_index(
        "ix_feed_files_doomed",
        "feed_files",
        ["name"],
        unique=False,
        sqlite_where=sa.text("doomed = 1"),
        postgresql_where=sa.text("doomed = 1"),
    )

    op.create_index(
        "ix_snapshots_damaged",
        "snapshots",
        ["damaged"],
        unique=False,
        sqlite_where=sa.text("damaged IS NOT NULL"),
        postgresql_where=sa.text("damaged IS NOT NULL"),
    )


def _channels() -> None:
    """Make the marks that topics had those of channels, of which topics are one kind."""
    channels = op.create_table(
        "channels",
        sa.Column("slug", sa.String(length=160), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("dirty", sa.BigInteger(), nullable=False),
        sa.Column("clean", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("closed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("slug", name="pk_channels"),
    )
    op.create_index("ix_channels_kind", "channels", ["kind"], unique=False)
    op.create_index(
        "ix_channels_dirty",
        "channels",
        ["dirty"],
        unique=False,
        sqlite_where=sa.text("dirty > clean"),
        postgresql_where=sa.text("dirty > clean"),
    )
    op.create_table(
        "pages",
        sa.Column("slug", sa.String(length=160), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("dirty", sa.BigInteger(), nullable=False),
        sa.Column("clean", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("slug", "number", name="pk_pages"),
    )
    op.create_index(
        "ix_pages_dirty",
        "pages",
        ["slug", "number"],
        unique=False,
        sqlite_where=sa.text("dirty > clean"),
        postgresql_where=sa.text("dirty > clean"),
    )
    topics = sa.table(
        "topics",
        *map(sa.column, ("slug", "label", "definition", "dirty", "clean")),
    )
    kind = sa.case((topics.c.slug == "all", "all"), else_="topic")
    op.execute(
        channels.insert().from_select(
            ["slug", "kind", "label", "definition", "dirty", "clean", "entries", "closed"],
            # Not written yet as this release writes them.
            sa.select(
                topics.c.slug,
                kind,
                topics.c.label,
                topics.c.definition,
                topics.c.dirty + 1,
                topics.c.clean,
                sa.literal_column("0"),
                sa.literal_column("0"),
            ),
        )
    )
    op.execute(topics.delete().where(topics.c.slug == "all"))
    op.drop_column("topics", "dirty")
    op.drop_column("topics", "clean")


def _sequence() -> None:
    """Note in the order itself who belongs to a channel now; so far `article_topics` told."""
    op.add_column("sequence", sa.Column("member", sa.Integer(), nullable=False, server_default="1"))
    op.create_index("ix_sequence_article_id", "sequence", ["article_id"], unique=False)
    op.execute(
        "UPDATE sequence SET member = 0 WHERE slug <> 'all' AND NOT EXISTS (SELECT 1 FROM"
        " article_topics WHERE article_topics.article_id = sequence.article_id AND"
        " article_topics.slug = sequence.slug)"
    )


def _names() -> None:
    op.create_table(
        "tombstones",
        sa.Column("slug", sa.String(length=160), nullable=False),
        sa.Column("article_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("slug", "article_id", name="pk_tombstones"),
    )
    op.create_index("ix_tombstones_article_id", "tombstones", ["article_id"], unique=False)
    op.create_index("ix_tombstones_at", "tombstones", ["at"], unique=False)
    op.create_table(
        "former_feeds",
        sa.Column("slug", sa.String(length=160), nullable=False),
        sa.Column("successor", sa.String(length=160), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("slug", name="pk_former_feeds"),
    )
    op.create_index("ix_former_feeds_successor", "former_feeds", ["successor"], unique=False)
    op.create_table(
        "shares",
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("slug", sa.String(length=160), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_shares"),
    )
    op.create_index("ix_shares_slug", "shares", ["slug"], unique=False)
