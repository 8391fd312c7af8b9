"""The queue of originals: what is due for a capture or for a look, leased, or done."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, literal, or_, select, update

from feedsvc.model import Attempt, CaptureJob, Following, Purpose
from feedsvc.storage.dialect import among, arrays, chunks, insert_rows, is_shared, unnested
from feedsvc.storage.fleet_tables import workers
from feedsvc.storage.store_captures import FAILING, withdrawn_ids
from feedsvc.storage.tables import articles, attempts, captures, revisions, snapshots


class QueueStore:
    """The `captures` table: a row is due, leased or done, for a capture or for a look."""

    connection: Connection

    def due_captures(
        self,
        *,
        now: datetime,
        limit: int,
        purpose: Purpose = Purpose.CAPTURE,
        without_hosts: Collection[str] = (),
    ) -> list[tuple[str, str]]:
        """Return article id and host of what may be claimed, the longest due first."""
        query = select(captures.c.article_id, captures.c.host).where(_claimable(now, purpose))
        if without_hosts:
            query = query.where(captures.c.host.not_in(sorted(without_hosts)))
        rows = self.connection.execute(
            query.order_by(captures.c.due, captures.c.article_id).limit(limit)
        )
        return [(row.article_id, row.host) for row in rows]

    def due_at_host(
        self, host: str, *, now: datetime, limit: int, purpose: Purpose = Purpose.CAPTURE
    ) -> list[str]:
        """Return article ids of what may be claimed at one host, the longest due first."""
        # By `due` alone, which the index has: thousands that came together are due at one moment.
        query = select(captures.c.article_id).where(
            captures.c.host == host, _claimable(now, purpose)
        )
        return list(self.connection.scalars(query.order_by(captures.c.due).limit(limit)))

    def claim_captures(
        self,
        article_ids: Sequence[str],
        *,
        now: datetime,
        lease: str,
        until: datetime,
        purpose: Purpose = Purpose.CAPTURE,
        worker: str | None = None,
    ) -> list[CaptureJob]:
        """Lease those of the rows that are still to be had, in one statement.

        ``worker``: whose lease it is; none if others gave him up, or are about to, for they free
        what he holds only once.
        """
        shared = is_shared(self.connection)
        claiming = (
            update(captures)
            .where(among(captures.c.article_id, "ids", shared=shared), _claimable(now, purpose))
            .values(state="leased", lease=lease, lease_until=until)
            .returning(captures.c.article_id)
        )
        if worker is not None:
            claiming = claiming.where(_is_at_work(worker))
        claimed: list[str] = []
        for part in chunks(article_ids):
            claimed += self.connection.scalars(claiming, {"ids": part})
        jobs: list[CaptureJob] = []
        for part in chunks(claimed):
            for row in self.connection.execute(_CLAIMED[shared], {"ids": part}):
                values = row._asdict() | {"is_first": bool(row.is_first)}
                jobs.append(CaptureJob(**values, purpose=purpose, lease=lease, lease_until=until))
        return jobs

    def release_captures(
        self, lease: str, article_ids: Sequence[str] | None = None, *, host: str | None = None
    ) -> int:
        """Hand back what is still leased under that token (at a host); it is due as before."""
        statement = (
            update(captures)
            .where(captures.c.lease == lease, captures.c.state == "leased")
            .values(state="due", lease=None, lease_until=None)
        )
        if article_ids is not None:
            statement = statement.where(captures.c.article_id.in_(article_ids))
        if host is not None:
            statement = statement.where(captures.c.host == host)
        return self.connection.execute(statement).rowcount

    def leases(self) -> list[str]:
        """Return the tokens under which rows are leased."""
        return sorted(
            filter(
                None,
                self.connection.scalars(
                    select(captures.c.lease).where(captures.c.lease.is_not(None)).distinct()
                ),
            )
        )

    def finish_capture(self, job: CaptureJob, attempt: Attempt, following: Following) -> bool:
        """Record how work ended; False if the lease was lost, and nothing is recorded."""
        return bool(self.finish_captures([(job, attempt, following)]))

    def finish_captures(self, ended: Sequence[tuple[CaptureJob, Attempt, Following]]) -> set[str]:
        """Record how work ended and what comes next; return the articles that held their lease.

        Of the others nothing is recorded.
        """
        if is_shared(self.connection):
            rows = [_finish_row(*one) for one in ended]
            finished = self.connection.scalars(_FINISH_AT_ONCE, arrays(_FINISHED, rows))
            held = set(finished)
        else:
            held = self._held([job for job, _, _ in ended])
            rows = [_finish_row(*one) for one in ended if one[0].article_id in held]
            if rows:
                self.connection.execute(_FINISH, rows)
        kept = [attempt for job, attempt, _ in ended if job.article_id in held]
        insert_rows(self.connection, attempts, [_attempt_row(attempt) for attempt in kept])
        return held

    def _held(self, jobs: Sequence[CaptureJob]) -> set[str]:
        """Return the articles whose rows are leased as these jobs say, in SQLite until the commit."""
        leases = {job.article_id: job.lease for job in jobs}
        held: set[str] = set()
        for part in chunks(sorted(leases)):
            rows = self.connection.execute(_LEASED, {"ids": part})
            held.update(row.article_id for row in rows if leases[row.article_id] == row.lease)
        return held

    def make_due(
        self, article_id: str | None, *, now: datetime, purpose: Purpose = Purpose.CAPTURE
    ) -> int:
        """Make one original, or that of every published article, due now; return how many.

        For a capture any of them, for a look those that are archived.
        """
        statement = update(captures).where(captures.c.state != "leased")
        if purpose is Purpose.LOOK:
            statement = statement.where(captures.c.purpose == "look")
        if article_id is None:
            published = select(articles.c.id).where(articles.c.withdrawn.is_(None))
            statement = statement.where(captures.c.article_id.in_(published))
        else:
            statement = statement.where(captures.c.article_id == article_id)
        values = {"state": "due", "due": now, "purpose": str(purpose)}
        return self.connection.execute(statement.values(values)).rowcount

    def make_failed_due(self, *, now: datetime, purpose: Purpose = Purpose.CAPTURE) -> int:
        """Make every original whose last try found out nothing due now; return how many."""
        published = select(articles.c.id).where(articles.c.withdrawn.is_(None))
        return self.connection.execute(
            update(captures)
            .where(
                captures.c.outcome.in_(FAILING),
                captures.c.purpose == str(purpose),
                captures.c.state != "leased",
                captures.c.article_id.in_(published),
            )
            .values(state="due", due=now)
        ).rowcount

    def sleeping_looks(self, *, limit: int) -> list[tuple[str, int]]:
        """Return article id and step of rows that wait for no look, as when there was no schedule."""
        rows = self.connection.execute(
            select(captures.c.article_id, captures.c.step)
            .where(
                captures.c.purpose == "look", captures.c.due.is_(None), captures.c.state == "done"
            )
            .limit(limit)
        )
        return [(row.article_id, row.step) for row in rows]

    def wake_looks(self, due: Sequence[tuple[str, datetime]]) -> None:
        """Make sleeping looks due at a time of their own."""
        if due:
            self.connection.execute(
                _WAKE, [{"of_article": id_, "new_due": moment} for id_, moment in due]
            )

    def count_due(self, *, now: datetime, purpose: Purpose = Purpose.CAPTURE) -> int:
        """Return how many rows may be claimed now."""
        # Those of withdrawn articles are few; of each row its article would take longer to ask.
        shown = captures.c.article_id.not_in(withdrawn_ids())
        query = select(func.count()).where(_free(now, purpose), shown)
        return self.connection.scalar(query) or 0

    def oldest_due(self, *, now: datetime, purpose: Purpose = Purpose.CAPTURE) -> datetime | None:
        """Return since when the row is due that has waited longest."""
        query = select(captures.c.due).where(_claimable(now, purpose))
        moment: datetime | None = self.connection.scalar(query.order_by(captures.c.due).limit(1))
        return moment


# Statements of every capture are built once: building them costs more than running them.
_CLAIM = (
    select(
        captures.c.article_id,
        captures.c.url,
        captures.c.attempts,
        captures.c.step,
        revisions.c.title,
        revisions.c.text,
        revisions.c.image,
        # The limit: or else PostgreSQL may read all snapshots instead of looking for one.
        select(literal(1))
        .where(snapshots.c.article_id == captures.c.article_id)
        .limit(literal(1))
        .scalar_subquery()
        .is_(None)
        .label("is_first"),
    )
    .join(articles, articles.c.id == captures.c.article_id)
    .join(
        revisions,
        and_(revisions.c.article_id == articles.c.id, revisions.c.number == articles.c.revision),
    )
    .order_by(captures.c.due, captures.c.article_id)
)
_CLAIMED = {
    shared: _CLAIM.where(among(captures.c.article_id, "ids", shared=shared))
    for shared in (False, True)
}
_LEASED = select(captures.c.article_id, captures.c.lease).where(
    among(captures.c.article_id, "ids", shared=False), captures.c.state == "leased"
)
_FINISH = (
    update(captures)
    .where(
        captures.c.article_id == bindparam("of_article"), captures.c.lease == bindparam("of_lease")
    )
    .values(
        state=bindparam("new_state"),
        due=bindparam("new_due"),
        lease=None,
        lease_until=None,
        attempts=bindparam("new_attempts"),
        outcome=bindparam("new_outcome"),
        status=bindparam("new_status"),
        cause=bindparam("new_cause"),
        tried=bindparam("new_tried"),
        purpose=bindparam("new_purpose"),
        step=bindparam("new_step"),
    )
)
_WAKE = (
    update(captures)
    .where(
        captures.c.article_id == bindparam("of_article"),
        captures.c.purpose == "look",
        captures.c.state == "done",
    )
    .values(state="due", due=bindparam("new_due"))
)
_FINISHED = {
    "of_article": captures.c.article_id,
    "of_lease": captures.c.lease,
    **{
        f"new_{name}": captures.c[name]
        for name in (
            *("state", "due", "attempts", "outcome", "status"),
            *("cause", "tried", "purpose", "step"),
        )
    },
}


def _finishing_at_once() -> Any:
    ended = unnested(_FINISHED).subquery("ended")
    new = {name[4:]: ended.c[name] for name in _FINISHED if name.startswith("new_")}
    return (
        update(captures)
        .where(
            captures.c.article_id == ended.c.of_article,
            captures.c.lease == ended.c.of_lease,
            captures.c.state == "leased",
        )
        .values(**new, lease=None, lease_until=None)
        .returning(captures.c.article_id)
    )


_FINISH_AT_ONCE = _finishing_at_once()


def _finish_row(job: CaptureJob, attempt: Attempt, following: Following) -> dict[str, Any]:
    return {
        "of_article": attempt.article_id,
        "of_lease": job.lease,
        "new_state": "done" if following.due is None else "due",
        "new_due": following.due,
        "new_attempts": following.attempts,
        "new_outcome": str(attempt.outcome),
        "new_status": attempt.status,
        "new_cause": attempt.cause,
        "new_tried": attempt.started,
        "new_purpose": str(following.purpose),
        "new_step": following.step,
    }


def _attempt_row(attempt: Attempt) -> dict[str, Any]:
    row = {name: getattr(attempt, name) for name in attempt.__slots__}
    return row | {"outcome": str(attempt.outcome)}


def _is_at_work(worker: str) -> Any:
    """A worker that nobody gave up, nor does until the end of this transaction."""
    row = select(literal(1)).where(workers.c.id == worker, workers.c.lost.is_(None))
    # Whoever gives him up holds his row: to wait for that would be to wait in a circle.
    held = row.with_for_update(read=True, key_share=True, skip_locked=True).cte("at_work")
    return select(held).exists()


def _claimable(now: datetime, purpose: Purpose) -> Any:
    """Due for that, or leased by someone whose time is up; never a withdrawn article's."""
    published = (
        select(articles.c.id)
        .where(articles.c.id == captures.c.article_id, articles.c.withdrawn.is_(None))
        .exists()
    )
    return and_(_free(now, purpose), published)


def _free(now: datetime, purpose: Purpose) -> Any:
    free = or_(
        captures.c.state == "due", and_(captures.c.state == "leased", captures.c.lease_until <= now)
    )
    return and_(captures.c.purpose == str(purpose), captures.c.due <= now, free)
