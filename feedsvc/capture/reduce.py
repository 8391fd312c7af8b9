"""A page that is not tame cut down to the tags that may name a requisite. Pure and linear.

A million nested <div> would keep lexbor for hours (see `tame`). What is left here is flat and
small, and is then read like any other page.
"""

from __future__ import annotations

import re

MAX_TAG = 1 << 14
"""Characters of one tag; longer ones hold data, or are an attack."""
MAX_REDUCED = 1 << 20

_ATTRIBUTES = r"""(?:[^>"']|"[^"]*"|'[^']*')*+"""
_TAGS = re.compile(
    r"<!--.*?(?:-->|\Z)"
    rf"|<(?P<raw>script|style|textarea|title|xmp|iframe|noembed|noframes)(?P<rest>(?=[\s/>]){_ATTRIBUTES})>"
    r"(?P<content>.*?)(?:</(?P=raw)|\Z)"
    rf"|<(?P<tag>[a-z][^\s/>]*+)(?P<attributes>{_ATTRIBUTES})>?",
    re.IGNORECASE | re.DOTALL,
)
_ALONE = frozenset({"base", "embed", "img", "input", "link", "meta", "source"})
_CLOSED = frozenset({"object", "video"})
_DRAWN = frozenset({"feimage", "image", "use"})
_DECORATED = re.compile(r"\b(?:style|background)\s*=", re.IGNORECASE)


def reduced(page: str) -> str:
    """Return the tags of a page that may name a requisite, each complete and beside the others."""
    kept: list[str] = []
    size = 0
    for found in _TAGS.finditer(page):
        tag = _kept(found)
        size += len(tag)
        if size > MAX_REDUCED:
            break
        if tag:
            kept.append(tag)
    return "".join(kept)


def _kept(found: re.Match[str]) -> str:
    if found["raw"]:
        return _kept_raw(found["raw"].lower(), found["rest"], found["content"])
    name, attributes = (found["tag"] or "").lower(), found["attributes"] or ""
    if not name or len(attributes) > MAX_TAG:
        return ""
    if name in _ALONE:
        return f"<{name}{attributes}>"
    if name in _CLOSED:
        return f"<{name}{attributes}></{name}>"
    if name in _DRAWN:
        return f"<svg><{name}{attributes} /></svg>"
    # Any element may have a background; as <hr> it cannot nest.
    return f"<hr{attributes}>" if _DECORATED.search(attributes) else ""


def _kept_raw(name: str, attributes: str, content: str) -> str:
    if name == "script" and len(attributes) <= MAX_TAG:
        return f"<script{attributes}></script>"
    if name == "style":
        return f"<style>{content}</style>"
    return ""
