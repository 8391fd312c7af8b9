"""Texts taken apart into words that can be compared: any script, any way to write a quotation mark.

A word is what two captures are compared by. Punctuation, quotation marks and dashes are none; a
number is one with its sign and decimals, and so are the signs of money, degrees and per cent. Where
a script puts no spaces between words, a word is a character (Chinese, Japanese) or what one stands
on the page as one (Thai, Lao, Khmer, Burmese).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

from feedsvc.text import nfc

# Directional controls can make a text read as another one; soft hyphens and the like show nothing.
_UNSEEN = re.compile("[\u00ad\u200b\u2060\ufeff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Joiners shape letters of Persian and Indic scripts and are shown, but make no other word.
_SHAPING = re.compile("[\u200c\u200d\ufe00-\ufe0f\u0640]")
_SPACE = re.compile(r"\s+")

_DENSE = "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_LED = "\u0e40-\u0e44\u0ec0-\u0ec4"
"""Vowels of Thai and Lao that are written before their consonant."""
_STACKED = "\u0e00-\u0e3e\u0e45-\u0e4f\u0e80-\u0ebf\u0ec5-\u0ecf\u0edc-\u0edf\u1000-\u103f\u1050-\u109f\u1780-\u17d3\u17dc\u17dd"
_STACK = "\u0e30-\u0e3a\u0e45\u0e47-\u0e4e\u0eb0-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u1056-\u1059\u17b4-\u17d3\u17dd"
# Python's \w leaves combining marks out. Indic scripts are full of them, so their blocks are taken
# whole, but for the dandas that end sentences.
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640"
    "\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0711\u0730-\u074a"
    "\u07a6-\u07b0\u08d3-\u08ff\u0900-\u0963\u0966-\u096f\u0971-\u0df3\u0f18\u0f19\u0f35\u0f37\u0f39"
    "\u0f71-\u0f84\u0f86-\u0fbc\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f\u200c\u200d"
)
_LETTER = f"(?:(?![\\d_{_DENSE}{_KATAKANA}{_STACKED}{_LED}])[\\w{_MARKS}])"
_WORD = f"{_LETTER}(?:{_LETTER}|\\d)*"
_APOSTROPHE = "['\u2019\u2018\u02bc\uff07\u05f3]"
_TOKEN = re.compile(
    # A minus is one at the beginning of a word only; elsewhere it is a hyphen or a dash.
    rf"(?:(?<![\w)\]])[+\-\u2212\u2013])?\d+(?:[.,:/\u066b\u066c'\u2019]\d+)*"
    rf"|{_WORD}(?:(?:{_APOSTROPHE}|(?<=[\u05d0-\u05ea])[\"\u05f4])(?={_LETTER}){_WORD})*"
    rf"|[{_KATAKANA}]+"
    rf"|[{_DENSE}]"
    rf"|[{_LED}]?[{_STACKED}][{_STACK}]*"
    r"|[%\u2030\u00b0$\u00a2-\u00a5\u0e3f\u20a0-\u20cf\uff05\uff04\uffe5]"
)
_APOSTROPHES = re.compile(_APOSTROPHE)
_MINUS = re.compile("[\u2212\u2013]")
_KEEPS_SHAPE = ("<super>", "<sub>", "<fraction>")


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph as words: what they are compared by, and how they stand in the text."""

    keys: tuple[str, ...]
    texts: tuple[str, ...]
    """One for each key, with the punctuation and the space at it; together the paragraph."""


def tidy(text: str) -> str:
    """Return a paragraph as one NFC line without characters that show nothing."""
    return _SPACE.sub(" ", _UNSEEN.sub("", nfc(text))).strip()


def words_of(paragraph: str) -> Words:
    """Take a tidy paragraph apart; empty if no word is in it."""
    found = list(_TOKEN.finditer(paragraph))
    if not found:
        return Words((), ())
    cuts = [0]
    for one, following in pairwise(found):
        # What stands before the last space belongs to the word before it: `said: “Yes`.
        space = paragraph.rfind(" ", one.end(), following.start())
        cuts.append(following.start() if space < 0 else space + 1)
    cuts.append(len(paragraph))
    texts = tuple(paragraph[cuts[at] : cuts[at + 1]] for at in range(len(found)))
    return Words(tuple(_key(one[0]) for one in found), texts)


def keys_of(text: str) -> tuple[str, ...]:
    """Return what a tidy text is compared by."""
    return tuple(_key(found) for found in _TOKEN.findall(text))


def _key(token: str) -> str:
    if token.isascii():
        return token
    token = _MINUS.sub("-", _APOSTROPHES.sub("'", _SHAPING.sub("", token)))
    token = token.replace("\u05f4", '"')
    if any(unicodedata.decomposition(one).startswith(_KEEPS_SHAPE) for one in token):
        return token  # 10² is not 102
    return unicodedata.normalize("NFKC", token)
