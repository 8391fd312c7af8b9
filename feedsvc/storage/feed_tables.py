"""The schema of what is published: topics, channels, their order, pages, files and names."""

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
    UniqueConstraint,
)

from feedsvc.storage.columns import UTCDateTime, article_column, metadata

topics = Table(
    "topics",
    metadata,
    Column("slug", String(120), primary_key=True),
    Column("label", Text, nullable=False),
    Column("uri", Text),
    Column("scheme", Text),
    Column("code", Text),
    Column("definition", Text, nullable=False),
)

article_topics = Table(
    "article_topics",
    metadata,
    article_column(primary_key=True),
    Column("slug", String(120), ForeignKey("topics.slug"), primary_key=True),
    Column("rank", Integer, nullable=False),
    Column("score", Float, nullable=False),
    Column("source", String(16), nullable=False),
    Index("ix_article_topics_slug_article_id", "slug", "article_id"),
)

topic_choices = Table(
    "topic_choices",
    metadata,
    article_column(primary_key=True),
    Column("slugs", JSON, nullable=False),
    Column("chosen", UTCDateTime, nullable=False),
)

# What a feed is about: everything, a topic, an author, …; its head waits to be written while
# dirty is more than clean.
channels = Table(
    "channels",
    metadata,
    Column("slug", String(160), primary_key=True),
    Column("kind", String(8), nullable=False, index=True),
    Column("label", Text, nullable=False),
    Column("definition", Text, nullable=False),
    Column("dirty", BigInteger, nullable=False),
    Column("clean", BigInteger, nullable=False),
    # How many entries an archive page holds, and how many pages are closed.
    Column("entries", Integer, nullable=False),
    Column("closed", Integer, nullable=False),
)
Index(
    "ix_channels_dirty",
    channels.c.dirty,
    sqlite_where=channels.c.dirty > channels.c.clean,
    postgresql_where=channels.c.dirty > channels.c.clean,
)

# One row per closed archive page, which waits to be written while dirty is more than clean.
pages = Table(
    "pages",
    metadata,
    Column("slug", String(160), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("dirty", BigInteger, nullable=False),
    Column("clean", BigInteger, nullable=False),
)
Index(
    "ix_pages_dirty",
    pages.c.slug,
    pages.c.number,
    sqlite_where=pages.c.dirty > pages.c.clean,
    postgresql_where=pages.c.dirty > pages.c.clean,
)

# Where an entry stands in a channel's sequence; no position yet = joins at the next publish.
sequence = Table(
    "sequence",
    metadata,
    Column("slug", String(120), primary_key=True),
    article_column(primary_key=True, index=True),
    Column("position", BigInteger),
    # 0 once the article left the channel: its place stays its own, should it return.
    Column("member", Integer, nullable=False, server_default="1"),
    # The article's own, here too: pages list a channel by it without sorting all of it.
    Column("published", UTCDateTime),
    UniqueConstraint("slug", "position"),
    Index("ix_sequence_shown", "slug", "member", "published", "article_id"),
)
Index(
    "ix_sequence_joining",
    sequence.c.slug,
    sqlite_where=sequence.c.position.is_(None),
    postgresql_where=sequence.c.position.is_(None),
)

# Entries that were taken back, told for a while in the feeds they stood in (RFC 6721). Of a
# forgotten article this is all that stays, so nothing refers to its row.
tombstones = Table(
    "tombstones",
    metadata,
    Column("slug", String(160), primary_key=True),
    Column("article_id", String(36), primary_key=True, index=True),
    Column("at", UTCDateTime, nullable=False, index=True),
)

# Feeds that once had an address: under which name they go on, None if they do not.
former_feeds = Table(
    "former_feeds",
    metadata,
    Column("slug", String(160), primary_key=True),
    Column("successor", String(160), index=True),
    Column("since", UTCDateTime, nullable=False),
)

# Names that feeds have their ids from where those are not their own: of topics that were renamed.
feed_names = Table(
    "feed_names",
    metadata,
    Column("slug", String(160), primary_key=True),
    Column("named", String(160), nullable=False),
)

# What was told of an article that had to be mended for feeds, as a digest, so that it is told once.
mended = Table(
    "mended",
    metadata,
    article_column(primary_key=True),
    Column("sha256", String(64), nullable=False),
)

# Addresses of feeds that nobody can guess.
shares = Table(
    "shares",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("slug", String(160), nullable=False, index=True),
    Column("created", UTCDateTime, nullable=False),
)

feed_files = Table(
    "feed_files",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("written", UTCDateTime, nullable=False),
    # The channel it shows, None for the index and the stylesheet; the page, None for the head.
    Column("slug", String(160), index=True),
    Column("page", Integer),
    # 1 while nothing is known to need it: it goes at the end of a publication that wrote all else.
    Column("doomed", Integer, nullable=False, server_default="0"),
)
Index(
    "ix_feed_files_doomed",
    feed_files.c.name,
    sqlite_where=feed_files.c.doomed == 1,
    postgresql_where=feed_files.c.doomed == 1,
)
