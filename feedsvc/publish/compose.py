"""Articles → one feed document, before any format: what it says and in which order."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote

from feedsvc.model import ALL, Article, Category, Entry, Feed, FeedItem, Site, Snapshot, Topic
from feedsvc.publish.safe import address, language, markup, plain, uri
from feedsvc.urls import host_of

EMPTY = datetime(2005, 12, 1, tzinfo=UTC)
"""`updated` of a feed without entries, which RFC 4287 §4.1.1 demands all the same: the month of
that RFC. A fixed date, so that the same data gives the same bytes; not the epoch, which
validators find implausible."""

FIRST_YEAR, LAST_YEAR = 1000, 2099
"""An article is dated inside these years: outside, readers misread the date (RFC 5322 §4.3) or
pin the article to the top for ever."""

ENTRY_LIMIT = (2 << 20) + 100_000
"""Bytes of one entry's content; a longer article is published as its summary and a link."""
FEED_LIMIT = 4_500_000
"""Bytes of a feed. Validators and some readers refuse more than 5,000,000, so older entries that
would not fit are published as summary and link."""
_REST = 1_500
"""Bytes of an entry beside its content, about."""

_SUMMARY_LIMIT = 1_000
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def compose_feed(topic: Topic, items: Sequence[FeedItem], *, site: Site, entry_link: str) -> Feed:
    """Return the feed of a topic (or of all, for the slug `all`), newest entry first.

    ``entry_link`` says where entries lead: `article` (our page) or `original` (if there is one).
    The same items give the same feed in whatever order they come; withdrawn articles and second
    copies are left out. Pure; dates come from the articles alone.
    """
    site = tidy(site)
    unique = {item.article.id: item for item in items if item.article.withdrawn is None}
    dated = [(_published(item.article), item.article.id) for item in unique.values()]
    dated.sort(reverse=True)
    entries = tuple(_within_limits((unique[key] for _, key in dated), site, entry_link))
    return Feed(
        id=feed_id(site, topic.slug),
        slug=topic.slug,
        title=feed_title(site, topic),
        subtitle=_subtitle(site, topic),
        home=home(site, topic),
        urls={name: feed_url(site, topic.slug, name) for name in ("rss", "atom")},
        updated=max((entry.updated for entry in entries), default=EMPTY),
        language=site.language,
        author=site.author,
        icon=f"{site.base_url}/favicon.ico",
        entries=entries,
    )


def tidy(site: Site) -> Site:
    """Return a site whose words and address any feed can hold, none of them empty but language."""
    base = address(site.base_url) or site.base_url
    title = plain(site.title) or host_of(base) or "feedsvc"
    author = plain(site.author) or title
    return replace(
        site, title=title, base_url=base, author=author, language=language(site.language) or ""
    )


def feed_id(site: Site, slug: str) -> str:
    """Return the id of a feed: the UUIDv5 of its first address, without the format.

    So both formats name one feed, the same topic published by another site is another feed, and
    a site that moves keeps its feeds (RFC 4287 §4.2.6).
    """
    first = f"{site.first_url or site.base_url}/feeds/{quote(slug)}"
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, first)}"


def feed_url(site: Site, slug: str, name: str) -> str:
    """Return the address of a feed in one format."""
    return f"{site.base_url}/feeds/{quote(slug)}.{name}"


def feed_title(site: Site, topic: Topic) -> str:
    """Return the name of a feed as readers list it."""
    return site.title if topic.slug == ALL else plain(f"{site.title}: {_label(topic)}")


def home(site: Site, topic: Topic) -> str:
    """Return the address of the page about the same articles as a feed."""
    return f"{site.base_url}/" + ("" if topic.slug == ALL else f"topics/{quote(topic.slug)}")


def _label(topic: Topic) -> str:
    label = plain(topic.label) or plain(topic.slug) or "topic"
    return label[0].upper() + label[1:]


def _subtitle(site: Site, topic: Topic) -> str:
    if topic.slug == ALL:
        return plain(f"Every article of {site.title}, with links to originals and archived copies.")
    return plain(topic.definition) or plain(f"Articles about {_label(topic)}.")


# --- one entry ------------------------------------------------------------------------------


def _within_limits(items: Iterator[FeedItem], site: Site, entry_link: str) -> Iterator[Entry]:
    """Yield the entries, the content of some shortened so that the feed stays readable."""
    left = FEED_LIMIT
    for item in items:
        body = _body(item.article)
        size = _written(body)
        if size > min(left, ENTRY_LIMIT):
            body = _shortened(item.article, site)
            size = _written(body)
        left -= size + _REST
        yield _entry(item, body, site, entry_link)


def _written(html: str) -> int:
    """Return how many bytes HTML takes inside XML."""
    extra = 3 * (html.count("<") + html.count(">")) + 4 * html.count("&")
    return extra + (len(html) if html.isascii() else len(html.encode("utf-8")))


def _entry(item: FeedItem, body: str, site: Site, entry_link: str) -> Entry:
    article, snapshot = item.article, item.snapshot
    page = _page(article, site)
    original = address(article.url)
    archived = None if snapshot is None else f"{site.base_url}/snapshots/{quote(snapshot.id)}/"
    title = _title(article)
    closing = _closing(article, original, archived, snapshot, own=site.language)
    return Entry(
        id=article.entry_id,
        title=title,
        link=original if original and entry_link == "original" else page,
        published=_published(article),
        updated=_updated(article),
        summary=plain(article.summary, limit=_SUMMARY_LIMIT),
        content="\n".join(part for part in (body, closing) if part) or f"<p>{escape(title)}</p>",
        author=plain(article.author or "") or plain(article.agency or "") or None,
        categories=_categories(item.topics, site),
        original=original,
        snapshot=archived,
        snapshot_date=None if snapshot is None else snapshot.captured,
        language=(language(article.language) or "") if article.language else None,
        image=address(article.image),
    )


def _page(article: Article, site: Site) -> str:
    return f"{site.base_url}/articles/{quote(article.id)}"


def _title(article: Article) -> str:
    """Return the title, else the first words, for no entry may go without (RFC 4287 §4.2.14)."""
    return plain(article.title) or plain(article.summary, limit=80) or "Untitled"


def _body(article: Article) -> str:
    """Return the article's HTML, led by its picture where the text does not show it."""
    body = markup(article.html).strip()
    image = address(article.image)
    if image is None or escape(image) in body:
        return body
    return f'<p><img src="{escape(image)}" alt=""></p>\n{body}'


def _shortened(article: Article, site: Site) -> str:
    summary = escape(plain(article.summary, limit=_SUMMARY_LIMIT), quote=False)
    page = escape(_page(article, site))
    return f'<p>{summary}</p>\n<p><a href="{page}">Read the whole article</a></p>'


def _categories(topics: Sequence[Topic], site: Site) -> tuple[Category, ...]:
    """Return one category per topic: an IPTC code in IPTC's scheme, or our own slug in ours."""
    made: dict[tuple[str | None, str], Category] = {}
    for topic in topics:
        label = plain(topic.label) or plain(topic.slug)
        scheme, term = uri(topic.scheme), plain(topic.code or "")
        if scheme is None or not term:
            scheme, term = f"{site.base_url}/topics/", plain(topic.slug)
        if term:
            made.setdefault((scheme, term), Category(term=term, label=label, scheme=scheme))
    return tuple(made.values())


# --- the line that leads to the original and to the snapshot --------------------------------


def _closing(
    article: Article,
    original: str | None,
    archived: str | None,
    snapshot: Snapshot | None,
    *,
    own: str,
) -> str:
    """Return the closing paragraph; it says no more than is known, and nothing may be known."""
    sentences: list[str] = []
    if original:
        name = escape(plain(re.sub(r"^www\.", "", host_of(original))))
        sentences.append(
            f'Originally published at <a href="{escape(original)}" rel="via external">{name}</a>.'
        )
    if archived and snapshot:
        words = f"Archived copy of {_day(snapshot.captured)}"
        sentences.append(f'<a href="{escape(archived)}" rel="related">{words}</a>.')
    for what, who in (("Agency", article.agency), ("Photo", article.credit)):
        if named := plain(who or ""):
            sentences.append(f"{what}: {escape(named, quote=False)}.")
    if not sentences:
        return ""
    foreign = (language(article.language) or own or "en").partition("-")[0] != "en"
    attributes = ' lang="en" dir="ltr"' if foreign else ""
    return f"<p{attributes}><em>{' '.join(sentences)}</em></p>"


def _day(when: datetime) -> str:
    """Write a date as `31 May 2024`, whatever the locale (strftime's %B follows it)."""
    when = _utc(when)
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"


# --- dates ----------------------------------------------------------------------------------


def _utc(when: datetime) -> datetime:
    """Return a date in UTC; one that has no zone was stored as UTC."""
    if when.tzinfo is None:
        return when.replace(tzinfo=UTC)
    try:
        return when.astimezone(UTC)
    except OverflowError:
        return when.replace(tzinfo=UTC)


def _plausible(when: datetime) -> bool:
    return FIRST_YEAR <= when.year <= LAST_YEAR


def _published(article: Article) -> datetime:
    """Return when an article appeared; an impossible date says nothing, so another is taken."""
    published = _utc(article.published)
    return published if _plausible(published) else _updated(article)


def _updated(article: Article) -> datetime:
    for when in (_utc(article.updated), _utc(article.published)):
        if _plausible(when):
            return when
    return EMPTY
