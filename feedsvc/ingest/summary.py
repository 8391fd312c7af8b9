"""The summary of an article: its first sentences, in any script."""

# ruff: noqa: RUF001 - other alphabets are meant

from __future__ import annotations

import re
from collections.abc import Iterable

from feedsvc.text import shorten, single_line

LENGTH = 300
_ENOUGH = 140
"""Characters that stand for themselves; a shorter summary takes the next sentence too."""

_END = re.compile(
    r"[.!?…؟۔।॥]+[\"'”’»)\]]*(?:\[\d{1,3}\])?\s+(?=\S)"
    r"|[。！？]+[」』”’）]*"
)
# A full stop after these is no end: initials, and what stands before names and numbers.
_ABBREVIATED = re.compile(
    r"(?:\b[^\W\d_]|\b(?:mr|mrs|ms|dr|st|prof|gen|col|lt|sgt|capt|rev|hon|sen|rep|gov|pres|no|nr|vol|art|fig|vs|etc|jr|sr|inc|ltd|co|corp|dept|approx|ca|bzw|z\.b|u\.a|d\.h|i\.e|e\.g|г|гг|им|тыс|млн|см|т\.е|т\.д)"
    r"|\b(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec))\.$",
    re.IGNORECASE,
)


def summarise(paragraphs: Iterable[str]) -> str:
    """Return the first sentences of the paragraphs: one line of at most 300 characters.

    It ends with a whole sentence where one ends late enough, else at a word.
    """
    gathered = ""
    for paragraph in paragraphs:
        gathered = f"{gathered} {single_line(paragraph)}".strip()
        if len(gathered) >= _ENOUGH:
            break
    if len(gathered) <= LENGTH:
        return gathered
    end = _last_sentence_end(gathered)
    return gathered[:end].rstrip() if end >= _ENOUGH else shorten(gathered, LENGTH)


def _last_sentence_end(text: str) -> int:
    """Return where the last sentence that fits ends, 0 if none does."""
    last = 0
    for match in _END.finditer(text, 0, LENGTH + 10):
        if len(text[: match.end()].rstrip()) > LENGTH:
            break
        if text[match.end() : match.end() + 1].islower():
            continue
        if match[0].startswith(".") and _ABBREVIATED.search(
            text[max(0, match.start() - 12) : match.start() + 1]
        ):
            continue
        last = match.end()
    return last
