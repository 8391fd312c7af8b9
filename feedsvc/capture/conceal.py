"""What hides an element from its reader: its own attributes, and simple rules of the page's styles.

Not a cascade: rules are read that hide by one compound of classes and ids (`.locked`, `p#rest`),
because that is how the rest of an article is put away. Stylesheets of their own are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

MAX_STYLES = 1 << 20
"""Characters of a page's style elements that are read."""
ROOTS = frozenset({"html", "body"})
"""Never taken for hidden: hiding the whole page until a script has run is a habit against flicker."""
_MAX_RULES = 200
# Of those with several names many may have to be looked at for one element.
_MAX_SEVERAL = 8
_MAX_STYLE = 2000
_MAX_ATTRIBUTES = 10_000

_HIDES = re.compile(
    r"(?<![-\w])(?:display\s*+:\s*+none|visibility\s*+:\s*+(?:hidden|collapse))"
    r"\s*+(!\s*+important)?",
    re.IGNORECASE,
)
_SHOWS = re.compile(r"(?<![-\w])(?:display|visibility)\s*+:", re.IGNORECASE)
_CONCEALING = re.compile(
    r"(?<![-\w])(?:"
    r"display\s*+:\s*+none|visibility\s*+:\s*+(?:hidden|collapse)|content-visibility\s*+:\s*+hidden"
    r"|(?:opacity|font-size)\s*+:\s*+(?=[\d.])0*+\.?0*+(?:%|px|r?em)?\s*+(?:;|!|$)"
    r"|(?:left|right|top|bottom|text-indent|margin-left|margin-top)\s*+:"
    r"\s*+-(?:\d{4,}|\d{3,}(?:r?em|vw|vh|%))"
    r"|clip\s*+:\s*+rect|clip-path\s*+:\s*+inset\(\s*+(?:50|100)%"
    r"|(?:transform\s*+:\s*+)?scale\s*+[(:]\s*+0\s*+(?:[;)!]|$)"
    r")",
    re.IGNORECASE,
)
_FLAT = re.compile(
    r"(?<![-\w])(?:max-)?(?:height|width)\s*+:\s*+(?:0(?:\.0+)?[a-z%]*+|1px)\s*+(?:;|!|$)",
    re.IGNORECASE,
)
_CLIPPED = re.compile(r"(?<![-\w])overflow(?:-[xy])?\s*+:\s*+(?:hidden|clip)", re.IGNORECASE)

_COMMENTS_AND_STRINGS = re.compile(r"""/\*.*?(?:\*/|\Z)|"[^"\n]*"|'[^'\n]*'""", re.DOTALL)
_NAME = r"-?[_a-zA-Z\u0080-\U0010ffff][-\w]*+"
_COMPOUND = re.compile(rf"([a-zA-Z][a-zA-Z0-9]*+)?((?:[.#]{_NAME})+)")
_ALWAYS = re.compile(
    r"@media\s+(?:only\s+)?(?:screen|all)\s*|@(?:layer|supports)\b.*", re.IGNORECASE | re.DOTALL
)
_PRINTED = re.compile(r"@media\s+(?:only\s+)?(?:print|speech)\b", re.IGNORECASE)
_IN_FORCE, _AT_TIMES, _NEVER = range(3)
# Case-sensitive and loose, for speed: only to see which rules a page may have a use for.
_MENTIONED = tuple(
    (mark, re.compile(rf"""{name}\s*+=\s*+["']?([^"'<>]*+)"""))
    for name, mark in (("class", "."), ("CLASS", "."), ("id", "#"), ("ID", "#"))
)
_NAMES = re.compile(
    r"""(?<![-\w])(class|id)\s*+=\s*+(?:"([^"]*+)|'([^']*+)|([^\s"'>]++))""", re.IGNORECASE
)
_STYLE = re.compile(
    r"""(?<![-\w])style\s*+=\s*+(?:"([^"]{0,2000}+)|'([^']{0,2000}+)|([^\s"'>]{1,2000}+))""",
    re.IGNORECASE,
)
_QUOTED = re.compile(r""""[^"]*+"?|'[^']*+'?""")
_HIDDEN = re.compile(r"(?:^|\s)hidden(?=[\s=/]|$)", re.IGNORECASE)

Rule = tuple[str, frozenset[str]]
"""An element's name, or none, and the classes (".x") and ids ("#x") it has to have."""


def conceals(style: str) -> bool:
    """Tell whether the declarations of a style attribute hide their element."""
    style = style[:_MAX_STYLE]
    if _CONCEALING.search(style):
        return True
    return _FLAT.search(style) is not None and _CLIPPED.search(style) is not None


def is_hidden(name: str, attributes: str, rules: Mapping[str, Sequence[Rule]]) -> bool:
    """Tell whether an element is hidden, from its name and its attributes as they are written.

    ``rules`` are those that `by_name` sorted.
    """
    if name in ROOTS:
        return False
    if name == "dialog" and not re.search(r"\bopen\b", attributes):
        return True
    if not attributes:
        return False
    attributes = attributes[:_MAX_ATTRIBUTES]
    if (style := _STYLE.search(attributes)) and conceals(style[style.lastindex or 0]):
        return True
    if "hidden" in attributes.lower() and _HIDDEN.search(_QUOTED.sub("", attributes)):
        return True
    has = _names_of(attributes) if rules else frozenset[str]()
    return any(
        tag in {"", name} and wanted <= has for one in has for tag, wanted in rules.get(one, ())
    )


def _names_of(attributes: str) -> frozenset[str]:
    """Return the classes (".x") and the id ("#x") of an element."""
    return frozenset(
        ("." if attribute.lower() == "class" else "#") + name
        for attribute, *values in _NAMES.findall(attributes)
        for value in values
        for name in value.split()
    )


def _mentioned(source: str) -> frozenset[str]:
    """Return the classes and ids that a page's markup has, and perhaps some that it has not."""
    return frozenset(
        mark + name
        for mark, pattern in _MENTIONED
        for value in set(pattern.findall(source))
        for name in value.split()
    )


def selector(rule: Rule) -> str:
    """Write a rule as CSS does."""
    return rule[0] + "".join(sorted(rule[1], reverse=True))


def by_name(rules: Iterable[Rule]) -> dict[str, list[Rule]]:
    """Sort rules by a class or an id that each asks for."""
    sorted_rules: dict[str, list[Rule]] = {}
    for rule in rules:
        sorted_rules.setdefault(min(rule[1]), []).append(rule)
    return sorted_rules


def hiding_rules(styles: Iterable[str], *, source: str) -> tuple[Rule, ...]:
    """Return the rules by which a page's styles hide elements that its source may contain.

    A rule that a later one takes back, or one for wide screens, hides nothing; nor does one that
    holds for print or for narrow screens only.
    """
    hidden: dict[Rule, bool] = {}
    for force, rules, declarations in _rules(styles):
        hides = _HIDES.search(declarations)
        if hides and force == _IN_FORCE:
            important = hides[1] is not None
            hidden |= {rule: important or hidden.get(rule, False) for rule in rules}
        elif not hides:
            for rule in rules:
                if not hidden.get(rule, True):
                    del hidden[rule]
    if not hidden:
        return ()
    there = _mentioned(source)
    useful = [rule for rule in hidden if rule[1] <= there]
    several = [rule for rule in useful if len(rule[1]) > 1]
    single = [rule for rule in useful if len(rule[1]) == 1]
    return (*single[:_MAX_RULES], *several[:_MAX_SEVERAL])


def _rules(styles: Iterable[str]) -> Iterator[tuple[int, list[Rule], str]]:
    """Yield each rule for a screen that speaks of display or visibility, and whether it holds."""
    for style in styles:
        if "none" not in style and "hidden" not in style:
            continue
        blocks = [_IN_FORCE]
        for chunk in _COMMENTS_AND_STRINGS.sub("", style[:MAX_STYLES]).split("}"):
            *opened, declarations = chunk.split("{")
            if not opened:
                del blocks[max(1, len(blocks) - 1) :]
                continue
            for prelude in opened[:-1]:
                blocks.append(max(blocks[-1], _force(prelude.rpartition(";")[2].strip())))
            speaks = "display" in declarations or "visibility" in declarations
            if speaks and blocks[-1] != _NEVER and _SHOWS.search(declarations):
                yield blocks[-1], _compounds(opened[-1]), declarations


def _force(block: str) -> int:
    """Tell when the rules in a block hold."""
    if _ALWAYS.fullmatch(block):
        return _IN_FORCE
    return _NEVER if _PRINTED.match(block) else _AT_TIMES


def _compounds(prelude: str) -> list[Rule]:
    rules = []
    for part in prelude.rpartition(";")[2].split(",")[:_MAX_RULES]:
        if found := _COMPOUND.fullmatch(part.strip()):
            names = re.findall(rf"[.#]{_NAME}", found[2])
            rules.append(((found[1] or "").lower(), frozenset(names)))
    return rules
