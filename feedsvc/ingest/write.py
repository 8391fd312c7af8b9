"""An article → the text of a seed, which `parse_seed` reads back as the same article. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from feedsvc.errors import SeedRejected
from feedsvc.ingest.dates import NOON
from feedsvc.ingest.seed import parse_seed
from feedsvc.model import Part, PartKind, SeedDraft

_MARKER = "<!-- The article's text begins here. -->"
"""Below it nothing is read as a title, a byline or a date."""

# What begins something in CommonMark, inline and at the start of a line.
_INLINE = re.compile(r"[\\`*\[\]<]|&(?=[#\w])|(?<![^\W_])_|_(?![^\W_])|~|\|(?=.)|!(?=\[)|\|$")
_START = re.compile(r"(?P<mark>[-+>#=])|(?P<number>\d{1,9})(?P<end>[.)])(?=\s|$)")
_LABEL = re.compile(
    r"[\s>#*_-]*(?:original|source|canonical|url|link|permalink|read)\b", re.IGNORECASE
)
_NOT_PRINTABLE = re.compile("[\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2028-\u202e\ufeff\ufffe\uffff]")
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})", re.MULTILINE)


def write_seed(draft: SeedDraft) -> str:
    """Return a Markdown seed that a person can edit.

    Fields stand in front matter, the text below. Where reading it back would take a line of the
    text for a byline, a date or the like, the text is marked so that it is not.
    """
    head = "".join(f"{line}\n" for line in ["---", *_fields(draft), "---"])
    plain = f"{head}\n{_body(draft.parts, marked=False)}"
    if _reads_back(plain, draft):
        return plain
    return f"{head}\n{_MARKER}\n\n{_body(draft.parts, marked=True)}"


def _fields(draft: SeedDraft) -> Iterator[str]:
    yield f"title: {_quoted(draft.title)}"
    if draft.author:
        yield f"author: [{_quoted(draft.author)}]"
    if draft.published:
        yield f"date: {_date(draft.published)}"
    if draft.language:
        yield f"language: {_quoted(draft.language)}"
    if draft.image:
        yield f"image: {_quoted(draft.image)}"
    if draft.topics:
        yield f"topics: [{', '.join(map(_quoted, draft.topics))}]"
    if draft.url:
        yield f"url: {_quoted(draft.url)}"


def _quoted(value: str) -> str:
    """Return a string as JSON writes it, which YAML 1.2 reads; invisible characters as escapes."""
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_PRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _date(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    if (moment.hour, moment.minute, moment.second) == NOON:
        return f"{moment:%Y-%m-%d}"
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _body(parts: tuple[Part, ...], *, marked: bool) -> str:
    blocks: list[str] = []
    before: PartKind | None = None
    for part in parts:
        block = _block(part, marked=marked)
        if part.kind is PartKind.ITEM and before is PartKind.ITEM:
            blocks[-1] += f"\n{block}"
        elif part.kind is before is PartKind.QUOTE:
            blocks[-1] += f"\n>\n{block}"
        else:
            blocks.append(block)
        before = part.kind
    return "\n\n".join(blocks) + "\n"


def _block(part: Part, *, marked: bool) -> str:
    if part.kind is PartKind.CODE:
        fences = [found[1] for found in _FENCE.finditer(part.text)]
        fence = "`" * max([3, *(len(one) + 1 for one in fences)])
        return f"{fence}\n{part.text}\n{fence}"
    text = _escaped(part.text, marked=marked)
    if part.kind is PartKind.HEADING:
        return f"## {text}"
    if part.kind is PartKind.ITEM:
        return f"- {text}"
    return f"> {text}" if part.kind is PartKind.QUOTE else text


def _escaped(text: str, *, marked: bool) -> str:
    line = " ".join(text.split())
    escaped = _INLINE.sub(lambda found: f"\\{found[0]}", line)
    escaped = _START.sub(_escaped_start, escaped, count=1) if _START.match(escaped) else escaped
    if marked and _LABEL.match(line):
        escaped = f"&#{ord(line[0])};{escaped.removeprefix(chr(92))[1:]}"
    # Two spaces, and no sentence is taken for one that a page break cut in two.
    return f"{escaped}  " if marked else escaped


def _escaped_start(found: re.Match[str]) -> str:
    return f"\\{found['mark']}" if found["mark"] else f"{found['number']}\\{found['end']}"


def _reads_back(seed: str, draft: SeedDraft) -> bool:
    try:
        article = parse_seed("draft.md", seed.encode())
    except SeedRejected:
        return False
    same = (article.title, article.url, article.author) == (draft.title, draft.url, draft.author)
    return same and not article.warnings and _letters(article.text) == _letters(draft.text)


def _letters(text: str) -> list[str]:
    """Return the lines, each without its white space: two that were joined are another text."""
    return list(filter(None, ("".join(line.split()) for line in text.splitlines())))
