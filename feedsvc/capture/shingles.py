"""How much of one text stands in another, whatever layout, markup and punctuation do to it.

Both texts are reduced to their letters and digits: no spaces, no punctuation, one case. The
article is cut into shingles of about five words, and each is looked for anywhere in the page.
Without spaces a word that markup, hyphens or soft breaks take apart is whole again, and scripts
that write no spaces need no rule of their own. An edit, a footnote mark or an advertisement
inside a paragraph costs the one shingle it falls into.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

VERIFIED = 0.8
"""The share of an article from which a page shows it."""
TRACE = 0.1
"""The share of an article below which it is there by accident."""
Reduction = Callable[[str], bytes]

# Letters a shingle holds: about five words. A Chinese, Japanese or Korean character carries
# what two or three letters carry elsewhere.
_LENGTH = 24
_LENGTH_DENSE = 10
# Shorter paragraphs ("Yes.") are found in any page by accident.
_SHORTEST = 8
# A megabyte of article is sampled evenly: more shingles only sharpen the share's third digit.
_MOST = 256

_NOT_ASCII_LETTERS = bytes(code for code in range(256) if code > 127 or not chr(code).isalnum())
_ASCII = bytes(range(128))
_LOWER = bytes(code + 32 if 65 <= code <= 90 else code for code in range(256))
# CPython sorts a run of combining marks in quadratic time: a megabyte of them takes an hour.
_MARKS = re.compile(r"([^\w\s]{16})[^\w\s]+")
_NOT_LETTERS = re.compile(r"[\W_]+")
_DENSE = re.compile("[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
_PARAGRAPH = re.compile(r"\n\s*\n")


def quick(text: str) -> bytes:
    """Reduce text to its ASCII letters and digits, in lower case.

    Twenty times faster than `thorough`, and as good for a text of which they are nearly all:
    typographic quotes and the é of a café fall out of both texts alike.
    """
    return text.encode("utf-8", "replace").translate(_LOWER, _NOT_ASCII_LETTERS)


def thorough(text: str) -> bytes:
    """Reduce text to its letters and digits in any script: NFKC, case folded, in UTF-8."""
    if text.isascii():
        return quick(text)
    text = _MARKS.sub(r"\1", text.encode("utf-8", "replace").decode())
    # Unicode §3.13: folding may undo NFKC, as ΐ does.
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _NOT_LETTERS.sub("", text).encode()


def is_mostly_ascii(text: str) -> bool:
    """Tell whether `quick` keeps enough of a text to recognise it by."""
    return len(text.encode("utf-8", "replace").translate(None, _ASCII)) * 10 < len(text)


@dataclass(frozen=True, slots=True)
class Found:
    """What of an article stands in a page."""

    share: float
    """0.0 to 1.0 of its shingles, by length."""
    reach: float
    """Where in the article the last shingle that was found ends, 0.0 to 1.0."""
    density: float
    """The share of what stands before ``reach``: 1.0 is an unbroken beginning."""


@dataclass(frozen=True, slots=True)
class Shingles:
    """An article's text, cut for looking it up."""

    pieces: tuple[bytes, ...]

    def look_up(self, page: bytes) -> Found:
        """Return how much of the article is in a page's text, reduced the same way."""
        total = hits = last = hits_at_last = position = 0
        for piece in self.pieces:
            total += len(piece)
            # An article in one piece is read forward once; only what is missing costs a scan.
            at = page.find(piece, position)
            if at < 0:
                at = page.find(piece, 0, position + len(piece))
            if at >= 0:
                position = at + len(piece)
                hits += len(piece)
                last, hits_at_last = total, hits
        if not total or not last:
            return Found(0.0, 0.0, 0.0)
        return Found(hits / total, last / total, hits_at_last / last)


class Sought:
    """An article's text that is looked for in several texts, cut for it once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._is_mostly_ascii = is_mostly_ascii(text)

    def look_up(self, page: str) -> Found:
        """Look the quick way, and thoroughly where that does not verify it."""
        if self._is_mostly_ascii:
            found = self._quick.look_up(quick(page))
            # What is a little off may be a matter of accents written in two ways.
            if not TRACE <= found.share < VERIFIED or self._text.isascii():
                return found
        return self._thorough.look_up(thorough(page))

    @cached_property
    def _quick(self) -> Shingles:
        return cut(self._text, quick)

    @cached_property
    def _thorough(self) -> Shingles:
        return cut(self._text, thorough)


def cut(text: str, reduce: Reduction) -> Shingles:
    """Cut an article's text into shingles; paragraphs stand apart by blank lines."""
    paragraphs = [reduce(paragraph).decode() for paragraph in _PARAGRAPH.split(text)]
    pieces = [piece for paragraph in paragraphs for piece in _pieces(paragraph)]
    if len(pieces) > _MOST:
        pieces = [pieces[index * len(pieces) // _MOST] for index in range(_MOST)]
    long = [piece for piece in pieces if len(piece) >= _SHORTEST or _DENSE.search(piece)]
    return Shingles(tuple(piece.encode() for piece in long or pieces))


def _pieces(paragraph: str) -> Sequence[str]:
    """Cut one paragraph; its last piece takes what would be too short alone."""
    if not paragraph:
        return ()
    dense = len(_DENSE.findall(paragraph[:1000])) * 3 > min(len(paragraph), 1000)
    length = _LENGTH_DENSE if dense else _LENGTH
    count = max(1, len(paragraph) // length)
    marks = [*range(0, count * length, length), len(paragraph)]
    return [paragraph[start:end] for start, end in pairwise(marks)]
