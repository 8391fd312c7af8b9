"""Bylines and agencies as single names."""

from __future__ import annotations

import re

from feedsvc.classify.names import name_key
from feedsvc.text import single_line

_PARTED = re.compile(r"\s*[,;&/|]\s*(?:and\s+)?|\s+(?:and|und|et|y|och|og|и)\s+", re.IGNORECASE)
# What stands behind a comma and is part of the name before it.
_ENDS = re.compile(r",\s*(?=(?:jr|sr|ii|iii|iv|phd|md|inc|ltd|llc|co)\.?(?:\W|$))", re.IGNORECASE)
_MOST = 20
_LONGEST = 120


def single_names(joined: str | None) -> tuple[str, ...]:
    """Return the names in a byline such as `Ada Brandt, Bo de Wit and Cy Dee`, each once.

    What is too long for a name, or too many for a byline, is none.
    """
    if not joined:
        return ()
    text = _ENDS.sub(" ", single_line(joined))
    found: dict[str, str] = {}
    for part in _PARTED.split(text):
        name = part.strip(" .,;:-\u2013\u2014*_\"'“”«»")
        if any(map(str.isalnum, name)) and len(name) <= _LONGEST:
            found.setdefault(name_key(name), name)
    return tuple(found.values())[:_MOST]
