"""Which lines of a page are no part of its article, though they stand in it. Pure.

Dates, counters, credits, recommendations and invitations change by themselves. A line of them holds
no sentence: it is made of their words only (`furniture.toml`), or begins as they do. A date or a
number in a sentence is not touched.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_LONG = 220
"""Letters from which on a line is a paragraph."""
_SHORT = 90
_EDGE = 3
"""Lines at either end of a text where dates and bylines stand."""
_SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af]")
_SENTENCE_END = re.compile(
    "[.!?\u2026\u3002\uff01\uff1f\u061f\u06d4\u0964]['\"\u201d\u2019\u00bb)\\]]*$"
)
_RULES = " .:|-\u00b7\u2022\u2013\u2014"
_REST = re.compile(r"[\W\d_]+")


@dataclass(frozen=True, slots=True)
class _Words:
    labels: re.Pattern[str]
    any: re.Pattern[str]
    begins: re.Pattern[str]
    whole: frozenset[str]
    bylines: re.Pattern[str]
    archive: re.Pattern[str]
    notes: re.Pattern[str]


def without_furniture(paragraphs: Sequence[str]) -> list[str]:
    """Return the paragraphs that are part of the text, without labels of old pictures.

    Paragraphs are tidy lines (`tokens.tidy`).
    """
    words = _words()
    last = len(paragraphs) - _EDGE
    kept = []
    for place, paragraph in enumerate(paragraphs):
        edge = place < _EDGE or place >= last
        line = (
            words.archive.sub("", paragraph).strip() if len(paragraph) <= 4 * _LONG else paragraph
        )
        if line and not _is_furniture(line, words, edge=edge):
            kept.append(line)
    return kept


def is_note(paragraph: str) -> bool:
    """Tell whether a paragraph says that something was corrected."""
    return _words().notes.match(_folded(paragraph[:_LONG])) is not None


def _is_furniture(line: str, words: _Words, *, edge: bool) -> bool:
    if len(line) > _LONG:
        return False
    folded = _folded(line)
    if words.begins.match(folded) or folded.strip(_RULES) in words.whole:
        return True
    if len(folded) > _SHORT + _SHORT * edge:
        return False
    if edge and len(line) <= _SHORT and words.bylines.match(folded):
        return not _SENTENCE_END.search(line)
    bare = not _REST.sub("", words.any.sub(" ", folded))
    return bare and (edge or bool(words.labels.search(folded))) and _counts(folded, words)


def _counts(folded: str, words: _Words) -> bool:
    """Tell whether a line of such words says when or how many: `May` alone may be a heading."""
    return any(map(str.isdigit, folded)) or bool(words.labels.search(folded))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("\u2019", "'").casefold()


@cache
def _words() -> _Words:
    given = tomllib.loads(files(__package__).joinpath("furniture.toml").read_text("utf-8"))
    anything = given["labels"] + given["times"] + given["fillers"]
    archive = _either(given["archive"])
    return _Words(
        labels=_found(given["labels"]),
        any=_found(anything),
        begins=_starting(given["begins"]),
        whole=frozenset(map(_folded, given["whole"])),
        bylines=_starting(given["bylines"]),
        archive=re.compile(
            rf"^\W{{0,3}}(?:{archive})\s*[:\uff1a.\-\u2013\u2014|]+\s*"
            rf"|\s*[(\[\uff08\u3010]\s*(?:{archive})\s*[)\]\uff09\u3011]",
            re.IGNORECASE,
        ),
        notes=_starting(given["notes"]),
    )


def _found(phrases: Iterable[str]) -> re.Pattern[str]:
    """Match phrases anywhere: as whole words, where their script has spaces between words."""
    spaced, dense = _parted(phrases)
    return re.compile(rf"(?<![^\W\d_])(?:{_either(spaced)})(?![^\W\d_])|{_either(dense)}")


def _starting(phrases: Iterable[str]) -> re.Pattern[str]:
    """Match a line that begins with one of the phrases."""
    spaced, dense = _parted(phrases)
    return re.compile(rf"\W*(?:(?:{_either(spaced)})(?:(?<!\w)|(?!\w))|{_either(dense)})")


def _parted(phrases: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the phrases of scripts with spaces between words, and the others."""
    phrases = list(phrases)
    dense = [one for one in phrases if _SPACELESS.search(one)]
    return [one for one in phrases if one not in dense], dense


def _either(phrases: Iterable[str]) -> str:
    """Return a pattern of any of the phrases, the longest first."""
    patterns = {re.escape(_folded(one)).replace(r"\*", r"\w*") for one in phrases}
    return "|".join(sorted(patterns, key=len, reverse=True))
