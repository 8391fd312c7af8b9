"""Snapshots at rest, and how the captures of originals went."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, func, or_, select, text

from feedsvc.model import (
    Attempt,
    CaptureState,
    Image,
    Judgement,
    Likely,
    Outcome,
    Payload,
    Purpose,
    Snapshot,
    Verdict,
)
from feedsvc.storage.dialect import among, chunks, insert_missing, insert_rows, is_shared
from feedsvc.storage.memento_rows import mementos_of
from feedsvc.storage.tables import (
    articles,
    attempts,
    captures,
    changes,
    mementos,
    payloads,
    revisions,
    snapshots,
)

GOOD = (str(Verdict.VERIFIED), str(Verdict.PARTIAL))
"""Verdicts that count as archived."""
FAILING = (str(Outcome.MISMATCH), str(Outcome.FAILED), str(Outcome.REFUSED))
"""Outcomes after which a capture or a look is tried again."""


class CaptureStore:
    """Snapshots, the payloads they hold, and states of captures."""

    connection: Connection

    def add_snapshot(self, snapshot: Snapshot, found: Iterable[Payload]) -> None:
        """Record a snapshot that is at rest, and the payloads others may refer to."""
        self.add_snapshots([(snapshot, found)])

    def add_snapshots(self, added: Iterable[tuple[Snapshot, Iterable[Payload]]]) -> None:
        """Record snapshots that are at rest, and the payloads others may refer to."""
        rows: list[dict[str, Any]] = []
        held: list[dict[str, Any]] = []
        for snapshot, found in added:
            rows.append(_snapshot_row(snapshot))
            held += (as_row(one) | {"snapshot_id": snapshot.id} for one in found)
        insert_rows(self.connection, snapshots, rows)
        insert_missing(self.connection, mementos, mementos_of(rows))
        self._add_payloads(held)

    def known_payloads(self, digests: Collection[str]) -> dict[str, Payload]:
        """Return those payloads that are at rest already."""
        known: dict[str, Payload] = {}
        for part in chunks(sorted(digests)):
            query = _PAYLOADS_ONE_BY_ONE if is_shared(self.connection) else _PAYLOADS
            rows = self.connection.execute(query, {"digests": part})
            known |= {row.digest: Payload(**row._asdict()) for row in rows}
        return known

    def placed_payloads(self, digests: Collection[str]) -> list[tuple[Payload, str, int]]:
        """Return those payloads that are at rest, each with its snapshot's key and size.

        Those of snapshots that are known to be damaged are not among them.
        """
        found: list[tuple[Payload, str, int]] = []
        for part in chunks(sorted(digests)):
            query = _PLACED_ONE_BY_ONE if is_shared(self.connection) else _PLACED
            for row in self.connection.execute(query, {"digests": part}):
                values = {name: getattr(row, name) for name in Payload.__slots__}
                found.append((Payload(**values), row.place_key, row.place_size))
        return found

    def add_payloads(self, found: Iterable[Payload]) -> None:
        """Record where payloads are at rest that had no record of their own yet."""
        self._add_payloads([as_row(one) for one in found])

    def _add_payloads(self, rows: list[dict[str, Any]]) -> None:
        # In one order everywhere, so that two transactions never wait for each other.
        rows.sort(key=itemgetter("digest"))
        insert_missing(self.connection, payloads, rows)

    def snapshots(self, article_id: str) -> list[Snapshot]:
        """Return the snapshots of an article, the newest first."""
        rows = self.connection.execute(
            select(snapshots)
            .where(snapshots.c.article_id == article_id)
            .order_by(snapshots.c.captured.desc(), snapshots.c.id.desc())
        )
        return [to_snapshot(row) for row in rows]

    def snapshot(self, snapshot_id: str) -> Snapshot | None:
        """Return a snapshot by id."""
        row = self.connection.execute(
            select(snapshots).where(snapshots.c.id == snapshot_id)
        ).first()
        return to_snapshot(row) if row else None

    def all_snapshots(self) -> Iterator[Snapshot]:
        """Yield every snapshot by id, a few at a time."""
        result = self.connection.execute(
            select(snapshots).order_by(snapshots.c.id).execution_options(yield_per=500)
        )
        for row in result:
            yield to_snapshot(row)

    def has_key(self, key: str) -> bool:
        """Tell whether a snapshot is kept under that key."""
        query = select(func.count()).where(snapshots.c.key == key)
        return bool(self.connection.scalar(query))

    def known_keys(self, keys: Sequence[str]) -> set[str]:
        """Return those of the keys under which a snapshot is kept."""
        found: set[str] = set()
        for part in chunks(keys):
            found |= set(
                self.connection.scalars(select(snapshots.c.key).where(snapshots.c.key.in_(part)))
            )
        return found

    def drop_snapshots(self, snapshot_ids: Sequence[str]) -> None:
        """Forget snapshots whose bytes are to be removed."""
        for part in chunks(snapshot_ids):
            self.connection.execute(delete(payloads).where(payloads.c.snapshot_id.in_(part)))
            self.connection.execute(delete(snapshots).where(snapshots.c.id.in_(part)))

    def mismatches(self, article_id: str) -> list[Snapshot]:
        """Return the snapshots of an article that do not count, the newest first.

        Not among them are those that show a change of the original.
        """
        rows = self.connection.execute(
            select(snapshots)
            .where(
                snapshots.c.article_id == article_id,
                snapshots.c.verdict.not_in(GOOD),
                ~_shows_change(),
            )
            .order_by(snapshots.c.captured.desc(), snapshots.c.id.desc())
        )
        return [to_snapshot(row) for row in rows]

    def last_seen(self, article_id: str, url: str) -> Snapshot | None:
        """Return the newest snapshot that shows what an article's original said, whole and undamaged.

        It counts, or it shows a change; repeats hold no text of their own. None if there is none
        of that address.
        """
        row = self.connection.execute(
            select(snapshots)
            .where(
                snapshots.c.article_id == article_id,
                snapshots.c.url == url,
                snapshots.c.repeats.is_(None),
                snapshots.c.damaged.is_(None),
                or_(snapshots.c.verdict.in_(GOOD), _shows_change()),
            )
            .order_by(snapshots.c.captured.desc(), snapshots.c.id.desc())
            .limit(1)
        ).first()
        return to_snapshot(row) if row else None

    def capture_state(self, article_id: str) -> CaptureState | None:
        """Return where the capture of an article stands."""
        states = self.capture_states(captures.c.article_id == article_id, limit=1)
        return states[0] if states else None

    def failed_captures(self, limit: int | None = None) -> list[CaptureState]:
        """Return captures whose last attempt left no snapshot that counts, the latest first."""
        return self.capture_states(_failed(Purpose.CAPTURE), limit=limit)

    def troubled_looks(self, limit: int | None = None) -> list[CaptureState]:
        """Return archived originals whose last look found out nothing, the latest first."""
        return self.capture_states(_failed(Purpose.LOOK), limit=limit)

    def count_failed(self, purpose: Purpose = Purpose.CAPTURE) -> int:
        """Return how many captures left no snapshot that counts, or looks found out nothing, last."""
        query = select(func.count()).where(
            captures.c.outcome.in_(FAILING),
            captures.c.purpose == str(purpose),
            captures.c.article_id.not_in(withdrawn_ids()),
        )
        return self.connection.scalar(query) or 0

    def capture_states(self, condition: Any, *, limit: int | None) -> list[CaptureState]:
        """Return states of captures for which an SQL condition holds."""
        rows = self.connection.execute(
            select(
                captures.c.article_id,
                revisions.c.title,
                captures.c.url,
                captures.c.state,
                captures.c.attempts,
                captures.c.outcome,
                captures.c.status,
                captures.c.cause,
                captures.c.tried,
                captures.c.due.label("next_at"),
                captures.c.purpose,
            )
            .join(articles, articles.c.id == captures.c.article_id)
            .join(
                revisions,
                and_(
                    revisions.c.article_id == articles.c.id,
                    revisions.c.number == articles.c.revision,
                ),
            )
            .where(condition)
            .order_by(captures.c.tried.desc(), captures.c.article_id)
            .limit(limit)
        )
        return [CaptureState(**row._asdict()) for row in rows]

    def attempts_at(self, article_id: str, *, limit: int) -> list[Attempt]:
        """Return the last attempts at capturing an article, the newest first."""
        columns = [column for column in attempts.c if column.name != "id"]
        rows = self.connection.execute(
            select(*columns)
            .where(attempts.c.article_id == article_id)
            .order_by(attempts.c.started.desc())
            .limit(limit)
        )
        return [Attempt(**row._asdict()) for row in rows]


# Statements of every capture are built once: building them costs more than running them.
_PAYLOADS = select(payloads).where(among(payloads.c.digest, "digests", shared=False))
_PLACED = (
    select(payloads, snapshots.c.key.label("place_key"), snapshots.c.size.label("place_size"))
    .join(snapshots, snapshots.c.id == payloads.c.snapshot_id)
    .where(among(payloads.c.digest, "digests", shared=False), snapshots.c.damaged.is_(None))
)
# A look into the index for each of them, whatever the planner takes the tables for: a plan made
# while they were small is kept while they grow. Nor does it see how many there are, or it would
# plan anew each time.
_ONE_BY_ONE = """
  generate_subscripts(CAST(:digests AS varchar[]), 1) AS number
  CROSS JOIN LATERAL (
    SELECT * FROM payloads WHERE digest = (CAST(:digests AS varchar[]))[number] LIMIT 1
  ) AS p
"""
_PAYLOADS_ONE_BY_ONE = text(f"SELECT p.* FROM {_ONE_BY_ONE}")  # noqa: S608 - a constant
_PLACED_ONE_BY_ONE = text(f"""
  SELECT p.*, s.place_key, s.place_size FROM {_ONE_BY_ONE}
  CROSS JOIN LATERAL (
    SELECT key AS place_key, size AS place_size FROM snapshots
    WHERE id = p.snapshot_id AND damaged IS NULL LIMIT 1
  ) AS s
""")  # noqa: S608 - a constant


def as_row(value: Any) -> dict[str, Any]:
    """Return the fields of a flat dataclass by name; `asdict` copies deeply, which takes longer."""
    return {name: getattr(value, name) for name in value.__slots__}


def _snapshot_row(snapshot: Snapshot) -> dict[str, Any]:
    row = as_row(snapshot)
    judgement: Judgement = row.pop("judgement")
    return row | {
        "refers": list(snapshot.refers),
        "image": as_row(snapshot.image) if snapshot.image else None,
        "thumbnail": as_row(snapshot.thumbnail) if snapshot.thumbnail else None,
        "verdict": str(judgement.verdict),
        "share": judgement.share,
        "likely": str(judgement.likely) if judgement.likely else None,
        "evidence": judgement.evidence,
    }


def withdrawn_ids() -> Select[Any]:
    """Return the query for articles that are withdrawn: few, so that counts leave them out."""
    return select(articles.c.id).where(articles.c.withdrawn.is_not(None))


def _shows_change() -> Any:
    return select(changes.c.id).where(changes.c.after_id == snapshots.c.id).exists()


def _failed(purpose: Purpose) -> Any:
    """Its last try found out nothing, or for a capture: not the article."""
    return and_(
        captures.c.outcome.in_(FAILING),
        captures.c.purpose == str(purpose),
        articles.c.withdrawn.is_(None),
    )


def to_snapshot(row: Row[Any]) -> Snapshot:
    """Return a row of `snapshots` as a value."""
    return Snapshot(
        id=row.id,
        article_id=row.article_id,
        url=row.url,
        final_url=row.final_url,
        captured=row.captured,
        status=row.status,
        judgement=Judgement(
            verdict=Verdict(row.verdict),
            share=row.share,
            likely=Likely(row.likely) if row.likely else None,
            evidence=row.evidence,
        ),
        key=row.key,
        size=row.size,
        sha256=row.sha256,
        records=row.records,
        requisites=row.requisites,
        missing=row.missing,
        refers=tuple(row.refers or ()),
        damaged=row.damaged,
        repeats=row.repeats,
        image=Image(**row.image) if row.image else None,
        thumbnail=Image(**row.thumbnail) if row.thumbnail else None,
        source=row.source,
    )
