"""What stands where an article should be: captcha, login, consent, soft 404, empty shell, error."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from feedsvc.capture.shingles import thorough
from feedsvc.capture.titles import TELLING, headings, names, parts
from feedsvc.model import Likely
from feedsvc.text import shorten

# The strongest first: of equal suspicions the earlier one is meant. A challenge asks for
# JavaScript as well, a login page has a cookie banner, a soft 404 apologises like an error page.
_KINDS = {
    "challenge": Likely.CHALLENGE,
    "login": Likely.LOGIN,
    "consent": Likely.CONSENT,
    "not_found": Likely.NOT_FOUND,
    "empty": Likely.EMPTY,
    "error": Likely.ERROR,
}
_ENOUGH = 3
# A wall that replaces an article is short. A page with more text than this holds something else
# too, so that "page not found" or a captcha's script in it may belong to a form or a headline.
_SHORT = 1500
_BARE = 600
_TINY = 200
# The share of consent vocabulary in a page's letters: 0.05 and more in consent walls, under 0.01
# in articles with a banner.
_DENSE = 0.03
_FRONT_PAGE = "it is the site's front page"
_MAX_SOURCE = 1 << 20
_CANONICAL = re.compile(
    r"<(?:link|meta)\s[^<>]{0,200}?(?:canonical|og:url)[^<>]{0,200}?(?:href|content)\s*=\s*"
    r"[\"']?https?://[^/\"'\s>]{1,200}/?[\"'\s>]"
)


@dataclass(frozen=True, slots=True)
class Signs:
    """The phrases of one kind of wall, reduced as the text they are looked for in."""

    title: tuple[str, ...]
    text: tuple[tuple[bytes, str], ...]
    """Reduced, and as a person reads it."""
    chrome: tuple[tuple[bytes, str], ...]
    words: tuple[bytes, ...]
    markup: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Which wall a page looks like, and by what."""

    likely: Likely
    weight: int
    sign: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A page that does not hold its article, as far as telling walls apart needs it."""

    source: str
    """Lower case, the first megabyte."""
    text: bytes
    """Visible text, reduced thoroughly."""
    titles: tuple[str, ...]
    """The page's <title> and first headings as a person reads them."""
    names: tuple[str, ...]
    """What the page as a whole is called: its title, for others too, and its heading."""
    status: int
    elsewhere: float
    """Share of the article that stands in the source, beyond what is to be seen."""
    is_front: bool
    """True if the page's address is the front page's, where the article's is not."""

    @property
    def short(self) -> bool:
        """True if there is no room for an article beside a wall."""
        return len(self.text) < _SHORT


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("walls.toml").read_text("utf-8"))


@cache
def _searches() -> tuple[str, ...]:
    return tuple(thorough(phrase).decode() for phrase in _table()["search"]["title"])


@cache
def signs() -> Mapping[Likely, Signs]:
    """Read the table of phrases, once."""
    table = _table()
    return {
        likely: Signs(
            title=tuple(thorough(phrase).decode() for phrase in table[kind]["title"]),
            text=tuple((thorough(phrase), phrase) for phrase in table[kind]["text"]),
            chrome=tuple((thorough(phrase), phrase) for phrase in table[kind].get("chrome", ())),
            words=tuple(thorough(word) for word in table[kind].get("words", ())),
            markup=tuple(table[kind]["markup"]),
        )
        for kind, likely in _KINDS.items()
    }


def set_scene(
    source: str, visible: str, *, status: int, elsewhere: float, is_front: bool = False
) -> Scene:
    """Gather what is looked at from a decoded page and its visible text."""
    source = source[:_MAX_SOURCE]
    lower = source.lower()
    return Scene(
        source=lower,
        text=thorough(visible),
        titles=headings(source, lower),
        names=names(source, lower),
        status=status,
        elsewhere=elsewhere,
        is_front=is_front,
    )


def suspect(
    scene: Scene, *, among: Collection[Likely] = tuple(Likely), enough: int = _ENOUGH
) -> Suspicion | None:
    """Return the wall a page most looks like, None if it looks like none of those asked for."""
    suspicions = [
        _weigh(likely, found, scene) for likely, found in signs().items() if likely in among
    ]
    best = max(suspicions, key=lambda suspicion: suspicion.weight)
    return best if best.weight >= enough else None


def sign_over(scene: Scene, *, title: str) -> Suspicion | None:
    """Return the wall, or the front page, that a page itself says it is: by title or address.

    ``title`` is the article's: what stands in it may stand in the page's.
    """
    for likely, found in signs().items():
        weight, sign = _by_title(found.title, scene.names, but=title)
        if weight:
            return Suspicion(likely, weight, sign)
    if is_front_page(scene):
        return Suspicion(Likely.NOT_FOUND, _ENOUGH, _FRONT_PAGE)
    return None


def says(likely: Likely, scene: Scene) -> Suspicion | None:
    """Return a wall's sign if the page's text says what only that wall says, in so many words."""
    weight, sign = _by_text(likely, replace(signs()[likely], chrome=()), scene)
    return Suspicion(likely, weight, sign) if weight else None


def is_search(scene: Scene, *, title: str) -> bool:
    """Tell whether a page says that it shows what a search found."""
    expected = thorough(title).decode()
    found = {part for name in scene.names for part in parts(name) if part not in expected}
    return any(
        part == phrase or (len(phrase) >= TELLING and part.startswith(phrase))
        for part in found
        for phrase in _searches()
    )


def is_front_page(scene: Scene) -> bool:
    """Tell whether a page is the site's front page, by its address or by its own word."""
    return scene.is_front or _CANONICAL.search(scene.source) is not None


def _weigh(likely: Likely, found: Signs, scene: Scene) -> Suspicion:
    weight, evidence = 0, list[str]()
    for more, sign in (
        _by_title(found.title, scene.titles),
        _by_text(likely, found, scene),
        _by_markup(likely, found, scene),
        _by_status(likely, scene),
        _by_shape(likely, found, scene),
    ):
        weight += more
        if more:
            evidence.append(sign)
    return Suspicion(likely, weight, evidence[0] if evidence else "")


def _by_title(phrases: Iterable[str], titles: Iterable[str], *, but: str = "") -> tuple[int, str]:
    """A title that is little more than the phrase; three words more make it a headline."""
    expected = thorough(but).decode()
    for title in titles:
        for part in parts(title):
            if part in expected:
                continue
            for phrase in phrases:
                if phrase in part and len(part) <= len(phrase) + 12:
                    return 3, f"the page is titled “{shorten(title, 80)}”"
    return 0, ""


def _by_text(likely: Likely, found: Signs, scene: Scene) -> tuple[int, str]:
    # Paywalls stand among menus and related stories; the others replace everything.
    if not scene.short and likely is not Likely.LOGIN:
        return 0, ""
    phrases = found.text + found.chrome if len(scene.text) < _BARE else found.text
    said = [phrase for reduced, phrase in phrases if reduced in scene.text]
    if not said:
        return 0, ""
    return min(2 * len(said), 4) + (len(scene.text) < _TINY), f"it says “{said[0]}”"


def _by_markup(likely: Likely, found: Signs, scene: Scene) -> tuple[int, str]:
    sign = _first(found.markup, scene.source)
    if sign is None or (likely in {Likely.CONSENT, Likely.EMPTY} and not scene.short):
        return 0, ""
    # Captcha scripts and login forms are part of many pages; alone they say something only
    # where there is hardly anything else.
    weight = 2 if scene.short else 1
    tiny = len(scene.text) < _TINY and likely is not Likely.CONSENT
    return weight + tiny, f"its source contains {sign}"


def _by_status(likely: Likely, scene: Scene) -> tuple[int, str]:
    meant = {
        Likely.LOGIN: {401: 4, 402: 4},
        Likely.NOT_FOUND: {404: 5, 410: 5},
        Likely.CHALLENGE: {403: 1, 429: 1, 503: 1},
    }.get(likely, {})
    weight = meant.get(scene.status, 0)
    if likely is Likely.ERROR and scene.status >= 400:
        weight = 3
    return weight, f"the server answered {scene.status}"


def _by_shape(likely: Likely, found: Signs, scene: Scene) -> tuple[int, str]:
    if likely is Likely.CONSENT:
        letters = sum(scene.text.count(word) * len(word) for word in found.words)
        if letters > _DENSE * max(len(scene.text), _TINY):
            return 2 if scene.short else 3, "its text speaks of little but cookies and consent"
    if likely is Likely.NOT_FOUND and is_front_page(scene):
        return 3, _FRONT_PAGE
    if likely is Likely.EMPTY and scene.elsewhere >= 0.5:
        return 3, "the article is in the page's source, but only a script would show it"
    if likely is Likely.EMPTY and len(scene.text) < _TINY and "<script" in scene.source:
        return 3, "hardly any text without its scripts"
    return 0, ""


def _first(needles: Iterable[str], source: str) -> str | None:
    return next((needle for needle in needles if needle in source), None)
