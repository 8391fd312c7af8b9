"""Text that nobody can see: zero-width characters, fillers, marks without a letter."""

from __future__ import annotations

import unicodedata

_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Me"})
# Letters and symbols by name only: those of Hangul, and the empty pattern of Braille.
_FILLERS = "\u115f\u1160\u3164\uffa0\u2800"


def is_visible(text: str) -> bool:
    """Tell whether anything of a text can be seen."""
    return any(
        unicodedata.category(character) not in _CATEGORIES and character not in _FILLERS
        for character in text
    )
