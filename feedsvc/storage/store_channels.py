"""Channels: what feeds are about, who belongs to which, and what waits to be written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Row,
    Update,
    bindparam,
    delete,
    func,
    select,
    update,
)

from feedsvc.model import ALL, Channel, ChannelKind, Topic
from feedsvc.storage.dialect import chunks, insert_missing, upsert
from feedsvc.storage.feed_tables import channels, former_feeds, pages, sequence, topics
from feedsvc.storage.tables import articles, facts

EVERYTHING = Channel(ChannelKind.ALL, ALL, "All articles")
LISTED = "channels listed"
"""The fact that counts how often the list of channels changed."""

FILED = sequence.c.slug.like("%/%")
"""Memberships by author, agency, host and saved search: `authors/ada-writer`."""
SORTED = sequence.c.slug.not_like("%/%") & (sequence.c.slug != ALL)
"""Memberships in topics."""

_PLACE = (sequence.c.slug == bindparam("of"), sequence.c.article_id == bindparam("which"))

_NAMED = {ChannelKind.AUTHOR, ChannelKind.AGENCY}


class ChannelStore:
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
        by_slug: dict[str, Channel] = {}
        for one in wanted:
            best = by_slug.setdefault(one.slug, one)
            if best.label != one.label and _rank(one.label) > _rank(best.label):
                by_slug[one.slug] = one
        there: dict[str, str] = {}
        for part in chunks(sorted(by_slug)):
            query = select(channels.c.slug, channels.c.label).where(channels.c.slug.in_(part))
            there |= {row.slug: row.label for row in self.connection.execute(query)}
        missing = [one for slug, one in by_slug.items() if slug not in there]
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
            self._relabel(slug, label, by_slug[slug].definition)
        if missing or better:
            self.note_listing()

    def relabel_channels(self, wanted: Iterable[Channel]) -> None:
        """Bring labels and definitions of channels that are there up to date."""
        by_slug = {one.slug: one for one in wanted}
        for one in self.channels():
            new = by_slug.get(one.slug)
            if new is not None and (new.label, new.definition) != (one.label, one.definition):
                self._relabel(one.slug, new.label, new.definition)
                self.note_listing()

    def _relabel(self, slug: str, label: str, definition: str) -> None:
        self.connection.execute(
            update(channels)
            .where(channels.c.slug == slug)
            .values(label=label, definition=definition)
        )
        self.mark_whole([slug])

    def note_listing(self) -> None:
        """Note that the list of all feeds has to be written."""
        query = select(facts.c.value).where(facts.c.name == LISTED)
        count = int(self.connection.scalar(query) or 0)
        upsert(self.connection, facts, [{"name": LISTED, "value": str(count + 1)}])

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
        moved = [(slug, place) for (slug, _), place in (left | back).items()]
        self._mark_places(moved)
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
        self._each(statement, keys)

    def _never_joined(self, keys: Sequence[tuple[str, str]]) -> None:
        self._each(delete(sequence).where(*_PLACE), keys)

    def _each(self, statement: Update | Delete, keys: Collection[tuple[str, Any]]) -> None:
        """Run a statement for every key; of a list of pairs SQLite would read the whole table."""
        if keys:
            rows = [{"of": slug, "which": which} for slug, which in sorted(keys)]
            self.connection.execute(statement, rows)

    # --- what waits to be written -----------------------------------------------------------

    def mark_dirty(self, slugs: Collection[str]) -> None:
        """Note that the heads of those channels have to be written; others are not there."""
        for part in chunks(sorted(slugs)):
            self.connection.execute(
                update(channels).where(channels.c.slug.in_(part)).values(dirty=channels.c.dirty + 1)
            )

    def mark_whole(self, slugs: Collection[str] | None = None) -> None:
        """Note that heads and archive pages of those channels, or of all, have to be written."""
        for table in (channels, pages):
            statement = update(table).values(dirty=table.c.dirty + 1)
            if slugs is None:
                self.connection.execute(statement)
                continue
            for part in chunks(sorted(slugs)):
                self.connection.execute(statement.where(table.c.slug.in_(part)))

    def mark_articles_dirty(self, article_ids: Sequence[str]) -> None:
        """Note that something these articles' entries show has changed, wherever they stand."""
        for part in chunks(article_ids):
            rows = self.connection.execute(
                select(sequence.c.slug, sequence.c.position).where(
                    sequence.c.article_id.in_(part), sequence.c.member == 1
                )
            )
            self._mark_places([(row.slug, row.position) for row in rows])

    def _mark_places(self, places: Collection[tuple[str, int | None]]) -> None:
        """Mark the documents that hold those positions of channels."""
        numbering: dict[str, tuple[int, int]] = {}
        for part in chunks(sorted({slug for slug, _ in places})):
            query = select(channels.c.slug, channels.c.entries, channels.c.closed)
            rows = self.connection.execute(query.where(channels.c.slug.in_(part)))
            numbering |= {row.slug: (row.entries, row.closed) for row in rows}
        heads: set[str] = set()
        closed: set[tuple[str, int]] = set()
        for slug, position in places:
            entries, count = numbering.get(slug, (0, 0))
            if position is None or position > entries * count:
                heads.add(slug)
            else:
                closed.add((slug, (position - 1) // entries + 1))
        self.mark_dirty(heads)
        self.mark_pages_dirty(closed)

    def mark_pages_dirty(self, keys: Collection[tuple[str, int]]) -> None:
        """Note that those archive pages (slug and number) have to be written."""
        statement = update(pages).where(
            pages.c.slug == bindparam("of"), pages.c.number == bindparam("which")
        )
        self._each(statement.values(dirty=pages.c.dirty + 1), keys)

    def dirty_channels(self) -> list[tuple[Channel, int]]:
        """Return channels whose heads wait to be written, each with its mark."""
        query = channel_rows().where(channels.c.dirty > channels.c.clean)
        return [(to_channel(row), row.dirty) for row in self.connection.execute(query)]

    def dirty_pages(self) -> list[tuple[str, int, int]]:
        """Return slug, number and mark of archive pages that wait, the oldest first."""
        rows = self.connection.execute(
            select(pages)
            .where(pages.c.dirty > pages.c.clean)
            .order_by(pages.c.slug, pages.c.number)
        )
        return [(row.slug, row.number, row.dirty) for row in rows]

    def mark_clean(self, marks: Mapping[str, int]) -> None:
        """Note that heads show the state of those marks; a later mark stays dirty."""
        for slug, mark in sorted(marks.items()):
            self.connection.execute(
                update(channels)
                .where(channels.c.slug == slug, channels.c.clean < mark)
                .values(clean=mark)
            )

    def mark_pages_clean(self, marks: Mapping[tuple[str, int], int]) -> None:
        """Note that archive pages show the state of those marks; a later mark stays dirty."""
        for (slug, number), mark in sorted(marks.items()):
            self.connection.execute(
                update(pages)
                .where(pages.c.slug == slug, pages.c.number == number, pages.c.clean < mark)
                .values(clean=mark)
            )

    def count_waiting(self) -> int:
        """Return how many feeds and archive pages wait to be written."""
        total = 0
        for table in (channels, pages):
            query = select(func.count()).where(table.c.dirty > table.c.clean)
            total += self.connection.scalar(query) or 0
        return total


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
