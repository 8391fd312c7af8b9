"""What feeds remember: from which names they have their ids, and what was told of entries."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "feed_names",
        sa.Column("slug", sa.String(length=160), nullable=False),
        sa.Column("named", sa.String(length=160), nullable=False),
        sa.PrimaryKeyConstraint("slug", name="pk_feed_names"),
    )
    op.create_table(
        "mended",
        sa.Column("article_id", sa.String(length=36), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"],
            ["articles.id"],
            name="fk_mended_article_id_articles",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("article_id", name="pk_mended"),
    )
