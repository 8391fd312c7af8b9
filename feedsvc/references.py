"""From what a page or stylesheet writes to an address that can be fetched. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote, urljoin

from feedsvc.urls import MAX_URL, InvalidURL, absolute

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_EDGES = "".join(map(chr, range(33)))
_INNER = re.compile(r"[\t\r\n]")
# What URLs must not contain and browsers escape (URL Standard §1.3); `|` is common in font URLs.
_ESCAPED = re.compile(r"[\x00-\x20\"<>`{}|^\\\x7f-\xa0\u2028\u2029\ud800-\udfff]")
_SPACE = re.compile(r"[\t\n\f\r ,]*+")
_CANDIDATE = re.compile(r"[^\t\n\f\r ]++")
# HTML §4.8.4.2.1: a descriptor ends at a comma, unless that is inside parentheses.
_DESCRIPTORS = re.compile(r"(?:[^,(]|\([^)]*+\)?)*+,?")


def resolve(reference: str, *, base: str, charset: str = "utf-8") -> str | None:
    """Return the absolute http(s) URL of a reference without its fragment, None if it has none.

    White space, backslashes and forbidden characters are treated as browsers do; characters of
    the query are written in the page's charset (URL Standard §4.4).
    """
    reference = _INNER.sub("", reference.strip(_EDGES)).partition("#")[0]
    if not reference or len(reference) > MAX_URL:
        return None
    scheme = _SCHEME.match(reference)
    if scheme and scheme[0].lower() not in {"http:", "https:"}:
        return None
    path, mark, query = reference.partition("?")
    path = path.replace("\\", "/")
    if charset != "utf-8" and not query.isascii():
        query = quote(query.encode(charset, "xmlcharrefreplace"), safe="%/?:@!$&'()*+,;=-._~")
    if path:
        # The pages of a folder refer to the same things, relative to the same address then.
        folder = base.partition("?")[0].rpartition("/")[0] + "/"
        base = folder if folder.count("/") > 2 else base
    return _joined(base, path + mark + query)


@lru_cache(maxsize=4096)
def _joined(base: str, reference: str) -> str | None:
    try:
        return absolute(urljoin(base, _ESCAPED.sub(_escape, reference)))
    except (InvalidURL, ValueError):
        return None


def srcset(value: str) -> Iterator[str]:
    """Yield the references of a srcset attribute (HTML §4.8.4.2.1); commas in them are kept."""
    for reference, _ in srcset_candidates(value):
        yield reference


def srcset_candidates(value: str) -> Iterator[tuple[str, str]]:
    """Yield each reference of a srcset attribute with its descriptors as written: ` 2x`."""
    place = 0
    while True:
        space = _SPACE.match(value, place)
        found = _CANDIDATE.match(value, space.end() if space else place)
        if found is None:
            return
        place = found.end()
        if found[0].endswith(","):
            yield found[0].rstrip(","), ""
        else:
            rest = _DESCRIPTORS.match(value, place)
            yield found[0], rest[0].rstrip("\t\n\f\r ,") if rest else ""
            place = rest.end() if rest else place


def _escape(match: re.Match[str]) -> str:
    return quote(match[0].encode("utf-8", "replace"), safe="")
