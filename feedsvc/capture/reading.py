"""A page's bytes as characters: the codec that makes the article appear, or the likeliest one."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from feedsvc.charset import is_utf8, likely_charsets

# Bytes of bare text by which codecs are told apart. Some decoders take a fifth of a microsecond
# for each byte that they do not know, and there are up to sixteen codecs.
_SAMPLE = 256 << 10
_LETTERS = 32 << 10
# Their bytes that look like ASCII are not, so that markup is found only in the decoded text.
_NOT_ASCII = frozenset({"utf-16-le", "utf-16-be", "iso2022_jp"})
_MAX_WIDE = 1 << 20

_MARKUP = r"<!--.*?(?:-->|\Z)|<(script|style|template)\b.*?(?:</\1\s*+>|\Z)|</?[a-zA-Z!?][^<>]*+>?"
_FLAGS = re.IGNORECASE | re.DOTALL
_MARKUP_BYTES = re.compile(_MARKUP.encode(), _FLAGS)
_MARKUP_TEXT = re.compile(_MARKUP, _FLAGS)
_ASCII = re.compile(r"[\0-\x7f]+")
# What no language writes, but a wrong codec reads: words of accented Latin letters only, the half
# characters that are single bytes in Shift JIS, and the Bopomofo of Big5's punctuation marks.
_IMPLAUSIBLE = re.compile("[\u00aa-\u024f]{3,}|[\uff61-\uff9f]+|[\u3100-\u312f]+")


def choose_charset(
    page: bytes,
    *,
    declared: str | None,
    is_markup: bool,
    share: Callable[[str], float],
    enough: float,
    trace: float,
) -> str:
    """Return the codec in which a page shows most of an article, by ``share`` of its bare text.

    The first one to reach ``enough`` is taken; shares below ``trace`` are accidents. Where no
    codec shows more of the article than the others, it is the one that makes most letters: a
    wrong one makes signs, capitals amid words and characters that do not exist.
    """
    charsets = likely_charsets(page, declared=declared)
    best = next(charsets)
    if is_utf8(page):
        return best
    bare = _MARKUP_BYTES.sub(b"", page) if is_markup else page
    sample = b" ".join(bare.split())[:_SAMPLE]
    most = (-1.0, -1.0)
    for charset in (best, *charsets):
        text = _text(page, sample, charset)
        found = share(text)
        if found >= enough:
            return charset
        score = (found if found >= trace else 0.0, _letters(text))
        if score > most:
            best, most = charset, score
    return best


def _text(page: bytes, sample: bytes, charset: str) -> str:
    if charset in _NOT_ASCII:
        text = _MARKUP_TEXT.sub("", page[:_MAX_WIDE].decode(charset, "replace"))[:_SAMPLE]
    else:
        text = sample.decode(charset, "replace")
    return html.unescape(text)


def _letters(text: str) -> float:
    """Count what reads like letters beyond ASCII: small ones, or those that know no size."""
    sample = _ASCII.sub("", _IMPLAUSIBLE.sub("", text))[:_LETTERS]
    return sum(
        # A character of Chinese, Japanese or Korean takes two bytes or more.
        1.5 if character >= "\u3040" else 1.0
        for character in sample
        if character.isalpha() and not character.isupper()
    )
