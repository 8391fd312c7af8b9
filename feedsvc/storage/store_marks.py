"""What waits to be written: heads and archive pages that were marked, and how far each is shown.

Marks are kept until the end of their transaction and written down there at once, channels by
slug, then pages: so transactions that mark the same channels never wait for each other in a
circle, and each holds the rows for as long as its commit takes. Whoever gives entries their
places holds the same rows first, so that a change is either in what is read, or marked later.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Connection,
    Delete,
    Integer,
    String,
    Update,
    bindparam,
    cast,
    func,
    select,
    update,
)

from feedsvc.model import Task
from feedsvc.storage.dialect import among, chunks, inserting, is_shared
from feedsvc.storage.feed_tables import channels, pages, sequence
from feedsvc.storage.tables import facts

LISTED = "channels listed"
"""The fact that counts how often the list of channels changed."""
DOUBTED = -1
"""What stands for the state that is shown where two publishers met: nobody knows which is."""


@dataclass(frozen=True, slots=True)
class Held:
    """How a channel's head stands at the moment its row is held."""

    dirty: int
    clean: int


@dataclass(slots=True)
class Marks:
    """What a transaction marked and has not written down yet."""

    heads: set[str] = field(default_factory=set)
    pages: set[tuple[str, int]] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    everything: bool = False
    places: set[tuple[str, str, int | None]] = field(default_factory=set)
    """Slug, article and position; None: it had none when it was marked."""
    doubted: set[tuple[str, int | None]] = field(default_factory=set)
    all_doubted: bool = False
    labels: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Slug -> label and definition that the channel is to have."""
    listing: bool = False

    def slugs(self) -> set[str]:
        """Return the channels that are marked, as far as they are named."""
        named = {slug for slug, _ in self.pages} | {slug for slug, _, _ in self.places}
        named |= {slug for slug, _ in self.doubted}
        return self.heads | self.whole | named | set(self.labels)


class MarkStore:
    """Marks, made and taken away."""

    connection: Connection
    marks: Marks
    marked: set[str]
    """Channels whose marks this transaction has written down."""
    listed: bool
    """Whether this transaction changed the list of all feeds."""
    wanted: set[Task]
    """Tasks that a fleet is to do once this transaction is committed."""

    # --- marking ----------------------------------------------------------------------------

    def mark_dirty(self, slugs: Collection[str]) -> None:
        """Note that the heads of those channels have to be written; others are not there."""
        self.marks.heads.update(slugs)

    def mark_whole(self, slugs: Collection[str] | None = None) -> None:
        """Note that heads and archive pages of those channels, or of all, have to be written."""
        if slugs is None:
            self.marks.everything = True
        else:
            self.marks.whole.update(slugs)

    def mark_pages_dirty(self, keys: Collection[tuple[str, int]]) -> None:
        """Note that those archive pages (slug and number) have to be written."""
        self.marks.pages.update(keys)

    def mark_articles_dirty(self, article_ids: Sequence[str]) -> None:
        """Note that something these articles' entries show has changed, wherever they stand."""
        for part in chunks(article_ids):
            rows = self.connection.execute(
                select(sequence.c.slug, sequence.c.article_id, sequence.c.position).where(
                    among(sequence.c.article_id, "ids", shared=is_shared(self.connection)),
                    sequence.c.member == 1,
                ),
                {"ids": part},
            )
            self.mark_places((row.slug, row.article_id, row.position) for row in rows)

    def mark_places(self, places: Any) -> None:
        """Mark the documents in which articles stand: slug, article, position if it has one."""
        self.marks.places.update(places)

    def doubt(self, documents: Collection[tuple[str, int | None]] | None) -> None:
        """Have documents, or all, written again without trust in what is recorded of their bytes.

        Page None is the head.
        """
        if documents is None:
            self.marks.everything = self.marks.all_doubted = True
            return
        self.marks.doubted.update(documents)
        self.mark_dirty({slug for slug, page in documents if page is None})
        self.mark_pages_dirty({(slug, page) for slug, page in documents if page is not None})

    def relabel(self, slug: str, label: str, definition: str) -> None:
        """Give a channel another label; all of its documents show it."""
        self.marks.labels[slug] = (label, definition)
        self.mark_whole([slug])

    def note_listing(self) -> None:
        """Note that the list of all feeds has to be written."""
        self.marks.listing = True

    def settle(self) -> None:
        """Write down the marks made so far; `Database.transaction` does so at its end."""
        marks, self.marks = self.marks, Marks()
        slugs = marks.slugs()
        if slugs or marks.everything:
            self._write_down(marks, slugs)
        if marks.listing:
            self._count_listing()
            self.listed = True

    def _write_down(self, marks: Marks, slugs: set[str]) -> None:
        numbering = self._numbering(None if marks.everything else slugs)
        heads, closed = self._documents(marks, numbering)
        for slug, (label, definition) in sorted(marks.labels.items()):
            self.connection.execute(
                update(channels)
                .where(channels.c.slug == slug)
                .values(label=label, definition=definition)
            )
        raised = update(channels).values(dirty=channels.c.dirty + 1)
        if marks.everything:
            self.connection.execute(raised)
        else:
            for part in chunks(sorted((heads | marks.whole) & set(numbering))):
                named = among(channels.c.slug, "slugs", shared=is_shared(self.connection))
                self.connection.execute(raised.where(named), {"slugs": part})
        raised = update(pages).values(dirty=pages.c.dirty + 1)
        if marks.everything:
            self.connection.execute(raised)
        else:
            for part in chunks(sorted(marks.whole & set(numbering))):
                self.connection.execute(raised.where(pages.c.slug.in_(part)))
            single = {key for key in closed if key[0] not in marks.whole}
            of = pages.c.slug == bindparam("of")
            self.each(raised.where(of, pages.c.number == bindparam("which")), single)
        self._distrust(marks)
        self.marked |= set(numbering)

    def _distrust(self, marks: Marks) -> None:
        if marks.all_doubted:
            for table in (channels, pages):
                self.connection.execute(update(table).values(clean=DOUBTED))
        heads = sorted(slug for slug, page in marks.doubted if page is None)
        for part in chunks(heads):
            self.connection.execute(
                update(channels).where(channels.c.slug.in_(part)).values(clean=DOUBTED)
            )
        of = update(pages).where(
            pages.c.slug == bindparam("of"), pages.c.number == bindparam("which")
        )
        closed = {(slug, page) for slug, page in marks.doubted if page is not None}
        self.each(of.values(clean=DOUBTED), closed)

    def _numbering(self, slugs: set[str] | None) -> dict[str, tuple[int, int]]:
        """Hold the rows of channels, always in the same order; return entries and closed pages."""
        query = select(channels.c.slug, channels.c.entries, channels.c.closed)
        query = query.order_by(channels.c.slug).with_for_update(key_share=True)
        found: dict[str, tuple[int, int]] = {}
        if slugs is None:
            rows = self.connection.execute(query)
            return {row.slug: (row.entries, row.closed) for row in rows}
        for part in chunks(sorted(slugs)):
            named = among(channels.c.slug, "slugs", shared=is_shared(self.connection))
            rows = self.connection.execute(query.where(named), {"slugs": part})
            found |= {row.slug: (row.entries, row.closed) for row in rows}
        return found

    def _documents(
        self, marks: Marks, numbering: Mapping[str, tuple[int, int]]
    ) -> tuple[set[str], set[tuple[str, int]]]:
        """Return the heads and the pages that are marked, now that no place changes any more."""
        heads, closed = set(marks.heads), set(marks.pages)
        joined = self._joined({(slug, one) for slug, one, place in marks.places if place is None})
        for slug, article, known in marks.places:
            entries, count = numbering.get(slug, (0, 0))
            place = joined.get((slug, article)) if known is None else known
            if place is None or place > entries * count:
                heads.add(slug)
            else:
                closed.add((slug, (place - 1) // entries + 1))
        return heads, closed

    def _joined(self, waiting: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Return the places that articles were given since they were marked without one."""
        found: dict[tuple[str, str], int] = {}
        for part in chunks(sorted({article for _, article in waiting})):
            rows = self.connection.execute(
                select(sequence.c.slug, sequence.c.article_id, sequence.c.position).where(
                    among(sequence.c.article_id, "ids", shared=is_shared(self.connection)),
                    sequence.c.position.is_not(None),
                ),
                {"ids": part},
            )
            found |= {(row.slug, row.article_id): row.position for row in rows}
        return {key: place for key, place in found.items() if key in waiting}

    def _count_listing(self) -> None:
        # Counted by the statement itself: of two transactions at once none is lost.
        statement = inserting(self.connection, facts).values(name=LISTED, value="1")
        more = cast(cast(facts.c.value, Integer) + 1, String)
        self.connection.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_={"value": more})
        )

    def each(self, statement: Update | Delete, keys: Collection[tuple[str, Any]]) -> None:
        """Run a statement for every key; of a list of pairs SQLite would read the whole table."""
        if keys:
            rows = [{"of": slug, "which": which} for slug, which in sorted(keys)]
            self.connection.execute(statement, rows)

    # --- what waits -------------------------------------------------------------------------

    def hold_channels(self, slugs: Collection[str]) -> dict[str, Held]:
        """Let nobody mark those channels until the end of this transaction; return their marks.

        Whatever was marked before can be read from here on.
        """
        self.settle()
        query = select(channels.c.slug, channels.c.dirty, channels.c.clean)
        query = query.order_by(channels.c.slug).with_for_update(key_share=True)
        found: dict[str, Held] = {}
        for part in chunks(sorted(slugs)):
            rows = self.connection.execute(query.where(channels.c.slug.in_(part)))
            found |= {row.slug: Held(row.dirty, row.clean) for row in rows}
        return found

    def dirty_slugs(self, *, limit: int | None = None) -> list[str]:
        """Return channels of which a head or an archive page waits, by slug."""
        self.settle()
        waiting = [
            select(table.c.slug).where(table.c.dirty > table.c.clean) for table in (channels, pages)
        ]
        query = waiting[0].union(waiting[1]).order_by("slug").limit(limit)
        return list(self.connection.scalars(query))

    def dirty_pages(self, slugs: Collection[str] | None = None) -> list[tuple[str, int, int, int]]:
        """Return slug, number, mark and shown mark of archive pages that wait, the oldest first."""
        self.settle()
        query = select(pages).where(pages.c.dirty > pages.c.clean)
        query = query.order_by(pages.c.slug, pages.c.number)
        if slugs is None:
            rows = self.connection.execute(query).all()
        else:
            rows = [
                row
                for part in chunks(sorted(slugs))
                for row in self.connection.execute(query.where(pages.c.slug.in_(part)))
            ]
        return [(row.slug, row.number, row.dirty, row.clean) for row in rows]

    def documents_of(self, slug: str) -> list[tuple[str, int | None]]:
        """Return a channel's head and closed pages: its slug and None, or the page."""
        numbers = self.connection.scalars(select(pages.c.number).where(pages.c.slug == slug))
        return [(slug, None), *((slug, number) for number in numbers)]

    def shown_mark(self, slug: str, page: int | None) -> int | None:
        """Return the mark of what a document shows, None if there is no such document."""
        query = select(channels.c.clean).where(channels.c.slug == slug)
        if page is not None:
            query = select(pages.c.clean).where(pages.c.slug == slug, pages.c.number == page)
        return self.connection.scalar(query)

    def mark_clean(self, marks: Mapping[str, int]) -> None:
        """Note that heads show the state of those marks; a later mark stays dirty."""
        statement = update(channels).where(
            channels.c.slug == bindparam("of"), channels.c.clean < bindparam("which")
        )
        self.each(statement.values(clean=bindparam("which")), set(marks.items()))

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
        self.settle()
        total = 0
        for table in (channels, pages):
            query = select(func.count()).where(table.c.dirty > table.c.clean)
            total += self.connection.scalar(query) or 0
        return total
