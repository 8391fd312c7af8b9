"""What a stylesheet needs: imports, images, fonts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import tinycss2

MAX_REFERENCE = 8192
"""Characters of one reference; longer ones are data."""
_MARKS = ("url(", "@import", "image-set(")
_STRING = r""""(?:[^"\\\n]|\\.)*+"?|'(?:[^'\\\n]|\\.)*+'?"""
# tinycss2 reads a megabyte in seconds, so it is shown only the few places that matter. Comments
# and strings are matched to be passed over: what looks like a reference in them is none.
_PLACES = re.compile(
    r"/\*.*?(?:\*/|\Z)"
    rf"|(?P<at>@(?:import|namespace)\b(?:{_STRING}|url\([^)]*+\)?|/\*.*?(?:\*/|\Z)|[^;{{}}])*+)"
    rf"|{_STRING}"
    rf"|(?P<function>image-set\((?:{_STRING}|url\([^)]*+\)?|\\.|[^)\\])*+\)?"
    rf"|url\((?:{_STRING}|\\.|[^)\\])*+\)?)",
    re.IGNORECASE | re.DOTALL,
)
_IMAGE_SETS = frozenset({"image-set", "-webkit-image-set"})


def references(css: str) -> Iterator[str]:
    """Yield what url(), @import and image-set() refer to, in order, as written but unescaped."""
    lowered = css.lower()
    if not any(mark in lowered for mark in _MARKS):
        return
    for place in _PLACES.finditer(css):
        text = place["at"] or place["function"]
        if text is None or "data:" in text[:10].lower():
            continue
        if len(text) <= MAX_REFERENCE:
            yield from _inside(tinycss2.parse_component_value_list(text, skip_comments=True))


def _inside(tokens: Iterable[Any]) -> Iterator[str]:
    """Yield the references among the tokens of one place."""
    in_import = False
    for token in tokens:
        if token.type == "at-keyword":
            if token.lower_value == "namespace":  # a name that looks like an address
                return
            in_import = True
        elif token.type == "url" or (token.type == "string" and in_import):
            yield token.value
            in_import = False
        elif token.type == "function":
            yield from _arguments(token)


def _arguments(function: Any) -> Iterator[str]:
    """Yield the references in url("…") or image-set(…); other functions hold none."""
    name = function.lower_name
    if name == "url":
        yield from (token.value for token in function.arguments if token.type == "string")
    elif name in _IMAGE_SETS:
        for token in function.arguments:
            if token.type in {"string", "url"}:
                yield token.value
            elif token.type == "function" and token.lower_name == "url":
                yield from _arguments(token)
