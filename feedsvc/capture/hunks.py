"""A comparison as something to read: whole sentences around what changed, the rest folded. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from feedsvc.capture.align import Block
from feedsvc.capture.tokens import Words
from feedsvc.model import Hunk, Mark, Piece

CONTEXT = 12
"""Words of kept text shown on either side of a change."""
MAX_SHOWN = 60_000
"""Letters shown of one comparison."""
_ISLAND = 2
"""Words of kept text that say nothing where they stand alone between larger changes."""
_KINDRED = 0.3
"""Share of words kept, below which text was replaced rather than edited."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some paragraphs before and after, and which of their words are the same."""

    before: tuple[Words, ...]
    after: tuple[Words, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """What `hunks` makes of a comparison; see Difference."""

    hunks: tuple[Hunk, ...]
    added: int
    removed: int
    skipped: int
    unshown: int
    rewritten: bool


@dataclass(slots=True)
class _Run:
    """Words with one fate, as (number of the paragraph, text) on either side."""

    mark: Mark
    before: list[tuple[int, str]] = field(default_factory=list)
    after: list[tuple[int, str]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return max(len(self.before), len(self.after))


@dataclass(slots=True)
class _Line:
    """A paragraph as it will be shown."""

    pieces: list[tuple[Mark, list[str]]] = field(default_factory=list)

    @property
    def changed(self) -> int:
        return sum(len(words) for mark, words in self.pieces if mark is not Mark.KEPT)

    @property
    def edited(self) -> bool:
        return len({mark for mark, _ in self.pieces}) > 1

    def add(self, mark: Mark, word: str) -> None:
        if self.pieces and self.pieces[-1][0] is mark:
            self.pieces[-1][1].append(word)
        else:
            self.pieces.append((mark, [word]))


def hunks(stretches: Sequence[Stretch]) -> Shown:
    """Return what changed in stretches that follow each other, ready to be shown."""
    lines: list[_Line] = []
    added = removed = kept = 0
    for stretch in stretches:
        runs = _readable(list(_runs(stretch)))
        for run in runs:
            added += len(run.after) if run.mark is Mark.ADDED else 0
            removed += len(run.before) if run.mark is Mark.REMOVED else 0
            kept += len(run.after) if run.mark is Mark.KEPT else 0
        lines.extend(_lines(runs))
    found, skipped, unshown = _grouped(lines)
    return Shown(
        hunks=tuple(found),
        added=added,
        removed=removed,
        skipped=skipped,
        unshown=unshown,
        rewritten=min(added, removed) > kept,
    )


def _runs(stretch: Stretch) -> Iterator[_Run]:
    """Yield what was removed, added and kept, in the order of reading."""
    old, new = _numbered(stretch.before), _numbered(stretch.after)
    a = b = 0
    for block in (*stretch.blocks, Block(len(old), len(new), 0)):
        if a < block.before:
            yield _Run(Mark.REMOVED, before=old[a : block.before])
        if b < block.after:
            yield _Run(Mark.ADDED, after=new[b : block.after])
        a, b = block.before + block.size, block.after + block.size
        if block.size:
            yield _Run(Mark.KEPT, before=old[block.before : a], after=new[block.after : b])


def _numbered(paragraphs: Iterable[Words]) -> list[tuple[int, str]]:
    return [(number, text) for number, one in enumerate(paragraphs) for text in one.texts]


def _readable(runs: list[_Run]) -> list[_Run]:
    """Let go of what was kept by accident; then say first what was removed, then what was added."""
    kept = sum(run.size for run in runs if run.mark is Mark.KEPT)
    whole = max(sum(len(run.before) for run in runs), sum(len(run.after) for run in runs))
    replaced = kept < _KINDRED * whole
    islands = {
        at
        for at, run in enumerate(runs)
        if run.mark is Mark.KEPT and (replaced or _is_island(runs, at))
    }
    merged: list[_Run] = []
    for at, run in enumerate(runs):
        fate = Mark.REMOVED if at in islands else run.mark
        if fate is Mark.KEPT:
            merged.append(run)
            continue
        if not merged or merged[-1].mark is Mark.KEPT:
            merged.append(_Run(Mark.REMOVED))
        merged[-1].before.extend(run.before)
        merged[-1].after.extend(run.after)
    return [part for run in merged for part in _parted(run)]


def _is_island(runs: list[_Run], at: int) -> bool:
    """Tell whether a kept run is a word or two amid changes that are larger on both sides."""
    size = runs[at].size
    if size > _ISLAND or at in (0, len(runs) - 1):
        return False
    left = sum(run.size for run in runs[max(at - 2, 0) : at] if run.mark is not Mark.KEPT)
    right = sum(run.size for run in runs[at + 1 : at + 3] if run.mark is not Mark.KEPT)
    return min(left, right) > 2 * size


def _parted(run: _Run) -> Iterator[_Run]:
    if run.mark is Mark.KEPT:
        yield run
        return
    if run.before:
        yield _Run(Mark.REMOVED, before=run.before)
    if run.after:
        yield _Run(Mark.ADDED, after=run.after)


def _lines(runs: Iterable[_Run]) -> Iterator[_Line]:
    """Lay runs out as paragraphs: a new one where either side begins one."""
    line = _Line()
    ours: int | None = None
    theirs: int | None = None
    for run in runs:
        if run.mark is Mark.ADDED and _replaces(line, run):
            yield line
            line, ours, theirs = _Line(), None, None
        side = run.before if run.mark is Mark.REMOVED else run.after
        for at, (number, word) in enumerate(side):
            old = run.before[at][0] if run.mark is not Mark.ADDED else None
            new = number if run.mark is not Mark.REMOVED else None
            if _begins(old, ours) if new is None or theirs is None else _begins(new, theirs):
                yield line
                line, ours, theirs = _Line(), None, None
            line.add(run.mark, word)
            ours = ours if old is None else old
            theirs = theirs if new is None else new
    if line.pieces:
        yield line


def _replaces(line: _Line, run: _Run) -> bool:
    """Tell whether whole text comes for whole text: then each gets a paragraph of its own."""
    alone = len(line.pieces) == 1 and line.pieces[0][0] is Mark.REMOVED
    return alone and len(line.pieces[0][1]) > CONTEXT and len(run.after) > CONTEXT


def _begins(number: int | None, last: int | None) -> bool:
    return number is not None and last is not None and number != last


# --- what is shown --------------------------------------------------------------------------


def _grouped(lines: list[_Line]) -> tuple[list[Hunk], int, int]:
    """Return hunks, how many paragraphs follow the last one, and how many words are not shown."""
    shown = _with_context(lines)
    found: list[Hunk] = []
    left, skipped, unshown = MAX_SHOWN, 0, 0
    for visible, group in groupby(range(len(lines)), key=lambda at: at in shown):
        numbers = list(group)
        if not visible:
            skipped += len(numbers)
            continue
        paragraphs = []
        for at in numbers:
            pieces = tuple(_pieces(lines[at]))
            left -= sum(len(piece.text) for piece in pieces)
            if left < 0:
                unshown += lines[at].changed
            else:
                paragraphs.append(pieces)
        if paragraphs:
            found.append(Hunk(tuple(paragraphs), skipped=skipped))
            skipped = 0
    return found, skipped, unshown


def _with_context(lines: list[_Line]) -> set[int]:
    """Return which lines to show: what changed, and around what came or went as a whole its place."""
    shown: set[int] = set()
    for at, line in enumerate(lines):
        if line.changed:
            shown.add(at)
            if not line.edited:
                shown.update(near for near in (at - 1, at + 1) if 0 <= near < len(lines))
    return shown


def _pieces(line: _Line) -> Iterator[Piece]:
    """Yield a line's pieces, long kept ones folded but for what is next to a change."""
    last = len(line.pieces) - 1
    for at, (mark, words) in enumerate(line.pieces):
        head = CONTEXT if at > 0 or last == 0 else 0
        tail = CONTEXT if at < last else 0
        if mark is not Mark.KEPT or len(words) <= head + tail + CONTEXT // 2:
            yield Piece(mark, "".join(words))
            continue
        if head:
            yield Piece(Mark.KEPT, "".join(words[:head]))
        yield Piece(Mark.FOLDED, "", len(words) - head - tail)
        if tail:
            yield Piece(Mark.KEPT, "".join(words[len(words) - tail :]))
