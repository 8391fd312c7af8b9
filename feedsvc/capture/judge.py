"""Is the article in the page? The text of an article looked for in what its page shows.

The verdict rests on the share of the article's shingles that stand in the page's visible text:

- ``verified`` from 0.8: room for a subheading rewritten, figures updated, captions left out, but
  not for a fifth of the article missing.
- ``partial`` from 0.3: the first of three pages, a generous teaser, an article rewritten since.
  A page about the same event shares quotations and names with it, but stays under 0.2.
- ``mismatch`` below, with what the page seems to be instead.

What stands in the page's source but is not shown (data for a script, hidden elements) proves
nothing: replay runs no scripts. It is named in the evidence.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

from feedsvc.capture.charset import is_utf8, likely_charsets
from feedsvc.capture.shingles import Found, cut, is_mostly_ascii, quick, thorough
from feedsvc.capture.visible import MAX_PAGE, visible_text
from feedsvc.capture.walls import Scene, Suspicion, set_scene, suspect
from feedsvc.model import Judgement, Likely, Verdict
from feedsvc.text import shorten

VERIFIED = 0.8
PARTIAL = 0.3
# Less of a text is there by accident.
_TRACE = 0.1
# Letters: about eight words. Less is found, or not, by accident, so that the title has to agree.
_SHORT_TEXT = 40
# Letters: about sixty words. So long a comment of a curator's own may stand in for a text.
_NOTE = 300
# How many codecs are tried on a page that is not what it says.
_READINGS = 8
# Letters that are not found in another page by accident.
_TELLING = 12
_MAX_SOURCE = 1 << 20
# What a page with a part of the article may be; a banner or a link in its footer is no reason.
_PARTLY = frozenset({Likely.LOGIN, Likely.EMPTY})
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_PLAIN = frozenset({"text/plain", "text/markdown", "text/x-markdown"})
_XML = frozenset({"application/xml", "text/xml"})
_UNLABELLED = frozenset({"", "application/octet-stream", "unknown/unknown"})
_NOT_TEXT = (b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"\x1f\x8b", b"RIFF")
_TAG_LIKE = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|article|main|div|p|h1)\b", re.IGNORECASE
)
_CHARSET = re.compile(r"""charset\s*=\s*["']?([^"';\s]+)""", re.IGNORECASE)
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})|\\[nrt]|\\(.)")
_TAGS = re.compile(r"<[^<>]{0,2000}>")


class Show(Protocol):
    """A way from a page's bytes to the text it shows."""

    def __call__(self, page: bytes, *, charset: str) -> str: ...


@dataclass(frozen=True, slots=True)
class _Case:
    """An article before a page, and the page read in the charset that serves the article best."""

    title: str
    text: str
    letters: int
    """Letters and digits of the article's text, counted as far as it matters."""
    page: bytes
    status: int
    charset: str
    visible: str
    found: Found


def judge(title: str, text: str, page: bytes, *, content_type: str, status: int) -> Judgement:
    """Say whether a captured page shows an article, and what it seems to show if it does not.

    ``text`` is the article's plain text, its paragraphs apart by blank lines; ``page`` is the
    decoded body, of which the first 8 MiB are read; ``content_type`` is the header's value,
    empty if there was none. Never raises. An error status never lets a page be verified: with
    the whole text in it, it is partial, because some sites do send their articles as 404.
    """
    seen = page[:MAX_PAGE]
    media, declared = _media_type(content_type)
    show = _way_to_show(media, seen)
    if not seen.strip():
        judgement = _mismatch(0.0, Likely.ERROR, "the page is empty", status=status)
    elif show is None:
        what = f"{media or 'unlabelled bytes'}, which is not a page of text"
        judgement = _mismatch(0.0, Likely.NOT_HTML, what, status=status)
    else:
        case = _open(title, text, seen, status=status, declared=declared, show=show)
        judgement = _by_title(case) if case.letters < _SHORT_TEXT else _by_text(case)
    if len(page) <= MAX_PAGE or judgement.verdict is Verdict.VERIFIED:
        return judgement
    cut_short = f"{judgement.evidence}; only the first {MAX_PAGE >> 20} MiB were read"
    return replace(judgement, evidence=cut_short)


# --- reading the page -----------------------------------------------------------------------


def _media_type(content_type: str) -> tuple[str, str | None]:
    charset = _CHARSET.search(content_type)
    return content_type.partition(";")[0].strip().lower(), charset[1] if charset else None


def _way_to_show(media: str, page: bytes) -> Show | None:
    """Return how to get at the visible text, None if there is none to get at."""
    head = page[:1024].lstrip()
    if head.startswith(_NOT_TEXT):
        return None
    if media in _HTML:
        return visible_text
    if media in _PLAIN:
        return _plain_text
    if media in _XML or media in _UNLABELLED:
        # XHTML is often sent as XML, and some servers label nothing.
        return visible_text if _TAG_LIKE.search(head) else None
    return None


def _plain_text(page: bytes, *, charset: str) -> str:
    return page.decode(charset, "replace")


def _open(
    title: str, text: str, page: bytes, *, status: int, declared: str | None, show: Show
) -> _Case:
    """Read the page in the first charset that makes the article appear, or the likeliest one.

    Where the bytes leave no doubt only one is tried. Otherwise a wrong declaration must not
    turn an article into a mismatch, as long as its own words can tell.
    """
    charsets = likely_charsets(page, declared=declared)
    letters = len(thorough(text[: _NOTE * 4]).decode())
    best: _Case | None = None
    for charset in islice(charsets, 1 if is_utf8(page) else _READINGS):
        visible = show(page, charset=charset)
        found = _look_up(text, visible)
        if best is None or found.share > best.found.share:
            best = _Case(title, text, letters, page, status, charset, visible, found)
        if found.share >= VERIFIED:
            break
    assert best is not None  # noqa: S101 - likely_charsets never yields nothing
    return best


def _look_up(text: str, visible: str) -> Found:
    """Look an article up the quick way, and thoroughly where that does not verify it."""
    if is_mostly_ascii(text):
        found = cut(text, quick).look_up(quick(visible))
        # What is a little off may be a matter of accents written in two ways.
        if not _TRACE <= found.share < VERIFIED or text.isascii():
            return found
    return cut(text, thorough).look_up(thorough(visible))


# --- the verdict ----------------------------------------------------------------------------


def _by_text(case: _Case) -> Judgement:
    """Judge an article that has enough text to be recognised by."""
    found, part = case.found, f"{case.found.share:.0%} of the article's text"
    if found.share >= VERIFIED and case.status < 400:
        return Judgement(Verdict.VERIFIED, found.share, None, f"{part} found")
    if found.share >= VERIFIED:
        evidence = f"{part} found, although the server answered {case.status}"
        return Judgement(Verdict.PARTIAL, found.share, None, evidence)
    scene = _scene(case)
    if found.share >= PARTIAL:
        wall = suspect(scene, among=_PARTLY)
        shape = "an unbroken beginning" if _is_beginning(found) else "here and there"
        evidence = f"{part} found, {shape}" + (f"; {wall.sign}" if wall else "")
        return Judgement(Verdict.PARTIAL, found.share, wall.likely if wall else None, evidence)
    wall = suspect(scene)
    if case.letters <= _NOTE and wall is None and _is_titled(case, scene):
        evidence = f"the page bears the article's title, but {part} found"
        return Judgement(Verdict.PARTIAL, found.share, None, evidence)
    return _elsewhere(case, scene, wall)


def _by_title(case: _Case) -> Judgement:
    """Judge an article of a few words or none: they prove little, so the title has to agree.

    The title alone gives `partial`: it is what a reading list has, and what a page that lost
    its text would still show.
    """
    scene = _scene(case)
    wall = suspect(scene)
    titled = _is_titled(case, scene)
    has_text = case.letters > 0 and case.found.share >= VERIFIED
    if wall is None and titled and has_text:
        return Judgement(Verdict.VERIFIED, case.found.share, None, "title and text found")
    if wall is None and titled:
        words = "its few words are not there" if case.letters else "it has no text to look for"
        share = case.found.share if case.letters else 1.0
        return Judgement(
            Verdict.PARTIAL, share, None, f"the page bears the article's title; {words}"
        )
    if wall is None and has_text and case.letters >= _TELLING:
        evidence = "the article's few words found, but not its title"
        return Judgement(Verdict.PARTIAL, case.found.share, None, evidence)
    return _elsewhere(case, scene, wall)


def _elsewhere(case: _Case, scene: Scene, wall: Suspicion | None) -> Judgement:
    """Name what the page shows instead of the article."""
    share = case.found.share
    part = f"{share:.0%} of the article's text found" if case.letters else "title not found"
    if wall is not None:
        hidden = scene.elsewhere >= 0.5 and "source, but" not in wall.sign
        extra = "; the text is in its source, unseen" if hidden else ""
        return Judgement(Verdict.MISMATCH, share, wall.likely, f"{part}; {wall.sign}{extra}")
    if not scene.text:
        return Judgement(Verdict.MISMATCH, share, Likely.EMPTY, f"{part}; the page shows no text")
    titled = f"titled “{shorten(scene.titles[0], 80)}”" if scene.titles else "without a title"
    return Judgement(Verdict.MISMATCH, share, Likely.OTHER, f"{part}; another page, {titled}")


def _mismatch(share: float, likely: Likely, evidence: str, *, status: int) -> Judgement:
    """Judge a page without text; an error status says more than its media type."""
    if status >= 400:
        likely = Likely.NOT_FOUND if status in {404, 410} else Likely.ERROR
        evidence = f"the server answered {status}; {evidence}"
    return Judgement(Verdict.MISMATCH, share, likely, evidence)


def _scene(case: _Case) -> Scene:
    """Look around in a page that does not (wholly) show the article."""
    source = case.page[:_MAX_SOURCE].decode(case.charset, "replace")
    data = html.unescape(_TAGS.sub("", _ESCAPED.sub(_plain, source)))
    elsewhere = _look_up(case.text, data).share - case.found.share
    return set_scene(source, case.visible, status=case.status, elsewhere=elsewhere)


def _plain(escape: re.Match[str]) -> str:
    """Undo one of JSON's escapes."""
    if escape[1]:
        return chr(int(escape[1], 16))
    return escape[2] or "\n"


def _is_titled(case: _Case, scene: Scene) -> bool:
    """Tell whether the page calls itself what the article is called."""
    wanted = thorough(case.title)
    names = scene.titles or case.visible[:1000].splitlines()
    if len(wanted) < _TELLING:
        return bool(wanted) and any(thorough(name) == wanted for name in names)
    return any(wanted in thorough(name) for name in names)


def _is_beginning(found: Found) -> bool:
    return found.reach < 0.95 and found.density >= 0.9
