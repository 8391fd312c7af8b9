"""Sample articles, golden files, and the W3C feed validator's rules that concern our feeds."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from feedsvc.model import Article, FeedItem, Judgement, Site, Snapshot, Topic, Verdict
from feedsvc.urls import article_id

GOLDEN = Path(__file__).parent.parent / "data" / "publish"
IPTC = "http://cv.iptc.org/newscodes/mediatopic/"

MakeItem = Callable[..., FeedItem]
Complaints = Callable[[bytes], list[str]]
Golden = Callable[[str, bytes], None]


@pytest.fixture
def site() -> Site:
    return Site(
        title="Standards Digest",
        base_url="http://127.0.0.1:8080",
        author="The Editors",
        language="en",
    )


@pytest.fixture
def conflict() -> Topic:
    return Topic(
        slug="conflict-war-peace",
        label="conflict, war and peace",
        uri=f"{IPTC}16000000",
        scheme=IPTC,
        code="16000000",
        definition="Wars, and how they end.",
    )


@pytest.fixture
def syndication() -> Topic:
    return Topic(slug="syndication", label="syndication & feeds")


@pytest.fixture
def every() -> Topic:
    return Topic(slug="all", label="all")


@pytest.fixture
def make_item(conflict: Topic) -> MakeItem:
    """Return a maker of items: `make_item(3, title=…, archived=False)`."""

    def make(
        number: int = 1,
        *,
        topics: tuple[Topic, ...] = (conflict,),
        archived: bool = True,
        **fields: Any,
    ) -> FeedItem:
        url = f"https://www.example.org/news/{number}"
        when = datetime(2024, 5, 31, 12, tzinfo=UTC) + timedelta(days=number)
        article = Article(
            id=article_id(url, seed=""),
            title=f"Article {number}",
            html=f"<p>The body of article {number}, with <em>emphasis</em>.</p>",
            text=f"The body of article {number}, with emphasis.",
            summary=f"What article {number} says.",
            url=url,
            author="Ada Writer",
            agency=None,
            credit=None,
            published=when,
            updated=when,
            language=None,
            image=None,
            topics=(),
            revision=1,
            seed=f"seeds/{number}.md",
        )
        article = replace(article, **fields)
        snapshot = Snapshot(
            id=f"01HZ{number:04d}",
            article_id=article.id,
            url=url,
            final_url=url,
            captured=datetime(2024, 6, 1, 23, 30, tzinfo=UTC),
            status=200,
            judgement=Judgement(Verdict.VERIFIED, 1.0),
            key=f"{number}.warc.gz",
            size=1,
            sha256="0" * 64,
            records=3,
        )
        return FeedItem(article, topics, snapshot if archived else None)

    return make


@pytest.fixture
def samples(make_item: MakeItem, conflict: Topic, syndication: Topic) -> list[FeedItem]:
    """Return articles of every kind a feed meets."""
    return [
        make_item(
            1,
            title="Ceasefire holds: “R&D” of <peace>",
            summary="Guns are silent & 3 < 4, says the ministry.",
            agency="Example Press",
            credit="Jo Lens / Example Press",
            topics=(conflict, syndication),
        ),
        make_item(
            2,
            title="Ленты новостей",
            html="<p>Текст статьи со ссылкой на <a href='https://example.org/?a=1&amp;b=2'>RFC</a>.</p>",
            summary="Текст статьи со ссылкой на RFC.",
            language="ru",
            author=None,
        ),
        make_item(
            3,
            url=None,
            archived=False,
            author=None,
            title="A note of our own",
            image="https://example.org/picture.png",
        ),
        make_item(
            4, archived=False, html="<pre><code>if (a &lt; b) x = y[[0]]&gt;1;\n</code></pre>"
        ),
        make_item(5, published=datetime(2024, 6, 1, 12, tzinfo=UTC)),
    ]


@pytest.fixture
def golden() -> Golden:
    """Return a comparison with a file in tests/data/publish (FEEDSVC_WRITE_GOLDEN=1 writes it)."""

    def compare(name: str, data: bytes) -> None:
        path = GOLDEN / name
        if os.environ.get("FEEDSVC_WRITE_GOLDEN"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        assert data.decode() == path.read_bytes().decode()

    return compare


# --- the validator's rules ------------------------------------------------------------------

ATOM = "{http://www.w3.org/2005/Atom}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
KNOWN = {
    "http://www.w3.org/2005/Atom",
    "http://purl.org/rss/1.0/modules/content/",
    "http://purl.org/dc/elements/1.1/",
}
REGISTERED = {"alternate", "self", "via", "related"}
URI = re.compile(r"[a-zA-Z][0-9a-zA-Z+\-.]*:(//)?[0-9a-zA-Z;/?:@&=+$.\-_!~*'()%,#]+")
UUID = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
RFC_822 = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) (\w{3}) (\d{4}) \d\d:\d\d:\d\d \+0000")
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905
BAD_CHARACTER = re.compile("[\x80-\x9f\ufffd]")
END_TAG = re.compile(r"</\w+>")
REFERENCE = re.compile(r"(?:src|href)=[\"']([^\"']*)[\"']")


def _uri(text: str | None) -> bool:
    return text is not None and URI.fullmatch(text) is not None


def _rfc_822(text: str | None) -> bool:
    found = RFC_822.fullmatch(text or "")
    if found is None or found[3] not in MONTHS:
        return False
    day = date(int(found[4]), MONTHS.index(found[3]) + 1, int(found[2]))
    return ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day.weekday()] == found[1]


def _common(data: bytes, root: etree._Element) -> Iterator[str]:
    if len(data) > 5_000_000:
        yield "ValidatorLimit"
    for element in root.iter():
        if not KNOWN.issuperset(element.nsmap.values()):
            yield "UnknownNamespace"
        if BAD_CHARACTER.search(" ".join([element.text or "", *map(str, element.attrib.values())])):
            yield f"BadCharacters {element.tag}"
    for link in root.iter(f"{ATOM}link"):
        if link.get("rel") not in REGISTERED:
            yield f"UnregisteredAtomLinkRel {link.get('rel')}"
        if not _uri(link.get("href")) or link.get("title") == "":
            yield f"InvalidLink or AttrNotBlank {link.get('href')}"


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
    if [link.get("rel") for link in channel.findall(f"{ATOM}link")] != ["self"]:
        yield "MissingAtomSelfLink"
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
    if not _uri(item.findtext("link")) or not _rfc_822(item.findtext("pubDate")):
        yield "InvalidFullLink or InvalidRFC2822Date"
    for html in (item.findtext("description"), item.findtext(CONTENT)):
        for url in REFERENCE.findall(html or ""):
            if not re.match(r"\w+:", url):
                yield f"ContainsRelRef {url}"


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
    yield from _texts(data, [*root.iter(f"{ATOM}title"), *root.iter(f"{ATOM}name")])


def _atom_entry(entry: etree._Element) -> Iterator[str]:
    yield from _once(entry, *(ATOM + name for name in ("id", "title", "updated", "published")))
    yield from _once(entry, f"{ATOM}content", f"{ATOM}author/{ATOM}name")
    if not UUID.fullmatch(entry.findtext(f"{ATOM}id") or ""):
        yield "InvalidUUID"
    if [link.get("rel") for link in entry.findall(f"{ATOM}link")].count("alternate") != 1:
        yield "DuplicateAtomLink or MissingContentOrAlternate"
    for html in [*entry.findall(f"{ATOM}summary"), *entry.findall(f"{ATOM}content")]:
        if html.get("type") != "html" or not (html.text or "").strip():
            yield f"NotBlank or wrong type {html.tag}"
    for category in entry.findall(f"{ATOM}category"):
        if not (category.get("term") and category.get("label") and _uri(category.get("scheme"))):
            yield f"bad category {category.get('term')}"


@pytest.fixture
def complaints() -> Complaints:
    """Return the errors and warnings of a feed, by the W3C validator's names."""

    def judge(data: bytes) -> list[str]:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
        rules = _rss if root.tag == "rss" else _atom
        return [*_common(data, root), *rules(data, root)]

    return judge
