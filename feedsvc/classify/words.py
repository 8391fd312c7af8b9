"""Text as words: how titles, bodies and keywords are cut, and which forms count as one word."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Scripts that part no words: every letter is a word, so that a keyword there is a phrase of letters.
_UNPARTED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# Bounded repetition keeps a row of digits and commas linear. In this order: money, a result such as 3-1, a number or a percentage, U.S., a word.
_WORD = re.compile(
    r"[$£€¥]\d[\d.,]{0,16}+\w*"
    r"|(?<![\w\u2013-])\d{1,3}[-\u2013]\d{1,3}(?![\w\u2013-])"
    r"|\d[\d.,]{0,16}+%"
    r"|\b(?:[A-Za-z]\.){2,}"
    rf"|[^\W_{_UNPARTED}]+(?:['\u2019][^\W\d_{_UNPARTED}]+)?"
    rf"|[{_UNPARTED}]"
)
_MONEY, _RESULT, _SHARE = "$#", "#-#", "#%"
SHAPES = (_MONEY, _RESULT, _SHARE)
"""Keywords that stand for any amount of money, any result of a game and any percentage."""

_LONGEST_WORD = 40
_VOWELS = frozenset("aeiouy")


def words(text: str) -> list[str]:
    """Return the words of text as written; time grows with the text and nothing else."""
    return _WORD.findall(text)


def fold(word: str) -> str:
    """Return the form under which a word is looked up: its shape, or lower case without 's."""
    if word[0].isdigit() or word[0] in "$£€¥":
        return _shape(word)
    word = unicodedata.normalize("NFKC", word[:_LONGEST_WORD]).replace("\u2019", "'").casefold()
    stem, mark, tail = word.partition("'")
    if mark and tail in {"s", "t", "d", "m", "re", "ve", "ll"}:
        return stem
    return stem + tail


def singular(word: str) -> str:
    """Return an English word without its plural ending; any other word as it is."""
    if len(word) < 4 or word[-1] != "s" or word[-2] in "suia'":
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zzes")):
        return word[:-2]
    return word[:-1]


def stem(word: str) -> str:
    """Return the form that a word shares with its plural, in any case."""
    return singular(fold(word))


def bases(word: str) -> Iterator[str]:
    """Yield what an English word in -ed, -ing or -er may be made from, the likeliest first.

    Only a base that is a keyword counts, so a wrong guess does no harm.
    """
    for ending in ("ing", "ed"):
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 3 or not _VOWELS & set(stem):
            continue
        yield stem
        yield stem + "e"
        if stem[-1] == stem[-2]:
            yield stem[:-1]
        if stem[-1] == "i":
            yield stem[:-1] + "y"


def _shape(word: str) -> str:
    if not word[0].isdigit():
        return _MONEY
    if word[-1] == "%":
        return _SHARE
    if not word.isalnum() and ("-" in word or "\u2013" in word):
        return _RESULT
    return word.lower()
