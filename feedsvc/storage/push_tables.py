"""The schema of push (WebSub): who subscribed to which feed, and whom something is owed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from feedsvc.storage.columns import UTCDateTime, metadata

# One row per callback and document; a lease that ran out counts for nothing and is deleted.
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("callback", Text, nullable=False),
    Column("host", Text, nullable=False, index=True),
    # The feed's file, such as `sport.atom`: whatever base_url is, it is the same subscription.
    Column("name", String(255), nullable=False, index=True),
    Column("secret", Text),
    Column("since", UTCDateTime, nullable=False),
    Column("expires", UTCDateTime, nullable=False, index=True),
)

# The queue: one row per hub and document, per subscription, and per request to be verified. What
# was told stays, with `due` empty, so that a document is not told twice.
pushes = Table(
    "pushes",
    metadata,
    # Kind and a digest of whom and what, so that one thing is owed to somebody once.
    Column("id", String(80), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("url", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("name", String(255), nullable=False, index=True),
    # SHA-256 of the document to be told of, and of the last one that was.
    Column("digest", String(64)),
    Column("told", String(64)),
    Column("told_at", UTCDateTime),
    # What a subscriber asked for and has to confirm.
    Column("mode", String(12)),
    Column("secret", Text),
    Column("lease_seconds", Integer),
    Column("due", UTCDateTime),
    # When the first try of this digest was due: what fails for a day is given up.
    Column("since", UTCDateTime),
    Column("attempts", Integer, nullable=False),
    Column("tried", UTCDateTime),
    Column("cause", Text, nullable=False),
    Column("lease", String(64)),
    Column("lease_until", UTCDateTime),
    Index("ix_pushes_kind_host", "kind", "host"),
)
Index(
    "ix_pushes_kind_due",
    pushes.c.kind,
    pushes.c.due,
    sqlite_where=pushes.c.due.is_not(None),
    postgresql_where=pushes.c.due.is_not(None),
)
Index(
    "ix_pushes_leased",
    pushes.c.lease,
    sqlite_where=pushes.c.lease.is_not(None),
    postgresql_where=pushes.c.lease.is_not(None),
)
# Those that failed are few, and `status` asks for them all the time.
Index(
    "ix_pushes_failing",
    pushes.c.tried,
    sqlite_where=pushes.c.cause != "",
    postgresql_where=pushes.c.cause != "",
)

# How many pushes of each kind ever ended how, for the metrics.
push_counts = Table(
    "push_counts",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("outcome", String(8), primary_key=True),
    Column("count", BigInteger, nullable=False),
)
