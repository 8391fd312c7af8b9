"""Indexes that a million articles need: what is due at a host, and those few that stand out."""

import sqlalchemy as sa

from feedsvc.storage.concurrently import create_index, drop_index

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    create_index("ix_captures_purpose_host_due", "captures", ["purpose", "host", "due"])
    few = sa.text("withdrawn IS NOT NULL")
    create_index(
        "ix_articles_withdrawn_id",
        "articles",
        ["withdrawn", "id"],
        sqlite_where=few,
        postgresql_where=few,
    )
    told = sa.text("reason IS NOT NULL")
    create_index("ix_seeds_told", "seeds", ["since"], sqlite_where=told, postgresql_where=told)
    # The second one holds all that this one held.
    drop_index("ix_articles_withdrawn", "articles")
