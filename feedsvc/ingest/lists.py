"""Lists of addresses in the forms they are kept in: lines, bookmarks, OPML, feeds. Pure.

A document type declaration is refused in XML, so that no entity can be declared and nothing is
fetched or multiplied.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from feedsvc.errors import SeedRejected

MAX_SIZE = 32 << 20
"""Bytes of a list."""
MAX_DEPTH = 200

_BOOKMARK = re.compile(
    r"<a\s[^<>]*?\bhref\s*=\s*(?:\"([^\"<>]*)\"|'([^'<>]*)'|([^\s\"'<>]+))", re.IGNORECASE
)
_BOOKMARKS = (b"<!doctype netscape-bookmark", b"<title>bookmarks", b"<dl", b"<h1>bookmarks")
_ATOM = "http://www.w3.org/2005/Atom "
_RSS_10 = "http://purl.org/rss/1.0/ "
_FEEDS = {"rss", f"{_ATOM}feed", "http://www.w3.org/1999/02/22-rdf-syntax-ns# RDF"}


@dataclass(frozen=True, slots=True)
class Address:
    """An address as a list gives it, and the line it stands in, counted from 1; 0 if unknown."""

    url: str
    line: int = 0


def read_list(content: bytes, *, name: str) -> list[Address]:
    """Return the addresses in a list, each once, in order; its form is told by its beginning.

    Lines (`#` begins a comment), a Netscape bookmarks file, OPML, RSS, Atom or JSON Feed. Raises
    SeedRejected for anything else; ``name`` is what the list is called in that.
    """
    if len(content) > MAX_SIZE:
        raise SeedRejected(
            f"{name} is larger than {MAX_SIZE >> 20} MiB", remedy="Split the list into several"
        )
    head = content[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    found = _form(head)(content, name)
    unique: dict[str, Address] = {}
    for address in found:
        if url := address.url.strip():
            unique.setdefault(url, Address(url, address.line))
    return list(unique.values())


def _form(head: bytes) -> Callable[[bytes, str], Iterator[Address]]:
    lower = head.lower()
    if lower.startswith(b"{"):
        return _json_feed
    if lower.startswith(_BOOKMARKS):
        return _bookmarks
    if lower.startswith((b"<!doctype html", b"<html")):
        return _not_a_list
    return _xml if lower.startswith((b"<", b"\xff\xfe<", b"\xfe\xff")) else _lines


def _not_a_list(_content: bytes, name: str) -> Iterator[Address]:
    raise SeedRejected(
        f"{name} is a web page, not a list of addresses",
        remedy="Give its address itself, or a feed, an OPML or a bookmarks file",
    )


def _lines(content: bytes, name: str) -> Iterator[Address]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SeedRejected(
            f"{name} is not UTF-8 text", remedy="Save it as UTF-8, one address in each line"
        ) from error
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield Address(words[0].removeprefix("<").removesuffix(">"), number)


def _bookmarks(content: bytes, _name: str) -> Iterator[Address]:
    text = content.decode("utf-8", "replace")
    line, place = 1, 0
    for found in _BOOKMARK.finditer(text):
        line += text.count("\n", place, found.start())
        place = found.start()
        url = html.unescape(found[1] or found[2] or found[3] or "")
        if url.lower().startswith(("http://", "https://")):  # not place:, javascript:, feed:
            yield Address(url, line)


def _json_feed(content: bytes, name: str) -> Iterator[Address]:
    try:
        feed = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SeedRejected(f"{name} is not JSON: {error}", remedy="Give a JSON Feed") from error
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list):
        raise SeedRejected(f"{name} is JSON, but no JSON Feed", remedy="Give a JSON Feed")
    for item in items:
        found = item.get("url") or item.get("external_url") if isinstance(item, dict) else None
        if isinstance(found, str):
            yield Address(found)


def _xml(content: bytes, name: str) -> Iterator[Address]:
    reader = _XmlReader(name)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.StartElementHandler = lambda tag, given: reader.start(
        tag, given, parser.CurrentLineNumber
    )
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise SeedRejected(
            f"{name} is not well-formed XML: {expat.errors.messages[error.code]}",
            remedy="Correct it, or fetch it again",
            line=error.lineno,
        ) from error
    if not reader.known:
        raise SeedRejected(
            f"{name} is XML, but neither OPML nor RSS nor Atom",
            remedy="Give a feed, an OPML or a bookmarks file, or one address in each line",
        )
    yield from reader.found


@dataclass
class _XmlReader:
    """Takes the events of an OPML, RSS or Atom document."""

    name: str
    found: list[Address] = field(default_factory=list)
    known: bool = False
    _path: list[str] = field(default_factory=list)
    _link: str = ""
    _line: int = 0

    def refuse(self, *_: object) -> None:
        raise SeedRejected(
            f"{self.name} declares a document type, which is refused",
            remedy="Remove the <!DOCTYPE …> from it",
        )

    def start(self, tag: str, given: dict[str, str], line: int) -> None:
        if not self._path:
            self.known = tag in _FEEDS or tag == "opml"
        self._path.append(tag)
        if len(self._path) > MAX_DEPTH:
            raise SeedRejected(
                f"{self.name} nests more than {MAX_DEPTH} levels", remedy="Give a real feed"
            )
        self._link, self._line = "", line
        if tag == "outline" and self._path[0] == "opml":
            self._outline(given)
        is_page = given.get("rel", "alternate") == "alternate" and given.get("href")
        if is_page and self._path[-2:] == [f"{_ATOM}entry", f"{_ATOM}link"]:
            self.found.append(Address(given["href"], line))

    def _outline(self, given: dict[str, str]) -> None:
        # OPML 2.0: a link has `url`; a subscription's page is `htmlUrl`, its feed no page at all.
        if url := given.get("url") or given.get("htmlUrl"):
            self.found.append(Address(url, self._line))

    def text(self, data: str) -> None:
        self._link += data

    def end(self, tag: str) -> None:
        item_links = (["item", "link"], [f"{_RSS_10}item", f"{_RSS_10}link"])
        if self._path[-2:] in item_links and self._link.strip():
            self.found.append(Address(self._link.strip(), self._line))
        self._path.pop()
        self._link = ""
