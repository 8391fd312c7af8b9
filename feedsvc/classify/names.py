"""Names of topics as people write them, and the slugs made from them."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from feedsvc.model import ALL, UNCATEGORISED
from feedsvc.text import single_line

RESERVED = frozenset(
    {ALL, "index", "changes", "gone", "status", "authors", "agencies", "hosts", "searches"}
    | {"private", "archive", "style", "about"}
)
"""Other feeds, their folders and files stand under these names."""

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LONGEST = 64
# Letters that Unicode does not take apart.
_LETTERS = str.maketrans(
    {
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ł": "l",
        "\u0131": "i",
        "æ": "ae",
        "œ": "oe",
        "ħ": "h",
    }
)
_SIGNS = str.maketrans(
    {"&": " and ", "+": " plus ", "@": " at ", "#": " sharp ", "'": None, "\u2019": None}
)


def name_key(name: str) -> str:
    """Return the form under which names of topics are the same: case and white space fold."""
    return unicodedata.normalize("NFKC", single_line(name)).casefold()


def is_slug(text: str) -> bool:
    """Tell whether text can be a topic's slug: it becomes a file name and part of URLs."""
    return len(text) <= _LONGEST and _SLUG.fullmatch(text) is not None


def is_free(slug: str) -> bool:
    """Tell whether a topic of the site's own may take this slug."""
    return slug not in RESERVED and slug != UNCATEGORISED


def slug_of(name: str) -> str:
    """Return the slug of a topic's name: ASCII, stable, and different for different names.

    A name that ASCII cannot carry in full is told apart by a short digest of it.
    """
    slug = plain_slug(name, otherwise="topic")
    return f"{slug}-topic" if slug in RESERVED else slug


def plain_slug(name: str, *, otherwise: str) -> str:
    """Return a slug that no feed of the site's own stands in the way of.

    Names that differ in case, accents and punctuation alone share one; ``otherwise`` stands
    for a name without a letter that ASCII has.
    """
    text = name_key(name).removeprefix("#").translate(_LETTERS).translate(_SIGNS)
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    slug = "-".join(re.findall(r"[a-z0-9]+", plain))
    lost = any(c.isalnum() and not c.isascii() for c in plain)
    if lost or not slug or len(slug) > _LONGEST:
        digest = hashlib.sha256(name_key(name).encode("utf-8", "surrogatepass")).hexdigest()[:10]
        slug = f"{slug[: _LONGEST - 11].strip('-') or otherwise}-{digest}"
    return slug
