"""Did an article change? Its text in two captures, compared by words. Pure.

`Extractor.main_text` (extract.py) makes a MainText of a captured page. Lines that change by
themselves are left out (furniture.py), words are compared whatever typography does to them (tokens.py),
and a paragraph that only extraction lost or found is none: it still stands, or stood, on the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from feedsvc.capture.align import Block, align
from feedsvc.capture.furniture import without_furniture
from feedsvc.capture.hunks import Stretch, hunks
from feedsvc.capture.tokens import Words, keys_of, tidy, words_of
from feedsvc.model import Difference

__all__ = ["MainText", "compare"]

MAX_TEXT = 2_000_000
"""Letters of a text that are compared."""
_HEAD = 4
"""Paragraphs among which a text may repeat its headline."""
_MAX_SOUGHT = 200
"""Paragraphs looked for in the rest of the other page."""
_MAX_PAIRS = 4_000
_ALIKE = 0.5
"""Share of words that two paragraphs have in common when one is the other, edited."""


@dataclass(frozen=True, slots=True)
class MainText:
    """What of a page is the article, without what surrounds it."""

    title: str
    paragraphs: tuple[str, ...]
    visible: str = ""
    """All text the page shows, a line for each block: what still stands there was not removed."""


def compare(before: MainText, after: MainText) -> Difference:
    """Return what a reader of the article finds changed, in time nearly linear in its length.

    Dates in lines of their own, counters, credits, recommendations, typography, white space and
    where paragraphs are divided make no difference; every word of a sentence does.
    """
    ours, theirs = _Text(before, other=after), _Text(after, other=before)
    stretches = [
        stretch
        for block, gap in _paragraphs(ours, theirs)
        for stretch in (*_kept(block, ours, theirs), *_changed(gap, ours, theirs))
    ]
    shown = hunks(stretches)
    old, new = tidy(before.title), tidy(after.title)
    renamed = old and new and _headline(old) != _headline(new)
    return Difference(
        headline=(old, new) if renamed else None,
        added=shown.added,
        removed=shown.removed,
        hunks=shown.hunks,
        skipped=shown.skipped,
        unshown=shown.unshown,
        rewritten=shown.rewritten,
    )


class _Text:
    """One side, made ready."""

    def __init__(self, text: MainText, *, other: MainText) -> None:
        titles = {keys_of(tidy(one)) for one in (text.title, other.title)} - {()}
        lines = [line for one in _within(text.paragraphs) if (line := tidy(one))]
        found = list(map(words_of, without_furniture(lines)))
        found[:_HEAD] = [_without_title(one, titles) for one in found[:_HEAD]]
        kept = [one for one in found if one.keys]
        self.paragraphs: list[Words] = kept
        self.keys = [one.keys for one in kept]
        self._visible = text.visible

    @cached_property
    def shows(self) -> str:
        """Everything the page shows, as words between spaces."""
        return f" {' '.join(keys_of(tidy(self._visible[:MAX_TEXT])))} "


def _without_title(words: Words, titles: set[tuple[str, ...]]) -> Words:
    """Return a paragraph without the headline it begins with, or consists of."""
    for title in titles:
        size = len(title)
        if _folded(words.keys[:size]) == _folded(title):
            return Words(words.keys[size:], words.texts[size:])
    return words


def _within(paragraphs: Sequence[str]) -> list[str]:
    left, kept = MAX_TEXT, []
    for one in paragraphs:
        kept.append(one[:left])
        left -= len(one)
        if left <= 0:
            break
    return kept


def _folded(keys: tuple[str, ...]) -> str:
    return " ".join(keys).casefold()


def _headline(title: str) -> str:
    return _folded(keys_of(title))


_Gap = tuple[range, range]


def _paragraphs(ours: _Text, theirs: _Text) -> list[tuple[Block, _Gap]]:
    """Return the paragraphs that stayed as they are, each block with the gap behind it."""
    blocks = [Block(0, 0, 0), *align(ours.keys, theirs.keys, run=1)]
    ends = Block(len(ours.keys), len(theirs.keys), 0)
    return [
        (
            one,
            (
                range(one.before + one.size, following.before),
                range(one.after + one.size, following.after),
            ),
        )
        for one, following in pairwise([*blocks, ends])
    ]


def _kept(block: Block, ours: _Text, theirs: _Text) -> list[Stretch]:
    if not block.size:
        return []
    before = ours.paragraphs[block.before : block.before + block.size]
    after = theirs.paragraphs[block.after : block.after + block.size]
    size = sum(len(one.keys) for one in after)
    return [Stretch(tuple(before), tuple(after), (Block(0, 0, size),))]


def _changed(gap: _Gap, ours: _Text, theirs: _Text) -> list[Stretch]:
    """Compare what lies between two paragraphs that stayed, word by word."""
    before = [ours.paragraphs[at] for at in gap[0]]
    after = [theirs.paragraphs[at] for at in gap[1]]
    before, after = _really(before, after, ours, theirs)
    if not before and not after:
        return []
    old = [key for one in before for key in one.keys]
    new = [key for one in after for key in one.keys]
    return [Stretch(tuple(before), tuple(after), tuple(align(old, new, run=3)))]


def _really(
    before: list[Words], after: list[Words], ours: _Text, theirs: _Text
) -> tuple[list[Words], list[Words]]:
    """Leave out paragraphs that the other page shows as well, only not where the article is.

    One that was edited is not among them, though its old wording may be repeated somewhere.
    """
    still, already = _standing(before, theirs), _standing(after, ours)
    changed_before = [one for one in before if one not in still]
    changed_after = [one for one in after if one not in already]
    edited_before = _akin(still, changed_after)
    edited_after = _akin(already, changed_before)
    return (
        [one for one in before if one not in still or one in edited_before],
        [one for one in after if one not in already or one in edited_after],
    )


def _standing(paragraphs: list[Words], other: _Text) -> list[Words]:
    """Return the paragraphs whose words stand in the other page in a row."""
    return [one for one in paragraphs[:_MAX_SOUGHT] if _run(one) in other.shows]


def _akin(paragraphs: list[Words], others: list[Words]) -> list[Words]:
    """Return the paragraphs that stand in others, or that one of them is an edited version of."""
    text = f" {' '.join(key for one in others for key in one.keys)} "
    inside = [one for one in paragraphs if _run(one) in text]
    if len(paragraphs) * len(others) > _MAX_PAIRS:
        return inside
    counts = [Counter(one.keys) for one in others]
    return inside + [
        one for one in paragraphs if any(_share(Counter(one.keys), c) >= _ALIKE for c in counts)
    ]


def _run(words: Words) -> str:
    return f" {' '.join(words.keys)} "


def _share(one: Counter[str], other: Counter[str]) -> float:
    return 2 * (one & other).total() / (one.total() + other.total())
