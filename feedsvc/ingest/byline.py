"""Bylines: who wrote an article, and for whom."""

# ruff: noqa: RUF001 - other alphabets are meant

from __future__ import annotations

import re
from typing import NamedTuple

from feedsvc.ingest.names import JOINING, PARTICLES, are_people, may_be_names
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
# By in other languages. Some of them begin names and sentences as well: only full names count
# below them, and below those that are labels only with a colon.
_BY_WORDS = """
    von, ein kommentar von, eine analyse von, ein gastbeitrag von, geschrieben von, par, écrit par,
    por, escrito por, di, scritto da, a cura di, door, geschreven door, av, skrevet av, af, skrevet af,
    przez, oleh, napsal, napsala, kirjoittanut, írta, yazan, piše, του, της, автор, автори, מאת, بقلم
"""
_BY_LABELS = """
    autor, autora, autorin, autoren, autore, auteur, auteurs, författare, forfatter, kirjoittaja,
    szerző, yazar, συντάκτης, γράφει, text, texte, texto, testo, tekst, teksti, текст, de, od, 作者, 記者,
    记者, 撰文, 文, 執筆
"""


def _words(listed: str) -> frozenset[str]:
    return frozenset(" ".join(word.split()) for word in listed.split(","))


_ABROAD = _words(_BY_WORDS)
_LABELS = _ABROAD | _words(_BY_LABELS)
_COLON = re.compile(r"(?P<label>[^:：]{1,30}?)\s*[:：]\s*(?P<who>\S.*)")
_TO = r"(?:for|(?-i:für|pour|para|per|voor|för|för|для|dla|için|til))"
_FOR = re.compile(
    rf"(?P<author>\S.*?)(?:\s*,?\s+{_TO}\s+|\s*[|/·•]\s*|\s+[—–-]\s+)(?P<agency>\S.*)",
    re.IGNORECASE,
)
_EACH_FOR = re.compile(rf",?\s+{_TO}\s+", re.IGNORECASE)
_NEXT = re.compile(r"\s*,\s*(?:and\s+)?|\s+(?:and|&|und|et|y|e|en|och|и)\s+")
_EACH_IN = re.compile(
    rf"(?P<author>[^(),]+?)\s*\((?P<agency>[^()]+)\)(?:{_NEXT.pattern}|$)", re.IGNORECASE
)
_PARENTHESES = re.compile(r"(?P<author>\S.*?)\s*\((?P<agency>[^()]+)\)")
_PLACE = re.compile(r"\s+in\s+[^\W\d_a-z][^,]*$")
_NEWS_AGENCIES = _words(
    "afp, ap, reuters, dpa, tass, upi, efe, ansa, xinhua, interfax, bloomberg, kyodo, yonhap, anadolu,"
    " ukrinform, meduza, ria novosti, agence france-presse, associated press, the associated press"
)
_AGENCY = re.compile(
    r"(?:[A-Z]{2,6}(?:[/-][A-Z]{2,6})?|dpa|ddp|epd|kna"
    r"|(?:the\s+)?(?:agence france-presse|associated press|reuters|bloomberg|interfax|xinhua|kyodo|yonhap|ukrinform|anadolu|tass|ria novosti|meduza|ansa|efe|afp|upi)"
    r"|(?:\S+\s+){1,4}(?:news|press|times|post|agency|service|journal|magazine|media|guardian|wire|herald|tribune|radio|tv|network|review|today))"
)
_AGENCY_ANY_CASE = re.compile(_AGENCY.pattern, re.IGNORECASE)


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
    if len(text) > 250:
        return None
    match = _BY.fullmatch(text)
    if match is None:
        return _read_abroad(text)
    who = match["who"].strip().strip("*_").strip()
    marked = match["colon"] is not None
    if not marked and match["label"].lower() in {"author", "authors", "byline"}:
        return None
    if not who or not (marked or _is_name(who)):
        return None
    return split_agency(who)


def _read_abroad(text: str) -> Byline | None:
    """Read `Von Jane Roe` or `Autor: Jane Roe`."""
    match = _COLON.fullmatch(text)
    if match and match["label"].casefold() in _LABELS:
        who = match["who"]
    else:
        words = text.split(None, 3)
        known = [n for n in range(1, len(words)) if " ".join(words[:n]).casefold() in _ABROAD]
        if not known:
            return None
        who = " ".join(words[known[-1] :])
    byline = split_agency(who)
    named = byline.author == byline.agency or are_people(byline.author, caseless=True)
    return byline if named else None


def read_byline_above_date(text: str) -> Byline | None:
    """Return whom a line names that has a date right below it: after By, or full names alone."""
    if len(text) > 120:
        return None
    if match := _BY.fullmatch(text):
        return split_agency(match["who"].strip().strip("*_").strip())
    if "/" in text:
        return None  # that is how photo credits are written
    if text.casefold() in _NEWS_AGENCIES:
        return Byline(text, text)
    first, _, rest = text.partition(" ")
    byline = split_agency(rest if first in {"De", "Od"} and " " in rest else text)
    known = byline.agency is None or _is_agency(byline.agency)
    return byline if known and are_people(byline.author) else None


def _is_name(who: str) -> bool:
    """Tell a name from the first words of a sentence that begins with By."""
    words = who.split()
    if len(words) > 20 or not may_be_names(who):
        return False
    first = words[0]
    if first[0].islower():
        return first in PARTICLES or first.startswith(("al-", "d'", "d’")) or (first == "dpa")
    # "By Monday the river had fallen" is no name: most of its words are small.
    small = sum(word[0].islower() for word in words if word not in JOINING)
    return len(words) <= 4 or small <= len(words) // 3


def split_agency(who: str) -> Byline:
    """Part names from the agencies they stand with."""
    if several := _several(who):
        return several
    if match := _PARENTHESES.fullmatch(who):
        return Byline(_without_place(match["author"]), match["agency"].strip())
    if match := _FOR.fullmatch(who):
        return Byline(_without_place(match["author"]), _without_place(match["agency"]))
    if _AGENCY.fullmatch(who) or who.casefold() in _NEWS_AGENCIES:
        return Byline(who, who)
    author, comma, last = who.rpartition(",")
    if comma and _is_agency(last.strip()):
        return Byline(_without_place(author.strip()), last.strip())
    return Byline(_without_place(who), None)


def _several(who: str) -> Byline | None:
    """Part `A for AFP and B for Reuters` and `A (AFP), B (Reuters)`."""
    if who.count("(") > 1:
        found = [(match["author"], match["agency"]) for match in _EACH_IN.finditer(who)]
        return _joined(found) if found and not _EACH_IN.sub("", who) else None
    pieces = _EACH_FOR.split(who)
    if len(pieces) < 3:
        return None
    found, author = [], pieces[0]
    for piece in pieces[1:-1]:
        agency, *following = _NEXT.split(piece, maxsplit=1)
        if not following:
            return None  # an agency that has For in its name
        found.append((author, agency))
        author = following[0]
    return _joined([*found, (author, pieces[-1])])


def _joined(found: list[tuple[str, str]]) -> Byline:
    authors = [_without_place(author.strip()) for author, _ in found]
    agencies = dict.fromkeys(_without_place(agency.strip()) for _, agency in found)
    return Byline(", ".join(authors), ", ".join(agencies))


def _is_agency(text: str) -> bool:
    # Ignoring case, any short word looks like an acronym: "Lee" is a person.
    if not _AGENCY_ANY_CASE.fullmatch(text):
        return False
    return bool(_AGENCY.fullmatch(text)) or len(text) > 6 or text.lower() in _NEWS_AGENCIES


def _without_place(name: str) -> str:
    return _PLACE.sub("", name).strip() or name
