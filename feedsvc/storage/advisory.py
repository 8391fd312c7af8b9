"""PostgreSQL's advisory locks, by name: one holder in the whole fleet."""

from __future__ import annotations

from hashlib import blake2b

from sqlalchemy import Connection, text


def lock_key(name: str) -> int:
    """Return the number by which PostgreSQL knows a lock, the same on every machine."""
    return int.from_bytes(blake2b(f"feedsvc {name}".encode(), digest_size=8).digest(), signed=True)


def lock_until_commit(connection: Connection, name: str) -> None:
    """Wait for a lock and hold it until the end of the transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(name)})


def try_lock_until_commit(connection: Connection, name: str) -> bool:
    """Take a lock until the end of the transaction; False if somebody else holds it."""
    query = text("SELECT pg_try_advisory_xact_lock(:key)")
    return bool(connection.scalar(query, {"key": lock_key(name)}))


def share_until_commit(connection: Connection, name: str) -> None:
    """Wait until nobody holds a lock alone, and keep it from being held so until the commit."""
    connection.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": lock_key(name)})
