"""A feed → RSS 2.0 or Atom 1.0 through feedgen, around the faults of feedgen 1.0.0.

feedgen builds each document and each entry; extensions add what it cannot: it writes of an
entry's links only the address, knows no dc:creator without an email address, and formats RFC 822
dates by switching the locale of the whole process. Every entry is made on its own, so that one
that cannot be written is left out and reported while the others stand.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from typing import Any

from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator
from lxml import etree

from feedsvc.model import Entry, Feed
from feedsvc.publish.formats import Rendered
from feedsvc.publish.safe import plain

ATOM = "http://www.w3.org/2005/Atom"
DC = "http://purl.org/dc/elements/1.1/"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_UNTITLED = "Untitled"

# Elements of plain text, one to a line. RSS Profile: `<` and `&` in them are written as hex
# references, which tells a reader (and the W3C validator) that they are characters, not markup.
_PLAIN_LINE = re.compile(rb"<(?:title|subtitle|name|category|description|dc:creator)[ >].*")

_MICROSECOND = timedelta(microseconds=1)


def rss(feed: Feed) -> Rendered:
    """Return a feed as RSS 2.0 (RSS Advisory Board), with the entries that had to be left out."""
    items, problems = _made(feed, feed.entries, _rss_item)
    generator = _generator(feed, "rss", _Channel)
    generator.lastBuildDate(_Unwritten(1970, 1, 1, tzinfo=UTC))
    generator.feedsvc.fill(feed, items)
    return Rendered(_with_references(generator.rss_str(pretty=True)), problems)


def atom(feed: Feed) -> Rendered:
    """Return a feed as Atom 1.0 (RFC 4287), with the entries that had to be left out."""
    moments = distinct_updates(feed.entries)
    entries, problems = _made(
        feed, feed.entries, lambda entry: _atom_entry(entry, feed, moments[entry.id])
    )
    generator = _generator(feed, "atom", _Document)
    generator.updated(max(moments.values(), default=feed.updated))
    generator.feedsvc.fill(feed, entries)
    return Rendered(_with_references(generator.atom_str(pretty=True)), problems)


def distinct_updates(entries: Sequence[Entry]) -> dict[str, datetime]:
    """Return the moment of every entry's last change, by id, no two the same.

    Articles often carry a date without a time, and validators warn of two entries with one
    atom:updated. A fraction of a second taken from the id tells them apart: the same in every
    feed, whatever else is in it, unless two fractions collide.
    """
    taken: set[datetime] = set()
    moments: dict[str, datetime] = {}
    for entry in sorted(entries, key=lambda entry: entry.id):
        moment = entry.updated
        if not moment.microsecond:
            moment = moment.replace(
                microsecond=zlib.crc32(entry.id.encode(errors="replace")) % 1_000_000
            )
        while moment in taken:
            moment += _MICROSECOND
        taken.add(moment)
        moments[entry.id] = moment
    return moments


def _made(
    feed: Feed, entries: Sequence[Entry], make: Callable[[Entry], etree._Element]
) -> tuple[list[etree._Element], tuple[str, ...]]:
    """Return the entries as elements, and a sentence for each that cannot be one."""
    elements: list[etree._Element] = []
    problems: list[str] = []
    for entry in entries:
        try:
            elements.append(make(entry))
        except (ValueError, TypeError, OverflowError) as error:
            problems.append(
                f"feed {feed.slug}: entry {entry.id} ({plain(entry.title)!r}) left out: {error}"
            )
    return elements, tuple(problems)


def _with_references(document: bytes) -> bytes:
    return _PLAIN_LINE.sub(
        lambda line: line[0].replace(b"&amp;", b"&#x26;").replace(b"&lt;", b"&#x3C;"), document
    )


# --- the document ---------------------------------------------------------------------------


class _Unwritten(datetime):
    """A date feedgen takes for none, so that our extension writes it instead.

    feedgen formats RFC 822 dates by setting the locale of the whole process, under all threads.
    """

    def __bool__(self) -> bool:
        return False


def _generator(feed: Feed, name: str, extension: type[_Channel | _Document]) -> Any:
    """Return feedgen's generator with everything both formats say of a feed."""
    generator = FeedGenerator()
    generator.register_extension("feedsvc", extension, atom=name == "atom", rss=name == "rss")
    generator.id(feed.id)
    generator.title(plain(feed.title) or _UNTITLED)
    generator.subtitle(plain(feed.subtitle) or plain(feed.title) or _UNTITLED)
    generator.author(name=plain(feed.author) or plain(feed.title) or _UNTITLED)
    generator.generator("feedsvc")
    generator.icon(feed.icon)
    generator.ttl(feed.ttl_minutes)
    if feed.language:
        generator.language(feed.language)
    generator.link(href=feed.urls[name], rel="self", type=f"application/{name}+xml")
    # Last: feedgen takes the channel's <link> from whichever link came last.
    generator.link(href=feed.home, rel="alternate", type="text/html")
    return generator


class _Channel:
    """feedgen extension: what it cannot write into an RSS channel, and the items."""

    def fill(self, feed: Feed, items: list[etree._Element]) -> None:
        self.feed, self.items = feed, items

    def extend_ns(self) -> dict[str, str]:
        return {"dc": DC}

    def extend_rss(self, root: etree._Element) -> etree._Element:
        channel = root[0]
        _add(channel, "lastBuildDate", format_datetime(self.feed.updated))
        channel.extend(self.items)
        return root


class _Document:
    """feedgen extension: the entries of an Atom document."""

    def fill(self, feed: Feed, entries: list[etree._Element]) -> None:
        self.feed, self.entries = feed, entries

    def extend_ns(self) -> dict[str, str]:
        return {}

    def extend_atom(self, root: etree._Element) -> etree._Element:
        root.extend(self.entries)
        return root


# --- one entry ------------------------------------------------------------------------------


def _entry(entry: Entry, extension: type[_Item | _AtomEntry]) -> Any:
    """Return feedgen's entry with everything both formats say of it."""
    made = FeedEntry()
    made.register_extension("feedsvc", extension)
    made.feedsvc.entry = entry
    made.id(entry.id)  # also the guid, which is no permalink
    made.title(entry.title or _UNTITLED)
    made.link(href=entry.link, rel="alternate")
    # As HTML in both formats, so it must be escaped; before content(), which it would overwrite.
    if entry.summary:
        made.summary(escape(entry.summary, quote=False), type="html")
    made.content(entry.content, type="html")
    for category in entry.categories:
        said = {"term": category.term, "label": category.label or category.term}
        if category.scheme:
            said["scheme"] = category.scheme
        made.category(said)
    return made


def _links(entry: Entry) -> list[dict[str, str]]:
    """Return where else an entry leads: RFC 4287 §4.2.7.2 names `via` and `related` for it."""
    links = []
    if entry.original:
        links.append({"rel": "via", "href": entry.original, "type": "text/html"})
    if entry.snapshot:
        links.append(
            {
                "rel": "related",
                "href": entry.snapshot,
                "type": "text/html",
                "title": "Archived snapshot",
            }
        )
    return links


def _rss_item(entry: Entry) -> etree._Element:
    item: etree._Element = _entry(entry, _Item).rss_entry()
    return item


class _Item:
    """feedgen extension: what it cannot write into an RSS item."""

    entry: Entry

    def extend_rss(self, item: etree._Element) -> etree._Element:
        entry = self.entry
        _add(item, "pubDate", format_datetime(entry.published))
        _add(item, f"{{{ATOM}}}updated", entry.updated.isoformat())
        if entry.author:
            _add(item, f"{{{DC}}}creator", entry.author)
        if entry.original:
            _add(item, f"{{{DC}}}source", entry.original)
        for link in _links(entry):
            etree.SubElement(item, f"{{{ATOM}}}link", link)
        return item


def _atom_entry(entry: Entry, feed: Feed, updated: datetime) -> etree._Element:
    made = _entry(entry, _AtomEntry)
    made.updated(updated)
    made.author(name=entry.author or plain(feed.author) or plain(feed.title) or _UNTITLED)
    element: etree._Element = made.atom_entry()
    if entry.language is not None and entry.language != feed.language:
        # Empty where it is not known: not the feed's, at any rate (XML 1.0 §2.12).
        element.set(_LANG, entry.language)
    return element


class _AtomEntry:
    """feedgen extension: what it cannot write into an Atom entry."""

    entry: Entry

    def extend_atom(self, element: etree._Element) -> etree._Element:
        _add(element, "published", self.entry.published.isoformat())
        # feedgen has written the address of the alternate link and nothing else of it.
        for link in element.iterchildren("link"):
            link.set("rel", "alternate")
            link.set("type", "text/html")
        for attributes in _links(self.entry):
            etree.SubElement(element, "link", attributes)
        return element


def _add(parent: etree._Element, name: str, text: str) -> etree._Element:
    element = etree.SubElement(parent, name)
    element.text = text
    return element
