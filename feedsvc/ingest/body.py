"""The body of a seed: Markdown → cleaned HTML with absolute links → plain text."""

from __future__ import annotations

import html as html_entities
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urljoin

from feedsvc import urls
from feedsvc.errors import SeedRejected
from feedsvc.ingest import tame
from feedsvc.ingest.commonmark import to_html
from feedsvc.text import clean, nfc

if TYPE_CHECKING:
    import nh3

MAX_SIZE = 2 << 20
"""Bytes of HTML that are cleaned at most; cleaning can grow with the square of what is broken."""
_REL = "noopener noreferrer nofollow"

_RAW_HTML = re.compile(r"<(?:[A-Za-z][A-Za-z0-9-]*[\s/>]|[/!?])")
# Nested deeper than anything written by hand, these cost cmark the square of their number.
_MARKS = ">-+*.)"
_MARKERS = re.compile(
    rf"^(?:[ \t]*+(?:>|(?:[-+*]|\d{{1,9}}+[.)])(?=[ \t]))){{{tame.MAX_DEPTH + 1}}}", re.MULTILINE
)
_MANY_BLANKS = re.compile(r"(?:\n[ \t]*){100,}\n")

_LINKED = re.compile(
    r'<(?P<tag>a|img|blockquote|q|del|ins)(?P<attributes>(?: [a-z-]+="[^"]*")*)>|(?P<end></a>)'
)
_ADDRESS = re.compile(r' (?P<name>href|src|cite)="(?P<url>[^"]*)"')
_ALT = re.compile(r' alt="([^"]*)"')
_PLAIN_URL = re.compile(
    r"https?://[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+(?::\d{1,5})?(?:[/?#][A-Za-z0-9._~!$'()*+,;=:@/?#%-]*)?"
)
_EMPTY = re.compile(r"<p></p>\n?")
_UNSAFE = re.compile(r"[ \"<>\\^`{|}]")
_ESCAPED_HOST = re.compile(r"(?<=://)[^/?#]*%[^/?#]*")
_MAIL = re.compile(r"mailto:[^\s\"<>@]+@[^\s\"<>@]+", re.IGNORECASE)

_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)(?: [a-z-]+="[^"]*")*>')
_PARAGRAPH = re.compile(r"<p(?: [a-z-]+=\"[^\"]*\")*>(.*?)</p>", re.DOTALL)
_PRE = re.compile(r"(<pre(?: [a-z-]+=\"[^\"]*\")*>.*?</pre>)", re.DOTALL)
_CELLS = re.compile(r"[ ]*\t[ ]*")
_BLANKS = re.compile(r"\n{3,}")
_BETWEEN = "\x00"


def render(source: str, *, base: str | None) -> str:
    """Return a body's HTML: what feeds and pages may show, every link absolute.

    ``base`` is the original's URL, which relative links are resolved against; without one they
    are dropped and their text stays. Raises SeedRejected for a body too large or too deep.
    """
    _check_size(len(source), "body")
    if "\n" * 100 in source or "\n \n" in source:
        source = _MANY_BLANKS.sub("\n" * 100, source)
    if sum(map(source.count, _MARKS)) > tame.MAX_DEPTH and _MARKERS.search(source):
        raise tame.too_deep()
    html = to_html(source)
    _check_size(len(html), "HTML")
    if _RAW_HTML.search(source):
        html = tame.tame(html)
    else:
        tame.check_depth(html)
        if "<h1>" in html:
            html = html.replace("<h1>", "<h2>").replace("</h1>", "</h2>")
    _check_size(len(html.encode()), "HTML")
    cleaned = _cleaner().clean(html).strip()
    if "&#" in source:
        # Character references can spell what the seed's own text no longer holds.
        cleaned = clean(cleaned)
    if "\u0338" in cleaned:
        # Composed with the > of a tag before it, the stroke would swallow that.
        cleaned = cleaned.replace(">\u0338", ">&#824;")
    if "=" in cleaned or "<img" in cleaned:
        cleaned = _absolute_links(cleaned, base)
    return nfc(cleaned)


def _check_size(size: int, what: str) -> None:
    if size > MAX_SIZE:
        raise SeedRejected(
            f"the {what} of the article is larger than {MAX_SIZE >> 20} MiB",
            remedy="Split the article, or shorten it",
        )


@cache
def _cleaner() -> nh3.Cleaner:
    import nh3

    return nh3.Cleaner(
        tags=set(tame.ALLOWED),
        clean_content_tags=set(tame.DROPPED - {"embed"}),
        attributes={
            "*": {"dir", "lang"},
            "a": {"href", "title"},
            "abbr": {"title"},
            "blockquote": {"cite"},
            "del": {"cite", "datetime"},
            "dfn": {"title"},
            "img": {"src", "alt", "title", "width", "height"},
            "ins": {"cite", "datetime"},
            "li": {"value"},
            "ol": {"start", "type", "reversed"},
            "q": {"cite"},
            "td": {"align", "colspan", "rowspan"},
            "th": {"align", "colspan", "rowspan", "scope"},
            "time": {"datetime"},
        },
        url_schemes={"http", "https", "mailto"},
        link_rel=_REL,
    )


# --- links ----------------------------------------------------------------------------------


def _absolute_links(html: str, base: str | None) -> str:
    """Make every address absolute; where that cannot be, keep the text without the link."""
    dropped = False

    def element(match: re.Match[str]) -> str:
        nonlocal dropped
        if match["end"]:
            end, dropped = "" if dropped else "</a>", False
            return end
        tag, attributes = match["tag"], match["attributes"]
        kept = _ADDRESS.sub(lambda address: _attribute(address, tag, base), attributes)
        if tag == "a" and ' href="' not in kept:
            dropped = True
            return ""
        if tag == "img" and ' src="' not in kept:
            return _alternative(kept)
        return f"<{tag}{kept}>"

    linked = _LINKED.sub(element, html)
    # A picture that was all of a paragraph leaves nothing of it.
    return linked if "<p></p>" not in linked else _EMPTY.sub("", linked).strip()


def _attribute(match: re.Match[str], tag: str, base: str | None) -> str:
    given = match["url"]
    if _PLAIN_URL.fullmatch(given):
        return match[0]
    url = absolute_link(html_entities.unescape(given), base)
    if url is None and tag == "a" and _MAIL.fullmatch(given):
        return match[0]
    return "" if url is None else f' {match["name"]}="{html_entities.escape(url)}"'


def absolute_link(link: str, base: str | None) -> str | None:
    """Return link as an absolute http(s) URL resolved against base, None if it cannot be."""
    link = link.strip()
    # "#" alone leads nowhere: seeds use it for a link whose address is not known.
    if link in {"", "#"}:
        return None
    try:
        joined = _UNSAFE.sub(lambda found: quote(found[0]), urljoin(base or "", link))
        # Markdown writes other alphabets as escapes, in host names too, which IDNA does not know.
        return urls.absolute(_ESCAPED_HOST.sub(lambda found: unquote(found[0]), joined))
    except ValueError:  # InvalidURL is one
        return None


def _alternative(attributes: str) -> str:
    """Return what stands for an image that cannot be shown."""
    alt = _ALT.search(attributes)
    return html_entities.escape(html_entities.unescape(alt[1]), quote=False) if alt else ""


# --- text -----------------------------------------------------------------------------------

_BLOCKS = """
    p div blockquote ul ol dl pre table h2 h3 h4 h5 h6 hr figure figcaption details summary caption
"""
_BREAKS = dict.fromkeys(_BLOCKS.split(), "\n\n")
_LINE_STARTS = frozenset({"li", "dt", "dd", "tr", "br"})


def to_text(html: str) -> str:
    """Return cleaned HTML as plain text: paragraphs parted by one blank line."""
    if "<pre" in html:
        parts = _PRE.split(html)
        folded = "".join(part if part.startswith("<pre") else _folded(part) for part in parts)
    else:
        folded = _folded(html)
    lines = [line.strip() for line in _TAG.sub(_break, folded).split("\n")]
    if "<td" in html:
        lines = [_CELLS.sub("\t", line) for line in lines]
    text = "\n".join(lines)
    if "\n\n\n" in text:
        text = _BLANKS.sub("\n\n", text)
    text = text.replace(_BETWEEN, "\n\n").strip()
    return nfc(html_entities.unescape(text))


def _folded(html: str) -> str:
    """Return HTML on one line; what parts paragraphs, the commonest of all, is marked at once."""
    html = html.replace("</p>\n<p>", _BETWEEN)
    if "\n" not in html:
        return html
    return " ".join(line for part in html.split("\n") if (line := part.strip()))


def paragraphs(html: str) -> Iterator[str]:
    """Yield the plain text of each paragraph of cleaned HTML."""
    return (text for found in _PARAGRAPH.finditer(html) if (text := to_text(found[1])))


def inline_text(source: str) -> str:
    """Return one line of Markdown as plain text, such as a title."""
    if not _INLINE.search(source):
        return source
    # As a heading, so that "1. Foo" or "- Foo" is no list.
    return html_entities.unescape(_ANY_TAG.sub("", to_html(f"# {source}\n")).strip())


_INLINE = re.compile(r"[*_`\[\]<>&\\~!]")
_ANY_TAG = re.compile(r"<(?:[A-Za-z/][^<>]*|!--.*?--)>", re.DOTALL)


def _break(match: re.Match[str]) -> str:
    name = match[2]
    if name in {"td", "th"}:
        return "\t" if match[1] else ""
    if name in _LINE_STARTS:
        return "" if match[1] else "\n"
    return _BREAKS.get(name, "")
