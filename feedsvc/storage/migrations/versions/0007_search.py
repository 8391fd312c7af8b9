"""Full-text search and pages: the index, every article waiting for it, and lists by date."""

import sqlalchemy as sa
from alembic import op

from feedsvc.storage.columns import UTCDateTime
from feedsvc.storage.search_tables import POSTGRESQL, SQLITE

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("article_id", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("about", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"],
            ["articles.id"],
            name="fk_documents_article_id_articles",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", name="pk_documents"),
        sa.UniqueConstraint("article_id", name="uq_documents_article_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "unindexed",
        sa.Column("article_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"],
            ["articles.id"],
            name="fk_unindexed_article_id_articles",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("article_id", name="pk_unindexed"),
    )
    dialect = op.get_bind().dialect.name
    for statement in SQLITE if dialect == "sqlite" else POSTGRESQL:
        op.execute(statement)
    op.execute("INSERT INTO unindexed (article_id) SELECT id FROM articles")
    _list_by_date()


def _list_by_date() -> None:
    """Let pages go through a channel, or all articles, by date from anywhere on."""
    op.add_column("sequence", sa.Column("published", UTCDateTime(), nullable=True))
    op.execute(
        "UPDATE sequence SET published = "
        "(SELECT published FROM articles WHERE articles.id = sequence.article_id)"
    )
    op.create_index("ix_sequence_shown", "sequence", ["slug", "member", "published", "article_id"])
    op.drop_index("ix_articles_published", table_name="articles")
    op.create_index("ix_articles_published", "articles", ["published", "id"])
    op.drop_index("ix_articles_withdrawn", table_name="articles")
    op.create_index(
        "ix_articles_withdrawn",
        "articles",
        ["withdrawn"],
        sqlite_where=sa.text("withdrawn IS NOT NULL"),
        postgresql_where=sa.text("withdrawn IS NOT NULL"),
    )
