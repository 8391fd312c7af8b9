"""Takedowns: articles that must not come back, bytes that are still to go, and the audit log."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update

from feedsvc.model import AuditEntry, Payload, Snapshot
from feedsvc.storage.dialect import chunks, insert_missing, upsert
from feedsvc.storage.store_captures import as_row
from feedsvc.storage.tables import (
    articles,
    audit,
    captures,
    forgotten,
    payloads,
    removals,
    revisions,
    seeds,
    snapshots,
)


class AuditStore:
    """What a takedown leaves behind."""

    connection: Connection

    def put_audit(self, entry: AuditEntry) -> None:
        """Add an entry to the log; none is ever changed."""
        row = {name: getattr(entry, name) for name in entry.__slots__}
        self.connection.execute(audit.insert(), [row | {"details": dict(entry.details)}])

    def audit_log(self) -> list[AuditEntry]:
        """Return every entry, the newest first."""
        rows = self.connection.execute(select(audit).order_by(audit.c.id.desc()))
        return [
            AuditEntry(row.at, row.who, row.action, row.subject, row.reason, row.details)
            for row in rows
        ]

    def put_forgotten(self, article_id: str, *, now: datetime) -> None:
        """Remember that an article must not come back; it is still there now."""
        key = select(articles.c.url_key).where(articles.c.id == article_id)
        row = {"article_id": article_id, "url_key": self.connection.scalar(key), "since": now}
        upsert(self.connection, forgotten, [row])

    def forgotten(
        self, *, ids: Collection[str] = (), url_keys: Collection[str] = ()
    ) -> dict[str, str]:
        """Return the ids of forgotten articles by their own id and by their URL key."""
        found: dict[str, str] = {}
        for column, values in (
            (forgotten.c.article_id, ids),
            (forgotten.c.url_key, url_keys),
        ):
            for part in chunks(sorted(values)):
                rows = self.connection.execute(select(forgotten).where(column.in_(part)))
                for row in rows:
                    found[row.article_id] = row.article_id
                    if row.url_key is not None:
                        found[row.url_key] = row.article_id
        return found

    def drop_forgotten(self, article_id: str) -> bool:
        """Let an article come back; False if it was not forgotten."""
        statement = delete(forgotten).where(forgotten.c.article_id == article_id)
        return bool(self.connection.execute(statement).rowcount)

    def drop_seeds_of(self, article_id: str) -> None:
        """Forget what is known of an article's seeds, so that the files are read as new ones."""
        self.connection.execute(delete(seeds).where(seeds.c.article_id == article_id))

    def count_revisions(self, article_id: str) -> int:
        """Return how many revisions of an article there are."""
        query = select(func.count()).where(revisions.c.article_id == article_id)
        return self.connection.scalar(query) or 0

    # --- bytes ------------------------------------------------------------------------------

    def put_removals(self, keys: Iterable[str]) -> None:
        """Note bytes that are to be deleted once this transaction is done."""
        insert_missing(self.connection, removals, [{"key": key} for key in keys])

    def removals(self) -> list[str]:
        """Return the keys of bytes that are still to be deleted."""
        return list(self.connection.scalars(select(removals.c.key).order_by(removals.c.key)))

    def drop_removals(self, keys: Sequence[str]) -> None:
        """Note that bytes are deleted."""
        for part in chunks(keys):
            self.connection.execute(delete(removals).where(removals.c.key.in_(part)))

    def drop_payloads(self, snapshot_ids: Sequence[str]) -> None:
        """Let no later capture refer to the payloads of those snapshots."""
        for part in chunks(snapshot_ids):
            self.connection.execute(delete(payloads).where(payloads.c.snapshot_id.in_(part)))

    def put_payloads(self, found: Sequence[Payload]) -> None:
        """Record where payloads stand now."""
        upsert(self.connection, payloads, [as_row(one) for one in found])

    def replace_bytes(self, snapshot: Snapshot) -> bool:
        """Record other bytes of a snapshot; False if it is not there any more."""
        statement = (
            update(snapshots)
            .where(snapshots.c.id == snapshot.id)
            .values(key=snapshot.key, size=snapshot.size, sha256=snapshot.sha256)
        )
        return bool(self.connection.execute(statement).rowcount)

    def leased_captures(self) -> set[tuple[str, str, datetime]]:
        """Return article, token and end of every lease."""
        query = select(captures.c.article_id, captures.c.lease, captures.c.lease_until)
        rows = self.connection.execute(query.where(captures.c.lease.is_not(None)))
        return {(row.article_id, row.lease, row.lease_until) for row in rows}
