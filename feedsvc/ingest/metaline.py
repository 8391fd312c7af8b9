"""One line of a seed's head, taken apart: `By Jane Roe | May 31, 2024 | 5 min read`."""

# ruff: noqa: RUF001 - other alphabets are meant

from __future__ import annotations

import re

from feedsvc.ingest.byline import read_byline, read_byline_above_date
from feedsvc.ingest.dates import is_date, is_update
from feedsvc.ingest.datewords import UPDATED

MAX_LENGTH = 250

BY = re.compile(r"(?:by|author|written)\b", re.IGNORECASE)
_PARTS = re.compile(r"\s+[|—–·•-]\s+|\s*[|·•]\s*")
_GAP = re.compile(r",?\s+")
_SPACED = UPDATED.replace(" ", r"\s+")
_UPDATE = re.compile(rf"(?<!last)(?<!zuletzt)[\s.;,(|·•–—-]+(?=(?:{_SPACED})\b)", re.IGNORECASE)
_READING_TIME = re.compile(
    r"(?:(?:reading time|lesezeit|temps de lecture|tiempo de lectura|tempo di lettura|leestijd)\s*:?\s*)?"
    r"(?:ca\.?\s*|~\s*)?\d{1,3}(?:\s*[-–]\s*|\s*)min(?:ute|uten|utes|uti|utos|uut|s)?\b\.?"
    r"(?:\s*(?:read|reading time|lesezeit|de lecture|de lectura|di lettura|leestijd))?",
    re.IGNORECASE,
)


def meta_parts(text: str) -> list[str]:
    """Return the bylines, dates and reading times a plain line consists of; none if it holds more."""
    if len(text) > MAX_LENGTH:
        return []
    if not any(map(str.isdigit, text)):
        return [text] if read_byline(text) else []
    found: list[str] = []
    for piece in filter(None, _UPDATE.split(text)):
        parts = _parts(piece.rstrip(") ") if "(" not in piece else piece)
        if not parts:
            return []
        found += parts
    return found


def is_reading_time(text: str) -> bool:
    """Tell whether a part of a line says only how long the article is."""
    return _READING_TIME.fullmatch(text) is not None


def _parts(text: str) -> list[str]:
    one = _is_meta(text)
    if one and not BY.match(text):
        return [text]
    parts = _PARTS.split(text)
    if len(parts) > 1 and _are_metas(parts):
        return parts
    if BY.match(text):
        for gap in _GAP.finditer(text):
            name, rest = text[: gap.start()], text[gap.end() :]
            if is_date(rest) and read_byline(name):
                return [name, rest]
    return [text] if one else []


def _are_metas(parts: list[str]) -> bool:
    """Tell whether all parts are metas; beside a date, a name needs no By."""
    others = [part for part in parts if not _is_meta(part)]
    if not others:
        return True
    dated = any(is_date(part) for part in parts)
    return dated and len(others) == 1 and read_byline_above_date(others[0]) is not None


def _is_meta(text: str) -> bool:
    return (
        read_byline(text) is not None or is_date(text) or is_update(text) or is_reading_time(text)
    )
