"""HTML and XML in pieces: tags, their attributes, and what is no tag. Pure, linear in the input.

A tree would be right for any page, but it takes time quadratic in the depth of one and in the
attributes of a tag. Here every character is looked at once, the way HTML §13.2.5 does it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from html.entities import html5

SPACE = "\t\n\f\r "
_VALUE = rf"""[{SPACE}]*+=[{SPACE}]*+(?:"[^"]*+"?|'[^']*+'?|[^{SPACE}>"'][^{SPACE}>]*+)"""
_ATTRIBUTE = rf"[{SPACE}/]*+[^{SPACE}/>][^{SPACE}/>=]*+(?:{_VALUE})?+"
_ATTRIBUTES = rf"(?:{_ATTRIBUTE})*+"
_NAMED = re.compile(
    rf"[{SPACE}/]*+([^{SPACE}/>][^{SPACE}/>=]*+)"
    rf"""(?:[{SPACE}]*+=[{SPACE}]*+(?:"([^"]*+)"?|'([^']*+)'?|([^{SPACE}>"'][^{SPACE}>]*+)))?+"""
)
_END = rf"(?P<slash>[{SPACE}/]*+)(?P<close>>?)"
_TAG = (
    rf"<(?P<tag>[a-z][^{SPACE}/>]*+)(?P<attributes>{_ATTRIBUTES}){_END}"
    rf"|</(?P<end>[a-z][^{SPACE}/>]*+){_ATTRIBUTES}[{SPACE}/]*+>?"
)

HTML = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))"
    rf"|<(?P<raw>script|style|textarea|title|xmp|iframe|noembed|noframes|plaintext)(?=[{SPACE}/>])"
    rf"(?P<given>{_ATTRIBUTES})[{SPACE}/]*+>"
    rf"(?P<content>.*?)(?:</(?P=raw)(?=[{SPACE}/>]){_ATTRIBUTES}[{SPACE}/]*+>?|\Z)"
    rf"|{_TAG}"
    r"|(?P<doctype><!doctype[^>]*+>)"
    r"|<[!?/][^>]*+>?",
    re.IGNORECASE | re.DOTALL,
)
"""Tokens of HTML: groups `raw` with `given` and `content`; `tag` with `attributes`; `end`; `doctype`.

A match of none of these is a comment of some kind.
"""

XML = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|(?P<cdata><!\[CDATA\[.*?(?:\]\]>|\Z))"
    rf"|<(?P<raw>(?:[\w.-]+:)?(?:script|style))(?=[{SPACE}/>])(?P<given>{_ATTRIBUTES})[{SPACE}]*+>"
    rf"(?P<content>.*?)(?:</(?P=raw)[{SPACE}]*+>|\Z)"
    rf"|{_TAG}"
    r"|(?P<doctype><!doctype[^\[>]*+(?:\[.*?\]\s*+)?>)"
    r"|<\?.*?(?:\?>|\Z)"
    r"|<[!/][^>]*+>?",
    re.IGNORECASE | re.DOTALL,
)
"""Tokens of XML as SVG and XHTML have it; `cdata` besides those of HTML."""

_REFERENCE = re.compile(r"&(?:#[0-9]{1,9};?|#[xX][0-9A-Fa-f]{1,8};?|[A-Za-z][A-Za-z0-9]*+;?)")

VOID = frozenset(
    (
        *("area", "base", "br", "col", "embed", "hr", "img", "input"),
        *("link", "meta", "param", "source", "track", "wbr"),
    )
)
"""Elements that hold nothing and have no end tag."""


def attributes(text: str) -> Iterator[tuple[str, str | None, str]]:
    """Yield name in lower case, value or None, and the source of every attribute in a tag."""
    for found in _NAMED.finditer(text):
        name, quoted, single, bare = found.groups()
        value = quoted if quoted is not None else single if single is not None else bare
        if value is not None and "&" in value:
            value = unescaped(value)
        yield name.lower(), value, found[0]


def first_attributes(text: str) -> dict[str, str]:
    """Return the attributes of a tag by name: of several with one name the first counts."""
    found: dict[str, str] = {}
    for name, value, _ in attributes(text):
        found.setdefault(name, value or "")
    return found


def unescaped(value: str) -> str:
    """Return an attribute's value with its character references undone.

    HTML §13.2.5.73: in `?a=1&copy=2` there is no copyright sign.
    """
    return _REFERENCE.sub(_referred, value)


def escaped(value: str) -> str:
    """Return a value as it stands between double quotes."""
    return value.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _referred(found: re.Match[str]) -> str:
    name = found[0][1:]
    if name[0] == "#":
        return html.unescape(found[0])
    if not name.endswith(";") and found.string[found.end() : found.end() + 1] == "=":
        return found[0]
    return html5.get(name, found[0])
