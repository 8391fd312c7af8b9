"""The line that names the original: `Original url:` and its address."""

from __future__ import annotations

import re
from dataclasses import dataclass

from feedsvc import urls
from feedsvc.errors import SeedRejected
from feedsvc.ingest.blocks import Block, Kind

_TAIL = 10
"""Among so many last lines, blank ones aside, `Source:` is a label and not a sentence, and what
follows `Original url:` has to be an address."""

_MARKS = r"[\s>#*_-]*"
_LABEL = re.compile(
    rf"{_MARKS}(?:(?P<strong>original[ _-]+(?:url|uri|link|address)|source[ _-]+url|canonical[ _-]+url)"
    r"|(?P<weak>original(?: (?:article|source|story|text))?|source|url|link|permalink|read (?:the )?(?:original|more|full (?:article|story))(?: (?:at|here))?))"
    r"[\s*_]*[:\uff1a][\s*_]*(?P<rest>.*)",
    re.IGNORECASE,
)
_BEGINS = re.compile(
    rf"{_MARKS}\[?(?:original|source|canonical|url|link|permalink|read)\b", re.IGNORECASE
)
_BARE_LABEL = re.compile(rf"{_MARKS}original[ _-]+(?:url|link)[\s*_]*", re.IGNORECASE)
_LABELLED_LINK = re.compile(
    rf"{_MARKS}\[\s*(?:original(?:[ _-]+(?:url|link|article|source))?|source(?:[ _-]+url)?|read the original)\s*:?\s*\]"
    r"\(\s*<?(?P<url>https?://[^\s<>]*?)>?\s*\)[\s*_.]*",
    re.IGNORECASE,
)
_LABELLED_START = re.compile(rf"{_MARKS}\[[^\[\]]{{1,40}}\]\(")
_BRACKETED = re.compile(r"<(?P<url>[^<>]*)>(?P<after>.*)")
_LINKED = re.compile(
    r"\[(?P<text>[^\[\]]*)\]\(\s*<?(?P<url>[^\s<>]*?)>?(?:\s+\"[^\"]*\")?\s*\)(?P<after>.*)"
)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_RULE = re.compile(r"[ \t]*(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})")
_REMEDY = "Write the whole address, such as https://example.org/article, after `Original url:`"

_MAX_LINE = 2 * urls.MAX_URL
"""Characters of a line that is searched for an address."""
_NEVER = (Kind.CODE, Kind.INDENTED, Kind.TABLE)


@dataclass(frozen=True, slots=True)
class Origin:
    """The original's address as a seed gives it, and where that stands (lines from 0)."""

    url: str
    start: int
    end: int


def find_origins(lines: list[str], blocks: list[Block], *, offset: int) -> list[Origin]:
    """Return every labelled address outside code, in order.

    ``offset`` is the number of lines of the file before ``lines``. Raises SeedRejected for an
    address that is missing or is no absolute http(s) URL.
    """
    found: list[Origin] = []
    reach = _tail(lines)
    for block in blocks:
        if block.kind in _NEVER:
            continue
        for number in range(block.start, block.end):
            line = lines[number]
            if (":" not in line and len(line) > 40 and "\uff1a" not in line) or not _BEGINS.match(
                line
            ):
                continue
            origin = _read(lines, number, tail=number >= reach, offset=offset)
            if origin is not None and (not found or origin.start >= found[-1].end):
                found.append(origin)
    return found


def _is_bare(line: str) -> bool:
    return len(line) < 40 and _BARE_LABEL.fullmatch(line) is not None


def _tail(lines: list[str]) -> int:
    filled = 0
    for number in range(len(lines) - 1, -1, -1):
        filled += bool(lines[number].strip())
        if filled == _TAIL:
            return number
    return 0


def _read(lines: list[str], number: int, *, tail: bool, offset: int) -> Origin | None:
    line = lines[number]
    if len(line) > _MAX_LINE:
        _check_length(line, tail=tail, number=number + offset + 1)
        return None
    if tail and (link := _LABELLED_LINK.fullmatch(line)):
        return Origin(_checked(link["url"], line=number + 1 + offset), number, number + 1)
    match = _LABEL.fullmatch(line)
    if match is None and not _is_bare(line):
        return None
    strong = match is None or match["strong"] is not None
    if not strong and not tail:
        return None
    rest = match["rest"].strip() if match else ""
    end = number + 1
    if not rest:
        end = next((n for n in range(end, len(lines)) if lines[n].strip()), len(lines))
        if match is None and (end == len(lines) or not _ADDRESS.search(lines[end])):
            return None
        if end == len(lines):
            if strong:
                raise _missing(number, offset)
            return None
        rest, end = lines[end].strip(), end + 1
    address = _address(rest)
    if not (strong and tail) and not _is_address(rest, address):
        return None
    return Origin(_checked(address, line=end + offset), _above(lines, number, end), end)


def _check_length(line: str, *, tail: bool, number: int) -> None:
    """Raise SeedRejected if a line too long to be read holds a label and an address."""
    head = line[: urls.MAX_URL + 300]
    label = _LABEL.fullmatch(head)
    if not (label and label["strong"]) and not (tail and (label or _LABELLED_START.match(head))):
        return
    address = _ADDRESS.search(head, 0, 300)
    if address is None or any(map(str.isspace, head[address.start() :])):
        return  # a paragraph
    raise SeedRejected(
        f"the original's address {head[address.start() :][:80] + '…'!r} is longer than "
        f"{urls.MAX_URL} characters",
        remedy=_REMEDY,
        line=number,
    )


def _missing(number: int, offset: int) -> SeedRejected:
    """Return the rejection of a seed that ends after the label: it may be half of a file."""
    return SeedRejected(
        "the address after `Original url:` is missing", remedy=_REMEDY, line=number + offset + 1
    )


def _is_address(rest: str, address: str) -> bool:
    """Tell an address from a sentence that begins with Source: or Link:."""
    return _ADDRESS.match(address) is not None and not any(map(str.isspace, rest.strip("<> ")))


def _address(rest: str) -> str:
    """Return the address in what follows the label: bare, in <>, or a Markdown link."""
    rest = rest.strip("*_ \t") if not rest.endswith(("/", "_")) else rest.lstrip("*_ \t")
    if rest.startswith(("-", ">")):
        rest = rest.lstrip("->* \t")
    for pattern in (_BRACKETED, _LINKED):
        match = pattern.fullmatch(rest)
        if match and not match["after"].strip(" .*_\\"):
            return match["url"].strip()
    return rest.removesuffix("\\").rstrip()


def _checked(address: str, *, line: int) -> str:
    try:
        return urls.absolute(address)
    except urls.InvalidURL as error:
        shown = address if len(address) <= 200 else address[:199] + "…"
        raise SeedRejected(
            f"the original's address {shown!r} cannot be used: {error}", remedy=_REMEDY, line=line
        ) from error


def _above(lines: list[str], number: int, end: int) -> int:
    """Return where the part begins: a rule above the last lines of a file belongs to them."""
    if any(line.strip() for line in lines[end:]):
        return number
    above = number - 1
    while above >= 0 and not lines[above].strip():
        above -= 1
    # Right below a paragraph, --- would make that a heading instead (CommonMark §4.3).
    if above > 0 and _RULE.fullmatch(lines[above]) and not lines[above - 1].strip():
        return above
    return number
