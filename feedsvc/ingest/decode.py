"""A seed's bytes → clean text: encoding, line ends, and what XML cannot hold."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from feedsvc.errors import SeedRejected
from feedsvc.text import REPLACEMENT, clean, nfc

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# A form feed is a printer's page break, and a line of its own at most.
_LINE_ENDS = ("\r\n", "\r", "\x0c", "\x85", "\u2028", "\u2029")
_SAVE_AS_TEXT = "Save the file as UTF-8 text"


@dataclass(frozen=True, slots=True)
class Decoded:
    """A seed's text: NFC, LF line ends, nothing that XML 1.0 forbids."""

    text: str
    warnings: tuple[str, ...]


def decode(content: bytes) -> Decoded:
    """Return the text of a seed's bytes; raise SeedRejected for what is no text at all."""
    text, warnings = _to_text(content)
    for end in _LINE_ENDS:
        if end in text:
            text = text.replace(end, "\n")
    kept = clean(text)
    if kept is not text and kept != text:
        repaired = kept.count(REPLACEMENT) - text.count(REPLACEMENT)
        # A picture or a program under a seed's name, or UTF-16 without its mark.
        if repaired > 8 and repaired * 10 > len(kept):
            raise SeedRejected(
                f"it is not text: {repaired} of {len(kept)} characters are control characters",
                remedy=_SAVE_AS_TEXT,
            )
        warnings.append(
            f"{_count(repaired, 'character')} that XML forbids (NUL, control characters) "
            f"replaced by U+FFFD, the first in line {_first_line(text, kept)}"
        )
    return Decoded(nfc(kept).lstrip("\ufeff"), tuple(warnings))


def _to_text(content: bytes) -> tuple[str, list[str]]:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _with_mark(content[len(mark) :], encoding)
    try:
        return content.decode("utf-8"), []
    except UnicodeDecodeError as error:
        return _without_mark(content, line=content.count(b"\n", 0, error.start) + 1)


def _with_mark(content: bytes, encoding: str) -> tuple[str, list[str]]:
    try:
        return content.decode(encoding), []
    except UnicodeDecodeError as error:
        reason = (
            f"damaged {encoding.upper()} ({error.reason}): what could not be read is U+FFFD now"
        )
        return content.decode(encoding, "replace"), [reason]


def _without_mark(content: bytes, *, line: int) -> tuple[str, list[str]]:
    """Read bytes that are not UTF-8: as UTF-8 with a few damaged bytes, or as Windows-1252."""
    escaped = content.decode("utf-8", "surrogateescape")
    foreign = [character for character in escaped if character > "\x7f"]
    damaged = sum("\udc80" <= character <= "\udcff" for character in foreign)
    # Accents in Windows-1252 almost never form valid UTF-8, so whichever is more decides.
    if len(foreign) > 2 * damaged:
        text = content.decode("utf-8", "replace")
        return text, [
            f"not all of it is UTF-8: {_count(damaged, 'byte')} replaced by U+FFFD, "
            f"the first in line {line}"
        ]
    # Five bytes have no meaning in Windows-1252; `replace` keeps them from stopping the rest.
    text = content.decode("cp1252", "replace")
    return text, [f"not UTF-8 (line {line}): read as Windows-1252; save it as UTF-8"]


def _first_line(text: str, kept: str) -> int:
    """Return the line of the first difference between two strings of one length."""
    place = next(i for i, (old, new) in enumerate(zip(text, kept, strict=True)) if old != new)
    return text.count("\n", 0, place) + 1


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
