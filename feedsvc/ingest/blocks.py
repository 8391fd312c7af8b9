"""A seed's lines as Markdown blocks, as far as reading its head and tail needs it."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    """What a block is, judged by how it begins (CommonMark §4)."""

    PARAGRAPH = auto()
    HEADING = auto()
    SETEXT = auto()
    CODE = auto()
    LIST = auto()
    QUOTE = auto()
    TABLE = auto()
    HTML = auto()
    RULE = auto()
    INDENTED = auto()


class Block(NamedTuple):
    """Lines ``start`` to ``end`` (exclusive, counted from 0) that stand without a blank between."""

    start: int
    end: int
    kind: Kind


_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_FENCE = re.compile(r" {0,3}(`{3,}(?!.*`)|~{3,})")
_MARKED = re.compile(
    r"(?P<RULE>[-*_][ \t]*(?:[-*_][ \t]*){2,}$)"
    r"|(?P<LIST>(?:[-+*]|\d{1,9}[.)])(?:[ \t]|$))"
    r"|(?P<QUOTE>>)"
    r"|(?P<HTML><(?:[A-Za-z/!?]))"
)
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)[ \t]*$")
_DELIMITERS = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_AUTOLINK = re.compile(r"<(?:https?://|mailto:)", re.IGNORECASE)


def split_blocks(lines: list[str]) -> list[Block]:
    """Return the blocks of a document in order; fenced code is one block, blank lines and all."""
    found: list[Block] = []
    number, last = 0, len(lines)
    while number < last:
        line = lines[number]
        if not line or line.isspace():
            number += 1
            continue
        start = number
        number += 1
        if _HEADING.match(line):
            found.append(Block(start, number, Kind.HEADING))
        elif fence := _FENCE.match(line):
            number = _end_of_fence(lines, number, fence[1])
            found.append(Block(start, number, Kind.CODE))
        else:
            while number < last and _goes_on(lines[number]):
                number += 1
            found.append(Block(start, number, kind_of(lines, start, number)))
    return found


def _goes_on(line: str) -> bool:
    head = line.lstrip()
    if not head:
        return False
    return not (head[0] in "#`~" and (_HEADING.match(line) or _FENCE.match(line)))


def _end_of_fence(lines: list[str], number: int, fence: str) -> int:
    closing = re.compile(rf" {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$")
    while number < len(lines):
        number += 1
        if closing.match(lines[number - 1]):
            break
    return number


def kind_of(lines: list[str], start: int, end: int) -> Kind:
    """Return what lines that stand without a blank between are."""
    line = lines[start]
    text = line.lstrip(" ")
    if len(line) - len(text) > 3 or text.startswith("\t"):
        return Kind.INDENTED
    if (text[0] in "-*_+><" or text[0].isdigit()) and (marked := _MARKED.match(text)):
        if marked.lastgroup == "HTML" and _AUTOLINK.match(text):
            return Kind.PARAGRAPH
        return Kind[marked.lastgroup or "PARAGRAPH"]
    if end - start > 1:
        second = lines[start + 1]
        if "-" in second and "|" in line and _DELIMITERS.match(second):
            return Kind.TABLE
        if _UNDERLINE.match(lines[end - 1]):
            return Kind.SETEXT
    return Kind.PARAGRAPH
