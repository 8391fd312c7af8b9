"""What a page needs to look as it did: its images, styles, scripts, fonts and icons. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from feedsvc.capture.reduce import reduced
from feedsvc.capture.stylesheet import references
from feedsvc.capture.tame import is_tame
from feedsvc.charset import likely_charsets, stylesheet_text
from feedsvc.references import resolve, srcset

_ELEMENTS = (
    "base,meta,link,script[src],style,img,source,input[src],video[poster],object[data],embed[src]"
)
_HEAD = frozenset({"base", "link", "meta"})
_DRAWN = ",image,use,feImage"
_IMAGE_FILE = re.compile(r"\.(?:svgz?|png|jpe?g|gif|webp|avif)(?:[?#]|$)", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_REFRESH = re.compile(
    r"\s*(\d{1,9})(?:\.[\d.]*)?\s*[;,\s]\s*(?:url\s*=\s*)?(?:\"([^\"]*)|'([^']*)|(.*))",
    re.IGNORECASE | re.DOTALL,
)
_LINKED = frozenset(
    {
        "apple-touch-icon",
        "apple-touch-icon-precomposed",
        "icon",
        "image_src",
        "manifest",
        "mask-icon",
        "modulepreload",
        "stylesheet",
    }
)
_PRELOADED = frozenset({"style", "font", "image", "script"})
_ICONS = frozenset({"icon", "apple-touch-icon", "apple-touch-icon-precomposed"})
_SHARED_IMAGES = frozenset({"og:image", "og:image:url", "og:image:secure_url", "twitter:image"})
# Where scripts that load images late look for the address; the archive runs no scripts.
_LAZY = ("data-src", "data-original", "data-lazy-src", "data-lazy")
_LAZY_SETS = ("data-srcset", "data-lazy-srcset")

Attributes = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Links:
    """What a page refers to."""

    requisites: tuple[str, ...]
    """Absolute URLs without fragments, each once, in the order of the page."""
    refresh: tuple[float, str] | None = None
    """Seconds and absolute URL of a <meta http-equiv=refresh> outside <noscript>."""
    more: bool = False
    """True: there were more requisites than asked for."""


def charset_of(page: bytes, content_type: str) -> str:
    """Return the codec a page is written in, as the server, the page or its bytes tell."""
    declared = _CHARSET.search(content_type)
    return next(likely_charsets(page, declared=declared[1] if declared else None))


def page_links(page: bytes, *, url: str, charset: str, limit: int) -> Links:
    """Return what an HTML page refers to; at most ``limit`` requisites.

    ``url`` is the page's own address and the base unless <base href> says otherwise. Without an
    icon of its own, a page has /favicon.ico.
    """
    if charset != "utf-8":
        page = page.decode(charset, "replace").encode("utf-8", "replace")
    if not is_tame(page):
        page = reduced(page.decode("utf-8", "replace")).encode("utf-8", "replace")
    nodes = LexborHTMLParser(page).css(_selector(page))  # one walk for everything
    head = [node for node in nodes if node.tag in _HEAD]
    base = _base(head, url)
    found = _Found(base=base, charset=charset, own=resolve(url, base=url), limit=limit)
    for node in nodes:
        for reference in _of_node(node):
            found.add(reference)
        if found.full:
            break
    if not any(_ICONS & _words(node.attributes.get("rel")) for node in head):
        found.base = url
        found.add("/favicon.ico")
    return Links(tuple(found.urls), _refresh(head, base, charset), found.full)


def stylesheet_links(css: bytes, *, url: str, content_type: str, limit: int) -> Links:
    """Return what a stylesheet refers to; at most ``limit`` requisites."""
    declared = _CHARSET.search(content_type)
    text = stylesheet_text(css, declared=declared[1] if declared else None)
    found = _Found(base=url, charset="utf-8", own=resolve(url, base=url), limit=limit)
    for reference in references(text):
        found.add(reference)
        if found.full:
            break
    return Links(tuple(found.urls), more=found.full)


class _Found:
    """References resolved, each once, up to a limit."""

    def __init__(self, *, base: str, charset: str, own: str | None, limit: int) -> None:
        self.base = base
        self.urls: dict[str, None] = {}
        self.full = False
        self._charset = charset
        self._limit = limit
        self._own = own
        self._seen: set[str] = set()

    def add(self, reference: str) -> None:
        """Add a reference unless it was there, leads nowhere or is one too many."""
        if self.full or reference in self._seen:
            return
        self._seen.add(reference)
        url = resolve(reference, base=self.base, charset=self._charset)
        if url is None or url == self._own or url in self.urls:
            return
        self.full = len(self.urls) >= self._limit
        if not self.full:
            self.urls[url] = None


def _selector(page: bytes) -> str:
    """Return the selector of elements to look at; rare ones only if the page may have them."""
    selector = _ELEMENTS
    lowered = page.lower()
    if b"<svg" in lowered:
        selector += _DRAWN
    if b"url(" in lowered:
        selector += ",[style]"
    if b"background=" in lowered:
        selector += ",[background]"
    return selector


def _base(head: list[LexborNode], url: str) -> str:
    """Return what references are relative to: the first <base href> (HTML §4.2.3), or url."""
    hrefs = (node.attributes.get("href") for node in head if node.tag == "base")
    href = next((href for href in hrefs if href is not None), "")
    return resolve(href, base=url) or url


def _refresh(head: list[LexborNode], base: str, charset: str) -> tuple[float, str] | None:
    for node in head:
        attributes = node.attributes
        if (attributes.get("http-equiv") or "").strip().lower() != "refresh" or _unscripted(node):
            continue
        found = _REFRESH.match(attributes.get("content") or "")
        target = found and resolve(
            found[2] or found[3] or found[4] or "", base=base, charset=charset
        )
        if found and target:
            return float(found[1]), target
    return None


def _unscripted(node: LexborNode) -> bool:
    """Tell whether node is meant for browsers without scripts only."""
    above = node.parent
    while above is not None:
        if above.tag == "noscript":
            return True
        above = above.parent
    return False


def _of_node(node: LexborNode) -> Iterator[str]:
    attributes = node.attributes
    tag = node.tag or ""
    if tag == "style":
        yield from references(node.text() or "")
    elif reader := _READERS.get(tag):
        yield from reader(attributes)
    if style := attributes.get("style"):
        yield from references(style)
    if background := attributes.get("background"):
        yield background


def _of_link(attributes: Attributes) -> Iterator[str]:
    words = _words(attributes.get("rel"))
    preloaded = "preload" in words and (attributes.get("as") or "").lower() in _PRELOADED
    if preloaded or words & _LINKED:
        yield from _values(attributes, ("href",))
        yield from srcset(attributes.get("imagesrcset") or "")


def _of_meta(attributes: Attributes) -> Iterator[str]:
    name = (attributes.get("property") or attributes.get("name") or "").strip().lower()
    if name in _SHARED_IMAGES:
        yield from _values(attributes, ("content",))


def _of_image(attributes: Attributes) -> Iterator[str]:
    yield from _values(attributes, ("src", *_LAZY))
    for name in ("srcset", *_LAZY_SETS):
        if value := attributes.get(name):
            yield from srcset(value)


def _of_source(attributes: Attributes) -> Iterator[str]:
    """Yield the images of a <picture>; `src` would be a video or a sound."""
    for name in ("srcset", *_LAZY_SETS):
        if value := attributes.get(name):
            yield from srcset(value)


def _of_input(attributes: Attributes) -> Iterator[str]:
    if (attributes.get("type") or "").lower() == "image":
        yield from _values(attributes, ("src",))


def _of_object(attributes: Attributes) -> Iterator[str]:
    kind = (attributes.get("type") or "").lower()
    for address in _values(attributes, ("data", "src")):
        if kind.startswith("image/") or (not kind and _IMAGE_FILE.search(address)):
            yield address


def _of_drawing(attributes: Attributes) -> Iterator[str]:
    yield from _values(attributes, ("href", "xlink:href"))


_READERS: dict[str, Callable[[Attributes], Iterator[str]]] = {
    "embed": _of_object,
    "feimage": _of_drawing,
    "feImage": _of_drawing,
    "image": _of_drawing,
    "img": _of_image,
    "input": _of_input,
    "link": _of_link,
    "meta": _of_meta,
    "object": _of_object,
    "script": lambda attributes: _values(attributes, ("src",)),
    "source": _of_source,
    "use": _of_drawing,
    "video": lambda attributes: _values(attributes, ("poster",)),
}


def _values(attributes: Attributes, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if value := attributes.get(name):
            yield value


def _words(value: str | None) -> frozenset[str]:
    return frozenset((value or "").lower().split())
