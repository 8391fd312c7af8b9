"""Numbers about everything stored, and the last run of every job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, distinct, func, select, tablesample

from feedsvc.model import Purpose, Run, Verdict
from feedsvc.storage.dialect import estimated_rows, upsert
from feedsvc.storage.feed_tables import channels, pages
from feedsvc.storage.store_captures import GOOD
from feedsvc.storage.tables import articles, captures, revisions, runs, seeds, snapshots


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of everything."""

    articles: int
    withdrawn: int
    revisions: int
    snapshots: Mapping[str, int]
    archived: int
    captures: int
    in_flight: int
    dirty: int
    seeds: Mapping[str, int]
    archive_size: int
    is_estimate: bool = False
    """True: of large tables they are what PostgreSQL expects, not what was counted."""


EXACT = 200_000
"""Articles up to which everything is counted one by one."""
_SAMPLE = 5_000
"""Snapshots of which the average size is taken."""


class StatusStore:
    """What `status` and the metrics show."""

    connection: Connection

    def counts(self) -> Counts:
        """Count everything that is stored."""
        withdrawn = self._count(articles.c.withdrawn.is_not(None))
        good = snapshots.c.verdict.in_(GOOD) & snapshots.c.damaged.is_(None)
        return Counts(
            articles=(self._scalar(select(func.count()).select_from(articles))) - withdrawn,
            withdrawn=withdrawn,
            revisions=self._scalar(select(func.count()).select_from(revisions)),
            snapshots=self._grouped(snapshots.c.verdict),
            archived=self._scalar(
                select(func.count(distinct(snapshots.c.article_id)))
                .join(articles, articles.c.id == snapshots.c.article_id)
                .where(good, articles.c.withdrawn.is_(None))
            ),
            captures=self._scalar(select(func.count()).select_from(captures)),
            in_flight=self._in_flight(),
            dirty=self._dirty(),
            seeds=self._grouped(seeds.c.state),
            archive_size=self._scalar(select(func.coalesce(func.sum(snapshots.c.size), 0))),
        )

    def rough_counts(self, *, exact: int = EXACT) -> Counts:
        """Count what is few, and of a large site on PostgreSQL estimate the rest.

        What it expects of its statistics comes at once and is a percent or two off; counting a
        million rows of everything takes seconds.
        """
        if self.connection.dialect.name == "sqlite" or self._expected(articles) <= exact:
            return self.counts()
        withdrawn = self._count(articles.c.withdrawn.is_not(None))
        problems = self._grouped(seeds.c.state, seeds.c.state != "loaded")
        held = self._expected(snapshots)
        return Counts(
            articles=self._expected(articles) - withdrawn,
            withdrawn=withdrawn,
            revisions=self._expected(revisions),
            snapshots={
                str(one): self._expected(snapshots, snapshots.c.verdict == str(one))
                for one in Verdict
            },
            # An original is looked at again from its first snapshot that counts on.
            archived=self._expected(captures, captures.c.purpose == str(Purpose.LOOK)),
            captures=self._expected(captures),
            in_flight=self._in_flight(),
            dirty=self._dirty(),
            seeds={"loaded": self._expected(seeds) - sum(problems.values()), **problems},
            archive_size=held * self._average_size(held),
            is_estimate=True,
        )

    def _expected(self, table: Table, *conditions: ColumnElement[bool]) -> int:
        return estimated_rows(self.connection, select(table).where(*conditions))

    def _average_size(self, held: int) -> int:
        some = tablesample(snapshots, func.system(min(100.0, 100 * _SAMPLE / max(held, 1))))
        return self._scalar(select(func.avg(some.c.size)))

    def _in_flight(self) -> int:
        # Whatever is leased has a lease, and an index knows the few that have one.
        return self._count(captures.c.lease.is_not(None) & (captures.c.state == "leased"))

    def _dirty(self) -> int:
        return sum(self._count(table.c.dirty > table.c.clean) for table in (channels, pages))

    def article_names(self, limit: int) -> list[str]:
        """Return seeds, URLs and ids of the latest articles: what a person may have meant."""
        rows = self.connection.execute(
            select(articles.c.seed, revisions.c.url, articles.c.id)
            .join(
                revisions,
                (revisions.c.article_id == articles.c.id)
                & (revisions.c.number == articles.c.revision),
            )
            .order_by(articles.c.published.desc())
            .limit(limit)
        )
        return [name for row in rows for name in row if name]

    def seeds_withdrawn_since(self, moment: datetime) -> list[str]:
        """Return the seeds of the articles that were withdrawn since then, by name."""
        query = select(articles.c.seed).where(articles.c.withdrawn >= moment)
        return list(self.connection.scalars(query.order_by(articles.c.seed)))

    def _scalar(self, query: Any) -> int:
        return int(self.connection.scalar(query) or 0)

    def _count(self, condition: Any) -> int:
        return self._scalar(select(func.count()).where(condition))

    def _grouped(self, column: Any, *conditions: ColumnElement[bool]) -> dict[str, int]:
        query = select(column, func.count()).where(*conditions).group_by(column)
        rows = self.connection.execute(query)
        return {str(value): count for value, count in rows}

    def put_run(self, run: Run) -> None:
        """Record the last run of a job."""
        upsert(
            self.connection,
            runs,
            [
                {
                    "job": run.job,
                    "started": run.started,
                    "ended": run.ended,
                    "ok": int(run.ok),
                    "summary": dict(run.summary),
                    "error": run.error,
                }
            ],
        )

    def runs(self) -> list[Run]:
        """Return the last run of every job, by name."""
        rows = self.connection.execute(select(runs).order_by(runs.c.job))
        return [
            Run(
                job=row.job,
                started=row.started,
                ended=row.ended,
                ok=bool(row.ok),
                summary=row.summary,
                error=row.error,
            )
            for row in rows
        ]

    def last_run(self, job: str) -> datetime | None:
        """Return when a job last began."""
        moment: datetime | None = self.connection.scalar(
            select(runs.c.started).where(runs.c.job == job)
        )
        return moment
