"""Bring an older database up to this release."""

from __future__ import annotations

from feedsvc.logs import logger
from feedsvc.runtime import utc_now
from feedsvc.settings import Settings
from feedsvc.storage.database import database_url
from feedsvc.storage.upgrade import upgrade_database

log = logger(__name__)


def upgrade(settings: Settings) -> str:
    """Back the database up (SQLite) and migrate it; return a sentence that says what was done.

    Raises SchemaMismatch for a database that a newer feedsvc wrote, OutOfSpace or Temporary.
    """
    url = database_url(settings.database.url, root=settings.root)
    done = upgrade_database(
        url,
        backups=settings.root / "data" / "backups",
        now=utc_now(),
        tell=lambda reason: log.info("upgrade.waits", reason=reason),
    )
    if done.before == done.after:
        return f"the schema is {done.after} already; nothing to do"
    kept = f"; the database as it was: {done.backup}" if done.backup else ""
    return f"schema {done.before} → {done.after}{kept}"
