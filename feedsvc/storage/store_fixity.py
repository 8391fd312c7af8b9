"""Which snapshots are known to be damaged."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, Text, cast, delete, or_, select, update

from feedsvc.model import Snapshot
from feedsvc.storage.dialect import chunks
from feedsvc.storage.store_captures import to_snapshot
from feedsvc.storage.tables import articles, payloads, snapshots


class FixityStore:
    """Damage as it was found; what is damaged is neither offered nor referred to."""

    connection: Connection

    def mark_damaged(self, snapshot_ids: Sequence[str], *, now: datetime) -> None:
        """Note that snapshots are damaged, and let no later capture refer to their payloads."""
        for part in chunks(snapshot_ids):
            self.connection.execute(
                update(snapshots)
                .where(snapshots.c.id.in_(part), snapshots.c.damaged.is_(None))
                .values(damaged=now)
            )
            self.connection.execute(delete(payloads).where(payloads.c.snapshot_id.in_(part)))

    def clear_damage(self, snapshot_ids: Sequence[str]) -> None:
        """Note that snapshots are whole again: somebody restored their bytes."""
        for part in chunks(snapshot_ids):
            self.connection.execute(
                update(snapshots).where(snapshots.c.id.in_(part)).values(damaged=None)
            )

    def damaged_snapshots(self, *, limit: int) -> list[Snapshot]:
        """Return damaged snapshots of published articles, the last found first."""
        rows = self.connection.execute(
            select(snapshots)
            .join(articles, articles.c.id == snapshots.c.article_id)
            .where(snapshots.c.damaged.is_not(None), articles.c.withdrawn.is_(None))
            .order_by(snapshots.c.damaged.desc(), snapshots.c.id)
            .limit(limit)
        )
        return [to_snapshot(row) for row in rows]

    def referring(self, snapshot_ids: Collection[str]) -> list[Snapshot]:
        """Return the snapshots that have revisit records to payloads of those, by id."""
        found: dict[str, Snapshot] = {}
        for part in chunks(sorted(snapshot_ids)):
            names = [cast(snapshots.c.refers, Text).contains(one) for one in part]
            rows = self.connection.execute(select(snapshots).where(or_(*names)))
            found |= {row.id: to_snapshot(row) for row in rows}
        return [found[id_] for id_ in sorted(found)]

    def places(self, snapshot_ids: Collection[str]) -> dict[str, tuple[str, int]]:
        """Return key and size of those snapshots that are not known to be damaged."""
        found: dict[str, tuple[str, int]] = {}
        for part in chunks(sorted(snapshot_ids)):
            rows = self.connection.execute(
                select(snapshots.c.id, snapshots.c.key, snapshots.c.size).where(
                    snapshots.c.id.in_(part), snapshots.c.damaged.is_(None)
                )
            )
            found |= {row.id: (row.key, row.size) for row in rows}
        return found
