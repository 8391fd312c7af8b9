"""The schema. Every change here comes with a migration of the same name."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from feedsvc.storage.columns import UTCDateTime, article_column
from feedsvc.storage.columns import metadata as metadata
from feedsvc.storage.feed_tables import article_topics as article_topics
from feedsvc.storage.feed_tables import channels as channels
from feedsvc.storage.feed_tables import feed_files as feed_files
from feedsvc.storage.feed_tables import feed_names as feed_names
from feedsvc.storage.feed_tables import former_feeds as former_feeds
from feedsvc.storage.feed_tables import mended as mended
from feedsvc.storage.feed_tables import pages as pages
from feedsvc.storage.feed_tables import sequence as sequence
from feedsvc.storage.feed_tables import shares as shares
from feedsvc.storage.feed_tables import tombstones as tombstones
from feedsvc.storage.feed_tables import topic_choices as topic_choices
from feedsvc.storage.feed_tables import topics as topics
from feedsvc.storage.fleet_tables import failed_tasks as failed_tasks
from feedsvc.storage.fleet_tables import host_places as host_places
from feedsvc.storage.fleet_tables import hosts as hosts
from feedsvc.storage.fleet_tables import staged_seeds as staged_seeds
from feedsvc.storage.fleet_tables import tallies as tallies
from feedsvc.storage.fleet_tables import workers as workers
from feedsvc.storage.push_tables import push_counts as push_counts
from feedsvc.storage.push_tables import pushes as pushes
from feedsvc.storage.push_tables import subscriptions as subscriptions
from feedsvc.storage.search_tables import documents as documents
from feedsvc.storage.search_tables import unindexed as unindexed

HEAD = "0010"
"""The migration that this schema is; a test holds it to `migrations/versions`."""


seeds = Table(
    "seeds",
    metadata,
    Column("name", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    # Not a foreign key: a record outlives the article it was once loaded as.
    Column("article_id", String(36), index=True),
    Column("line", Integer),
    Column("reason", Text),
    Column("remedy", Text),
    Column("warnings", JSON, nullable=False),
    Column("parser", Integer, nullable=False),
    Column("since", UTCDateTime, nullable=False),
)
# Problems are few among many seeds, and `status` asks for them all the time.
Index(
    "ix_seeds_problem",
    seeds.c.state,
    sqlite_where=seeds.c.state != "loaded",
    postgresql_where=seeds.c.state != "loaded",
)

# So are those of which there is something to say.
Index(
    "ix_seeds_told",
    seeds.c.since,
    sqlite_where=seeds.c.reason.is_not(None),
    postgresql_where=seeds.c.reason.is_not(None),
)

articles = Table(
    "articles",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("url_key", Text, unique=True),
    Column("seed", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("published", UTCDateTime, nullable=False),
    Column("updated", UTCDateTime, nullable=False),
    Column("first_seen", UTCDateTime, nullable=False),
    Column("withdrawn", UTCDateTime),
    Column("topics_version", String(64), nullable=False, index=True),
    # Under which settings it was filed by author, host and so on; empty: none were on.
    Column("filed", String(64), nullable=False, server_default="", index=True),
    Index("ix_articles_published", "published", "id"),
)
# Only the few that are: SQLite would else go through it for all that are not.
Index(
    "ix_articles_withdrawn_id",
    articles.c.withdrawn,
    articles.c.id,
    sqlite_where=articles.c.withdrawn.is_not(None),
    postgresql_where=articles.c.withdrawn.is_not(None),
)

revisions = Table(
    "revisions",
    metadata,
    article_column(primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("recorded", UTCDateTime, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("url", Text),
    Column("author", Text),
    Column("agency", Text),
    Column("credit", Text),
    Column("published", UTCDateTime),
    Column("language", Text),
    Column("image", Text),
    Column("topics", JSON, nullable=False),
)

captures = Table(
    "captures",
    metadata,
    article_column(primary_key=True),
    Column("url", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("due", UTCDateTime),
    Column("lease", String(64)),
    Column("lease_until", UTCDateTime),
    Column("attempts", Integer, nullable=False),
    Column("outcome", String(16), index=True),
    Column("status", Integer),
    Column("cause", Text, nullable=False),
    Column("tried", UTCDateTime),
    # `capture` until a snapshot counts, then `look`: the same queue, another job.
    Column("purpose", String(8), nullable=False, server_default="capture"),
    # How many looks went before: which interval of the schedule is next.
    Column("step", Integer, nullable=False, server_default="0"),
    Index("ix_captures_purpose_due", "purpose", "due"),
    Index("ix_captures_purpose_host_due", "purpose", "host", "due"),
)

# Leased rows are few; what a dead process still holds is looked for at every run.
Index(
    "ix_captures_leased",
    captures.c.lease,
    sqlite_where=captures.c.lease.is_not(None),
    postgresql_where=captures.c.lease.is_not(None),
)

attempts = Table(
    "attempts",
    metadata,
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    article_column(nullable=False),
    Column("url", Text, nullable=False),
    Column("started", UTCDateTime, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("cause", Text, nullable=False),
    Column("status", Integer),
    Column("size", BigInteger, nullable=False),
    Column("next_at", UTCDateTime),
    Column("snapshot_id", String(36)),
    Index("ix_attempts_article_id_started", "article_id", "started"),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("id", String(36), primary_key=True),
    article_column(nullable=False),
    Column("url", Text, nullable=False),
    Column("final_url", Text, nullable=False),
    Column("captured", UTCDateTime, nullable=False),
    Column("status", Integer, nullable=False),
    Column("verdict", String(16), nullable=False, index=True),
    Column("share", Float, nullable=False),
    Column("likely", Text),
    Column("evidence", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("records", Integer, nullable=False),
    Column("requisites", Integer, nullable=False),
    Column("missing", Integer, nullable=False),
    Column("refers", JSON),
    Column("damaged", UTCDateTime),
    # The snapshot whose page this one found unchanged: it holds a revisit record, no payload.
    Column("repeats", String(36)),
    # Which of its records holds the article's picture, and what that is.
    Column("image", JSON(none_as_null=True)),
    Column("thumbnail", JSON(none_as_null=True)),
    # Where another archive has it, if we did not capture it ourselves.
    Column("source", Text),
    Index("ix_snapshots_article_id_captured", "article_id", "captured"),
)

# Damaged ones are few, and the feed about failures asks for them all the time.
Index(
    "ix_snapshots_damaged",
    snapshots.c.damaged,
    sqlite_where=snapshots.c.damaged.is_not(None),
    postgresql_where=snapshots.c.damaged.is_not(None),
)

# How each original is on the web today.
originals = Table(
    "originals",
    metadata,
    article_column(primary_key=True),
    Column("state", String(16), nullable=False),
    Column("since", UTCDateTime, nullable=False),
    Column("looked", UTCDateTime, nullable=False),
    Column("status", Integer),
    Column("cause", Text, nullable=False),
    Column("final_url", Text),
    # When it was first missing in a row: gone only if it still is a day later.
    Column("missed", UTCDateTime),
    Index("ix_originals_state_since", "state", "since", "article_id"),
)

# What an original says now that it did not say before, and the other way round.
changes = Table(
    "changes",
    metadata,
    Column("id", String(36), primary_key=True),
    article_column(nullable=False),
    Column("at", UTCDateTime, nullable=False),
    Column("before_id", String(36), nullable=False),
    Column("after_id", String(36), nullable=False),
    Column("added", Integer, nullable=False),
    Column("removed", Integer, nullable=False),
    Column("difference", JSON, nullable=False),
    Index("ix_changes_at_id", "at", "id"),
    Index("ix_changes_article_id_at", "article_id", "at"),
    Index("ix_changes_after_id", "after_id"),
)

# What the TimeGate offers (RFC 7089): an address, in the form under which captures are found, and
# when it was captured. Only snapshots that count have rows: one for their address, and one for the
# address that led to, if that is another.
mementos = Table(
    "mementos",
    metadata,
    Column("surt", Text, primary_key=True),
    Column("captured", UTCDateTime, primary_key=True),
    Column(
        "snapshot_id",
        String(36),
        ForeignKey("snapshots.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    # SQLite: the key is the table, so that a look-up is one descent.
    sqlite_with_rowid=False,
)

# The record at rest that a later revisit record points to (WARC 1.1 §6.7).
payloads = Table(
    "payloads",
    metadata,
    Column("digest", String(80), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("url", Text, nullable=False),
    Column("date", String(40), nullable=False),
    Column("record_id", String(80), nullable=False),
    Column("snapshot_id", String(36), nullable=False, index=True),
)

# An article taken down on purpose: its address must not come back with the next seed.
forgotten = Table(
    "forgotten",
    metadata,
    Column("article_id", String(36), primary_key=True),
    Column("url_key", Text, index=True),
    Column("since", UTCDateTime, nullable=False),
)

# Bytes that no row needs any more and that are still to be deleted: a crash must not spare them.
removals = Table("removals", metadata, Column("key", Text, primary_key=True))

audit = Table(
    "audit",
    metadata,
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    Column("at", UTCDateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", String(32), nullable=False),
    Column("subject", String(36), nullable=False),
    Column("reason", Text, nullable=False),
    Column("details", JSON, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("job", String(32), primary_key=True),
    Column("started", UTCDateTime, nullable=False),
    Column("ended", UTCDateTime),
    Column("ok", Integer, nullable=False),
    Column("summary", JSON, nullable=False),
    Column("error", Text, nullable=False),
)

facts = Table(
    "facts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False, primary_key=True),
)
# Alembic names its own key so, whatever the naming convention.
alembic_version.primary_key.name = "alembic_version_pkc"
