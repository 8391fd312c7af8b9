"""Headings, in each way to mark one."""

from __future__ import annotations

import re

from feedsvc.ingest.blocks import Block, Kind
from feedsvc.ingest.byline import plain

_HTML = re.compile(r"<h1(?:\s[^<>]*)?>(?P<text>.*)</h1>", re.IGNORECASE | re.DOTALL)
_ATX = re.compile(r"[ \t]*#{1,6}[ \t]*(?P<text>.*?)(?:[ \t]+#+)?[ \t]*")


def read_heading(lines: list[str], block: Block) -> str | None:
    """Return the inline Markdown of a block that is a heading, None if it is none."""
    if block.kind is Kind.HEADING:
        match = _ATX.fullmatch(lines[block.start])
    elif block.kind is Kind.HTML:
        match = _HTML.fullmatch("\n".join(lines[block.start : block.end]).strip())
    elif block.kind is Kind.SETEXT:
        return " ".join(map(str.strip, lines[block.start : block.end - 1]))
    else:
        return None
    return match["text"] if match else None


def is_same_title(one: str, other: str) -> bool:
    """Tell whether two titles differ in nothing but marks, spaces and capitals."""
    return _key(one) == _key(other)


def _key(title: str) -> str:
    return re.sub(r"[\W_]+", "", plain(title)).casefold()
