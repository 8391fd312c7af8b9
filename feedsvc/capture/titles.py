"""What a page calls itself, and whether that is what an article is called."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from feedsvc.capture.shingles import thorough

TELLING = 12
"""Letters that are not found in another page by accident."""
_HEADINGS = 3
# A page with more of them is a list of articles, each under its own.
_MOST_HEADINGS = 2
_PARTS = re.compile(r"\s[-\u2013\u2014]\s|[|:\u00b7\u00bb\u00ab\u2022\u203a\u2039]")
_TAGS = re.compile(r"<[^>]*>")
_META = re.compile(r"<meta\s[^<>]{0,300}?(?:og|twitter):title[^<>]{0,2000}>", re.IGNORECASE)
_CONTENT = re.compile(r"""content\s*=\s*(?:"([^"]*)|'([^']*))""", re.IGNORECASE)


def headings(source: str, lower: str) -> tuple[str, ...]:
    """Return a page's title and its first headings; ``lower`` is the source in lower case."""
    titles = [*inside(source, lower, "title", most=1)]
    titles += [text for tag in ("h1", "h2") for text in inside(source, lower, tag, most=_HEADINGS)]
    return tuple(titles)


def names(source: str, lower: str) -> tuple[str, ...]:
    """Return what a page as a whole is called: its title, here and for others, and its heading."""
    found = [*inside(source, lower, "title", most=1)]
    contents = (_CONTENT.search(meta[0]) for meta in islice(_META.finditer(source), 2))
    found += [html.unescape(content[1] or content[2] or "") for content in contents if content]
    ones = [*inside(source, lower, "h1", most=_MOST_HEADINGS + 1)]
    return (*found, *(ones if len(ones) <= _MOST_HEADINGS else ()))


def inside(source: str, lower: str, tag: str, *, most: int) -> Iterator[str]:
    """Yield the text of the first elements of a name; ``lower`` is the source in lower case."""
    if len(lower) != len(source):
        source = lower  # İ becomes two characters, and positions hold in the same string only
    at = 0
    for _ in range(most):
        start = lower.find(f"<{tag}", at)
        begin = lower.find(">", start) + 1
        end = lower.find(f"</{tag}", begin)
        if start < 0 or not begin or end < 0:
            return
        at = end
        text = html.unescape(_TAGS.sub("", source[begin : min(end, begin + 1000)]))
        if text := " ".join(text.split()):
            yield text


def parts(title: str) -> list[str]:
    """Take a title apart at what sites put between headline, section and name; reduced."""
    return [thorough(part).decode() for part in _PARTS.split(title)]


def is_called(title: str, among: Iterable[str]) -> bool:
    """Tell whether one of a page's names is a title, alone or with the site's name and the like.

    "Results for <title>" and "Comments on <title>" are not; a name cut short is.
    """
    wanted = thorough(title).decode()
    if not wanted:
        return False
    return any(_is_name(wanted, parts(name[:1000])) for name in among)


def _is_name(wanted: str, pieces: list[str]) -> bool:
    if len(wanted) < TELLING:
        return wanted in pieces
    if any(wanted.startswith(piece) and len(piece) * 5 >= len(wanted) * 3 for piece in pieces):
        return True
    return any("".join(pieces[start:]).startswith(wanted) for start in range(min(len(pieces), 9)))


def is_named(title: str, among: Iterable[str]) -> bool:
    """Tell whether a title stands anywhere in one of the names, whole or for the most part."""
    wanted = thorough(title)
    if len(wanted) < TELLING:
        return bool(wanted) and any(thorough(name) == wanted for name in among)
    return any(_overlap(wanted, name) for name in among)


def _overlap(wanted: bytes, name: str) -> bool:
    if wanted in thorough(name):
        return True
    pieces = [piece.encode() for piece in parts(name[:1000])]
    return any(piece in wanted and len(piece) * 2 >= len(wanted) for piece in pieces)
