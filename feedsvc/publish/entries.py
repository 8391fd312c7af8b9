"""An article, or a notice → one entry of a feed, before any format."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from html import escape
from urllib.parse import quote

from feedsvc.model import (
    Archived,
    Article,
    Category,
    Entry,
    FeedItem,
    Image,
    Notice,
    Site,
    Snapshot,
    Topic,
)
from feedsvc.publish.dates import believed, day
from feedsvc.publish.safe import address, language, markup, plain, uri
from feedsvc.urls import host_of

ENTRY_LIMIT = (2 << 20) + 100_000
"""Bytes of one entry's content; a longer article is published as its summary and a link."""
SUMMARY_LIMIT = 1_000
"""Characters of a summary."""
UNTITLED = "Untitled"


def published(article: Article) -> datetime:
    """Return when an article appeared; an impossible date says nothing, so another is taken."""
    return believed(article.published, article.updated)


def article_entry(item: FeedItem, body: str, *, site: Site, entry_link: str) -> Entry:
    """Return the entry of an article whose content is ``body`` and the closing line."""
    article, snapshot = item.article, item.snapshot
    page = _page(article, site)
    original = address(article.url)
    archived = None if snapshot is None else _archived(snapshot, site)
    title = _title(article)
    closing = _closing(article, original, archived, own=site.language)
    return Entry(
        id=article.entry_id,
        title=title,
        link=original if original and entry_link == "original" else page,
        published=published(article),
        updated=believed(article.updated, article.published),
        summary=plain(article.summary, limit=SUMMARY_LIMIT),
        content="\n".join(part for part in (body, closing) if part) or f"<p>{escape(title)}</p>",
        author=plain(article.author or "") or plain(article.agency or "") or None,
        categories=_of_topics(item.topics, site),
        original=original,
        snapshot=archived,
        language=(language(article.language) or "") if article.language else None,
        image=_image(item, site),
        thumbnail=None if snapshot is None else _kept(snapshot, "thumbnail", site),
    )


def notice_entry(notice: Notice, body: str) -> Entry:
    """Return the entry of a notice whose content is ``body``."""
    title = plain(notice.title) or plain(notice.summary, limit=80) or UNTITLED
    return Entry(
        id=f"urn:uuid:{notice.id}",
        title=title,
        link=address(notice.link) or notice.link,
        published=believed(notice.published, notice.updated),
        updated=believed(notice.updated, notice.published),
        summary=plain(notice.summary, limit=SUMMARY_LIMIT),
        content=body or f"<p>{escape(title)}</p>",
        author=plain(notice.author or "") or None,
        categories=_distinct(notice.categories),
        original=address(notice.original),
        snapshot=None,
    )


def illustrated(item: FeedItem, text: str, site: Site) -> str:
    """Return the article's HTML led by its picture, where the text does not show it.

    The picture is the archived one, if its bytes are kept.
    """
    picture = address(item.article.image)
    if picture is None or escape(picture) in text:
        return text.strip()
    shown = _image(item, site)
    source = picture if shown is None else shown.url
    return f'<p><img src="{escape(source)}" alt=""></p>\n{text.strip()}'


def article_teaser(item: FeedItem, site: Site) -> str:
    """Return what stands for an article that is too long: its summary and a link."""
    return _teaser(item.article.summary, _page(item.article, site))


def notice_body(notice: Notice) -> str:
    """Return the HTML of a notice."""
    return markup(notice.html).strip()


def notice_teaser(notice: Notice) -> str:
    """Return what stands for a notice that is too long."""
    return _teaser(notice.summary, notice.link)


def _teaser(summary: str, link: str) -> str:
    words = escape(plain(summary, limit=SUMMARY_LIMIT), quote=False)
    return f'<p>{words}</p>\n<p><a href="{escape(link)}">Read the whole article</a></p>'


def _page(article: Article, site: Site) -> str:
    return f"{site.base_url}/articles/{quote(article.id)}"


def _title(article: Article) -> str:
    """Return the title, else the first words, for no entry may go without (RFC 4287 §4.2.14)."""
    return plain(article.title) or plain(article.summary, limit=80) or UNTITLED


# --- what was archived ----------------------------------------------------------------------


def _archived(snapshot: Snapshot, site: Site) -> Archived:
    return Archived(
        url=f"{site.base_url}/snapshots/{quote(snapshot.id)}/",
        date=snapshot.captured,
        verdict=snapshot.judgement.verdict,
        digest=f"sha256:{snapshot.sha256}",
        size=snapshot.size,
    )


def _image(item: FeedItem, site: Site) -> Image | None:
    """Return the picture of an article: served by us if its bytes are kept, else the original's.

    A picture the article does not name is taken from its page where that has one; but never
    another than the one it names.
    """
    named = address(item.article.image)
    snapshot = item.snapshot
    if snapshot and snapshot.image and named in (None, address(snapshot.image.url)):
        return _kept(snapshot, "image", site)
    return None if named is None else Image(named)


def _kept(snapshot: Snapshot, name: str, site: Site) -> Image | None:
    """Return a snapshot's `image` or `thumbnail` under its address on our site."""
    kept: Image | None = getattr(snapshot, name)
    if kept is None:
        return None
    url = f"{site.base_url}/snapshots/{quote(snapshot.id)}/{name}"
    return Image(url, kept.media_type, kept.size, kept.width, kept.height)


# --- categories -----------------------------------------------------------------------------


def _of_topics(topics: Iterable[Topic], site: Site) -> tuple[Category, ...]:
    """Return one category per topic: an IPTC code in IPTC's scheme, or our own slug in ours."""
    made: list[Category] = []
    for topic in topics:
        label = plain(topic.label) or plain(topic.slug)
        scheme, term = uri(topic.scheme), plain(topic.code or "")
        if scheme is None or not term:
            scheme, term = f"{site.base_url}/topics/", plain(topic.slug)
        made.append(Category(term=term, label=label, scheme=scheme))
    return _distinct(made)


def _distinct(categories: Iterable[Category]) -> tuple[Category, ...]:
    """Return the categories that have a term, each once."""
    made: dict[tuple[str | None, str], Category] = {}
    for category in categories:
        if term := plain(category.term):
            scheme = uri(category.scheme)
            said = Category(term, plain(category.label) or term, scheme)
            made.setdefault((scheme, term), said)
    return tuple(made.values())


# --- the line that leads to the original and to the snapshot --------------------------------


def _closing(article: Article, original: str | None, archived: Archived | None, *, own: str) -> str:
    """Return the closing paragraph; it says no more than is known, and nothing may be known."""
    sentences: list[str] = []
    if original:
        name = escape(plain(re.sub(r"^www\.", "", host_of(original))))
        sentences.append(
            f'Originally published at <a href="{escape(original)}" rel="via external">{name}</a>.'
        )
    if archived:
        words = f"Archived copy of {day(archived.date)}"
        sentences.append(f'<a href="{escape(archived.url)}" rel="related">{words}</a>.')
    for what, who in (("Agency", article.agency), ("Photo", article.credit)):
        if named := plain(who or ""):
            sentences.append(f"{what}: {escape(named, quote=False)}.")
    if not sentences:
        return ""
    foreign = (language(article.language) or own or "en").partition("-")[0] != "en"
    attributes = ' lang="en" dir="ltr"' if foreign else ""
    return f"<p{attributes}><em>{' '.join(sentences)}</em></p>"
