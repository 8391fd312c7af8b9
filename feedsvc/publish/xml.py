"""A feed → RSS 2.0 or Atom 1.0 through feedgen, around the faults of feedgen 1.0.0.

feedgen builds each document and each entry; extensions add what it cannot: it writes of an
entry's links only the address, knows neither RFC 5005, RFC 6721 nor dc:creator without an email
address, and formats RFC 822 dates by switching the locale of the whole process. Every entry is
made on its own, so that one that cannot be written is left out and reported while the others
stand.

Documents do not name each other as alternates: of several `rel="alternate"` readers take the
first, or the last, for the page of the feed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from html import escape
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator
from lxml import etree

from feedsvc.model import Entry, Feed, Image
from feedsvc.publish.dates import distinct_updates
from feedsvc.publish.formats import UNCLEAN, Rendered, check_lines, left_out
from feedsvc.publish.kept import Kept
from feedsvc.publish.safe import plain
from feedsvc.text import is_clean

ATOM = "http://www.w3.org/2005/Atom"
DC = "http://purl.org/dc/elements/1.1/"
FH = "http://purl.org/syndication/history/1.0"
AT = "http://purl.org/atompub/tombstones/1.0"
MEDIA = "http://search.yahoo.com/mrss/"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_UNTITLED = "Untitled"

# Elements of plain text, one to a line. RSS Profile: `<` and `&` in them are written as hex
# references, which tells a reader (and the W3C validator) that they are characters, not markup.
_PLAIN_LINE = re.compile(rb"<(?:title|subtitle|name|category|description|dc:creator)[ >].*")

# RSS 2.0 knows GIF, JPEG and PNG.
_RSS_PICTURES = (".gif", ".jpg", ".jpeg", ".png")


def rss(feed: Feed, kept: Kept) -> Rendered:
    """Return a feed as RSS 2.0 (RSS Advisory Board), with the entries that had to be left out."""

    def write(items: list[etree._Element]) -> bytes:
        generator = _generator(feed, "rss", _Channel)
        generator.lastBuildDate(_Unwritten(1970, 1, 1, tzinfo=UTC))
        generator.feedsvc.fill(feed, items)
        return _with_references(generator.rss_str(pretty=True))

    wanted = [_Wanted(entry, ("rss", entry), partial(_rss_item, entry)) for entry in feed.entries]
    return _assembled(wanted, write, closing=b"\n    </item>\n", kept=kept)


def atom(feed: Feed, kept: Kept) -> Rendered:
    """Return a feed as Atom 1.0 (RFC 4287), with the entries that had to be left out."""
    moments = distinct_updates(feed.entries)
    somebody = plain(feed.author) or plain(feed.title) or _UNTITLED

    def write(entries: list[etree._Element]) -> bytes:
        generator = _generator(feed, "atom", _Document)
        generator.updated(max(moments.values(), default=feed.updated))
        generator.feedsvc.fill(feed, entries)
        return _with_references(generator.atom_str(pretty=True))

    wanted = []
    for entry in feed.entries:
        given = (entry, moments[entry.id], entry.author or somebody, feed.language)
        wanted.append(_Wanted(entry, ("atom", *given), partial(_atom_entry, *given)))
    return _assembled(wanted, write, closing=b"\n  </entry>\n", kept=kept)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An entry a document is to hold: what its bytes depend on, and how it is made."""

    entry: Entry
    key: Hashable
    make: Callable[[], etree._Element]


def _assembled(
    wanted: Sequence[_Wanted],
    write: Callable[[list[etree._Element]], bytes],
    *,
    closing: bytes,
    kept: Kept,
) -> Rendered:
    """Return a document: feedgen writes it with the entries that are new, the others are kept.

    An entry's bytes are the same in every document, for they depend on nothing but its key;
    nothing inside an entry looks like where it begins and ends, for there `<` is escaped.
    """
    pieces: list[bytes | None] = [kept.get(one.key) for one in wanted]
    new: dict[int, etree._Element] = {}
    problems: list[str] = []
    for place, (one, piece) in enumerate(zip(wanted, pieces, strict=True)):
        if piece is None:
            try:
                check_lines(one.entry)
                new[place] = one.make()
            except ValueError as error:
                # lxml has words of its own for what check() would have said.
                cause = error if is_clean(one.entry.content) else UNCLEAN
                problems.append(left_out(one.entry, cause))
    head, made, tail = _split(write(list(new.values())), len(new), closing)
    for place, piece in zip(new, made, strict=True):
        pieces[place] = piece
        kept.put(wanted[place].key, piece, size=len(piece))
    written = [piece for piece in pieces if piece is not None]
    return Rendered(b"".join([head, *written, tail]), tuple(problems))


def _split(document: bytes, count: int, closing: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Return what stands before the entries of a document, each of them, and what stands after."""
    opening = closing.replace(b"</", b"<").rstrip(b">\n")
    if not count:
        # The last line of a feed, and the last two of RSS, close what holds the entries.
        end = max(document.rfind(b"  </channel>\n"), 0) or document.rindex(b"</feed>")
        return document[:end], [], document[end:]
    start = document.index(opening) + 1
    pieces: list[bytes] = []
    end = start
    for _ in range(count):
        begin, end = end, document.index(closing, end) + len(closing)
        pieces.append(document[begin:end])
    return document[:start], pieces, document[end:]


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
    if feed.logo and (name == "atom" or feed.logo.lower().endswith(_RSS_PICTURES)):
        generator.logo(feed.logo)
    if feed.rights:
        generator.rights(plain(feed.rights))
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
        return {"dc": DC, **_namespaces(self.feed)}

    def extend_rss(self, root: etree._Element) -> etree._Element:
        channel = root[0]
        _add(channel, "lastBuildDate", format_datetime(self.feed.updated))
        for attributes in _feed_links(self.feed, "rss"):
            etree.SubElement(channel, f"{{{ATOM}}}link", attributes)
        _finish(root, channel, self.feed)
        channel.extend(self.items)
        return root


class _Document:
    """feedgen extension: what it cannot write into an Atom feed, and the entries."""

    def fill(self, feed: Feed, entries: list[etree._Element]) -> None:
        self.feed, self.entries = feed, entries

    def extend_ns(self) -> dict[str, str]:
        # Only where it is used: validators do not know it and warn of that.
        tombs = {"at": AT} if self.feed.tombstones else {}
        return {**_namespaces(self.feed), **tombs}

    def extend_atom(self, root: etree._Element) -> etree._Element:
        for attributes in _feed_links(self.feed, "atom"):
            etree.SubElement(root, "link", attributes)
        _finish(root, root, self.feed)
        for tombstone in self.feed.tombstones:
            said = {"ref": tombstone.entry_id, "when": tombstone.when.isoformat()}
            deleted = etree.SubElement(root, f"{{{AT}}}deleted-entry", said)
            if tombstone.comment:
                _add(deleted, f"{{{AT}}}comment", tombstone.comment)
        root.extend(self.entries)
        return root


def _namespaces(feed: Feed) -> dict[str, str]:
    used = {"fh": FH} if feed.archive else {}
    if any(_thumbnail(entry) for entry in feed.entries):
        used["media"] = MEDIA
    return used


def _feed_links(feed: Feed, name: str) -> list[dict[str, str]]:
    """Return the links to the documents beside a feed (RFC 5005 §4) and to its hub (WebSub §4).

    One hub: RFC 4287 §4.1.1 wants no two links alike in relation and type. The others stand in
    the HTTP header.
    """
    beside = {
        "prev-archive": feed.prev_archive.get(name),
        "next-archive": feed.next_archive.get(name),
        "current": feed.current.get(name),
    }
    links = [
        {"href": url, "rel": relation, "type": f"application/{name}+xml"}
        for relation, url in beside.items()
        if url
    ]
    return [*links, *({"href": hub, "rel": "hub"} for hub in feed.hubs[:1])]


def _finish(root: etree._Element, parent: etree._Element, feed: Feed) -> None:
    """Mark an archive page as one, and say how a browser is to show the document."""
    if feed.archive:
        etree.SubElement(parent, f"{{{FH}}}archive")
    # Without a host: a browser takes it from where the document is, by whatever name that is asked.
    said = f'type="text/css" href={quoteattr(urlsplit(feed.stylesheet).path)}'
    root.addprevious(etree.ProcessingInstruction("xml-stylesheet", said))


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
    links: list[dict[str, str]] = []
    if entry.original:
        links.append({"rel": "via", "href": entry.original, "type": "text/html"})
    if entry.snapshot:
        links.append(
            {
                "rel": "related",
                "href": entry.snapshot.url,
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
        if (picture := entry.image) and picture.media_type and picture.size:
            said = {"url": picture.url, "length": str(picture.size), "type": picture.media_type}
            etree.SubElement(item, "enclosure", said)
        _add_thumbnail(item, entry)
        return item


def _atom_entry(entry: Entry, updated: datetime, author: str, feed_language: str) -> etree._Element:
    made = _entry(entry, _AtomEntry)
    made.updated(updated)
    made.author(name=author)
    element: etree._Element = made.atom_entry()
    if entry.language is not None and entry.language != feed_language:
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
        if (picture := self.entry.image) and picture.media_type and picture.size:
            said = {"rel": "enclosure", "href": picture.url, "type": picture.media_type}
            etree.SubElement(element, "link", said | {"length": str(picture.size)})
        _add_thumbnail(element, self.entry)
        return element


def _thumbnail(entry: Entry) -> Image | None:
    return entry.thumbnail or entry.image


def _add_thumbnail(element: etree._Element, entry: Entry) -> None:
    """Add a picture for lists of entries (Media RSS 1.5.1, `media:thumbnail`)."""
    if picture := _thumbnail(entry):
        said = {"url": picture.url}
        if picture.width and picture.height:
            said |= {"width": str(picture.width), "height": str(picture.height)}
        etree.SubElement(element, f"{{{MEDIA}}}thumbnail", said)


def _add(parent: etree._Element, name: str, text: str) -> etree._Element:
    element = etree.SubElement(parent, name)
    element.text = text
    return element
