"""The article's picture among what was captured with its page. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from selectolax.lexbor import LexborHTMLParser

from feedsvc.capture.decode import decoded
from feedsvc.capture.exchange import Exchange
from feedsvc.capture.images import HEAD, Picture, picture
from feedsvc.capture.reduce import reduced
from feedsvc.capture.requisites import charset_of
from feedsvc.capture.tame import is_tame
from feedsvc.errors import CaptureFailed
from feedsvc.model import Image
from feedsvc.references import resolve
from feedsvc.urls import InvalidURL, normalise

MAX_SIZE = 20 << 20
"""Bytes of a picture that readers are sent to."""
THUMBNAIL_SIZE = 200_000
"""Bytes up to which a picture is its own thumbnail."""
MIN_EDGE = 32
"""Pixels: what is smaller counts visits or separates lines."""
MAX_EDGE = 20_000
_MAX_NAMED = 8
_MAX_HOPS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEAD_END = re.compile(rb"</head\b|<body\b", re.IGNORECASE)
# In the order in which they are believed.
_NAMES = ("og:image", "og:image:secure_url", "og:image:url", "twitter:image", "twitter:image:src")


def named_images(page: bytes, *, url: str, content_type: str) -> list[str]:
    """Return the absolute URLs that a page names as its picture when it is shared, the best first."""
    if b"og:image" not in page and b"twitter:image" not in page:
        return []
    end = _HEAD_END.search(page, 0, HEAD)
    page = page[: end.start() if end else HEAD]
    charset = charset_of(page, content_type)
    text = page.decode(charset, "replace")
    if not is_tame(text.encode("utf-8", "replace")):
        text = reduced(text)
    nodes = LexborHTMLParser(text).css("base,meta")
    hrefs = (node.attributes.get("href") for node in nodes if node.tag == "base")
    base = resolve(next(filter(None, hrefs), ""), base=url) or url
    found: dict[str, list[str]] = {name: [] for name in _NAMES}
    for node in nodes:
        attributes = node.attributes
        name = (attributes.get("property") or attributes.get("name") or "").strip().lower()
        if name in found and (content := attributes.get("content")):
            found[name].append(content)
    references = (reference for name in _NAMES for reference in found[name])
    urls = (resolve(one, base=base, charset=charset) for one in references)
    return list(dict.fromkeys(filter(None, urls)))[:_MAX_NAMED]


def portraits(urls: Sequence[str], requisites: Iterable[Exchange]) -> Iterator[Exchange]:
    """Yield the captured answers of addresses, each where redirects led to."""
    if not urls:
        return
    known: dict[str, Exchange] = {}
    for one in requisites:
        known.setdefault(one.url, one)
        known.setdefault(_alike(one.url), one)
    for url in urls:
        found = known.get(url) or known.get(_alike(url))
        for _ in range(_MAX_HOPS):
            if found is None or found.status not in _REDIRECTS:
                break
            target = resolve(found.header("location") or "", base=found.url)
            found = known.get(target) or known.get(_alike(target)) if target else None
        if found is not None:
            yield found


def as_image(exchange: Exchange) -> Image | None:
    """Return a captured answer as a picture; None unless its bytes are one of a sane size."""
    if exchange.status != 200 or exchange.truncated is not None:
        return None
    try:
        found = picture(decoded(exchange, limit=HEAD))
        if found is None or not _is_sane(found):
            return None
        size = exchange.size
        if exchange.header("content-encoding"):
            size = len(decoded(exchange, limit=MAX_SIZE + 1))
    except CaptureFailed:
        return None
    if not 0 < size <= MAX_SIZE:
        return None
    return Image(
        url=exchange.url,
        media_type=found.media_type,
        size=size,
        width=found.width,
        height=found.height,
    )


def as_thumbnail(image: Image | None) -> Image | None:
    """Return a picture that is small enough to be shown in lists, None if it is not."""
    return image if image is not None and (image.size or 0) <= THUMBNAIL_SIZE else None


def _is_sane(found: Picture) -> bool:
    return all(edge is None or MIN_EDGE <= edge <= MAX_EDGE for edge in (found.width, found.height))


def _alike(url: str) -> str:
    try:
        return normalise(url)
    except InvalidURL:
        return url
