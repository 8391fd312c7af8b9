"""What a browser showed of a page, as it is judged and kept. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from feedsvc.capture.shingles import VERIFIED
from feedsvc.capture.warc import Resource
from feedsvc.model import Image, Judgement, Likely, Verdict

WIDTH, HEIGHT = 1280, 900
"""Pixels of the window."""
VIEW_HEIGHT = 2400
"""Pixels of the page, from its top, that the screenshot shows at most."""
THUMBNAIL = 320
"""Pixels of the thumbnail's width."""

TEXT, DOM, VIEW, SMALL = "urn:text:", "urn:dom:", "urn:view:", "urn:thumbnail:"
"""What stands before a page's address in the name of a record: the names other archivers use."""

_SCRIPT = re.compile(rb"<script\b", re.IGNORECASE)
_RANKS = (Verdict.MISMATCH, Verdict.PARTIAL, Verdict.VERIFIED)


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a browser showed of a page."""

    text: str
    dom: bytes
    """Markup in UTF-8, after the page's scripts have run."""
    view: bytes
    """PNG of the page's upper part; empty if none could be made."""
    thumbnail: bytes
    """JPEG, THUMBNAIL pixels wide; empty if none could be made."""
    browser: str
    """Its name and version."""


def resources(rendered: Rendered, url: str) -> tuple[Resource, ...]:
    """Return what is kept of it, besides what servers sent for the page at ``url``."""
    found = (
        Resource(TEXT + url, "text/plain; charset=utf-8", rendered.text.encode("utf-8", "replace")),
        Resource(DOM + url, "text/html; charset=utf-8", rendered.dom),
        Resource(VIEW + url, "image/png", rendered.view),
        Resource(SMALL + url, "image/jpeg", rendered.thumbnail),
    )
    return tuple(one for one in found if one.data)


def thumbnail(rendered: Rendered, url: str) -> Image | None:
    """Return the page's small picture; None if there is none."""
    if not rendered.thumbnail:
        return None
    height = THUMBNAIL * HEIGHT // WIDTH
    size = len(rendered.thumbnail)
    return Image(SMALL + url, "image/jpeg", size=size, width=THUMBNAIL, height=height)


def is_worth_a_browser(policy: str, judgement: Judgement, page: bytes, *, status: int) -> bool:
    """Tell whether a page that was fetched without a browser is to be looked at with one.

    ``policy`` is archive.browser. Needed is one where the article's text is not to be seen, no
    wall is in the way, and there are scripts that may put it there.
    """
    if policy == "never" or status >= 400 or judgement.likely is Likely.NOT_HTML:
        return False
    if policy == "always":
        return True
    if judgement.verdict is Verdict.VERIFIED or not _SCRIPT.search(page):
        return False
    if judgement.likely is Likely.EMPTY:
        return True
    return judgement.likely in {None, Likely.OTHER} and judgement.share < VERIFIED


def is_better(found: Judgement, before: Judgement, *, policy: str) -> bool:
    """Tell whether what a browser showed is kept instead of what was there before."""
    ranks = _RANKS.index(found.verdict), _RANKS.index(before.verdict)
    if policy == "always":
        return ranks[0] >= ranks[1]
    return (ranks[0], found.share) > (ranks[1], before.share)
