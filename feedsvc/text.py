"""Cleaning of untrusted strings: what XML cannot hold and what a terminal must not see."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# XML 1.0 §2.2: everything outside Char. Lone surrogates are inside the excluded range.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Explicit directional formatting can make a title read as something else; letters need none.
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SPACE = re.compile(r"\s+")
_MARKS = 30
_HIGH = re.compile("[\u0300-\U0010ffff]{31}")
"""Every combining mark is among these; looking for them is quicker than for what is no letter."""
_NO_LETTERS = re.compile(r"[^\w\s]{31,}")
_PASSWORD = re.compile(r"(?<=://)([^\s/:@]*):[^\s/@]+@")
_PRIVATE = re.compile(r"(?<=private/)[0-9a-f]{32,}")
_SECRET = re.compile(
    r"(?i)\b((?:password|passwd|secret|token|api_?key|signature|session|authorization|cookie)[\"']?\s*[=:]\s*)[^\s&;,]+"
)


def clean(text: str) -> str:
    """Return text with every character that XML 1.0 forbids replaced by U+FFFD."""
    return _ILLEGAL.sub(REPLACEMENT, text)


def is_clean(text: str) -> bool:
    """Tell whether XML 1.0 can hold text as it is."""
    return _ILLEGAL.search(text) is None


def nfc(text: str) -> str:
    """Return text in NFC, in linear time.

    Of a run of combining marks the first 30 stay, as many as any language stacks (UAX #15,
    Stream-Safe Text Format): sorting a longer run takes quadratic time, a megabyte of them hours.
    """
    if text.isascii():
        return text
    if _HIGH.search(text):
        text = _NO_LETTERS.sub(_fewer_marks, text)
    return unicodedata.normalize("NFC", text)


def _fewer_marks(found: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for character in found[0]:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MARKS:
            kept.append(character)
    return "".join(kept)


def single_line(text: str) -> str:
    """Return text as one clean NFC line: white space folded, directional overrides removed."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()  # most lines: nothing in them could need more
    folded = _SPACE.sub(" ", _BIDI.sub("", clean(text))).strip()
    return nfc(folded)


def printable(text: str) -> str:
    """Return text that cannot move a terminal's cursor, colour it or reverse its order."""
    return _CONTROL.sub(REPLACEMENT, _BIDI.sub("", text))


def without_tokens(text: str) -> str:
    """Return text with the secret part of private feeds' addresses hidden."""
    return _PRIVATE.sub("***", text)


def redacted(text: str) -> str:
    """Return text with the passwords of URLs and the values of `token=` and the like hidden."""
    return _SECRET.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text))


def shorten(text: str, length: int) -> str:
    """Return one line of at most ``length`` characters, cut at a word and marked with an ellipsis."""
    line = single_line(text)
    if len(line) <= length:
        return line
    head = line[: length - 1]
    if not line[length - 1].isspace() and " " in head[length // 2 :]:
        head = head[: head.rindex(" ")]
    return head.rstrip(" ,;:.-\N{EN DASH}\N{EM DASH}") + "…"


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return `did you mean 'x'? ` for the known name that is most like it, "" if none is."""
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""
