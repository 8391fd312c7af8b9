"""The head of a seed: title, byline, date line and photo credit above the text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from feedsvc.errors import SeedRejected
from feedsvc.ingest.blocks import Block, Kind, kind_of
from feedsvc.ingest.byline import Byline, plain, read_byline, read_byline_above_date
from feedsvc.ingest.credit import is_told, read_credit, read_names
from feedsvc.ingest.dates import (
    DateProblem,
    holds_date,
    is_date,
    is_update,
    parse_date,
    parse_update,
)
from feedsvc.ingest.heading import is_same_title, read_heading
from feedsvc.ingest.invisible import is_visible
from feedsvc.ingest.metaline import BY, is_reading_time, meta_parts
from feedsvc.ingest.names import is_ended

_MAX_TITLE = 250
_LOOK_AHEAD = 3
"""Blocks between title and byline (a standfirst, a picture) that do not hide the byline."""
_MAX_LINES = 5
"""Lines of one block that may be byline, date and credit."""
_TIMELINE = 12
"""Blocks below a date among which another one shows that they part the text."""
_BODY = 500
"""Lines of text that are searched for a credit's names."""
_SHORT = 80

_HEADINGS = (Kind.HEADING, Kind.SETEXT, Kind.HTML)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^()]*\)")


@dataclass(slots=True)
class Head:
    """What the lines above the text say, and which of them are not text."""

    title: str | None = None
    """Inline Markdown."""
    byline: Byline | None = None
    published: datetime | None = None
    credit: str | None = None
    used: list[Block] = field(default_factory=list)
    doubtful: int | None = None
    """The line of the file that looks like a date, if none was understood."""


def read_head(
    lines: list[str], blocks: list[Block], *, title: str | None, dated: bool, offset: int
) -> Head:
    """Read the head of a document; front matter may give the ``title`` or have it ``dated``.

    ``offset`` is the number of lines of the file before ``lines``. Blocks that hold both head and
    text are parted in place. Raises SeedRejected for a date that can be read in two ways or does
    not exist.
    """
    return _HeadReader(lines, blocks, offset).read(title, dated=dated)


class _HeadReader:
    def __init__(self, lines: list[str], blocks: list[Block], offset: int) -> None:
        self._lines = lines
        self._blocks = blocks
        self._offset = offset
        self._head = Head()
        self._parts: dict[str, list[str]] = {}
        self._updates: list[tuple[str, int]] = []

    def read(self, title: str | None, *, dated: bool) -> Head:
        start = self._take_metas(0) if self._title_follows_metas() else 0
        start = below = self._take_title(start, title)
        while start < len(self._blocks):
            if (
                self._take_meta(start)
                or self._take_byline_above_date(start)
                or self._take_credit(start)
            ):
                start += 1
            elif (passed := self._passable(start)) is not None:
                start = passed
            else:
                break
        if not dated:
            self._date_by_update()
        if not dated and self._head.published is None:
            self._head.doubtful = self._doubtful(below, start + _LOOK_AHEAD)
        return self._head

    # --- title ------------------------------------------------------------------------------

    def _title_follows_metas(self) -> bool:
        """Tell whether date or byline stand above a heading."""
        for number, block in enumerate(self._blocks[:_LOOK_AHEAD]):
            if block.kind in (Kind.HEADING, Kind.SETEXT):
                return number > 0
            if self._leading(block, bare=False) < block.end - block.start:
                return False
        return False

    def _take_metas(self, start: int) -> int:
        while start < len(self._blocks) and self._take_meta(start):
            start += 1
        return start

    def _take_title(self, start: int, given: str | None) -> int:
        while start < len(self._blocks) and self._is_blank(self._blocks[start]):
            self._head.used.append(self._blocks[start])
            start += 1
        if start >= len(self._blocks):
            return start
        block = self._blocks[start]
        found, end = self._title_of(block)
        if found is None:
            return start
        if given is not None and not is_same_title(found, given):
            # Another heading than the title: it stays in the text, and the head goes on below.
            return start + 1 if block.kind in (Kind.HEADING, Kind.SETEXT) else start
        self._head.title = found
        if end < block.end:
            self._part(start, end - block.start)
        self._head.used.append(self._blocks[start])
        return start + 1

    def _is_blank(self, block: Block) -> bool:
        """Tell whether a paragraph only looks blank, such as one zero-width space."""
        if block.kind is not Kind.PARAGRAPH:
            return False
        return not any(map(is_visible, self._lines[block.start : block.end]))

    def _title_of(self, block: Block) -> tuple[str | None, int]:
        """Return a block's title and the line it ends at."""
        if block.kind in _HEADINGS:
            return read_heading(self._lines, block), block.end
        if block.kind is not Kind.PARAGRAPH or self._leading(block, bare=False):
            return None, block.end
        first = self._lines[block.start]
        rest = Block(block.start + 1, block.end, Kind.PARAGRAPH)
        alone = rest.start == rest.end or self._leading(rest) > 0
        if not alone or len(first) > _MAX_TITLE or _IMAGE.fullmatch(first.strip()):
            return None, block.end
        return first.strip(), block.start + 1

    def _part(self, number: int, count: int) -> None:
        """Part a block after ``count`` lines into two."""
        block = self._blocks[number]
        middle = block.start + count
        self._blocks[number : number + 1] = [
            Block(block.start, middle, block.kind),
            Block(middle, block.end, kind_of(self._lines, middle, block.end)),
        ]

    # --- byline and date --------------------------------------------------------------------

    def _leading(self, block: Block, *, bare: bool = True) -> int:
        """Return how many lines of a block, from its first, are byline, date and credit.

        Text may follow them. ``bare`` allows names without By above a date.
        """
        if block.kind is Kind.LIST:
            # `31. Mai 2024` is a list to Markdown.
            most = 1 if self._lines[block.start].lstrip()[0].isdigit() else 0
        else:
            most = _MAX_LINES if block.kind is Kind.PARAGRAPH else 0
        count, end = 0, min(block.end, block.start + most)
        for number in range(block.start, end):
            line = self._lines[number]
            if not (
                self._meta_parts(line)
                or (bare and number + 1 < block.end and self._is_byline_above(line, number + 1))
                or (count and read_credit(plain(line)) is not None)
            ):
                break
            count += 1
        goes_on = 0 < count < block.end - block.start
        return 0 if goes_on and not self._begins_text(block, block.start + count) else count

    def _begins_text(self, block: Block, number: int) -> bool:
        """Tell whether a line begins something new, and is not the rest of a broken sentence."""
        first = self._lines[number].lstrip(" \t\"'“„«(*_")[:1]
        if first.islower() or number - block.start == _MAX_LINES:
            return False
        # Below a list's first item, only text shows that it was a date.
        return block.kind is not Kind.LIST or (
            kind_of(self._lines, number, block.end) is Kind.PARAGRAPH
        )

    def _take_meta(self, number: int) -> bool:
        """Take the lines of a block that are byline, date and credit."""
        block = self._blocks[number]
        count = self._leading(block)
        if not count:
            return False
        for line in range(block.start, block.start + count):
            self._take_line(line)
        if block.start + count < block.end:
            self._part(number, count)
        self._head.used.append(self._blocks[number])
        return True

    def _meta_parts(self, line: str) -> list[str]:
        """Return the bylines and dates a line consists of; none if there is more in it."""
        if len(line) > 400 or (len(line) > 110 and not BY.match(line.lstrip("*_ "))):
            return []
        if line not in self._parts:
            self._parts[line] = meta_parts(plain(line))
        return self._parts[line]

    def _take_line(self, number: int) -> None:
        line = self._lines[number]
        parts = self._meta_parts(line)
        for part in parts:
            if is_update(part):
                self._updates.append((part, number))
            elif is_date(part):
                moment = self._moment(part, number)
                self._head.published = self._head.published or moment
            elif not is_reading_time(part):
                self._take_byline(part)
        if not parts:
            text = plain(line)
            if self._is_byline_above(line, number + 1):
                self._take_byline(text)
            else:
                self._head.credit = self._head.credit or read_credit(text)

    def _take_byline(self, text: str) -> None:
        found = read_byline(text) or read_byline_above_date(text)
        self._head.byline = self._head.byline or found

    def _moment(self, text: str, number: int) -> datetime | None:
        try:
            return parse_update(text) if is_update(text) else parse_date(text)
        except DateProblem as error:
            line = number + self._offset + 1
            raise SeedRejected(str(error), remedy=error.remedy, line=line) from error

    def _date_by_update(self) -> None:
        """Let `Updated: …` date the article where nothing else does."""
        for text, number in self._updates:
            self._head.published = self._head.published or self._moment(text, number)

    def _is_byline_above(self, line: str, below: int) -> bool:
        """Tell whether only the date in the line below shows that a line is a byline."""
        if self._head.byline is not None or len(line) > 400 or below >= len(self._lines):
            return False
        parts = self._meta_parts(self._lines[below])
        if not parts or not is_date(parts[0]) or any(map(read_byline, parts)):
            return False
        return read_byline_above_date(plain(line)) is not None

    def _is_byline_block(self, number: int) -> bool:
        """Tell whether a block is a byline by the date in the block below it."""
        block, *below = self._blocks[number : number + 3]
        if not below or block.kind is not Kind.PARAGRAPH or block.end - block.start > 1:
            return False
        if not self._leading(below[0]) or any(map(self._names_author, below)):
            return False
        return self._is_byline_above(self._lines[block.start], below[0].start)

    def _take_byline_above_date(self, number: int) -> bool:
        """Take a line that only the date below it shows to be a byline: `by the editors`."""
        if self._head.byline is not None or not self._is_byline_block(number):
            return False
        block = self._blocks[number]
        self._take_byline(plain(self._lines[block.start]))
        self._head.used.append(block)
        return True

    # --- credit -----------------------------------------------------------------------------

    def _take_credit(self, number: int) -> bool:
        """Take a short line of names below or above byline and date, if text follows it."""
        block, *below = self._blocks[number : number + 2]
        if self._head.credit is not None or not below:
            return False
        if block.kind is not Kind.PARAGRAPH or block.end - block.start > 1:
            return False
        line = self._lines[block.start]
        text = plain(line)
        known = self._head.byline is not None or self._head.published is not None
        above = self._leading(below[0]) > 0
        placed = known or above or (number > 0 and self._is_picture(self._blocks[number - 1]))
        credit = read_credit(text)
        if credit is None and (known or (above and self._names_author(below[0]))):
            credit = text if self._is_credit_by_place(line, below[0]) else None
        if credit is None or (not placed and credit == text):
            return False
        self._head.credit = credit
        self._head.used.append(block)
        return True

    def _is_credit_by_place(self, line: str, below: Block) -> bool:
        """Tell whether a line of names alone is a credit: no heading, and no part of the text."""
        text = plain(line)
        names = read_names(text)
        if names is None or "**" in line or "__" in line:  # those are unmarked headings
            return False
        if not self._leading(below) and not self._is_real_text(below):
            return False
        body = "\n".join(self._lines[below.start : below.start + _BODY])
        return not is_told(text, names, title=plain(self._head.title or ""), body=body)

    def _is_real_text(self, block: Block) -> bool:
        if block.kind is not Kind.PARAGRAPH:
            return False
        length = sum(map(len, self._lines[block.start : block.end]))
        return length >= 60 or (length >= 20 and is_ended(self._lines[block.end - 1]))

    # --- what stands between ----------------------------------------------------------------

    def _passable(self, start: int) -> int | None:
        """Return where byline or date go on after a standfirst or a picture, None if nowhere."""
        ahead = self._blocks[start : start + _LOOK_AHEAD]
        for number, block in enumerate(ahead):
            if number and self._leading(block):
                return start + number if self._belongs(start, number) else None
            if number and self._head.byline is None and self._is_byline_block(start + number):
                return None if self._is_diary(start + number + 1) else start + number
            if number and self._is_credit_below_picture(block, ahead[number - 1]):
                return start + number
            if not self._is_standfirst(block):
                return None
        return None

    def _belongs(self, start: int, number: int) -> bool:
        """Tell whether byline or date below ``number`` blocks of text are the article's."""
        block = self._blocks[start + number]
        if all(map(self._is_picture, self._blocks[start : start + number])):
            return True
        if self._names_author(block):
            return self._head.byline is None
        if self._head.published is not None or self._updates:
            return False
        if self._head.byline is not None and number > 1:
            return False
        return not self._is_diary(start + number)

    def _is_diary(self, number: int) -> bool:
        """Tell whether other dates below a date part the text, as in a diary."""
        below = self._blocks[number + 1 : number + 1 + _TIMELINE]
        return any(map(self._begins_with_date, below))

    def _begins_with_date(self, block: Block) -> bool:
        if heading := read_heading(self._lines, block):
            return is_date(plain(heading))
        parts = self._meta_parts(self._lines[block.start]) if self._leading(block) else []
        return any(is_date(part) and not is_update(part) for part in parts)

    def _names_author(self, block: Block) -> bool:
        lines = self._lines[block.start : block.start + self._leading(block)]
        return any(read_byline(part) for line in lines for part in self._meta_parts(line))

    def _is_credit_below_picture(self, block: Block, above: Block) -> bool:
        if self._head.credit is not None or not self._is_picture(above):
            return False
        single = block.kind is Kind.PARAGRAPH and block.end - block.start == 1
        return single and read_credit(plain(self._lines[block.start])) is not None

    def _is_picture(self, block: Block) -> bool:
        return all(_IMAGE.fullmatch(line.strip()) for line in self._lines[block.start : block.end])

    def _is_standfirst(self, block: Block) -> bool:
        if block.kind not in (Kind.PARAGRAPH, Kind.HEADING):
            return False
        return sum(map(len, self._lines[block.start : block.end])) <= 400

    def _doubtful(self, start: int, end: int) -> int | None:
        """Return the line of the file that somebody may have meant for a date."""
        for block in self._blocks[start:end]:
            if block in self._head.used:
                continue
            if block.kind not in (Kind.PARAGRAPH, Kind.HEADING, Kind.LIST):
                break
            for number in range(block.start, min(block.end, block.start + _MAX_LINES)):
                if _may_be_date(self._lines[number].strip()):
                    return number + self._offset + 1
            if not self._is_standfirst(block):
                break
        return None


def _may_be_date(line: str) -> bool:
    """Tell whether a short line that is no sentence holds a year or a day in numbers."""
    if len(line) > _SHORT or not holds_date(line):
        return False
    return len(line.split()) <= 3 or not is_ended(line)
