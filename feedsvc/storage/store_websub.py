"""Subscriptions to our feeds: requests to be verified, caps, and what `status` tells of push."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, func, literal, literal_column, select

from feedsvc.model import (
    Bounds,
    FailingPush,
    HubRequest,
    HubState,
    PushKind,
    PushStatus,
    Subscription,
)
from feedsvc.storage.dialect import upsert
from feedsvc.storage.push_tables import push_counts, pushes, subscriptions
from feedsvc.storage.store_pushes import push_host, push_id, subscription_id

COOL = timedelta(seconds=60)
"""A callback that did not confirm is not asked again for the same document before that."""
SPACED = timedelta(seconds=15)
"""Between two verifications of one callback and document, the first still without an answer."""
REMEMBERED = timedelta(hours=1)
"""For how long a refused request counts among those that wait: floods find the place taken."""

_FAILING = and_(
    # Written out: with a parameter no database can tell that the partial index will do.
    pushes.c.cause != literal_column("''"),
    pushes.c.kind.in_([PushKind.PING.value, PushKind.DELIVER.value]),
)


class WebSubStore:
    """Who subscribed, who asked to, and where push stands."""

    connection: Connection

    def ask(self, asked: HubRequest, *, bounds: Bounds, now: datetime) -> str:
        """Let a request be verified; return which bound forbids it, or nothing.

        It takes the place of one by the same callback for the same document.
        """
        self.drop_outlived(now=now)
        key = push_id(PushKind.VERIFY, asked.callback, asked.name)
        before = self.connection.execute(
            select(pushes.c.tried, pushes.c.cause).where(pushes.c.id == key)
        ).first()
        if before is None and (bound := self._reached(asked, bounds)):
            return bound
        due = now
        if before is not None and before.tried is not None:
            due = max(now, before.tried + (COOL if before.cause else SPACED))
        upsert(self.connection, pushes, [_asked_row(key, asked, due=due)])
        return ""

    def _reached(self, asked: HubRequest, bounds: Bounds) -> str:
        """Return which bound one more request would break."""
        host = push_host(asked.callback)
        verify = pushes.c.kind == PushKind.VERIFY.value
        waiting = self._how_many(pushes.c.id, verify)
        waiting_here = self._how_many(pushes.c.id, verify, pushes.c.host == host)
        if waiting_here >= bounds.pending_per_host:
            return "requests of this host that wait for their verification"
        if waiting >= bounds.pending:
            return "requests that wait for their verification"
        key = subscription_id(asked.callback, asked.name)
        if self._how_many(subscriptions.c.id, subscriptions.c.id == key):
            return ""
        here = self._how_many(subscriptions.c.id, subscriptions.c.host == host)
        if here + waiting_here >= bounds.per_host:
            return "subscriptions of this host"
        if self._how_many(subscriptions.c.id) + waiting >= bounds.total:
            return "subscriptions"
        return ""

    def _how_many(self, column: Any, *conditions: Any) -> int:
        query = select(func.count(column)).where(*conditions)
        return self.connection.scalar(query) or 0

    def drop_outlived(self, *, now: datetime) -> None:
        """Forget subscriptions whose lease ran out, and refused requests after a while."""
        self.connection.execute(delete(subscriptions).where(subscriptions.c.expires <= now))
        self.connection.execute(
            delete(pushes).where(
                pushes.c.kind == PushKind.VERIFY.value,
                pushes.c.due.is_(None),
                pushes.c.tried <= now - REMEMBERED,
            )
        )

    def subscriptions(self, *, now: datetime, limit: int | None = None) -> list[Subscription]:
        """Return the subscriptions that last, by document and callback."""
        delivery = pushes.c.id == literal(f"{PushKind.DELIVER}:") + subscriptions.c.id
        rows = self.connection.execute(
            select(
                subscriptions.c.callback,
                subscriptions.c.name,
                subscriptions.c.since,
                subscriptions.c.expires,
                subscriptions.c.secret.is_not(None).label("signed"),
                pushes.c.told_at,
                pushes.c.due.label("next_at"),
                func.coalesce(pushes.c.attempts, 0).label("attempts"),
                func.coalesce(pushes.c.cause, "").label("cause"),
            )
            .outerjoin(pushes, delivery)
            .where(subscriptions.c.expires > now)
            .order_by(subscriptions.c.name, subscriptions.c.callback)
            .limit(limit)
        )
        return [Subscription(**row._asdict()) for row in rows]

    def push_status(
        self, kinds: Collection[PushKind], *, hubs: Sequence[str], now: datetime, limit: int
    ) -> PushStatus:
        """Return where push stands, the ``limit`` latest failures included."""
        of_kinds = pushes.c.kind.in_(sorted(kind.value for kind in kinds))
        return PushStatus(
            hubs=self._hub_states(hubs),
            subscriptions=self._how_many(subscriptions.c.id, subscriptions.c.expires > now),
            unverified=self._how_many(
                pushes.c.id, pushes.c.kind == PushKind.VERIFY.value, pushes.c.due.is_not(None)
            ),
            due=self._how_many(pushes.c.id, pushes.c.due <= now, of_kinds),
            failing=self._failing_pushes(of_kinds, limit),
            counts=self.push_counts(),
        )

    def count_failing_pushes(self) -> int:
        """Return how many hubs and subscribers could not be told of a document."""
        return self._how_many(pushes.c.id, _FAILING)

    def push_counts(self) -> dict[str, dict[str, int]]:
        """Return how many calls ever ended how: kind -> outcome -> number."""
        counts: dict[str, dict[str, int]] = {kind.value: {} for kind in PushKind}
        for kind, outcome, count in self.connection.execute(select(push_counts)):
            counts[kind][outcome] = count
        return counts

    def _hub_states(self, hubs: Sequence[str]) -> list[HubState]:
        rows = self.connection.execute(
            select(
                pushes.c.url,
                func.count(pushes.c.told_at).label("told"),
                func.max(pushes.c.told_at).label("told_at"),
            )
            .where(pushes.c.kind == PushKind.PING.value)
            .group_by(pushes.c.url)
        )
        told = {row.url: HubState(row.url, row.told, row.told_at) for row in rows}
        return [told.get(hub, HubState(hub, 0, None)) for hub in hubs]

    def _failing_pushes(self, of_kinds: Any, limit: int) -> list[FailingPush]:
        rows = self.connection.execute(
            select(
                pushes.c.kind,
                pushes.c.host,
                pushes.c.name,
                pushes.c.attempts,
                pushes.c.cause,
                pushes.c.tried,
                pushes.c.due.label("next_at"),
            )
            .where(_FAILING, of_kinds)
            .order_by(pushes.c.tried.desc(), pushes.c.id)
            .limit(limit)
        )
        return [FailingPush(**(row._asdict() | {"kind": PushKind(row.kind)})) for row in rows]


def _asked_row(key: str, asked: HubRequest, *, due: datetime) -> dict[str, Any]:
    return {
        "id": key,
        "kind": PushKind.VERIFY.value,
        "url": asked.callback,
        "host": push_host(asked.callback),
        "name": asked.name,
        "mode": asked.mode.value,
        "secret": asked.secret,
        "lease_seconds": asked.lease_seconds,
        "due": due,
        "since": due,
        "attempts": 0,
        "cause": "",
        # Whoever asks for the former request now finds its lease lost.
        "lease": None,
        "lease_until": None,
    }
