"""The schema of full-text search: FTS5 on SQLite, tsvector and GIN on PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Connection, Integer, Table, event

from feedsvc.storage.columns import article_column, metadata

# Which revision of an article is in the index, under which number.
documents = Table(
    "documents",
    metadata,
    Column(
        "number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    article_column(nullable=False, unique=True),
    Column("revision", Integer, nullable=False),
    # Author, agency, topics and host as they are in the index: it can only forget what it is told.
    Column("about", JSON, nullable=False),
    # Numbers are never used twice: the index may still know an old one.
    sqlite_autoincrement=True,
)

# Articles that were put, revised or withdrawn since they were indexed.
unindexed = Table("unindexed", metadata, article_column(primary_key=True))

SQLITE = (
    # Without content: the text stands in revisions, folded as queries are (`feedsvc.query`).
    "CREATE VIRTUAL TABLE search_index USING fts5(title, body, author, agency, about, content='', "
    "tokenize='unicode61 remove_diacritics 0', prefix='1 2 3')",
)
POSTGRESQL = (
    "ALTER TABLE documents ADD COLUMN words tsvector",
    "CREATE INDEX ix_documents_words ON documents USING gin (words)",
)


def _make_index(_table: Table, connection: Connection, **_: Any) -> None:
    for statement in SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL:
        connection.exec_driver_sql(statement)


def _drop_index(_table: Table, connection: Connection, **_: Any) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("DROP TABLE search_index")


event.listen(documents, "after_create", _make_index)
event.listen(documents, "before_drop", _drop_index)
