"""Captures that are due, attempts at them, and snapshots at rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, or_, select, update

from feedsvc.model import (
    Attempt,
    CaptureJob,
    CaptureState,
    Judgement,
    Likely,
    Payload,
    Snapshot,
    Verdict,
)
from feedsvc.storage.dialect import chunks, insert_missing
from feedsvc.storage.memento_rows import mementos_of
from feedsvc.storage.tables import (
    articles,
    attempts,
    captures,
    mementos,
    payloads,
    revisions,
    snapshots,
)

GOOD = (str(Verdict.VERIFIED), str(Verdict.PARTIAL))
"""Verdicts that count as archived."""


class CaptureStore:
    """The queue is the `captures` table: a row is due, leased or done."""

    connection: Connection

    def due_captures(
        self, *, now: datetime, limit: int, without_hosts: Collection[str] = ()
    ) -> list[tuple[str, str]]:
        """Return article id and host of captures that may be claimed, the longest due first."""
        query = select(captures.c.article_id, captures.c.host).where(_claimable(now))
        if without_hosts:
            query = query.where(captures.c.host.not_in(sorted(without_hosts)))
        rows = self.connection.execute(
            query.order_by(captures.c.due, captures.c.article_id).limit(limit)
        )
        return [(row.article_id, row.host) for row in rows]

    def claim_captures(
        self, article_ids: Sequence[str], *, now: datetime, lease: str, until: datetime
    ) -> list[CaptureJob]:
        """Lease those of the captures that are still to be had, in one statement."""
        claimed: list[str] = []
        for part in chunks(article_ids):
            claimed += self.connection.scalars(
                update(captures)
                .where(captures.c.article_id.in_(part), _claimable(now))
                .values(state="leased", lease=lease, lease_until=until)
                .returning(captures.c.article_id)
            )
        jobs: list[CaptureJob] = []
        for part in chunks(claimed):
            rows = self.connection.execute(
                select(
                    captures.c.article_id,
                    captures.c.url,
                    captures.c.attempts,
                    revisions.c.title,
                    revisions.c.text,
                )
                .join(articles, articles.c.id == captures.c.article_id)
                .join(
                    revisions,
                    and_(
                        revisions.c.article_id == articles.c.id,
                        revisions.c.number == articles.c.revision,
                    ),
                )
                .where(captures.c.article_id.in_(part))
                .order_by(captures.c.due, captures.c.article_id)
            )
            jobs += [CaptureJob(**row._asdict(), lease=lease, lease_until=until) for row in rows]
        return jobs

    def release_captures(self, lease: str, article_ids: Sequence[str] | None = None) -> int:
        """Hand back what is still leased under that token; it is due as before."""
        statement = (
            update(captures)
            .where(captures.c.lease == lease, captures.c.state == "leased")
            .values(state="due", lease=None, lease_until=None)
        )
        if article_ids is not None:
            statement = statement.where(captures.c.article_id.in_(article_ids))
        return self.connection.execute(statement).rowcount

    def leases(self) -> list[str]:
        """Return the tokens under which captures are leased."""
        return sorted(
            filter(
                None,
                self.connection.scalars(
                    select(captures.c.lease).where(captures.c.lease.is_not(None)).distinct()
                ),
            )
        )

    def finish_capture(self, job: CaptureJob, attempt: Attempt) -> bool:
        """Record how a capture ended; False if the lease was lost, and nothing is recorded."""
        return bool(self.finish_captures([(job, attempt)]))

    def finish_captures(self, ended: Sequence[tuple[CaptureJob, Attempt]]) -> set[str]:
        """Record how captures ended; return the articles of those that still held their lease.

        Of the others nothing is recorded. An attempt with ``next_at`` makes its capture due again
        then; without, it is done.
        """
        held = self._held([job for job, _ in ended])
        kept = [attempt for job, attempt in ended if job.article_id in held]
        if kept:
            self.connection.execute(_FINISH, [_finish_row(attempt) for attempt in kept])
            self.connection.execute(
                _ADD_ATTEMPT,
                [as_row(attempt) | {"outcome": str(attempt.outcome)} for attempt in kept],
            )
        return held

    def _held(self, jobs: Sequence[CaptureJob]) -> set[str]:
        """Return the articles whose captures are leased as these jobs say, and keep them so.

        The rows are locked (SQLite: the database is), so that what is true here is at the commit.
        """
        leases = {job.article_id: job.lease for job in jobs}
        held: set[str] = set()
        for part in chunks(sorted(leases)):
            rows = self.connection.execute(_LEASED, {"ids": part})
            held.update(row.article_id for row in rows if leases[row.article_id] == row.lease)
        return held

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
        if rows:
            self.connection.execute(_ADD_SNAPSHOT, rows)
        insert_missing(self.connection, mementos, mementos_of(rows))
        insert_missing(self.connection, payloads, held)

    def known_payloads(self, digests: Collection[str]) -> dict[str, Payload]:
        """Return those payloads that are at rest already."""
        known: dict[str, Payload] = {}
        for part in chunks(sorted(digests)):
            rows = self.connection.execute(_PAYLOADS, {"digests": part})
            known |= {row.digest: Payload(**row._asdict()) for row in rows}
        return known

    def make_due(self, article_id: str | None, *, now: datetime) -> int:
        """Make one capture, or every one of a published article, due now; return how many."""
        statement = update(captures).where(captures.c.state != "leased")
        if article_id is None:
            published = select(articles.c.id).where(articles.c.withdrawn.is_(None))
            statement = statement.where(captures.c.article_id.in_(published))
        else:
            statement = statement.where(captures.c.article_id == article_id)
        return self.connection.execute(statement.values(state="due", due=now)).rowcount

    def count_due(self, *, now: datetime) -> int:
        """Return how many captures may be claimed now."""
        query = select(func.count()).select_from(captures).where(_claimable(now))
        return self.connection.scalar(query) or 0

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

    def drop_snapshots(self, snapshot_ids: Sequence[str]) -> None:
        """Forget snapshots whose bytes are to be removed."""
        for part in chunks(snapshot_ids):
            self.connection.execute(delete(payloads).where(payloads.c.snapshot_id.in_(part)))
            self.connection.execute(delete(snapshots).where(snapshots.c.id.in_(part)))

    def mismatches(self, article_id: str) -> list[Snapshot]:
        """Return the snapshots of an article that do not count, the newest first."""
        return [one for one in self.snapshots(article_id) if str(one.judgement.verdict) not in GOOD]

    def capture_state(self, article_id: str) -> CaptureState | None:
        """Return where the capture of an article stands."""
        states = self.capture_states(captures.c.article_id == article_id, limit=1)
        return states[0] if states else None

    def failed_captures(self, limit: int | None = None) -> list[CaptureState]:
        """Return captures whose last attempt left no snapshot that counts, the latest first."""
        return self.capture_states(_failed(), limit=limit)

    def count_failed(self) -> int:
        """Return how many captures ended their last attempt without a snapshot that counts."""
        query = select(func.count()).select_from(captures.join(articles)).where(_failed())
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
_LEASED = (
    select(captures.c.article_id, captures.c.lease)
    .where(
        captures.c.article_id.in_(bindparam("ids", expanding=True)), captures.c.state == "leased"
    )
    .with_for_update()
)
_FINISH = (
    update(captures)
    .where(captures.c.article_id == bindparam("of_article"))
    .values(
        state=bindparam("new_state"),
        due=bindparam("new_due"),
        lease=None,
        lease_until=None,
        attempts=captures.c.attempts + 1,
        outcome=bindparam("new_outcome"),
        status=bindparam("new_status"),
        cause=bindparam("new_cause"),
        tried=bindparam("new_tried"),
    )
)
_ADD_ATTEMPT = attempts.insert()
_ADD_SNAPSHOT = snapshots.insert()
_PAYLOADS = select(payloads).where(payloads.c.digest.in_(bindparam("digests", expanding=True)))


def as_row(value: Any) -> dict[str, Any]:
    """Return the fields of a flat dataclass by name; `asdict` copies deeply, which takes longer."""
    return {name: getattr(value, name) for name in value.__slots__}


def _finish_row(attempt: Attempt) -> dict[str, Any]:
    return {
        "of_article": attempt.article_id,
        "new_state": "done" if attempt.next_at is None else "due",
        "new_due": attempt.next_at,
        "new_outcome": str(attempt.outcome),
        "new_status": attempt.status,
        "new_cause": attempt.cause,
        "new_tried": attempt.started,
    }


def _snapshot_row(snapshot: Snapshot) -> dict[str, Any]:
    row = as_row(snapshot)
    judgement: Judgement = row.pop("judgement")
    return row | {
        "refers": list(snapshot.refers),
        "verdict": str(judgement.verdict),
        "share": judgement.share,
        "likely": str(judgement.likely) if judgement.likely else None,
        "evidence": judgement.evidence,
    }


def _claimable(now: datetime) -> Any:
    """Due, or leased by someone whose time is up; never a withdrawn article's."""
    published = (
        select(articles.c.id)
        .where(articles.c.id == captures.c.article_id, articles.c.withdrawn.is_(None))
        .exists()
    )
    free = or_(
        captures.c.state == "due", and_(captures.c.state == "leased", captures.c.lease_until <= now)
    )
    return and_(captures.c.due <= now, free, published)


def _failed() -> Any:
    return and_(captures.c.outcome.not_in(GOOD), articles.c.withdrawn.is_(None))


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
    )
