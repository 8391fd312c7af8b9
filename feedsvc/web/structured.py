"""What search engines and readers are told of an article: schema.org's NewsArticle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feedsvc.model import Article, Site, Snapshot, TopicScore
from feedsvc.web.rendering import iso

_HEADLINE = 110
"""Characters of a headline that are read."""


def news_article(
    site: Site, article: Article, *, topics: Sequence[TopicScore], snapshot: Snapshot | None
) -> dict[str, Any]:
    """Return a JSON-LD document; what is not known is left out."""
    page = f"{site.base_url}/articles/{article.id}"
    by = [("Person", article.author), ("Organization", article.agency)]
    found: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "@id": article.entry_id,
        "url": page,
        "mainEntityOfPage": page,
        "headline": article.title[:_HEADLINE],
        "description": article.summary,
        "datePublished": iso(article.published),
        "dateModified": iso(article.updated),
        "author": [{"@type": kind, "name": name} for kind, name in by if name],
        "publisher": {"@type": "Organization", "name": site.title, "url": f"{site.base_url}/"},
        "inLanguage": article.language or site.language,
        "articleSection": [one.topic.label for one in topics],
        "isBasedOn": article.url,
    }
    if snapshot is not None:
        place = f"{site.base_url}/snapshots/{snapshot.id}"
        found["archivedAt"] = f"{place}/"
        if snapshot.image is not None and snapshot.image.size:
            found["image"] = [f"{place}/image"]
    return {name: value for name, value in found.items() if value}
