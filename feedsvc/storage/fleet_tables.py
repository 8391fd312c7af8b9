"""The schema of a fleet: who works, and when which host may be asked next."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from feedsvc.storage.columns import UTCDateTime, metadata

# A process that works; its id is the lease under which it holds captures.
workers = Table(
    "workers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("release", Text, nullable=False),
    Column("started", UTCDateTime, nullable=False),
    Column("seen", UTCDateTime, nullable=False, index=True),
    # Seconds by which its clock is ahead of the database's.
    Column("skew", Float, nullable=False),
    Column("stopping", Integer, nullable=False, server_default="0"),
    # What the queue's own table calls it, with commas between.
    Column("numbers", Text, nullable=False, server_default=""),
    # By what it sorts, files and publishes: JSON, file or setting -> digest.
    Column("config", Text, nullable=False, server_default="{}"),
    # When others gave it up, for it had been silent too long.
    Column("lost", UTCDateTime),
)

# When the next request to a host may be sent by anybody, by the database's clock.
hosts = Table(
    "hosts",
    metadata,
    Column("host", Text, primary_key=True),
    Column("next_allowed_at", UTCDateTime),
    # Until when the host wants no request at all.
    Column("held_until", UTCDateTime),
    # Until when somebody waits for a place: who has one gives it up between two bursts.
    Column("wanted_until", UTCDateTime),
)

# Who may have a request under way at a host: as many rows as archive.per_host allows.
host_places = Table(
    "host_places",
    metadata,
    Column("host", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("until", UTCDateTime, nullable=False),
    Index("ix_host_places_holder", "holder"),
)

# How much of what was done, by minute: a row for each worker, so that none waits for another.
tallies = Table(
    "tallies",
    metadata,
    Column("what", String(16), primary_key=True),
    # `epoch`: the sum of all minutes that are no longer kept one by one.
    Column("minute", UTCDateTime, primary_key=True),
    Column("worker", String(64), primary_key=True),
    Column("number", BigInteger, nullable=False),
)

# Seeds that somebody was asked to read, and what they gave until it is stored in order.
staged_seeds = Table(
    "staged_seeds",
    metadata,
    Column("name", Text, primary_key=True),
    Column("batch", String(64), nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    # Software and vocabulary it is read with.
    Column("version", Text, nullable=False),
    Column("asked", UTCDateTime, nullable=False, index=True),
    Column("loaded", LargeBinary),
)

# Tasks that ended badly the last time they were tried, and why.
failed_tasks = Table(
    "failed_tasks",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("since", UTCDateTime, nullable=False),
    Column("tried", UTCDateTime, nullable=False),
    Column("times", Integer, nullable=False),
    Column("cause", Text, nullable=False),
)

PASSING = frozenset({"workers", "hosts", "host_places", "tallies", "failed_tasks", "staged_seeds"})
"""Tables of which nothing is copied: they tell of this moment."""
