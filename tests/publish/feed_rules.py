"""The rules feeds are judged by: the W3C feed validator's for RSS and Atom, and JSON Feed 1.1.

The names are the validator's. It does not know JSON Feed, so those rules are the format's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from lxml import etree

ATOM = "{http://www.w3.org/2005/Atom}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
FH = "{http://purl.org/syndication/history/1.0}"
MEDIA = "{http://search.yahoo.com/mrss/}"
AT = "{http://purl.org/atompub/tombstones/1.0}"
KNOWN = {
    "http://www.w3.org/2005/Atom",
    "http://purl.org/rss/1.0/modules/content/",
    "http://purl.org/dc/elements/1.1/",
    FH.strip("{}"),
    MEDIA.strip("{}"),
}
HISTORY = {"current", "prev-archive", "next-archive"}
REGISTERED = HISTORY | {"alternate", "self", "via", "related", "enclosure", "hub"}
URI = re.compile(r"[a-zA-Z][0-9a-zA-Z+\-.]*:(//)?[0-9a-zA-Z;/?:@&=+$.\-_!~*'()%,#]+")
UUID = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")
RFC_822 = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) (\w{3}) (\d{4}) \d\d:\d\d:\d\d \+0000")
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905 - reads better
BAD_CHARACTER = re.compile("[\x80-\x9f\ufffd]")
END_TAG = re.compile(r"</\w+>")
REFERENCE = re.compile(r"(?:src|href)=[\"']([^\"']*)[\"']")


def _uri(text: object) -> bool:
    return isinstance(text, str) and URI.fullmatch(text) is not None


def _rfc_822(text: str | None) -> bool:
    found = RFC_822.fullmatch(text or "")
    if found is None or found[3] not in MONTHS:
        return False
    day = date(int(found[4]), MONTHS.index(found[3]) + 1, int(found[2]))
    return ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day.weekday()] == found[1]


def complain(data: bytes) -> list[str]:
    """Return the errors and warnings of a feed in any format."""
    if data.startswith(b"{"):
        return list(_json(data))
    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    rules = _rss if root.tag == "rss" else _atom
    return [*_common(data, root), *rules(data, root)]


def _common(data: bytes, root: etree._Element) -> Iterator[str]:
    if len(data) > 5_000_000:
        yield "ValidatorLimit"
    known = KNOWN
    if root.find(f"{AT}deleted-entry") is not None:
        known = KNOWN | {AT.strip("{}")}  # the one warning there is no way around
    for element in root.iter():
        if not known.issuperset(element.nsmap.values()):
            yield "UnknownNamespace"
        if BAD_CHARACTER.search(" ".join([element.text or "", *map(str, element.attrib.values())])):
            yield f"BadCharacters {element.tag}"
    for link in root.iter(f"{ATOM}link"):
        yield from _link(link)
    for thumbnail in root.iter(f"{MEDIA}thumbnail"):
        numbers = [thumbnail.get(name, "1") for name in ("width", "height")]
        if not _uri(thumbnail.get("url")) or not all(map(_positive, numbers)):
            yield "InvalidFullLink or InvalidIntegerAttribute thumbnail"
    yield from _history(root)


def _link(link: etree._Element) -> Iterator[str]:
    parent = link.getparent()
    relation = link.get("rel")
    if relation not in REGISTERED:
        yield f"UnregisteredAtomLinkRel {relation}"
    if not _uri(link.get("href")) or link.get("title") == "":
        yield f"InvalidLink or AttrNotBlank {link.get('href')}"
    if relation in HISTORY and parent is not None and parent.tag in ("item", f"{ATOM}entry"):
        yield "FeedHistoryRelInEntry"
    if not MEDIA_TYPE.fullmatch(link.get("type", "a/b")):
        yield "InvalidMIMEType"
    if relation == "enclosure" and not _positive(link.get("length")):
        yield "InvalidIntegerAttribute length"


def _history(root: etree._Element) -> Iterator[str]:
    """Judge what a document says of its place (RFC 5005 §4)."""
    top = root[0] if root.tag == "rss" else root
    beside = {link.get("rel") for link in top.findall(f"{ATOM}link")} & HISTORY
    archive = top.find(f"{FH}archive") is not None
    if archive and not beside & {"prev-archive", "next-archive"}:
        yield "ArchiveIncomplete"
    if archive != ("current" in beside) or (not archive and "next-archive" in beside):
        yield f"out of place {archive} {beside}"


def _positive(text: str | None) -> bool:
    return text is not None and text.isdecimal() and int(text) > 0


def _texts(data: bytes, elements: Iterable[etree._Element]) -> Iterator[str]:
    """Judge plain texts: blank, or taken for HTML (ContainsHTML, CharacterData)."""
    lines = data.split(b"\n")
    for element in elements:
        text = element.text or ""
        if not text.strip():
            yield f"NotBlank {element.tag}"
        doubtful = re.search(r"&#?\w|<[/a-zA-Z]", text)
        if END_TAG.search(text) or (doubtful and b"&#x" not in lines[_line(element) - 1]):
            yield f"ContainsHTML {text!r}"


def _line(element: etree._Element) -> int:
    return int(str(element.sourceline))


def _once(parent: etree._Element, *names: str) -> Iterator[str]:
    for name in names:
        if [bool(found.text) for found in parent.findall(name)] != [True]:
            yield f"MissingElement or DuplicateElement {parent.tag} {name}"


def _distinct(warning: str, values: list[str | None]) -> Iterator[str]:
    if len(set(values)) < len(values):
        yield warning


def _rss(data: bytes, root: etree._Element) -> Iterator[str]:
    channel = root[0]
    yield from _once(channel, "title", "link", "description", "docs", "generator", "ttl")
    if [link.get("rel") for link in channel.findall(f"{ATOM}link")].count("self") != 1:
        yield "MissingAtomSelfLink"
    for image in channel.findall("image"):
        if [image.findtext(name) for name in ("title", "link")] != [
            channel.findtext(name) for name in ("title", "link")
        ]:
            yield "ImageTitleDoesntMatch or ImageLinkDoesntMatch"
        if not re.search(r"\.(jpe?g|gif|png)$", image.findtext("url") or ""):
            yield "ImageUrlFormat"
    if not _rfc_822(channel.findtext("lastBuildDate")) or not _uri(channel.findtext("link")):
        yield "InvalidRFC2822Date or InvalidFullLink"
    items = channel.findall("item")
    if [child.tag for child in channel][len(channel) - len(items) :] != ["item"] * len(items):
        yield "MisplacedItem"
    yield from _distinct("DuplicateValue guid", [item.findtext("guid") for item in items])
    for item in items:
        yield from _rss_item(item)
    yield from _texts(data, [*root.iter("title"), *root.iter("category")])


def _rss_item(item: etree._Element) -> Iterator[str]:
    yield from _once(item, "title", "link", "guid", "pubDate", "description")
    tags = [str(child.tag) for child in item]
    if CONTENT in tags and tags.index(CONTENT) < tags.index("description"):
        yield "NeedDescriptionBeforeContent"
    if [guid.get("isPermaLink") for guid in item.findall("guid")] != ["false"]:
        yield "InvalidPermalink"
    yield from _enclosures(item.findall("enclosure"))
    if not _uri(item.findtext("link")) or not _rfc_822(item.findtext("pubDate")):
        yield "InvalidFullLink or InvalidRFC2822Date"
    for html in (item.findtext("description"), item.findtext(CONTENT)):
        for url in REFERENCE.findall(html or ""):
            if not re.match(r"\w+:", url):
                yield f"ContainsRelRef {url}"


def _enclosures(enclosures: list[etree._Element]) -> Iterator[str]:
    if len(enclosures) > 1:
        yield "DuplicateEnclosure"
    for enclosure in enclosures:
        if not _positive(enclosure.get("length")) or not _uri(enclosure.get("url")):
            yield "InvalidIntegerAttribute or InvalidHttpUrl enclosure"
        if not MEDIA_TYPE.fullmatch(enclosure.get("type") or ""):
            yield "InvalidMIMEAttribute"


def _atom(data: bytes, root: etree._Element) -> Iterator[str]:
    yield from _once(
        root, f"{ATOM}id", f"{ATOM}title", f"{ATOM}updated", f"{ATOM}author/{ATOM}name"
    )
    links = [f"{link.get('rel')} {link.get('type')}" for link in root.findall(f"{ATOM}link")]
    yield from _distinct("DuplicateAtomLink", [*links])
    if "self application/atom+xml" not in links:
        yield "MissingSelf"
    entries = root.findall(f"{ATOM}entry")
    if [child.tag for child in root][len(root) - len(entries) :] != [f"{ATOM}entry"] * len(entries):
        yield "MisplacedMetadata"
    for name, warning in (("id", "DuplicateEntries"), ("updated", "DuplicateUpdated")):
        yield from _distinct(warning, [entry.findtext(ATOM + name) for entry in entries])
    for moment in [*root.iter(f"{ATOM}updated"), *root.iter(f"{ATOM}published")]:
        if not RFC_3339.fullmatch(moment.text or ""):
            yield f"InvalidRFC3339Date {moment.text}"
    for entry in entries:
        yield from _atom_entry(entry)
    yield from _pictures_and_tombstones(root)
    yield from _texts(data, [*root.iter(f"{ATOM}title"), *root.iter(f"{ATOM}name")])


def _pictures_and_tombstones(root: etree._Element) -> Iterator[str]:
    for picture in [*root.findall(f"{ATOM}icon"), *root.findall(f"{ATOM}logo")]:
        if not _uri(picture.text):
            yield "InvalidURI"
    living = {found.text for found in root.iterfind(f"{ATOM}entry/{ATOM}id")}
    for deleted in root.findall(f"{AT}deleted-entry"):
        if not RFC_3339.fullmatch(deleted.get("when", "")) or deleted.get("ref") in living:
            yield f"RFC 6721: {deleted.get('ref')} {deleted.get('when')}"


def _atom_entry(entry: etree._Element) -> Iterator[str]:
    yield from _once(entry, *(ATOM + name for name in ("id", "title", "updated", "published")))
    yield from _once(entry, f"{ATOM}content", f"{ATOM}author/{ATOM}name")
    if not UUID.fullmatch(entry.findtext(f"{ATOM}id") or ""):
        yield "InvalidUUID"
    links = entry.findall(f"{ATOM}link")
    if [link.get("rel") for link in links].count("alternate") != 1:
        yield "DuplicateAtomLink or MissingContentOrAlternate"
    yield from _distinct(
        "DuplicateAtomLink", [f"{link.get('rel')} {link.get('type')}" for link in links]
    )
    for html in [*entry.findall(f"{ATOM}summary"), *entry.findall(f"{ATOM}content")]:
        if html.get("type") != "html" or not (html.text or "").strip():
            yield f"NotBlank or wrong type {html.tag}"
    for category in entry.findall(f"{ATOM}category"):
        scheme = category.get("scheme", "urn:x:none")
        if not (category.get("term") and category.get("label") and _uri(scheme)):
            yield f"bad category {category.get('term')}"


# --- JSON Feed 1.1 --------------------------------------------------------------------------

_OF_FEED: Mapping[str, type] = {
    **dict.fromkeys(("version", "title", "description", "user_comment", "language"), str),
    **dict.fromkeys(("home_page_url", "feed_url", "next_url", "icon", "favicon"), str),
    **dict.fromkeys(("authors", "hubs", "items"), list),
    "_feedsvc": dict,
}
_OF_ITEM: Mapping[str, type] = {
    **dict.fromkeys(("id", "url", "external_url", "title", "content_html", "summary"), str),
    **dict.fromkeys(("image", "date_published", "date_modified", "language"), str),
    **dict.fromkeys(("authors", "tags", "attachments"), list),
    "_feedsvc": dict,
}
_ADDRESSES = ("home_page_url", "feed_url", "next_url", "icon", "favicon", "url", "external_url")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd-\uffff\ud800-\udfff]")


def _json(data: bytes) -> Iterator[str]:
    feed = json.loads(data.decode("utf-8"))
    if re.search(rb"(?<!\\)(?:\\\\)*\\u", data):
        yield "needless escape"
    if any(_ILLEGAL.search(text) for text in _strings(feed)):
        yield "characters that XML cannot hold"
    yield from _members(feed, _OF_FEED, ("version", "title", "items", "feed_url", "home_page_url"))
    if feed["version"] != "https://jsonfeed.org/version/1.1":
        yield f"version {feed['version']}"
    for hub in feed.get("hubs", []):
        if hub["type"] != "WebSub" or not _uri(hub["url"]):
            yield f"hub {hub}"
    for item in feed["items"]:
        yield from _item(item)
    yield from _distinct("id", [item.get("id") for item in feed["items"]])


def _item(item: dict[str, Any]) -> Iterator[str]:
    yield from _members(
        item, _OF_ITEM, ("id", "url", "title", "content_html", "date_published", "date_modified")
    )
    for name in ("date_published", "date_modified"):
        if not RFC_3339.fullmatch(item[name]):
            yield f"{name} {item[name]}"
    for attachment in item.get("attachments", []):
        if not _uri(attachment["url"]) or not MEDIA_TYPE.fullmatch(attachment["mime_type"]):
            yield f"attachment {attachment}"
        if not isinstance(attachment["size_in_bytes"], int) or attachment["size_in_bytes"] <= 0:
            yield f"size_in_bytes {attachment}"
    if any(not isinstance(tag, str) or not tag.strip() for tag in item.get("tags", [])):
        yield f"tags {item['tags']}"
    snapshot = item.get("_feedsvc", {}).get("snapshot")
    if snapshot and sorted(snapshot) != ["date", "digest", "size", "url", "verdict"]:
        yield f"_feedsvc {snapshot}"


def _members(
    value: dict[str, Any], types: Mapping[str, type], required: Iterable[str]
) -> Iterator[str]:
    for name in required:
        if not value.get(name) and name != "items":
            yield f"{name} missing"
    for name, member in value.items():
        if (
            name not in types
            or not isinstance(member, types[name])
            or (name in _ADDRESSES and not _uri(member))
        ):
            yield f"{name} {member!r}"
        elif not member and name != "items":
            yield f"{name} empty"
    for author in value.get("authors", []):
        if list(author) != ["name"] or not author["name"].strip():
            yield f"author {author}"


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from (name, *_strings(member))
    elif isinstance(value, list):
        for member in value:
            yield from _strings(member)
