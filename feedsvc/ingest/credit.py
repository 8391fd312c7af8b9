"""Photo credits: whose picture stands above the text."""

from __future__ import annotations

import re

from feedsvc.ingest.names import PARTICLES, are_capitalised, is_proper, may_be_names

MAX_WORDS = 5
"""Words of a credit that nothing but its names and its place show to be one."""

_LABEL = re.compile(
    r"(?:(?:photos?|photographs?|images?|pictures?|foto|illustration|graphic|credit|(?:photo|image|picture)\s+(?:credit|by|courtesy(?:\s+of)?))"
    r"(?:\s*:\s*|\s+by\s+|\s+courtesy\s+of\s+)|(?:photo|image|picture|illustration|graphic)s?\s+(?:by|courtesy\s+of)\s+)(?P<who>\S.*)",
    re.IGNORECASE,
)
_COPYRIGHT = re.compile(r"(?:©|\(c\))\s*\S.*", re.IGNORECASE)
_HOUSES = (
    "getty images|ap photo|afp photo|shutterstock|unsplash|pexels|wikimedia commons|zuma press|reuters|afp|tass"
    r"|epa|epa-efe|ria novosti|flickr|public domain|creative commons|cc by(?:-sa)?(?: \d\.\d)?"
)
_HOUSE = re.compile(rf"(?:\S+\s+){{0,4}}(?:{_HOUSES})(?:\s*[/|,]\s*\S.*)?", re.IGNORECASE)
# These are credits alone on their line only: others tell of them.
_ALONE = """
    alamy anadolu belga depositphotos dpa dreamstime esa freepik imago interfax istock keystone kyodo
    lehtikuva nasa nurphoto pixabay ritzau roscosmos scanpix sipa sputnik ukrinform wikimedia wikipedia
    xinhua yonhap zuma
"""
_HOUSES_ALONE = frozenset(_ALONE.split())
_SLASHED = re.compile(r"\s+[/|]\s+|/")
_HOST = re.compile(
    r"(?:www\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,5}(?!(?:js|py|md|txt|pdf|html?|jpe?g|png|gif)$)[a-z]{2,12}",
    re.IGNORECASE,
)
_PICTURES = "agency archive archives images news photo photos pictures press"
_PICTURE_WORDS = frozenset(_PICTURES.split())
_OTHERS = "bureau collection library media ministry museum office pool service studio studios tv"
_HOUSE_WORDS = _PICTURE_WORDS | frozenset(_OTHERS.split())


def read_credit(text: str) -> str | None:
    """Return whose picture a plain line names, or None if it is no credit."""
    if len(text) > 120:
        return None
    if match := _LABEL.fullmatch(text):
        who = match["who"].strip()
        return who if _may_be_credited(who) else None
    if not may_be_names(text):
        return None
    if _COPYRIGHT.fullmatch(text) or _is_slashed(text):
        return text
    if len(text.split()) <= 7 and _HOUSE.fullmatch(text) and text[0] == text[0].upper():
        return text
    return text if text.casefold() in _HOUSES_ALONE and not text.islower() else None


def is_told(text: str, names: list[str], *, title: str, body: str) -> bool:
    """Tell whether the article itself speaks of what could be a credit's names.

    Then the line is a heading or a part of the text. So it is if a name is a common word there.
    """
    if text in title or text in body:
        return True
    small = "|".join(re.escape(name.lower()) for name in names)
    return bool(names) and re.search(rf"\b(?:{small})\b", body) is not None


def read_names(text: str) -> list[str] | None:
    """Return the names of a line that could be a credit by its place: persons, a house, a host.

    None if it is no such line. Words that houses are called by are left out, and hosts.
    """
    words = text.split()
    if len(text) > 120 or not 1 <= len(words) <= MAX_WORDS or not may_be_names(text):
        return None
    if len(words) == 1:
        return [] if _HOST.fullmatch(text) else None
    if not all(word[0].isupper() or word in PARTICLES for word in words):
        return None
    names = [word for word in words if word.casefold() not in _HOUSE_WORDS]
    # Of two words, `Secret Service` is a heading, `Harbour Images` is not.
    house = words[-1].casefold() in (_PICTURE_WORDS if len(words) == 2 else _HOUSE_WORDS)
    if not names or (len(names) == 1 and not house):
        return None
    return names if are_capitalised(names) and words[0] not in PARTICLES else None


def _may_be_credited(who: str) -> bool:
    """Tell names from a sentence that begins with Photos: or the like."""
    return may_be_names(who) and len(who.split()) <= (3 if who[0].islower() else 12)


def _is_slashed(text: str) -> bool:
    """Tell `Jane Roe / Reuters` from other lines with a slash: it is short, of names only."""
    parts = _SLASHED.split(text)
    if not 2 <= len(parts) <= 4 or "://" in text:
        return False
    return all(0 < len(part.split()) <= 5 and is_proper(part) for part in parts)
