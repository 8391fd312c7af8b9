"""Channels: what feeds are about, who belongs to which, and what waits to be written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, select, update

from feedsvc.model import ALL, Channel, ChannelKind, Topic
from feedsvc.storage.advisory import (
    lock_until_commit,
    share_until_commit,
    try_lock_until_commit,
)
from feedsvc.storage.dialect import chunks, insert_missing, is_shared
from feedsvc.storage.feed_tables import channels, former_feeds, sequence, topics
from feedsvc.storage.store_marks import MarkStore
from feedsvc.storage.tables import articles

EVERYTHING = Channel(ChannelKind.ALL, ALL, "All articles")
_FILLING = "filling channels"
"""The lock that is shared by who fills channels, and had alone by who drops some."""

FILED = sequence.c.slug.like("%/%")
"""Memberships by author, agency, host and saved search: `authors/ada-writer`."""
SORTED = sequence.c.slug.not_like("%/%") & (sequence.c.slug != ALL)
"""Memberships in topics."""

_PLACE = (sequence.c.slug == bindparam("of"), sequence.c.article_id == bindparam("which"))

_NAMED = {ChannelKind.AUTHOR, ChannelKind.AGENCY}


class ChannelStore(MarkStore):
    """Channels and their members."""

    connection: Connection

    # --- channels ---------------------------------------------------------------------------

    def channels(self, kinds: Collection[ChannelKind] = tuple(ChannelKind)) -> list[Channel]:
        """Return the channels there are, by slug."""
        query = channel_rows().where(channels.c.kind.in_([str(kind) for kind in kinds]))
        return [to_channel(row) for row in self.connection.execute(query)]

    def channel(self, slug: str) -> Channel | None:
        """Return a channel, None if there is none of that name."""
        row = self.connection.execute(channel_rows().where(channels.c.slug == slug)).first()
        return to_channel(row) if row else None

    def channels_named(self, slugs: Collection[str]) -> list[Channel]:
        """Return those of the slugs' channels that are there."""
        found: list[Channel] = []
        for part in chunks(sorted(slugs)):
            rows = self.connection.execute(channel_rows().where(channels.c.slug.in_(part)))
            found += [to_channel(row) for row in rows]
        return found

    def member_counts(self) -> dict[str, int]:
        """Return how many published articles each channel holds."""
        rows = self.connection.execute(
            select(sequence.c.slug, func.count().label("held"))
            .join(articles, articles.c.id == sequence.c.article_id)
            .where(sequence.c.member == 1, articles.c.withdrawn.is_(None))
            .group_by(sequence.c.slug)
        )
        return {row.slug: row.held for row in rows}

    def ensure_channels(self, wanted: Iterable[Channel]) -> None:
        """Make sure that those channels are there; a name written in several ways is shown best."""
        self.keep_channels()
        by_slug: dict[str, Channel] = {}
        for one in wanted:
            best = by_slug.setdefault(one.slug, one)
            if best.label != one.label and _rank(one.label) > _rank(best.label):
                by_slug[one.slug] = one
        there: dict[str, str] = {}
        for part in chunks(sorted(by_slug)):
            query = select(channels.c.slug, channels.c.label).where(channels.c.slug.in_(part))
            there |= {row.slug: row.label for row in self.connection.execute(query)}
        there |= {slug: label for slug, (label, _) in self.marks.labels.items() if slug in there}
        missing = [one for slug, one in sorted(by_slug.items()) if slug not in there]
        if missing:
            insert_missing(self.connection, channels, [_new_row(one) for one in missing])
            for part in chunks([one.slug for one in missing]):
                self.connection.execute(delete(former_feeds).where(former_feeds.c.slug.in_(part)))
        better = {
            slug: one.label
            for slug, one in by_slug.items()
            if slug in there and one.kind in _NAMED and _rank(one.label) > _rank(there[slug])
        }
        for slug, label in better.items():
            self.relabel(slug, label, by_slug[slug].definition)
        if missing or better:
            self.note_listing()

    def relabel_channels(self, wanted: Iterable[Channel]) -> None:
        """Bring labels and definitions of channels that are there up to date."""
        by_slug = {one.slug: one for one in wanted}
        for one in self.channels():
            new = by_slug.get(one.slug)
            if new is not None and (new.label, new.definition) != (one.label, one.definition):
                self.relabel(one.slug, new.label, new.definition)
                self.note_listing()

    # --- members ----------------------------------------------------------------------------

    def put_members(
        self,
        wanted: Mapping[str, Collection[str]],
        *,
        fresh: Collection[str] = (),
        scope: ColumnElement[bool] = FILED,
    ) -> None:
        """Make articles members of exactly those channels (slugs) of a scope.

        Marks what they leave and join. ``fresh`` articles are in none yet, which saves looking.
        """
        there = self._memberships([one for one in wanted if one not in fresh], scope)
        pairs = {(slug, article) for article, slugs in wanted.items() for slug in slugs}
        left = {
            key: position
            for key, (position, member) in there.items()
            if member and key not in pairs
        }
        back = {key: there[key][0] for key in pairs if key in there and not there[key][1]}
        new = sorted(pairs - set(there))
        self._set_member([key for key, place in left.items() if place is not None], 0)
        self._set_member(list(back), 1)
        self._never_joined([key for key, place in left.items() if place is None])
        dates = self._publication_dates(sorted({article for _, article in new}))
        rows = [
            {
                "slug": slug,
                "article_id": article,
                "position": None,
                "member": 1,
                "published": dates.get(article),
            }
            for slug, article in new
        ]
        insert_missing(self.connection, sequence, rows)
        self.mark_dirty({slug for slug, _ in new})
        self.mark_places((*key, place) for key, place in (left | back).items())
        # What holds nothing any more is dropped when its head is looked at.
        self.mark_dirty({slug for slug, _ in left})

    def _publication_dates(self, article_ids: Sequence[str]) -> dict[str, datetime]:
        found: dict[str, datetime] = {}
        for part in chunks(article_ids):
            query = select(articles.c.id, articles.c.published).where(articles.c.id.in_(part))
            found |= {row.id: row.published for row in self.connection.execute(query)}
        return found

    def _memberships(
        self, article_ids: Sequence[str], scope: ColumnElement[bool]
    ) -> dict[tuple[str, str], tuple[int | None, bool]]:
        found: dict[tuple[str, str], tuple[int | None, bool]] = {}
        for part in chunks(article_ids):
            rows = self.connection.execute(
                select(sequence).where(sequence.c.article_id.in_(part), scope)
            )
            found |= {(row.slug, row.article_id): (row.position, bool(row.member)) for row in rows}
        return found

    def _set_member(self, keys: Sequence[tuple[str, str]], member: int) -> None:
        statement = update(sequence).where(*_PLACE).values(member=member)
        self.each(statement, keys)

    def _never_joined(self, keys: Sequence[tuple[str, str]]) -> None:
        self.each(delete(sequence).where(*_PLACE), keys)

    # --- what waits to be written -----------------------------------------------------------

    def dirty_channels(self) -> list[tuple[Channel, int]]:
        """Return channels whose heads wait to be written, each with its mark."""
        self.settle()
        query = channel_rows().where(channels.c.dirty > channels.c.clean)
        return [(to_channel(row), row.dirty) for row in self.connection.execute(query)]

    def try_dropping(self) -> bool:
        """Take leave to drop channels until the end of the transaction; False: some are being filled.

        Whoever makes sure that channels are there keeps them from going until its own end.
        """
        return not is_shared(self.connection) or try_lock_until_commit(self.connection, _FILLING)

    def await_dropping(self) -> None:
        """Take that leave; the first thing in a transaction, so that nobody waits for its rows."""
        if is_shared(self.connection):
            lock_until_commit(self.connection, _FILLING)

    def keep_channels(self) -> None:
        """Let nobody drop channels until the end of the transaction; they may be filled."""
        if is_shared(self.connection):
            share_until_commit(self.connection, _FILLING)


def channel_rows() -> Any:
    """Return the query for channels by slug, with what is known of their topics."""
    return (
        select(
            channels,
            topics.c.label.label("topic_label"),
            topics.c.uri,
            topics.c.scheme,
            topics.c.code,
            topics.c.definition.label("topic_definition"),
        )
        .outerjoin(topics, topics.c.slug == channels.c.slug)
        .order_by(channels.c.slug)
    )


def to_channel(row: Row[Any]) -> Channel:
    topic = None
    if row.topic_label is not None:
        topic = Topic(
            row.slug, row.topic_label, row.uri, row.scheme, row.code, row.topic_definition
        )
    return Channel(ChannelKind(row.kind), row.slug, row.label, row.definition, topic)


def topic_channel(topic: Topic) -> Channel:
    """Return the channel of a topic."""
    return Channel(ChannelKind.TOPIC, topic.slug, topic.label, topic.definition, topic)


def _new_row(channel: Channel) -> dict[str, Any]:
    return {
        "slug": channel.slug,
        "kind": str(channel.kind),
        "label": channel.label,
        "definition": channel.definition,
        "dirty": 1,
        "clean": 0,
        "entries": 0,
        "closed": 0,
    }


def _rank(label: str) -> tuple[int, str]:
    """Return what orders spellings of one name: with its accents, in mixed case, then any order."""
    accents = sum(not character.isascii() for character in label)
    return accents + (not label.isupper() and not label.islower()), label
