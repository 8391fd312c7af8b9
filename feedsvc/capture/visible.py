"""What a reader without JavaScript sees of a page: its text, and nothing that is hidden."""

from __future__ import annotations

import html
import re

from selectolax.lexbor import LexborHTMLParser

MAX_PAGE = 8 << 20
"""Bytes of a page that are looked at."""

# lexbor is quadratic in the depth of a page and in the attributes of one tag: 100,000 nested
# <div> take half a minute. Within this size the worst page costs about two seconds; a larger one
# goes through the linear reader below, once its scripts and styles are out of the way.
_MAX_TREE = 128 << 10

# <noscript> is shown: replay runs no scripts, so what stands there is what its reader gets.
# <details> is shown too: a click opens it, without any script.
_NOT_SHOWN = (
    "head,script,style,template,iframe,noembed,noframes,datalist,rp,rt,dialog:not([open]),[hidden]"
)
_STYLED = "[style*=display],[style*=DISPLAY],[style*=isib],[style*=ISIB]"
_CONCEALING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)

_UNREAD = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(head|script|style|template|iframe|noembed|noframes|datalist|rp|rt)\b.*?(?:</\1\s*>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/>]*)((?:[^>"']|"[^"]*"|'[^']*')*+)>?|<[!?/][^>]*>?""")
_HIDDEN = re.compile(r"(?:^|\s)hidden(?=[\s=/]|$)", re.IGNORECASE)
_STYLE = re.compile(r"style\s{0,9}=", re.IGNORECASE)
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
    if len(page) > _MAX_TREE:
        # News pages of half a megabyte are mostly scripts.
        source = _UNREAD.sub("", page.decode(charset, "replace"))
        page = source.encode("utf-8", "replace")
        return _linear_text(source) if len(page) > _MAX_TREE else _tree_text(page)
    if charset != "utf-8":
        page = page.decode(charset, "replace").encode("utf-8", "replace")
    return _tree_text(page)


def _tree_text(page: bytes) -> str:
    """Read UTF-8 through lexbor's tree: right for any nesting, quadratic for hostile pages."""
    tree = LexborHTMLParser(page)
    # In reverse, because removing an element frees the matches inside it.
    for node in reversed(tree.css(_NOT_SHOWN)):
        node.decompose()
    if b"style=" in page or b"STYLE" in page or b"Style" in page:
        for node in reversed(tree.css(_STYLED)):
            if _CONCEALING.search(node.attributes.get("style") or ""):
                node.decompose()
    body = tree.body
    return "" if body is None else body.text(deep=True)


def _linear_text(source: str) -> str:
    """Read HTML tag by tag: a page too large to trust it with a tree."""
    pieces: list[str] = []
    hidden, depth, position = "", 0, 0
    for tag in _TAG.finditer(source):
        if not hidden:
            pieces.append(source[position : tag.start()])
        position = tag.end()
        name = (tag[2] or "").lower()
        if hidden:
            if name == hidden:
                depth += -1 if tag[1] else 1
                hidden = hidden if depth else ""
        elif name and not tag[1] and name not in _VOID and _conceals(name, tag[3]):
            hidden, depth = name, 1
    if not hidden:
        pieces.append(source[position:])
    return html.unescape("".join(pieces))


def _conceals(name: str, attributes: str) -> bool:
    """Tell whether an element is hidden by its own attributes."""
    if name == "dialog" and not re.search(r"\bopen\b", attributes):
        return True
    if not attributes:
        return False
    style = _STYLE.search(attributes)
    # Only a little of its value: there may be megabytes, and other attributes behind it.
    if style and _CONCEALING.search(attributes, style.end(), style.end() + 300):
        return True
    return _HIDDEN.search(attributes) is not None
