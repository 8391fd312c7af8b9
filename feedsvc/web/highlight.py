"""Where in a text the words of a query stand, and the part of it that is worth showing. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from feedsvc.query import Query, folded

LENGTH = 280
"""Characters of an excerpt, about."""
_BEFORE = 90
_SCANNED = 40_000
"""Characters of a text in which the first word that was found is looked for."""
# A script without spaces between words is looked through letter by letter, as the index does.
_UNPARTED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNPARTED}]|[^\W_{_UNPARTED}]+(?:['\u2019][^\W_{_UNPARTED}]+)*")
_SHOWN_FIELDS = frozenset({"anywhere", "title"})


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a text, marked where it is what was looked for."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """What to mark: runs of folded words; of an open run the last one is the beginning of a word."""

    runs: tuple[tuple[tuple[str, ...], bool], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.runs)


def words_of(query: Query) -> Words:
    """Return what of a query can be seen in titles and texts."""
    terms = [
        term
        for wanted, either in query.conditions
        if wanted
        for term in either
        if term.field in _SHOWN_FIELDS and term.value.strip()
    ]
    runs = {(tuple(term.value.split()), not term.value.endswith(" ")) for term in terms}
    # Long runs first, so that a phrase is marked as one.
    return Words(tuple(sorted(runs, key=lambda run: (-len(run[0]), run))))


def marked(text: str, words: Words) -> list[Stretch]:
    """Return all of a text, in stretches."""
    return _stretches(text, list(_spans(text, words)))


def excerpt(text: str, words: Words, *, otherwise: str) -> list[Stretch]:
    """Return the part of a text around the first word found, ``otherwise`` if there is none."""
    first = next(_spans(text[:_SCANNED], words), None) if words else None
    if first is None:
        return marked(otherwise, words)
    begin = max(first[0] - _BEFORE, 0)
    if begin:
        begin = text.find(" ", begin, first[0]) + 1 or begin
    end = begin + LENGTH
    if end < len(text):
        end = max(text.rfind(" ", begin, end), first[1])
    part = " ".join(text[begin:end].split())
    before, after = "… " if begin else "", " …" if end < len(text) else ""
    return marked(f"{before}{part}{after}", words)


def _spans(text: str, words: Words) -> Iterator[tuple[int, int]]:
    """Yield beginning and end of everything that was looked for, in order, never overlapping."""
    if not words:
        return
    found = list(_tokens(text))
    begins = {run[0] for run, open_ in words.runs if not (open_ and len(run) == 1)}
    openings = tuple(run[0] for run, open_ in words.runs if open_ and len(run) == 1)
    place = 0
    while place < len(found):
        token = found[place][0]
        length = 0
        if token in begins or (openings and token.startswith(openings)):
            length = _matched([one[0] for one in found[place : place + 40]], words.runs)
        if length:
            yield found[place][1], found[place + length - 1][2]
        place += length or 1


def _matched(tokens: Sequence[str], runs: Sequence[tuple[tuple[str, ...], bool]]) -> int:
    """Return how many of the first tokens are one of the runs, 0 if none is."""
    for run, open_ in runs:
        size = len(run)
        there = tuple(tokens[:size])
        if there == run:
            return size
        if (
            open_
            and there[:-1] == run[:-1]
            and len(there) == size
            and there[-1].startswith(run[-1])
        ):
            return size
    return 0


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the folded words of a text with where they begin and end."""
    for match in _WORD.finditer(text):
        word = match[0]
        begin, end = match.span()
        if word.isascii() and "'" not in word:
            yield word.lower(), begin, end
            continue
        for part in folded(word).split():
            yield part, begin, end


def _stretches(text: str, spans: Sequence[tuple[int, int]]) -> list[Stretch]:
    found: list[Stretch] = []
    at = 0
    for begin, end in spans:
        if begin > at:
            found.append(Stretch(text[at:begin]))
        if end > at:
            found.append(Stretch(text[max(begin, at) : end], marked=True))
            at = end
    if at < len(text):
        found.append(Stretch(text[at:]))
    return found
