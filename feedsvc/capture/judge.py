"""Is the article in the page? The text of an article looked for in what its page shows.

The verdict rests on the share of the article's shingles that stand in the page's visible text:

- ``verified`` from 0.8: room for a subheading rewritten, figures updated, captions left out, but
  not for a fifth of the article missing. Not where something else speaks against it: a title
  that disagrees while the text does too, an end that gave way to a paywall.
- ``partial`` from 0.3: the first of three pages, a generous teaser, an article rewritten since.
  A page about the same event shares quotations and names with it, but stays under 0.2.
- ``mismatch`` below, with what the page seems to be instead.

A short text, a lead of two sentences, stands whole on front pages, in lists and under "page not
found" as well. It is verified only on a page that is called what the article is called.

What stands in the page's source but is not shown (data for a script, hidden elements) proves
nothing: replay runs no scripts. It is named in the evidence.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlsplit

from feedsvc.capture.reading import choose_charset
from feedsvc.capture.shingles import TRACE, VERIFIED, Found, Sought, thorough
from feedsvc.capture.titles import TELLING, is_called, is_named
from feedsvc.capture.visible import MAX_PAGE, visible_text
from feedsvc.capture.walls import Scene, Suspicion, is_search, says, set_scene, sign_over, suspect
from feedsvc.model import Judgement, Likely, Verdict
from feedsvc.text import shorten

PARTIAL = 0.3
# More of a text is there only if its end is.
_WHOLE = 0.97
# Letters: about eight words. Less is found, or not, by accident, so that the title has to agree.
_FEW_WORDS = 40
# Letters: about sixty words. So long a comment of a curator's own may stand in for a text.
_NOTE = 300
# Letters: about a hundred words. So much of an article is a teaser on other pages.
_SHORT_TEXT = 600
_MAX_SOURCE = 1 << 20
# Letters in which a page comes to the headline of what it shows.
_TOP = 1500
# What a page with a part of the article may be; a banner or a link in its footer is no reason.
_PARTLY = frozenset({Likely.LOGIN, Likely.EMPTY})
_LOGIN = frozenset({Likely.LOGIN})
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
_FRONT = re.compile(
    r"/?(?:[a-z]{2}(?:[-_][a-z]{2})?/?)?(?:(?:index|home|default)(?:\.[a-z]{2,5})?/?)?",
    re.IGNORECASE,
)


class Show(Protocol):
    """A way from a page's bytes to the text it shows."""

    def __call__(self, page: bytes, *, charset: str) -> str: ...


@dataclass(frozen=True, slots=True)
class _Case:
    """An article before a page, and the page read in the charset that serves the article best."""

    title: str
    sought: Sought
    letters: int
    """Letters and digits of the article's text, counted as far as it matters."""
    page: bytes
    status: int
    is_front: bool
    charset: str
    visible: str
    found: Found

    @property
    def part(self) -> str:
        """What was found, for the evidence."""
        return f"{self.found.share:.0%} of the article's text"


def judge(
    title: str,
    text: str,
    page: bytes,
    *,
    content_type: str,
    status: int,
    url: str = "",
    final_url: str = "",
    visible: str | None = None,
) -> Judgement:
    """Say whether a captured page shows an article, and what it seems to show if it does not.

    ``text`` is the article's plain text, its paragraphs apart by blank lines; ``page`` is the
    decoded body, of which the first 8 MiB are read; ``content_type`` is the header's value,
    empty if there was none. ``url`` is the article's address and ``final_url`` the one that
    redirects led to, both where they are known: an article's address that leads to the site's
    front page has lost its article. ``visible`` is the text that a browser showed, where one was
    asked; ``page`` is then its markup in UTF-8. Never raises. An error status never lets a page be verified:
    with the whole text in it, it is partial, because some sites do send their articles as 404.
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
        is_front = _is_front(final_url) and not _is_front(url)
        case = _open(
            title,
            text,
            seen,
            status=status,
            declared=declared,
            show=show,
            is_front=is_front,
            rendered=visible,
        )
        judgement = _by_title(case) if case.letters < _FEW_WORDS else _by_text(case)
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


def _is_front(url: str) -> bool:
    """Tell whether an address is a site's front page; no address is not."""
    try:
        address = urlsplit(url)
    except ValueError:
        return False
    return bool(address.netloc) and not address.query and bool(_FRONT.fullmatch(address.path))


def _open(
    title: str,
    text: str,
    page: bytes,
    *,
    status: int,
    declared: str | None,
    show: Show,
    is_front: bool,
    rendered: str | None,
) -> _Case:
    """Read the page in the charset that makes the article appear, or the likeliest one.

    A wrong declaration must not turn an article into a mismatch, as long as its own words can
    tell. They are looked for in cheaply bared text; a tree is built once.
    """
    sought = Sought(text)
    if rendered is None:
        charset = choose_charset(
            page,
            declared=declared,
            is_markup=show is visible_text,
            share=lambda bare: sought.look_up(bare).share,
            enough=VERIFIED,
            trace=TRACE,
        )
        visible = show(page, charset=charset)
    else:
        charset, visible = "utf-8", rendered
    return _Case(
        title=title,
        sought=sought,
        letters=len(thorough(text[: _SHORT_TEXT * 2]).decode()),
        page=page,
        status=status,
        is_front=is_front,
        charset=charset,
        visible=visible,
        found=sought.look_up(visible),
    )


# --- the verdict ----------------------------------------------------------------------------


def _by_text(case: _Case) -> Judgement:
    """Judge an article that has enough text to be recognised by."""
    found = case.found
    if found.share >= VERIFIED:
        return _by_most_of_it(case)
    scene = _scene(case)
    if found.share >= PARTIAL:
        over = sign_over(scene, title=case.title) if case.letters <= _SHORT_TEXT else None
        if over is not None and not is_called(case.title, _names(case, scene)):
            return _elsewhere(case, scene, over)
        wall = suspect(scene, among=_PARTLY)
        shape = "an unbroken beginning" if _is_beginning(found) else "here and there"
        return _partial(case, f"{case.part} found, {shape}", wall)
    wall = suspect(scene)
    if case.letters <= _NOTE and wall is None and is_named(case.title, _titles(case, scene)):
        return _partial(case, f"the page bears the article's title, but {case.part} found", None)
    return _elsewhere(case, scene, wall)


def _by_most_of_it(case: _Case) -> Judgement:
    """Judge a page that has all of the article's text, or nearly all."""
    if case.status >= 400:
        evidence = f"{case.part} found, although the server answered {case.status}"
        return _partial(case, evidence, None)
    if case.letters <= _SHORT_TEXT:
        return _by_short_text(case)
    if case.found.share < 1.0:
        scene = _scene(case)
        # An end that is missing where a login is asked for is behind it, be it a few lines only.
        asks = suspect(scene, among=_LOGIN, enough=2)
        if asks and case.found.share < _WHOLE and _is_beginning(case.found):
            return _partial(case, f"{case.part} found, an unbroken beginning", asks)
        # Reports by template differ in their titles and a few figures.
        if not _may_be_named(case, scene):
            return _partial(case, f"{case.part} found, but {_title_of(scene)}", None)
    return _verified(case, f"{case.part} found")


def _by_short_text(case: _Case) -> Judgement:
    """Judge a page with a text that may be a teaser there: it has to be the article's own page."""
    scene = _scene(case)
    over = sign_over(scene, title=case.title)
    if not is_called(case.title, _names(case, scene)) or is_search(scene, title=case.title):
        if over is not None:
            return _elsewhere(case, scene, over)
        wall = suspect(scene, among=_PARTLY)
        return _partial(case, f"{case.part} found, but it is short and {_title_of(scene)}", wall)
    wall = over or says(Likely.LOGIN, scene)
    if wall is not None:
        return _partial(case, f"title and {case.part} found", wall)
    return _verified(case, f"title and {case.part} found")


def _by_title(case: _Case) -> Judgement:
    """Judge an article of a few words or none: they prove little, so the title has to agree.

    The title alone gives `partial`: it is what a reading list has, and what a page that lost
    its text would still show.
    """
    scene = _scene(case)
    wall = suspect(scene)
    if wall is not None:
        return _elsewhere(case, scene, wall)
    has_text = case.letters > 0 and case.found.share >= VERIFIED
    is_found = is_search(scene, title=case.title)
    if has_text and not is_found and is_called(case.title, _names(case, scene)):
        return _verified(case, "title and text found")
    if is_named(case.title, _titles(case, scene)):
        words = "its few words are not there" if case.letters else "it has no text to look for"
        share = case.found.share if case.letters else 1.0
        words = "its few words prove little elsewhere" if has_text else words
        evidence = f"the page bears the article's title; {words}"
        return Judgement(Verdict.PARTIAL, share, None, evidence)
    if has_text and case.letters >= TELLING:
        return _partial(case, "the article's few words found, but not its title", None)
    return _elsewhere(case, scene, None)


def _verified(case: _Case, evidence: str) -> Judgement:
    return Judgement(Verdict.VERIFIED, case.found.share, None, evidence)


def _partial(case: _Case, evidence: str, wall: Suspicion | None) -> Judgement:
    """Judge a page that has something of the article, and perhaps a wall before the rest."""
    if wall is None:
        return Judgement(Verdict.PARTIAL, case.found.share, None, evidence)
    return Judgement(Verdict.PARTIAL, case.found.share, wall.likely, f"{evidence}; {wall.sign}")


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
    return Judgement(Verdict.MISMATCH, share, Likely.OTHER, f"{part}; {_title_of(scene)}")


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
    elsewhere = case.sought.look_up(data).share - case.found.share
    return set_scene(
        source,
        case.visible,
        status=case.status,
        elsewhere=elsewhere,
        is_front=case.is_front,
    )


def _plain(escape: re.Match[str]) -> str:
    """Undo one of JSON's escapes."""
    if escape[1]:
        return chr(int(escape[1], 16))
    return escape[2] or "\n"


def _title_of(scene: Scene) -> str:
    if not scene.titles:
        return "the page has no title"
    return f"the page is titled “{shorten(scene.titles[0], 80)}”"


def _titles(case: _Case, scene: Scene) -> tuple[str, ...]:
    """Return a page's titles and headings; one that has none begins with them."""
    return scene.titles or tuple(case.visible[:1000].splitlines())


def _names(case: _Case, scene: Scene) -> tuple[str, ...]:
    """Return what the page as a whole is called, by its markup or by its first lines."""
    return scene.names if scene.titles else tuple(case.visible[:1000].splitlines())


def _may_be_named(case: _Case, scene: Scene) -> bool:
    """Tell whether a page's titles, if it has any, leave room for the article's."""
    titles = (*scene.titles, *scene.names)
    wanted = thorough(case.title)
    if not wanted or not titles or is_named(case.title, titles):
        return True
    return len(wanted) >= TELLING and wanted in scene.text[:_TOP]


def _is_beginning(found: Found) -> bool:
    return found.reach < _WHOLE and found.density >= 0.9
