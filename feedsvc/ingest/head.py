"""The head of a seed: title, byline, date line and photo credit above the text."""

# ruff: noqa: RUF001 - other alphabets are meant

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from feedsvc.errors import SeedRejected
from feedsvc.ingest.blocks import Block, Kind
from feedsvc.ingest.byline import Byline, plain, read_byline, read_byline_above_date, read_credit
from feedsvc.ingest.dates import DateProblem, is_update, parse_date

_MAX_TITLE = 250
_MAX_META = 250
_LOOK_AHEAD = 3
"""Blocks between title and byline (a standfirst, a picture) that do not hide the byline."""

_HTML_TITLE = re.compile(r"<h1(?:\s[^<>]*)?>(?P<title>.*)</h1>", re.IGNORECASE | re.DOTALL)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^()]*\)")
_ATX = re.compile(r"[ \t]*#{1,6}[ \t]*(?P<title>.*?)(?:[ \t]+#+)?[ \t]*")
_PARTS = re.compile(r"\s+[|—–·•-]\s+")
_BY = re.compile(r"(?:by|author|written)\b", re.IGNORECASE)
_GAP = re.compile(r",?\s+")


@dataclass(slots=True)
class Head:
    """What the lines above the text say, and which of them are not text."""

    title: str | None = None
    """Inline Markdown."""
    byline: Byline | None = None
    published: datetime | None = None
    credit: str | None = None
    used: list[Block] = field(default_factory=list)


def read_head(lines: list[str], blocks: list[Block], *, title: str | None, offset: int) -> Head:
    """Read the head of a document; ``title`` is the one its front matter gives, if any.

    ``offset`` is the number of lines of the file before ``lines``. Raises SeedRejected for a
    date that can be read in two ways or does not exist.
    """
    return _HeadReader(lines, blocks, offset).read(title)


class _HeadReader:
    def __init__(self, lines: list[str], blocks: list[Block], offset: int) -> None:
        self._lines = lines
        self._blocks = blocks
        self._offset = offset
        self._head = Head()
        self._parts: dict[str, list[str]] = {}

    def read(self, title: str | None) -> Head:
        start = self._take_metas(0) if self._title_follows_metas() else 0
        start = self._take_title(start, title)
        while start < len(self._blocks):
            block = self._blocks[start]
            if (
                self._take_meta(block)
                or self._take_byline_above_date(start)
                or self._take_credit(block, start)
            ):
                start += 1
            elif (passed := self._passable(start)) is not None:
                start = passed
            else:
                break
        return self._head

    # --- title ------------------------------------------------------------------------------

    def _title_follows_metas(self) -> bool:
        """Tell whether date or byline stand above a heading."""
        for number, block in enumerate(self._blocks[:_LOOK_AHEAD]):
            if block.kind in (Kind.HEADING, Kind.SETEXT):
                return number > 0
            if not self._is_meta(block):
                return False
        return False

    def _take_metas(self, start: int) -> int:
        while start < len(self._blocks) and self._take_meta(self._blocks[start]):
            start += 1
        return start

    def _take_title(self, start: int, given: str | None) -> int:
        if start >= len(self._blocks):
            return start
        block = self._blocks[start]
        found, end = self._title_of(block)
        if found is None:
            return start
        if given is not None and _key(found) != _key(given):
            # Another heading than the title: it stays in the text, and the head goes on below.
            return start + 1 if block.kind in (Kind.HEADING, Kind.SETEXT) else start
        self._head.title = found
        self._head.used.append(Block(block.start, end, block.kind))
        if end < block.end:
            self._blocks[start] = Block(end, block.end, Kind.PARAGRAPH)
            return start
        return start + 1

    def _title_of(self, block: Block) -> tuple[str | None, int]:
        """Return a block's title and the line it ends at."""
        first = self._lines[block.start]
        if block.kind is Kind.HEADING:
            match = _ATX.fullmatch(first)
            return (match["title"] if match else None), block.end
        if block.kind is Kind.SETEXT:
            return " ".join(map(str.strip, self._lines[block.start : block.end - 1])), block.end
        if block.kind is Kind.HTML:
            html = _HTML_TITLE.fullmatch("\n".join(self._lines[block.start : block.end]).strip())
            return (html["title"] if html else None), block.end
        if block.kind is not Kind.PARAGRAPH or self._is_meta(block):
            return None, block.end
        rest = Block(block.start + 1, block.end, Kind.PARAGRAPH)
        alone = rest.start == rest.end or self._is_meta(rest)
        if not alone or len(first) > _MAX_TITLE or _IMAGE.fullmatch(first.strip()):
            return None, block.end
        return first.strip(), block.start + 1

    # --- byline, date, credit ---------------------------------------------------------------

    def _is_meta(self, block: Block) -> bool:
        if not self._may_be_meta(block):
            return False
        return all(self._is_meta_line(line) for line in self._lines[block.start : block.end])

    def _may_be_meta(self, block: Block) -> bool:
        if block.kind is Kind.LIST:
            # `31. Mai 2024` is a list to Markdown.
            return block.end - block.start == 1 and self._lines[block.start].lstrip()[0].isdigit()
        return block.kind is Kind.PARAGRAPH and block.end - block.start <= 4

    def _take_meta(self, block: Block) -> bool:
        """Take a block whose every line is a byline or a date; the last may be a credit."""
        if not self._may_be_meta(block):
            return False
        *above, last = self._lines[block.start : block.end]
        if not all(map(self._is_meta_line, above)):
            return False
        credit = None
        if not self._is_meta_line(last):
            credit = read_credit(plain(last)) if above else None
            if credit is None:
                return False
        for number, line in enumerate(above if credit else [*above, last], start=block.start):
            self._take_line(line, number + self._offset + 1)
        self._head.credit = self._head.credit or credit
        self._head.used.append(block)
        return True

    def _is_meta_line(self, line: str) -> bool:
        return bool(self._meta_parts(line))

    def _meta_parts(self, line: str) -> list[str]:
        """Return the bylines and dates a line consists of; none if there is more in it."""
        if len(line) > 400 or (len(line) > 110 and not _BY.match(line.lstrip("*_ "))):
            return []
        if line not in self._parts:
            self._parts[line] = _meta_parts(plain(line))
        return self._parts[line]

    def _take_line(self, line: str, number: int) -> None:
        for part in self._meta_parts(line):
            byline = read_byline(part)
            if byline is not None:
                self._head.byline = self._head.byline or byline
                continue
            try:
                moment = parse_date(part)
            except DateProblem as error:
                raise SeedRejected(str(error), remedy=error.remedy, line=number) from error
            self._head.published = self._head.published or moment

    def _take_byline_above_date(self, number: int) -> bool:
        """Take a line that only the date below it shows to be a byline: `by the editors`."""
        block, *below = self._blocks[number : number + 2]
        if self._head.byline or not below or not self._is_meta(below[0]):
            return False
        if block.kind is not Kind.PARAGRAPH or block.end - block.start > 1:
            return False
        byline = read_byline_above_date(plain(self._lines[block.start]))
        if byline is None:
            return False
        self._head.byline = byline
        self._head.used.append(block)
        return True

    def _take_credit(self, block: Block, number: int) -> bool:
        """Take a short line of names below byline or date, if text follows it."""
        head = self._head
        known = head.byline is not None or head.published is not None
        known = known or (number > 0 and self._is_picture(self._blocks[number - 1]))
        if head.credit is not None or number + 1 >= len(self._blocks):
            return False
        if block.kind is not Kind.PARAGRAPH or block.end - block.start > 1:
            return False
        text = plain(self._lines[block.start])
        credit = read_credit(text)
        if credit is None or (not known and credit == text):
            return False
        head.credit = credit
        head.used.append(block)
        return True

    def _passable(self, start: int) -> int | None:
        """Return where byline or date go on after a standfirst or a picture, None if nowhere."""
        head = self._head
        ahead = self._blocks[start : start + _LOOK_AHEAD]
        for number, block in enumerate(ahead):
            if number and self._is_meta(block):
                if head.byline is None and self._names_author(block):
                    return start + number
                return start + number if all(map(self._is_picture, ahead[:number])) else None
            if number and self._is_credit_below_picture(block, ahead[number - 1]):
                return start + number
            if not self._is_standfirst(block):
                return None
        return None

    def _names_author(self, block: Block) -> bool:
        lines = self._lines[block.start : block.end]
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


def _key(title: str) -> str:
    return re.sub(r"[\W_]+", "", plain(title)).casefold()


def _meta_parts(text: str) -> list[str]:
    """Part `By Jane Roe | May 31, 2024` into its byline and its date."""
    if len(text) > _MAX_META:
        return []
    one = _is_one_meta(text)
    if not any(map(str.isdigit, text)) or (one and not _BY.match(text)):
        return [text] if one else []
    parts = _PARTS.split(text)
    if len(parts) > 1 and all(map(_is_one_meta, parts)):
        return parts
    if _BY.match(text):
        for gap in _GAP.finditer(text):
            name, rest = text[: gap.start()], text[gap.end() :]
            if _is_date(rest) and read_byline(name):
                return [name, rest]
    return [text] if one else []


def _is_one_meta(text: str) -> bool:
    return read_byline(text) is not None or _is_date(text) or is_update(text)


def _is_date(text: str) -> bool:
    try:
        return parse_date(text) is not None
    except DateProblem:
        return True
