"""The list of all feeds as OPML 2.0, which every feed reader can import."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from xml.sax.saxutils import escape, quoteattr

from feedsvc.model import ALL, Channel, ChannelKind, Site
from feedsvc.publish.channels import feed_title, feed_url, home, tidy

_FOLDERS: Mapping[ChannelKind, str] = MappingProxyType(
    {
        ChannelKind.TOPIC: "Topics",
        ChannelKind.AUTHOR: "Authors",
        ChannelKind.AGENCY: "Agencies",
        ChannelKind.HOST: "Sources",
        ChannelKind.SEARCH: "Searches",
        ChannelKind.CHANGES: "Watching",
        ChannelKind.GONE: "Watching",
        ChannelKind.STATUS: "Watching",
    }
)
"""In the order they are listed in; the feed of all articles stands before them."""
_EVERYTHING = Channel(ChannelKind.ALL, ALL, ALL)


def opml(site: Site, channels: Iterable[Channel]) -> bytes:
    """Return `feeds/index.opml`: the feed of all articles, then the others in a folder per kind.

    ``channels`` are those that are listed: no private ones. Each feed is listed once, as Atom,
    which carries the most and which every reader knows; inside a folder by name. Without dates,
    so that the same channels give the same bytes.
    """
    site = tidy(site)
    unique = {channel.slug: channel for channel in channels if channel.kind is not ChannelKind.ALL}
    named = sorted(unique.values(), key=lambda one: (feed_title(site, one).casefold(), one.slug))
    folders: dict[str, list[str]] = {folder: [] for folder in _FOLDERS.values()}
    for channel in named:
        folders[_FOLDERS[channel.kind]].append(_outline(site, channel, indent="      "))
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<opml version="2.0">',
        "  <head>",
        f"    <title>{escape(_readable(feed_title(site, _EVERYTHING)))}</title>",
        f"    <ownerName>{escape(_readable(site.author))}</ownerName>",
        "  </head>",
        "  <body>",
        _outline(site, _EVERYTHING, indent="    "),
    ]
    for folder, outlines in folders.items():
        if outlines:
            lines.append(f"    <outline text={quoteattr(folder)} title={quoteattr(folder)}>")
            lines += [*outlines, "    </outline>"]
    lines += ["  </body>", "</opml>", ""]
    return "\n".join(lines).encode("utf-8")


def _outline(site: Site, channel: Channel, *, indent: str) -> str:
    title = quoteattr(_readable(feed_title(site, channel)))
    return (
        f'{indent}<outline type="rss" text={title} title={title}'
        f" xmlUrl={quoteattr(feed_url(site, channel.slug, 'atom'))}"
        f" htmlUrl={quoteattr(home(site, channel))}/>"
    )


def _readable(title: str) -> str:
    """Return a title that is the same read as text or as HTML: OPML allows both (2.0, `text`)."""
    return title.replace("<", "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}").replace(
        ">", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
    )
