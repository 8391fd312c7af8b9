"""Bylines and photo credits: who wrote it, for whom, and who took the picture."""

# ruff: noqa: RUF001 - other alphabets are meant

from __future__ import annotations

import re
from typing import NamedTuple

from feedsvc.text import single_line


class Byline(NamedTuple):
    """Who wrote an article, and the agency or paper they wrote it for."""

    author: str
    agency: str | None


_LINK = re.compile(
    r"!?\[([^\[\]]*)\](?:\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s+\"[^\"]*\")?\)|\[[^\[\]]*\])?"
)
_TAG = re.compile(r"<[^<>]*>")
_EMPHASIS = re.compile(r"\*+|(?<!\w)_+|_+(?!\w)")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_BY = re.compile(
    r"(?P<label>(?:written\s+|words\s+|story\s+|text\s+)?by|author|authors|byline)(?P<colon>\s*:)?\s+(?P<who>\S.*)",
    re.IGNORECASE,
)
_FOR = re.compile(
    r"(?P<author>\S.*?)(?:\s+for\s+|\s*[|/·•]\s*|\s+[—–-]\s+)(?P<agency>\S.*)", re.IGNORECASE
)
_PARENTHESES = re.compile(r"(?P<author>\S.*?)\s*\((?P<agency>[^()]+)\)")
_PLACE = re.compile(r"\s+in\s+[^\W\d_a-z][^,]*$")
_AGENCY = re.compile(
    r"(?:[A-Z]{2,6}(?:[/-][A-Z]{2,6})?|dpa|ddp|epd|kna"
    r"|(?:the\s+)?(?:agence france-presse|associated press|reuters|bloomberg|interfax|xinhua|kyodo|yonhap|ukrinform|anadolu|tass|ria novosti|meduza|ansa|efe|afp|upi)"
    r"|(?:\S+\s+){1,4}(?:news|press|times|post|agency|service|journal|magazine|media|guardian|wire|herald|tribune|radio|tv|network|review|today))"
)
_AGENCY_ANY_CASE = re.compile(_AGENCY.pattern, re.IGNORECASE)
_PARTICLES = (
    "de van von der den di da del della la le el al bin ibn ben ter ten zu af av dos das du"
)
_PARTICLE = frozenset(_PARTICLES.split())
_SENTENCE_END = re.compile(r"[.!?…:;。！？।؟۔]$")
_INITIALS_END = re.compile(r"(?:\b[^\W\d_]|\b(?:jr|sr|inc|ltd|co|ph\.d|m\.d))\.$", re.IGNORECASE)


def plain(line: str) -> str:
    """Return a line of Markdown as plain text, for the short lines of a seed's head."""
    text = line.strip()
    if "[" in text:
        text = _LINK.sub(r"\1", text)
    if "<" in text:
        text = _TAG.sub("", text)
    if "*" in text or "_" in text:
        text = _EMPHASIS.sub("", text)
    return single_line(_ESCAPE.sub(r"\1", text) if "\\" in text else text)


def read_byline(text: str) -> Byline | None:
    """Return who a plain line such as `By Jane Roe for AFP` names, or None if it is no byline."""
    if len(text) > 250 or not (match := _BY.fullmatch(text)):
        return None
    who = match["who"].strip().strip("*_").strip()
    marked = match["colon"] is not None
    if not marked and match["label"].lower() in {"author", "authors", "byline"}:
        return None
    if not who or not (marked or _is_name(who)):
        return None
    return split_agency(who)


def read_byline_above_date(text: str) -> Byline | None:
    """Return whom a line names that begins with By and has a date right below it."""
    match = _BY.fullmatch(text) if len(text) <= 120 else None
    return split_agency(match["who"].strip().strip("*_").strip()) if match else None


def _is_name(who: str) -> bool:
    """Tell a name from the first words of a sentence that begins with By."""
    words = who.split()
    if len(words) > 20 or (_SENTENCE_END.search(who[-1:]) and not _INITIALS_END.search(who[-8:])):
        return False
    first = words[0]
    if first[0].islower():
        return first in _PARTICLE or first.startswith(("al-", "d'", "d’")) or (first == "dpa")
    # "By Monday the river had fallen" is no name: most of its words are small.
    small = sum(word[0].islower() for word in words if word not in _JOINING)
    return len(words) <= 4 or small <= len(words) // 3


_JOINING = (
    frozenset({"and", "for", "in", "of", "the", "with", "at", "y", "und", "et", "e"}) | _PARTICLE
)


def split_agency(who: str) -> Byline:
    """Part a name from the agency it stands with."""
    if match := _PARENTHESES.fullmatch(who):
        return Byline(_without_place(match["author"]), match["agency"].strip())
    if match := _FOR.fullmatch(who):
        return Byline(_without_place(match["author"]), _without_place(match["agency"]))
    if _AGENCY.fullmatch(who) or (" " not in who and _AGENCY_ANY_CASE.fullmatch(who)):
        return Byline(who, who)
    author, comma, last = who.rpartition(",")
    if comma and _AGENCY_ANY_CASE.fullmatch(last.strip()) and _is_agency(last.strip()):
        return Byline(_without_place(author.strip()), last.strip())
    return Byline(_without_place(who), None)


def _is_agency(text: str) -> bool:
    # Ignoring case, any short word looks like an acronym: "Lee" is a person.
    return (
        bool(_AGENCY.fullmatch(text))
        or len(text) > 6
        or text.lower() in {"tass", "ansa", "efe", "afp", "upi"}
    )


def _without_place(name: str) -> str:
    return _PLACE.sub("", name).strip() or name


# --- photo credits --------------------------------------------------------------------------

_CREDIT_LABEL = re.compile(
    r"(?:(?:photos?|photographs?|images?|pictures?|foto|illustration|graphic|credit|(?:photo|image|picture)\s+(?:credit|by|courtesy(?:\s+of)?))"
    r"(?:\s*:\s*|\s+by\s+|\s+courtesy\s+of\s+)|(?:photo|image|picture|illustration|graphic)s?\s+(?:by|courtesy\s+of)\s+)(?P<who>\S.*)",
    re.IGNORECASE,
)
_COPYRIGHT = re.compile(r"(?:©|\(c\))\s*\S.*", re.IGNORECASE)
_HOUSE = re.compile(
    r"(?:\S+\s+){0,4}(?:getty images|ap photo|afp photo|shutterstock|unsplash|pexels|wikimedia commons|zuma press|"
    r"reuters|afp|tass|epa|epa-efe|ria novosti|flickr|public domain|creative commons|cc by(?:-sa)?(?: \d\.\d)?)"
    r"(?:\s*[/|,]\s*\S.*)?",
    re.IGNORECASE,
)
_SLASHED = re.compile(r"\s+[/|]\s+|/")


def read_credit(text: str) -> str | None:
    """Return whose picture a plain line names, or None if it is no credit."""
    if len(text) > 120:
        return None
    if match := _CREDIT_LABEL.fullmatch(text):
        who = match["who"].strip()
        return who if _may_be_credited(who) else None
    if _SENTENCE_END.search(text[-1:]) and not _INITIALS_END.search(text[-8:]):
        return None
    if _COPYRIGHT.fullmatch(text) or _is_slashed(text):
        return text
    if len(text.split()) <= 7 and _HOUSE.fullmatch(text) and text[0] == text[0].upper():
        return text
    return None


def _may_be_credited(who: str) -> bool:
    """Tell names from a sentence that begins with Photos: or the like."""
    if _SENTENCE_END.search(who[-1:]) and not _INITIALS_END.search(who[-8:]):
        return False
    return len(who.split()) <= (3 if who[0].islower() else 12)


def _is_slashed(text: str) -> bool:
    """Tell `Jane Roe / Reuters` from other lines with a slash: it is short, of names only."""
    parts = _SLASHED.split(text)
    if not 2 <= len(parts) <= 4 or "://" in text:
        return False
    return all(0 < len(part.split()) <= 5 and _is_proper(part) for part in parts)


def _is_proper(part: str) -> bool:
    """Tell whether every word may belong to a name: capitalised, or of a script without case."""
    return all(
        not word[0].islower() or word in _JOINING or "." in word for word in part.split()
    ) and any(character.isalpha() for character in part)
