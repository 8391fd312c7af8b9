"""The text of a page to be read without its markup. Pure, and linear in the input."""

from __future__ import annotations

import html
import re

from feedsvc.charset import declared_charset, likely_charsets
from feedsvc.replay.markup import HTML, VOID, first_attributes

_HIDDEN = frozenset(("head", "template", "datalist", "dialog", "svg", "math", "object", "rp", "rt"))
_LINES = frozenset(("br", "li", "dt", "dd", "tr", "option", "figcaption", "caption", "summary"))
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "center", "details", "div", "dl"),
        *("fieldset", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header"),
        *("hr", "html", "main", "nav", "ol", "p", "pre", "section", "table", "ul"),
    )
)
_CELLS = frozenset(("td", "th"))
_SPACE = re.compile(r"[\t\n\f\r \xa0]+")
_BREAKS = re.compile(r" ?[\x00\x01][\x00\x01 ]*+")
_MARKS = re.compile(r"[\x00\x01]")
# What stands for the end of a line and of a paragraph while spaces are folded.
_LINE, _PARAGRAPH = "\x00", "\x01"
_LONGEST = 16 << 20


def readable_text(page: bytes, *, content_type: str) -> str:
    """Return the text of an HTML page: a line for each paragraph, blank lines between blocks.

    What a browser without scripts does not show is left out. At most 16 MiB are read.
    """
    charset = next(likely_charsets(page, declared=declared_charset(content_type)))
    source = page[:_LONGEST].decode(charset, "replace")
    pieces: list[str] = []
    hidden, depth, place = "", 0, 0
    for found in HTML.finditer(source):
        if not hidden:
            pieces.append(_words(source[place : found.start()]))
        place = found.end()
        name = (found["tag"] or found["end"] or "").lower()
        if hidden:
            if name == hidden:
                depth += -1 if found["end"] else 1
                hidden = hidden if depth else ""
            elif name == "body":  # a head that was never closed
                hidden = ""
            continue
        if found["tag"] and name not in VOID and _conceals(name, found["attributes"]):
            hidden, depth = name, 1
        elif found["raw"]:
            pieces.append(_raw(found["raw"].lower(), found["content"]))
        elif name:
            pieces.append(_break(name))
    if not hidden:
        pieces.append(_words(source[place:]))
    return _folded("".join(pieces))


def _words(text: str) -> str:
    return _MARKS.sub("", html.unescape(text) if "&" in text else text)


def _raw(name: str, content: str) -> str:
    if name in {"textarea", "xmp", "plaintext"}:
        return _PARAGRAPH + _words(content) + _PARAGRAPH
    return ""


def _break(name: str) -> str:
    if name in _BLOCKS:
        return _PARAGRAPH
    return _LINE if name in _LINES else " " if name in _CELLS else ""


def _conceals(name: str, given: str) -> bool:
    if name in _HIDDEN:
        return name != "dialog" or "open" not in first_attributes(given)
    return "hidden" in given and "hidden" in first_attributes(given)


def _folded(text: str) -> str:
    text = _BREAKS.sub(
        lambda found: "\n\n" if _PARAGRAPH in found[0] else "\n", _SPACE.sub(" ", text)
    )
    return text.strip() + "\n"
