"""The queue of push: whom a changed document is owed, claims on that, and how calls ended."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import (
    Connection,
    Row,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)

from feedsvc.model import Mode, Push, PushEnd, PushKind, PushOutcome
from feedsvc.storage.dialect import chunks, inserting
from feedsvc.storage.push_tables import push_counts, pushes, subscriptions


def subscription_id(callback: str, name: str) -> str:
    """Return the id of a callback's subscription to a document."""
    return hashlib.sha256(f"{callback} {name}".encode()).hexdigest()


def push_id(kind: PushKind, url: str, name: str) -> str:
    """Return the id under which a call to somebody about a document is owed."""
    return f"{kind}:{subscription_id(url, name)}"


def push_host(url: str) -> str:
    """Return the host whose share of calls and subscriptions is limited, whatever its port."""
    return (urlsplit(url).hostname or "").lower()


class PushStore:
    """A row of `pushes` is due, leased, or rests with an empty ``due``."""

    connection: Connection

    def note_published(
        self, changed: Mapping[str, str], *, hubs: Sequence[str], subscribed: bool, now: datetime
    ) -> int:
        """Owe the changed documents to hubs and, if ``subscribed``, subscribers; return how many.

        ``changed``: file name -> SHA-256. What is owed already is not owed twice, and keeps the
        time of its next try.
        """
        pings = [
            _row(PushKind.PING, hub, name, digest=digest, due=now)
            for hub in hubs
            for name, digest in changed.items()
        ]
        noted = 0
        for part in chunks(pings):
            statement = inserting(self.connection, pushes).values(list(part))
            noted += self._owe(statement)
        return noted + (self._owe_subscribers(changed, now) if subscribed else 0)

    def _owe_subscribers(self, changed: Mapping[str, str], now: datetime) -> int:
        noted = 0
        wanted = select(subscriptions.c.name).distinct()
        for part in chunks(sorted(changed)):
            names = self.connection.scalars(wanted.where(subscriptions.c.name.in_(part)))
            for name in names.all():
                row = _row(PushKind.DELIVER, "", name, digest=changed[name], due=now)
                values: dict[str, Any] = {
                    key: literal(value, pushes.c[key].type) for key, value in row.items()
                }
                values["id"] = literal(f"{PushKind.DELIVER}:") + subscriptions.c.id
                values["url"] = subscriptions.c.callback
                values["host"] = subscriptions.c.host
                owed = select(*values.values()).where(
                    subscriptions.c.name == name, subscriptions.c.expires > now
                )
                statement = inserting(self.connection, pushes).from_select(list(values), owed)
                noted += self._owe(statement)
        return noted

    def _owe(self, statement: Any) -> int:
        """Owe the rows of an INSERT; return how many, which drivers count in their own ways."""
        owed = _owed_again(statement).returning(pushes.c.id)
        return len(self.connection.execute(owed).all())

    def note_gone(self, names: Collection[str], *, now: datetime) -> int:
        """End the subscriptions to documents that are gone, and owe their subscribers the news."""
        ended = 0
        for part in chunks(sorted(names)):
            rows = self.connection.execute(
                select(subscriptions.c.callback, subscriptions.c.name).where(
                    subscriptions.c.name.in_(part), subscriptions.c.expires > now
                )
            ).all()
            self.connection.execute(delete(subscriptions).where(subscriptions.c.name.in_(part)))
            self.connection.execute(delete(pushes).where(pushes.c.name.in_(part)))
            owed = [_row(PushKind.DENY, row.callback, row.name, due=now) for row in rows]
            if owed:
                self.connection.execute(pushes.insert(), owed)
            ended += len(owed)
        return ended

    def is_push_due(self, kinds: Collection[PushKind], *, now: datetime) -> bool:
        """Tell whether there is something to claim."""
        query = select(pushes.c.id).where(_claimable(now), _of(kinds)).limit(1)
        return self.connection.scalar(query) is not None

    def due_pushes(
        self,
        kind: PushKind,
        *,
        now: datetime,
        limit: int,
        failed: bool,
        without_hosts: Collection[str] = (),
    ) -> list[tuple[str, str]]:
        """Return id and host of calls that may be claimed, the longest due first.

        Either those that ``failed`` before, or those that did not.
        """
        tried = pushes.c.attempts > 0 if failed else pushes.c.attempts == 0
        query = select(pushes.c.id, pushes.c.host).where(
            pushes.c.kind == kind.value, _claimable(now), tried
        )
        if without_hosts:
            query = query.where(pushes.c.host.not_in(sorted(without_hosts)))
        rows = self.connection.execute(query.order_by(pushes.c.due).limit(limit))
        return [(row.id, row.host) for row in rows]

    def claim_pushes(
        self, ids: Sequence[str], *, now: datetime, lease: str, until: datetime
    ) -> list[Push]:
        """Lease those of the calls that are still to be had, in one statement.

        Deliveries to subscriptions that are over are dropped instead.
        """
        claimed: list[Row[Any]] = []
        for part in chunks(ids):
            claimed += self.connection.execute(
                update(pushes)
                .where(pushes.c.id.in_(part), _claimable(now))
                .values(lease=lease, lease_until=until, tried=now)
                .returning(*pushes.c)
            )
        secrets = self._secrets([row.id for row in claimed], now)
        over = {row.id for row in claimed if row.kind == PushKind.DELIVER and row.id not in secrets}
        self._drop_pushes(over)
        return [_to_push(row, secrets) for row in claimed if row.id not in over]

    def _secrets(self, ids: Iterable[str], now: datetime) -> dict[str, str | None]:
        """Return what deliveries are signed with, by their id, if the subscription still lasts."""
        before = f"{PushKind.DELIVER}:"
        wanted = [one.removeprefix(before) for one in ids if one.startswith(before)]
        found: dict[str, str | None] = {}
        for part in chunks(wanted):
            rows = self.connection.execute(
                select(subscriptions.c.id, subscriptions.c.secret).where(
                    subscriptions.c.id.in_(part), subscriptions.c.expires > now
                )
            )
            found |= {f"{before}{row.id}": row.secret for row in rows}
        return found

    def release_pushes(self, lease: str) -> int:
        """Hand back what is still leased under that token; it is due as before."""
        return self.connection.execute(
            update(pushes).where(pushes.c.lease == lease).values(lease=None, lease_until=None)
        ).rowcount

    def push_leases(self) -> list[str]:
        """Return the tokens under which calls are leased."""
        query = select(pushes.c.lease).where(pushes.c.lease.is_not(None)).distinct()
        return sorted(lease for lease in self.connection.scalars(query) if lease is not None)

    def finish_pushes(self, ends: Sequence[PushEnd]) -> list[PushEnd]:
        """Record how calls ended; return those that still held their lease, the others do not count."""
        rows: dict[str, Row[Any]] = {}
        for part in chunks([end.push.id for end in ends]):
            rows |= {row.id: row for row in self.connection.execute(_LEASED, {"ids": part})}
        held = [
            end for end in ends if end.push.id in rows and rows[end.push.id].lease == end.push.lease
        ]
        over: set[str] = set()
        changes: list[dict[str, Any]] = []
        for end in held:
            if _is_over(end):
                self._settle(end)
                over.add(end.push.id)
            else:
                changes.append(_after(end, owed=rows[end.push.id].digest))
        self._drop_pushes(over)
        if changes:
            self.connection.execute(_FINISH, changes)
        self._count_ends(held)
        return held

    def _settle(self, end: PushEnd) -> None:
        """Change the subscription as a call that is over says."""
        push = end.push
        if push.kind is PushKind.DENY:
            return
        key = subscription_id(push.url, push.name)
        if push.kind is PushKind.VERIFY and push.mode is Mode.SUBSCRIBE:
            statement = inserting(self.connection, subscriptions)
            lasting = ("secret", "expires")
            self.connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["id"],
                    set_={column: statement.excluded[column] for column in lasting},
                ),
                {
                    "id": key,
                    "callback": push.url,
                    "host": push.host,
                    "name": push.name,
                    "secret": push.secret,
                    "since": end.tried,
                    "expires": end.tried + timedelta(seconds=push.lease_seconds or 0),
                },
            )
            return
        self.connection.execute(delete(subscriptions).where(subscriptions.c.id == key))
        self._drop_pushes({f"{PushKind.DELIVER}:{key}"})

    def _drop_pushes(self, ids: Collection[str]) -> None:
        for part in chunks(sorted(ids)):
            self.connection.execute(delete(pushes).where(pushes.c.id.in_(part)))

    def _count_ends(self, ends: Iterable[PushEnd]) -> None:
        counted = Counter((end.push.kind.value, end.outcome.value) for end in ends)
        if not counted:
            return
        statement = inserting(self.connection, push_counts)
        self.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["kind", "outcome"],
                set_={"count": push_counts.c.count + statement.excluded["count"]},
            ),
            [
                {"kind": kind, "outcome": outcome, "count": count}
                for (kind, outcome), count in sorted(counted.items())
            ],
        )

    def drop_pings(self, *, besides: Collection[str]) -> None:
        """Owe nothing any more to hubs that are not among these."""
        self.connection.execute(
            delete(pushes).where(
                pushes.c.kind == PushKind.PING.value, pushes.c.url.not_in(sorted(besides))
            )
        )


# Built once: building them costs more than running them.
_LEASED = (
    select(pushes.c.id, pushes.c.lease, pushes.c.digest)
    .where(pushes.c.id.in_(bindparam("ids", expanding=True)), pushes.c.lease.is_not(None))
    .with_for_update()
)
_FINISH = (
    update(pushes)
    .where(pushes.c.id == bindparam("of_push"))
    .values(
        due=bindparam("new_due"),
        since=bindparam("new_since"),
        attempts=bindparam("new_attempts"),
        tried=bindparam("new_tried"),
        cause=bindparam("new_cause"),
        told=case(
            (bindparam("is_told", type_=pushes.c.attempts.type) == 1, bindparam("new_told")),
            else_=pushes.c.told,
        ),
        told_at=case(
            (bindparam("is_told", type_=pushes.c.attempts.type) == 1, bindparam("new_tried")),
            else_=pushes.c.told_at,
        ),
        lease=None,
        lease_until=None,
    )
)


def _is_over(end: PushEnd) -> bool:
    """Tell whether nothing more is owed, not even with the next change."""
    if end.push.kind is PushKind.DENY:
        return end.next_at is None
    if end.push.kind is PushKind.VERIFY:
        return end.outcome is PushOutcome.DONE
    return end.outcome is PushOutcome.REFUSED


def _after(end: PushEnd, *, owed: str | None) -> dict[str, Any]:
    """Return what a row becomes; ``owed`` is the digest it has now, which may be a newer one."""
    done = end.outcome is PushOutcome.DONE
    newer = owed not in {end.push.digest, end.sent}
    due = end.next_at
    since: datetime | None = end.push.since
    attempts = 0 if done else end.push.attempts + 1
    if due is None:
        due = since = end.tried if newer else None
        attempts = 0 if newer else attempts
    return {
        "of_push": end.push.id,
        "new_due": due,
        "new_since": since,
        "new_attempts": attempts,
        "new_tried": end.tried,
        "new_cause": end.cause,
        "is_told": int(done),
        "new_told": end.sent,
    }


def _row(
    kind: PushKind, url: str, name: str, *, due: datetime, digest: str | None = None
) -> dict[str, Any]:
    return {
        "id": push_id(kind, url, name),
        "kind": kind.value,
        "url": url,
        "host": push_host(url),
        "name": name,
        "digest": digest,
        "due": due,
        "since": due,
        "attempts": 0,
        "cause": "",
    }


def _owed_again(statement: Any) -> Any:
    """Say what becomes of rows that are there: one that waits for its next try goes on waiting."""
    waits = pushes.c.due.is_not(None)
    return statement.on_conflict_do_update(
        index_elements=["id"],
        set_={
            "digest": statement.excluded["digest"],
            "due": func.coalesce(pushes.c.due, statement.excluded["due"]),
            "since": case((waits, pushes.c.since), else_=statement.excluded["since"]),
            "attempts": case((waits, pushes.c.attempts), else_=0),
        },
        where=or_(pushes.c.told.is_(None), pushes.c.told != statement.excluded["digest"]),
    )


def _to_push(row: Row[Any], secrets: Mapping[str, str | None]) -> Push:
    return Push(
        id=row.id,
        kind=PushKind(row.kind),
        url=row.url,
        host=row.host,
        name=row.name,
        digest=row.digest,
        mode=Mode(row.mode) if row.mode else None,
        lease_seconds=row.lease_seconds,
        since=row.since,
        attempts=row.attempts,
        lease=row.lease,
        secret=secrets.get(row.id, row.secret),
    )


def _of(kinds: Collection[PushKind]) -> Any:
    return pushes.c.kind.in_(sorted(kind.value for kind in kinds))


def _claimable(now: datetime) -> Any:
    """Due, and leased by nobody or by someone whose time is up."""
    free = or_(pushes.c.lease.is_(None), pushes.c.lease_until <= now)
    return and_(pushes.c.due <= now, free)
