"""What two sequences have in common, in order: readable, and nearly linear in their length.

The square of two long texts takes minutes, so they are first pinned together where a run of items
stands in each of them exactly once (patience diff). Only what lies between the pins is compared
item by item, and where that is large it has little in common: it is replaced as a whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

MAX_CELLS = 60_000
"""Pairs of items compared one by one in one gap: two times 245 words."""
MAX_WORK = 3_000_000
"""Pairs and items looked at in all, about a second."""


@dataclass(frozen=True, slots=True)
class Block:
    """``size`` items from ``before`` on are those from ``after`` on."""

    before: int
    after: int
    size: int


def align(before: Sequence[Hashable], after: Sequence[Hashable], *, run: int) -> list[Block]:
    """Return what both sequences share, in order, no two blocks touching.

    ``run`` is how many items in a row make a pin. When MAX_WORK is done, what is left is taken
    as not shared.
    """
    found: list[Block] = []
    gaps = [(0, len(before), 0, len(after))]
    work = 0
    while gaps:
        a0, a1, b0, b1 = gaps.pop()
        a0, b0, head = _common(before, after, (a0, a1, b0, b1), 1)
        found.append(Block(a0 - head, b0 - head, head))
        _, _, tail = _common(before, after, (a0, a1, b0, b1), -1)
        a1, b1 = a1 - tail, b1 - tail
        found.append(Block(a1, b1, tail))
        cells = (a1 - a0) * (b1 - b0)
        work += a1 - a0 + b1 - b0
        if not cells or work > MAX_WORK:
            continue
        if cells <= MAX_CELLS:
            work += cells
            found.extend(_longest(before[a0:a1], after[b0:b1], a0, b0))
        elif pins := _pins(before, after, (a0, a1, b0, b1), run):
            gaps.extend(_between(pins, (a0, a1, b0, b1)))
            found.extend(Block(a, b, run) for a, b in pins)
    return _joined(found)


def _common(
    before: Sequence[Hashable],
    after: Sequence[Hashable],
    gap: tuple[int, int, int, int],
    step: int,
) -> tuple[int, int, int]:
    """Count what two stretches begin with in common, or end with; return where that ends."""
    a0, a1, b0, b1 = gap
    a, b = (a0, b0) if step > 0 else (a1 - 1, b1 - 1)
    count = 0
    while count < min(a1 - a0, b1 - b0) and before[a] == after[b]:
        a, b, count = a + step, b + step, count + 1
    return a, b, count


def _pins(
    before: Sequence[Hashable],
    after: Sequence[Hashable],
    gap: tuple[int, int, int, int],
    run: int,
) -> list[tuple[int, int]]:
    """Return where runs stand that are in both stretches once, in order and not overlapping."""
    a0, a1, b0, b1 = gap
    ours, theirs = _once(before, a0, a1, run), _once(after, b0, b1, run)
    pairs = [(a, theirs[key]) for key, a in ours.items() if key in theirs]
    pins: list[tuple[int, int]] = []
    for a, b in _increasing(pairs):
        if not pins or (a >= pins[-1][0] + run and b >= pins[-1][1] + run):
            pins.append((a, b))
    return pins


def _once(items: Sequence[Hashable], start: int, end: int, run: int) -> dict[Hashable, int]:
    """Return run → place for the runs that stand in a stretch once, in order of their places."""
    places: dict[Hashable, int] = {}
    twice: set[Hashable] = set()
    for at in range(start, end - run + 1):
        key = tuple(items[at : at + run])
        if key in places:
            twice.add(key)
        places[key] = at
    return {key: at for key, at in places.items() if key not in twice}


def _increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest selection in which both places grow; the first ones do already."""
    ends: list[int] = []
    chain: list[int] = []
    previous: list[int] = []
    for index, (_, b) in enumerate(pairs):
        at = bisect_left(ends, b)
        previous.append(chain[at - 1] if at else -1)
        if at == len(ends):
            ends.append(b)
            chain.append(index)
        else:
            ends[at], chain[at] = b, index
    picked: list[tuple[int, int]] = []
    index = chain[-1] if chain else -1
    while index >= 0:
        picked.append(pairs[index])
        index = previous[index]
    return picked[::-1]


def _between(
    pins: list[tuple[int, int]], gap: tuple[int, int, int, int]
) -> Iterator[tuple[int, int, int, int]]:
    """Yield what lies between the beginnings of pins: each begins with what its pin shares."""
    a0, a1, b0, b1 = gap
    for a, b in pins:
        yield a0, a, b0, b
        a0, b0 = a, b
    yield a0, a1, b0, b1


def _longest(
    before: Sequence[Hashable], after: Sequence[Hashable], a0: int, b0: int
) -> Iterator[Block]:
    """Yield the longest common subsequence of two short stretches."""
    width = len(after) + 1
    rows = [[0] * width]
    for one in reversed(before):
        below, row = rows[-1], [0] * width
        for at in range(width - 2, -1, -1):
            if one == after[at]:
                row[at] = below[at + 1] + 1
            else:
                row[at] = below[at] if below[at] >= row[at + 1] else row[at + 1]  # noqa: FURB136 - max() doubles the time
        rows.append(row)
    rows.reverse()
    a = b = 0
    while a < len(before) and b < len(after):
        if before[a] == after[b]:
            yield Block(a0 + a, b0 + b, 1)
            a, b = a + 1, b + 1
        elif rows[a + 1][b] >= rows[a][b + 1]:
            a += 1
        else:
            b += 1


def _joined(blocks: list[Block]) -> list[Block]:
    """Put blocks in order, those that touch or were found twice made one."""
    joined: list[Block] = []
    for block in sorted(filter(lambda one: one.size, blocks), key=lambda one: one.before):
        last = joined[-1] if joined else None
        if (
            last is not None
            and block.before <= last.before + last.size
            and block.before - last.before == block.after - last.after
        ):
            size = max(last.size, block.before + block.size - last.before)
            joined[-1] = Block(last.before, last.after, size)
        else:
            joined.append(block)
    return joined
