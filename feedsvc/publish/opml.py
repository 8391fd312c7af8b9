"""The list of all feeds as OPML 2.0, which every feed reader can import."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from feedsvc.model import ALL, Site, Topic
from feedsvc.publish.compose import feed_title, feed_url, home, tidy


def opml(site: Site, topics: Iterable[Topic]) -> bytes:
    """Return `feeds/index.opml`: the feed of all articles, then those of the topics by name.

    ``topics`` are those that have feeds. Each feed is listed once, as Atom. Without dates, so that
    the same topics give the same bytes.
    """
    site = tidy(site)
    unique = {topic.slug: topic for topic in topics if topic.slug != ALL}
    named = sorted(
        unique.values(), key=lambda topic: (feed_title(site, topic).casefold(), topic.slug)
    )
    everything = Topic(slug=ALL, label=ALL)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<opml version="2.0">',
        "  <head>",
        f"    <title>{escape(_readable(feed_title(site, everything)))}</title>",
        f"    <ownerName>{escape(_readable(site.author))}</ownerName>",
        "  </head>",
        "  <body>",
        *(_outline(site, topic) for topic in [everything, *named]),
        "  </body>",
        "</opml>",
        "",
    ]
    return "\n".join(lines).encode("utf-8")


def _outline(site: Site, topic: Topic) -> str:
    title = quoteattr(_readable(feed_title(site, topic)))
    return (
        f'    <outline type="rss" text={title} title={title}'
        f" xmlUrl={quoteattr(feed_url(site, topic.slug, 'atom'))}"
        f" htmlUrl={quoteattr(home(site, topic))}/>"
    )


def _readable(title: str) -> str:
    """Return a title that is the same read as text or as HTML: OPML allows both (2.0, `text`)."""
    return title.replace("<", "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}").replace(
        ">", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
    )
