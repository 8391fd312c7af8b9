"""Run by Alembic: migrates over the connection it was given.

On SQLite in the caller's transaction, all migrations or none. On PostgreSQL each in one of its
own, short ones: what others wait for is not held while an index of a large table is made.
"""

from alembic import context

from feedsvc.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    # SQLite changes a table by copying it.
    render_as_batch=True,
    transaction_per_migration=connection.dialect.name != "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
