"""The schema. Every change here comes with a migration of the same name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

HEAD = "0006"
"""The migration that this schema is; a test holds it to `migrations/versions`."""


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC time: SQLite forgets the zone, PostgreSQL answers in the session's."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _article(**options: Any) -> Column[str]:
    return Column(
        "article_id", String(36), ForeignKey("articles.id", ondelete="CASCADE"), **options
    )


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

articles = Table(
    "articles",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("url_key", Text, unique=True),
    Column("seed", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("published", UTCDateTime, nullable=False, index=True),
    Column("updated", UTCDateTime, nullable=False),
    Column("first_seen", UTCDateTime, nullable=False),
    Column("withdrawn", UTCDateTime, index=True),
    Column("topics_version", String(64), nullable=False, index=True),
)

revisions = Table(
    "revisions",
    metadata,
    _article(primary_key=True),
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

topics = Table(
    "topics",
    metadata,
    Column("slug", String(120), primary_key=True),
    Column("label", Text, nullable=False),
    Column("uri", Text),
    Column("scheme", Text),
    Column("code", Text),
    Column("definition", Text, nullable=False),
    # Its feeds wait to be written while dirty is more than clean.
    Column("dirty", BigInteger, nullable=False),
    Column("clean", BigInteger, nullable=False),
)

article_topics = Table(
    "article_topics",
    metadata,
    _article(primary_key=True),
    Column("slug", String(120), ForeignKey("topics.slug"), primary_key=True),
    Column("rank", Integer, nullable=False),
    Column("score", Float, nullable=False),
    Column("source", String(16), nullable=False),
    Index("ix_article_topics_slug_article_id", "slug", "article_id"),
)

topic_choices = Table(
    "topic_choices",
    metadata,
    _article(primary_key=True),
    Column("slugs", JSON, nullable=False),
    Column("chosen", UTCDateTime, nullable=False),
)

# Where an entry stands in a topic's sequence; no position yet = joins at the next publish.
sequence = Table(
    "sequence",
    metadata,
    Column("slug", String(120), primary_key=True),
    _article(primary_key=True),
    Column("position", BigInteger),
    UniqueConstraint("slug", "position"),
)
Index(
    "ix_sequence_joining",
    sequence.c.slug,
    sqlite_where=sequence.c.position.is_(None),
    postgresql_where=sequence.c.position.is_(None),
)

captures = Table(
    "captures",
    metadata,
    _article(primary_key=True),
    Column("url", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("due", UTCDateTime, index=True),
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
    _article(nullable=False),
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
    _article(nullable=False),
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
    Index("ix_snapshots_article_id_captured", "article_id", "captured"),
)

# How each original is on the web today.
originals = Table(
    "originals",
    metadata,
    _article(primary_key=True),
    Column("state", String(16), nullable=False),
    Column("since", UTCDateTime, nullable=False),
    Column("looked", UTCDateTime, nullable=False),
    Column("status", Integer),
    Column("cause", Text, nullable=False),
    Column("final_url", Text),
    # When it was first missing in a row: gone only if it still is a day later.
    Column("missed", UTCDateTime),
    Index("ix_originals_state_since", "state", "since"),
)

# What an original says now that it did not say before, and the other way round.
changes = Table(
    "changes",
    metadata,
    Column("id", String(36), primary_key=True),
    _article(nullable=False),
    Column("at", UTCDateTime, nullable=False, index=True),
    Column("before_id", String(36), nullable=False),
    Column("after_id", String(36), nullable=False),
    Column("added", Integer, nullable=False),
    Column("removed", Integer, nullable=False),
    Column("difference", JSON, nullable=False),
    Index("ix_changes_article_id_at", "article_id", "at"),
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

feed_files = Table(
    "feed_files",
    metadata,
    Column("name", String(160), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("written", UTCDateTime, nullable=False),
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
