"""Hosts as all machines see them: whose turn it is, who has a place, where something is due.

All times here are the database's: machines need not agree on theirs. PostgreSQL only, as a fleet is.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, Float, Integer, bindparam, text
from sqlalchemy.types import Text

from feedsvc.model import Purpose, Turn

WANTED = 1.0
"""Seconds for which whoever found no place is taken to be waiting for one."""
_SOON = 0.05


class HostStore:
    """The `hosts` and `host_places` tables, and the queue of captures by host."""

    connection: Connection

    def take_turns(
        self,
        host: str,
        *,
        holder: str,
        per_host: int,
        delay: float,
        turns: int,
        lease: float,
        places: int = 1,
        slack: float = 0.0,
        within: float = 30.0,
    ) -> Turn:
        """Let ``holder`` have some of the host's places, and send so many requests.

        It gets or keeps up to ``places`` of the ``per_host`` for ``lease`` seconds, and, with a
        place, ``turns`` requests ``delay`` apart, after which nobody else begins for ``slack``
        seconds more; none if the first of them would be later than ``within`` seconds. One
        statement, whose commit is not waited for: what a crash of the server forgets are turns
        of the last half second.
        """
        row = self.connection.execute(
            _TAKE,
            {
                "host": host,
                "holder": holder,
                "per_host": per_host,
                "places": places,
                "span": turns * delay + slack,
                "turns": turns,
                "lease": lease,
                "within": within,
                "wanted": WANTED,
            },
        ).one()
        if row.held is not None and row.held > 0:
            return Turn(after=row.held, granted=0, places=row.own, held=True)
        if row.after is not None:
            return Turn(
                max(row.after, 0.0), granted=turns, places=row.placed, wanted=bool(row.wanted)
            )
        if row.placed:
            return Turn(max(row.ahead or 0.0, 0.0), granted=0, places=row.placed)
        return Turn(max(row.until or 0.0, _SOON), granted=0)

    def leave_host(self, holder: str, host: str) -> None:
        """Free the holder's places at a host."""
        self.leave_hosts(holder, [host])

    def leave_hosts(self, holder: str, hosts: Collection[str]) -> None:
        """Free the holder's places at some hosts."""
        self.connection.execute(_LEAVE, {"holder": holder, "hosts": sorted(hosts)})

    def free_places(self, holder: str) -> int:
        """Free all the places of a holder that is gone; return how many it had."""
        return self.connection.execute(_FREE, {"holder": holder}).rowcount

    def hold_host(self, host: str, seconds: float) -> None:
        """Let nobody have a turn at a host for so many seconds."""
        self.connection.execute(_HOLD, {"host": host, "seconds": seconds})

    def held_for(self, host: str) -> float:
        """Return for how many seconds a host wants no request, 0.0 if it does not say so."""
        return max(self.connection.scalar(_HELD, {"host": host}) or 0.0, 0.0)

    def forget_hosts(self, *, after: timedelta) -> None:
        """Forget hosts that nothing is owed to for so long."""
        for statement in (_FORGET_PLACES, _FORGET_HOSTS):
            self.connection.execute(statement, {"seconds": after.total_seconds()})

    def hosts_due(
        self, *, now: datetime, purpose: Purpose, beyond: str, limit: int
    ) -> tuple[list[str], str | None]:
        """Look at so many hosts beyond one of them; return where something may be claimed.

        And where to go on: None if these were the last. Hosts that want a pause are left out.
        """
        rows = self.connection.execute(
            _DUE, {"purpose": str(purpose), "beyond": beyond, "looks": limit, "now": now}
        ).all()
        due = [row.host for row in rows if row.is_due]
        return due, rows[-1].host if len(rows) == limit else None


# Every change below looks at the row as it is once it is locked, not as this statement found it:
# that is what makes two machines agree. Places come before the host and are taken in their order,
# so that no two wait for each other. A holder's row is held first: who gives him up frees his
# places after this, or before it, and then he gets none.
_TAKE = text("""
WITH holder AS MATERIALIZED (
  SELECT lost FROM workers WHERE id = :holder FOR KEY SHARE
), host AS (
  SELECT held_until, next_allowed_at, wanted_until FROM hosts WHERE host = :host
), mine AS (
  SELECT count(*) FILTER (WHERE holder = :holder AND until > clock_timestamp()) AS own,
         extract(epoch FROM min(until) - clock_timestamp())::float8 AS until
  FROM host_places WHERE host = :host AND number <= :per_host
), free AS (
  SELECT n.number FROM generate_series(1, :per_host) AS n(number)
  LEFT JOIN host_places AS p ON p.host = :host AND p.number = n.number
  WHERE NOT EXISTS (SELECT FROM holder WHERE lost IS NOT NULL)
    AND (p.holder IS NULL OR p.holder = :holder OR p.until <= clock_timestamp())
    AND NOT EXISTS (SELECT FROM host WHERE held_until > clock_timestamp())
  ORDER BY p.holder IS DISTINCT FROM :holder, n.number
  LIMIT :places
), placed AS (
  INSERT INTO host_places AS p (host, number, holder, until)
  SELECT :host, number, :holder, clock_timestamp() + make_interval(secs => :lease)
  FROM free ORDER BY number
  ON CONFLICT (host, number) DO UPDATE
    SET holder = excluded.holder, until = excluded.until
    WHERE p.holder = excluded.holder OR p.until <= clock_timestamp()
  RETURNING number
), turned AS (
  INSERT INTO hosts AS h (host, next_allowed_at)
  SELECT :host, clock_timestamp() + make_interval(secs => :span)
  WHERE :turns > 0 AND EXISTS (SELECT FROM placed)
  ON CONFLICT (host) DO UPDATE
    SET next_allowed_at =
      greatest(h.next_allowed_at, clock_timestamp()) + make_interval(secs => :span)
    WHERE (h.held_until IS NULL OR h.held_until <= clock_timestamp())
      AND (h.next_allowed_at IS NULL
        OR h.next_allowed_at <= clock_timestamp() + make_interval(secs => :within))
  RETURNING next_allowed_at
), waiting AS (
  INSERT INTO hosts AS h (host, wanted_until)
  SELECT :host, clock_timestamp() + make_interval(secs => :wanted)
  WHERE NOT EXISTS (SELECT FROM free)
    AND NOT EXISTS (SELECT FROM holder WHERE lost IS NOT NULL)
    AND NOT EXISTS (SELECT FROM host WHERE held_until > clock_timestamp())
  ON CONFLICT (host) DO UPDATE SET wanted_until = excluded.wanted_until
)
SELECT
  (SELECT count(*) FROM placed) AS placed, mine.own, mine.until,
  (SELECT extract(epoch FROM next_allowed_at - clock_timestamp())::float8 - :span FROM turned)
    AS after,
  extract(epoch FROM host.next_allowed_at - clock_timestamp())::float8 - :within AS ahead,
  extract(epoch FROM host.held_until - clock_timestamp())::float8 AS held,
  mine.own > 0 AND host.wanted_until > clock_timestamp() AS wanted,
  set_config('synchronous_commit', 'off', true)
FROM mine LEFT JOIN host ON true
""").bindparams(
    bindparam("host", type_=Text),
    bindparam("holder", type_=Text),
    bindparam("per_host", type_=Integer),
    bindparam("places", type_=Integer),
    bindparam("turns", type_=Integer),
    *(bindparam(name, type_=Float) for name in ("span", "lease", "within", "wanted")),
)
_LEAVE = text("""
UPDATE host_places SET until = clock_timestamp()
WHERE host = ANY(:hosts) AND holder = :holder AND until > clock_timestamp()
  AND set_config('synchronous_commit', 'off', true) = 'off'
""")
_FREE = text("DELETE FROM host_places WHERE holder = :holder")
_HOLD = text("""
INSERT INTO hosts AS h (host, held_until)
VALUES (:host, clock_timestamp() + make_interval(secs => :seconds))
ON CONFLICT (host) DO UPDATE SET held_until = greatest(h.held_until, excluded.held_until)
""").bindparams(bindparam("seconds", type_=Float))
_HELD = text("""
SELECT extract(epoch FROM held_until - clock_timestamp())::float8 FROM hosts WHERE host = :host
""")
_FORGET_PLACES = text("""
DELETE FROM host_places WHERE until < clock_timestamp() - make_interval(secs => :seconds)
""").bindparams(bindparam("seconds", type_=Float))
_FORGET_HOSTS = text("""
DELETE FROM hosts
WHERE greatest(next_allowed_at, held_until, wanted_until)
  < clock_timestamp() - make_interval(secs => :seconds)
""").bindparams(bindparam("seconds", type_=Float))
# One look into the index for every host, however much is due there.
_DUE = text("""
WITH RECURSIVE seen(host, due, number) AS (
  (SELECT host, due, 1 FROM captures
   WHERE purpose = :purpose AND host > :beyond ORDER BY host, due LIMIT 1)
  UNION ALL
  SELECT next.host, next.due, seen.number + 1
  FROM seen CROSS JOIN LATERAL (
    SELECT c.host, c.due FROM captures AS c
    WHERE c.purpose = :purpose AND c.host > seen.host ORDER BY c.host, c.due LIMIT 1
  ) AS next
  WHERE seen.number < :looks
)
SELECT seen.host,
  seen.due <= :now
  AND NOT EXISTS (
    SELECT FROM hosts WHERE hosts.host = seen.host AND hosts.held_until > clock_timestamp())
  AND EXISTS (
    SELECT FROM captures AS c JOIN articles AS a ON a.id = c.article_id
    WHERE c.purpose = :purpose AND c.host = seen.host AND c.due <= :now
      AND (c.state = 'due' OR c.state = 'leased' AND c.lease_until <= :now)
      AND a.withdrawn IS NULL
    ORDER BY c.due LIMIT 1
  ) AS is_due
FROM seen ORDER BY seen.number
""").bindparams(bindparam("purpose", type_=Text), bindparam("beyond", type_=Text))
