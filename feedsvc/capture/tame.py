"""Is a page safe to be read as a tree? Pure, and linear in its input.

lexbor is quadratic in the depth of a page and in the attributes of one tag: 100,000 nested <div>
take half a minute. Pages that people read have thousands of tags with a few attributes each, and
to see that they do costs a small part of reading them.
"""

from __future__ import annotations

import re

SMALL = 128 << 10
"""Bytes within which the worst page costs two seconds."""
MAX_OPENED = 20_000
"""Opening tags: no page nests deeper than it has of them. The worst one takes two seconds."""
MAX_TAGS = 50_000
"""Tags of any kind: each closing one may be looked for in the whole depth."""
MAX_ATTRIBUTES = 4_000
_SHORT_TAG = 4_000

# A tag without quoted > ends at the first one, so a page with neither of these has short tags only.
# They are looked for everywhere, in scripts and comments too: what cannot be a tag does no harm.
_MAYBE_LONG = re.compile(rb"</?[a-zA-Z][^>]{%d}" % _SHORT_TAG)
_QUOTED_END = re.compile(rb"""=\s*+(?:"[^">]*+>|'[^'>]*+>)""")
_START = re.compile(rb"</?[a-zA-Z]")
# HTML §13.2.5.32 to 13.2.5.38.
_ATTRIBUTE = rb"""[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"?|'[^']*+'?|[^\s>"'][^\s>]*+))?+"""
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_TAG = re.compile(rb"</?[a-zA-Z][^\s/>]*+(?:%b)*+" % _ATTRIBUTE)
_MAX_WORK = 4


def is_tame(page: bytes) -> bool:
    """Tell whether lexbor reads a page in time; False for hostile ones and for very large ones."""
    if len(page) <= SMALL:
        return True
    tags = page.count(b"<")
    if tags > MAX_TAGS or tags - page.count(b"</") > MAX_OPENED:
        return False
    if not _MAYBE_LONG.search(page) and not _QUOTED_END.search(page):
        return True
    return _has_small_tags(page)


def _has_small_tags(page: bytes) -> bool:
    """Look at everything that may be a tag, as if it was one, whatever it stands in."""
    work = 0
    for start in _START.finditer(page):
        tag = _TAG.match(page, start.start())
        if tag is None:
            continue
        length = tag.end() - tag.start()
        work += length
        if work > _MAX_WORK * len(page):
            return False
        if length > _SHORT_TAG and len(_ATTRIBUTES.findall(tag[0])) > MAX_ATTRIBUTES:
            return False
    return True
