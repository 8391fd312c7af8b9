"""Run by Alembic: migrates over the connection it was given, in the caller's transaction."""

from alembic import context

from feedsvc.storage.tables import metadata

connection = context.config.attributes["connection"]
# SQLite changes a table by copying it (render_as_batch).
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
