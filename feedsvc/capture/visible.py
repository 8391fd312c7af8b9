"""What a reader without JavaScript sees of a page: its text, and nothing that is hidden."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from feedsvc.capture.conceal import (
    ROOTS,
    Rule,
    by_name,
    conceals,
    hiding_rules,
    is_hidden,
    selector,
)
from feedsvc.capture.tame import is_tame

MAX_PAGE = 8 << 20
"""Bytes of a page that are looked at."""

# <noscript> is shown: replay runs no scripts, so what stands there is what its reader gets.
# <details> is shown too: a click opens it, without any script.
_NOT_SHOWN = (
    "head,script,style,template,iframe,noembed,noframes,datalist,rp,rt,dialog:not([open]),[hidden]"
)

_UNREAD = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(title|script|style|template|iframe|noembed|noframes|datalist|rp|rt)\b.*?(?:</\1\s*>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/>]*)((?:[^>"']|"[^"]*"|'[^']*')*+)>?|<[!?/][^>]*>?""")
_MEDIA = re.compile(r"""\smedia\s*=\s*["']?([^"'>]*)""", re.IGNORECASE)
# fmt: off
_VOID = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
})
# fmt: on


def visible_text(page: bytes, *, charset: str) -> str:
    """Return the text a page shows, in document order, words that markup splits in one piece.

    ``page`` is HTML of any quality, at most `MAX_PAGE` of it is read; bytes that ``charset``
    does not know become U+FFFD. White space stands as in the source. Never raises; time and
    memory are bounded by the size of the page.
    """
    page = page[:MAX_PAGE]
    source = None
    if charset != "utf-8":
        source = page.decode(charset, "replace")
        page = source.encode("utf-8", "replace")
    if is_tame(page):
        return _tree_text(page)
    # What makes a page large is mostly scripts.
    source = page.decode("utf-8", "replace") if source is None else source
    styles = list(_styles_in(source))
    source = _UNREAD.sub("", source)
    page = source.encode("utf-8", "replace")
    rules = hiding_rules(styles, source=source)
    return _tree_text(page, rules) if is_tame(page) else _linear_text(source, rules)


def _tree_text(page: bytes, rules: tuple[Rule, ...] = ()) -> str:
    """Read UTF-8 through lexbor's tree: right for any nesting."""
    tree = LexborHTMLParser(page)
    if b"style" in page or b"STYLE" in page:
        rules = rules or _rules_of(tree, page)
        for node in reversed(tree.css("[style]")):
            if conceals(node.attributes["style"] or ""):
                _remove(node)
    # In reverse, because removing an element frees the matches inside it.
    for node in reversed(tree.css(",".join([_NOT_SHOWN, *map(selector, rules)]))):
        _remove(node)
    body = tree.body
    return "" if body is None else body.text(deep=True)


def _remove(node: LexborNode) -> None:
    if node.tag not in ROOTS:
        node.decompose()


def _rules_of(tree: LexborHTMLParser, page: bytes) -> tuple[Rule, ...]:
    styles = [
        node.text() for node in tree.css("style") if _is_for_screens(node.attributes.get("media"))
    ]
    return hiding_rules(styles, source=page.decode("utf-8", "replace")) if styles else ()


def _styles_in(source: str) -> Iterator[str]:
    """Yield the styles of a page that is not to be trusted with a tree."""
    for unread in _UNREAD.finditer(source):
        if (unread[1] or "").lower() == "style":
            tag, _, style = unread[0].partition(">")
            media = _MEDIA.search(tag)
            if media is None or _is_for_screens(media[1]):
                yield style


def _is_for_screens(media: str | None) -> bool:
    return (media or "").strip().lower() in {"", "all", "screen"}


def _linear_text(source: str, rules: tuple[Rule, ...]) -> str:
    """Read HTML tag by tag: a page that is not to be trusted with a tree."""
    pieces: list[str] = []
    hidden, depth, position = "", 0, 0
    sorted_rules = by_name(rules)
    for tag in _TAG.finditer(source):
        if not hidden:
            pieces.append(source[position : tag.start()])
        position = tag.end()
        name = (tag[2] or "").lower()
        if hidden:
            if name == hidden:
                depth += -1 if tag[1] else 1
                hidden = hidden if depth else ""
        elif name and not tag[1] and name not in _VOID and is_hidden(name, tag[3], sorted_rules):
            hidden, depth = name, 1
    if not hidden:
        pieces.append(source[position:])
    return html.unescape("".join(pieces))
