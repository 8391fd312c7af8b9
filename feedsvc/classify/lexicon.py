"""The keywords of a vocabulary as one index, and the search for them in a row of words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from feedsvc.classify.words import SHAPES, bases, fold, singular, words

_LONGEST_PHRASE = 8
_REMEMBERED: Final = 40_000
_LONGEST_REMEMBERED: Final = 32
_CHARACTERS_PER_WORD: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class Keyword:
    """A word or phrase and what it says for each topic."""

    text: str
    """As the vocabulary writes it, without its weight."""
    weights: tuple[tuple[int, float], ...]
    """Number of the topic and weight; below zero is evidence against it."""


@dataclass(slots=True, eq=False)
class _Node:
    """The phrases that go on from here."""

    keyword: Keyword | None = None
    next: dict[str, _Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """A word that is part of some keyword."""

    stem: str
    keyword: Keyword | None
    """What it means alone."""
    next: dict[str, _Node]
    """The phrases it begins."""


Row = list["_Known | None"]
"""Words in their order; None for those that are part of no keyword."""


class Lexicon:
    """Find keywords in text: the longest phrase wins, an exact form before a stemmed one.

    Built from (keyword, number of the topic, weight). ``=arms`` is met by that form alone, a word
    in capitals (``WHO``) by capitals alone; every other word by its plural, -ed and -ing forms too.
    """

    def __init__(self, entries: Iterable[tuple[str, int, float]]) -> None:
        self._exact: dict[str, Keyword] = {}
        self._capitals: dict[str, Keyword] = {}
        self._singular: dict[str, Keyword] = {}
        self._phrases: dict[str, _Node] = {}
        self._stems: set[str] = set()
        self._joined: dict[tuple[Keyword, Keyword], Keyword] = {}
        # The shortest first: the form nearest to the singular speaks for those that are not listed.
        for text, weights in sorted(_gather(entries).items(), key=lambda entry: len(entry[0])):
            self._add(Keyword(text, tuple(weights.items())))
        self._seen = _Seen(self)

    def read(self, text: str, limit: int) -> Row:
        """Return the first words of text, at most ``limit``, as this lexicon knows them.

        Looks at a prefix in proportion to the limit, so that a text of any size costs the same.
        """
        chunks = text[: limit * _CHARACTERS_PER_WORD].split()
        row: Row = list(chain.from_iterable(map(self._seen.__getitem__, chunks)))
        return row[:limit] if len(row) > limit else row

    def find(self, row: Row) -> list[tuple[int, Keyword]]:
        """Return the keywords in a row with the position of each, in order; the longest wins."""
        found: list[tuple[int, Keyword]] = []
        end, length = 0, len(row)
        for position, word in enumerate(row):
            if word is None or position < end:
                continue
            keyword = word.keyword
            end = position + 1
            if word.next and end < length and row[end] is not None:
                phrase, after = _longest(word.next, row, end)
                if phrase is not None:
                    keyword, end = phrase, after
            if keyword is not None:
                found.append((position, keyword))
        return found

    def meanings(self, chunk: str) -> tuple[_Known | None, ...]:
        """Return what the words between two blanks are to this lexicon."""
        return tuple(map(self._meaning, words(chunk)))

    def _meaning(self, word: str) -> _Known | None:
        folded = fold(word)
        stem = self._stem(folded)
        exact = self._capitals.get(word) or self._exact.get(folded)
        general = self._singular.get(stem)
        keyword = self._join(exact, general) if exact and general else exact or general
        start = self._phrases.get(stem)
        if keyword is None and stem not in self._stems:
            return None
        return _Known(stem, keyword, start.next if start else {})

    def _join(self, exact: Keyword, general: Keyword) -> Keyword:
        """Return what a listed form means, and for topics that do not list it what all forms do."""
        if exact is general:
            return exact
        known = self._joined.get((exact, general))
        if known is None:
            known = self._joined[exact, general] = _merged(exact, general)
        return known

    def _stem(self, folded: str) -> str:
        stem = singular(folded)
        if stem in self._stems or stem in self._singular:
            return stem
        for base in bases(folded):
            if base in self._singular:
                return base
        return stem

    def _add(self, keyword: Keyword) -> None:
        text = keyword.text
        row = keyword_words(text)
        if len(row) > 1:
            self._add_phrase([singular(fold(word)) for word in row], keyword)
        elif text.startswith("="):
            _put(self._exact, fold(row[0]), keyword)
        elif len(text) > 1 and text.isupper():
            _put(self._capitals, row[0], keyword)
        else:
            folded = fold(row[0])
            _put(self._exact, folded, keyword)
            _put(self._singular, singular(folded), keyword)

    def _add_phrase(self, stems: list[str], keyword: Keyword) -> None:
        node = self._phrases.setdefault(stems[0], _Node())
        for stem in stems[1:]:
            node = node.next.setdefault(stem, _Node())
        node.keyword = _merged(node.keyword, keyword) if node.keyword else keyword
        self._stems.update(stems)


def keyword_words(text: str) -> list[str]:
    """Return the words of a keyword as the vocabulary writes it; empty if it has none."""
    text = text.removeprefix("=")
    return [text] if text in SHAPES else words(text)


def too_long(text: str) -> bool:
    """Tell whether a keyword is a longer phrase than the search looks for."""
    return len(keyword_words(text)) > _LONGEST_PHRASE


class _Seen(dict[str, "tuple[_Known | None, ...]"]):
    """What stands between two blanks and what it means, remembered: language repeats itself.

    Bounded in number and length, because texts are untrusted.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        super().__init__()
        self._lexicon = lexicon

    def __missing__(self, chunk: str) -> tuple[_Known | None, ...]:
        known = self._lexicon.meanings(chunk)
        if len(chunk) <= _LONGEST_REMEMBERED:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[chunk] = known
        return known


def _gather(entries: Iterable[tuple[str, int, float]]) -> dict[str, dict[int, float]]:
    gathered: dict[str, dict[int, float]] = {}
    for text, topic, weight in entries:
        gathered.setdefault(text, {})[topic] = weight
    return gathered


def _put(index: dict[str, Keyword], form: str, keyword: Keyword) -> None:
    known = index.get(form)
    index[form] = _merged(known, keyword) if known else keyword


def _merged(first: Keyword, second: Keyword) -> Keyword:
    """Return a keyword that weighs as the first, and as the second where the first is silent."""
    weights = dict(second.weights) | dict(first.weights)
    if weights == dict(first.weights):
        return first
    return Keyword(first.text, tuple(sorted(weights.items())))


def _longest(start: dict[str, _Node], row: Row, at: int) -> tuple[Keyword | None, int]:
    """Return the longest phrase that goes on at a position and where it ends."""
    best: Keyword | None = None
    end = at
    following = start
    for position in range(at, len(row)):
        word = row[position]
        node = following.get(word.stem) if word is not None else None
        if node is None:
            break
        if node.keyword is not None:
            best, end = node.keyword, position + 1
        following = node.next
    return best, end
