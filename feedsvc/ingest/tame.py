"""Raw HTML → HTML that nests properly, in time that grows with its length.

nh3 makes HTML safe, but its parser follows every rule of HTML5 for broken markup, some of which
cost the square of the input: deep nesting, formatting that is never closed, text that does not
belong into a table. Here such markup is put in order first, or rejected.
"""

from __future__ import annotations

import re

from feedsvc.errors import SeedRejected

MAX_DEPTH = 100
_MAX_ATTRIBUTES = 8192
"""Characters of one element's attributes, quoted values aside."""
_MAX_FOSTERED = 1000
_MAX_REOPENED = 200_000

_ALLOWED = """
    a abbr b bdi bdo blockquote br caption cite code col colgroup dd del details dfn div dl dt em
    figcaption figure h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp small
    span strong sub summary sup table tbody td tfoot th thead time tr u ul var wbr
"""
ALLOWED = frozenset(_ALLOWED.split())
VOID = frozenset({"br", "col", "hr", "img", "wbr"})
# Elements whose content is no text of the article.
DROPPED = frozenset(
    {"script", "style", "iframe", "object", "embed", "template", "noembed", "noframes"}
)

_RENAMED = {
    "h1": "h2",
    "strike": "s",
    "tt": "code",
    "center": "div",
    "section": "div",
    "article": "div",
}
_TOKEN = re.compile(
    r"<!--"
    r"|<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9-]*+)"
    r"(?P<attributes>(?:\s++[^\s\"'<>/=]++(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'=<>`]++))?+)*+)\s*+/?>"
    r"|<|&(?!\#?\w{1,31};)"
)
_STRAY = {"<": "&lt;", "&": "&amp;"}
_QUOTED = re.compile("\"[^\"]*\"|'[^']*'")
_TABLE_PARTS = frozenset({"table", "thead", "tbody", "tfoot", "tr", "colgroup"})
_IN_TABLE = frozenset({"caption", "col", "colgroup", "thead", "tbody", "tfoot", "tr", "td", "th"})
_FORMATTING = frozenset({"a", "b", "code", "em", "i", "s", "small", "strong", "u"})
_BLOCK_NAMES = (
    "blockquote details div dl figcaption figure h2 h3 h4 h5 h6 hr ol p pre summary table ul"
)
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_ROWS = frozenset({"p", "td", "th", "tr"})
# HTML §13.1.2.4: elements whose end tag may be left out end where these begin.
_ENDED_BY = {
    **dict.fromkeys(_BLOCKS, frozenset({"p"})),
    "li": frozenset({"p", "li"}),
    "dt": frozenset({"p", "dt", "dd"}),
    "dd": frozenset({"p", "dt", "dd"}),
    "td": frozenset({"p", "td", "th"}),
    "th": frozenset({"p", "td", "th"}),
    "tr": _ROWS,
    **dict.fromkeys(
        ("thead", "tbody", "tfoot"), _ROWS | {"thead", "tbody", "tfoot", "caption", "colgroup"}
    ),
}


def tame(html: str) -> str:
    """Return html with every element closed where it should be and stray < and & escaped.

    Raises SeedRejected for markup too deep or too broken to be put in order.
    """
    return _Tamer(html).run()


def check_depth(html: str) -> None:
    """Raise SeedRejected for well-nested HTML that is deeper than MAX_DEPTH."""
    if html.count("</") <= MAX_DEPTH:
        return
    depth = 0
    for match in _NESTING.finditer(html):
        depth += -1 if match[1] else 1
        if depth > MAX_DEPTH:
            raise too_deep()


_NESTING = re.compile(r"<(/?)(?:blockquote|ul|ol|li|em|strong|del)\b")


def too_deep() -> SeedRejected:
    """Return the rejection of a seed that nests deeper than MAX_DEPTH."""
    return SeedRejected(
        f"quotes, lists or elements stand more than {MAX_DEPTH} deep inside one another",
        remedy="Flatten them",
    )


class _Tamer:
    def __init__(self, html: str) -> None:
        self._html = html
        self._out: list[str] = []
        self._stack: list[str] = []
        self._formatting = 0
        self._fostered = 0
        self._reopened = 0
        self._unclosed: set[str] = set()

    def run(self) -> str:
        html, position = self._html, 0
        while match := _TOKEN.search(html, position):
            self._text(html[position : match.start()])
            position = self._token(match)
        self._text(html[position:])
        while self._stack:
            self._pop()
        return "".join(self._out)

    def _text(self, text: str) -> None:
        if text and self._stack and self._stack[-1] in _TABLE_PARTS and not text.isspace():
            self._foster()
        self._out.append(text)

    def _token(self, match: re.Match[str]) -> int:
        """Deal with one token; return where to go on."""
        found = match[0]
        if found == "<!--":
            return self._skip_to("-->", match.end())
        if found in _STRAY:
            self._text(_STRAY[found])
            return match.end()
        name = match["name"].lower()
        if name in DROPPED and not match["close"]:
            return self._skip_to(f"</{name}", match.end())
        name = _RENAMED.get(name, name)
        if name in ALLOWED:
            if match["close"]:
                self._close(name)
            else:
                self._open(name, match["attributes"])
        return match.end()

    def _skip_to(self, mark: str, position: int) -> int:
        """Return the end of what is dropped; where no end stands, only its beginning goes."""
        if mark in self._unclosed:
            return position
        found = self._html.find(mark, position)
        if found < 0 and mark != "-->":
            found = self._html.lower().find(mark, position)
        if found < 0:
            self._unclosed.add(mark)
            return position
        return (
            found + len(mark)
            if mark == "-->"
            else self._html.find(">", found) + 1 or len(self._html)
        )

    def _open(self, name: str, attributes: str) -> None:
        if len(attributes) > _MAX_ATTRIBUTES and len(_QUOTED.sub("", attributes)) > _MAX_ATTRIBUTES:
            raise SeedRejected(
                f"a <{name}> element has more than {_MAX_ATTRIBUTES} characters of attributes",
                remedy="Remove its attributes",
            )
        ended = _ENDED_BY.get(name)
        while ended and self._stack and self._stack[-1] in ended:
            self._pop()
        if self._stack and self._stack[-1] in _TABLE_PARTS and name not in _IN_TABLE:
            self._foster()
        self._count_reopened()
        self._out.append(f"<{name}{attributes}>")
        if name in VOID:
            return
        self._stack.append(name)
        self._formatting += name in _FORMATTING
        if len(self._stack) > MAX_DEPTH:
            raise too_deep()

    def _close(self, name: str) -> None:
        if name in self._stack:
            while self._pop() != name:
                pass

    def _pop(self) -> str:
        name = self._stack.pop()
        self._formatting -= name in _FORMATTING
        self._out.append(f"</{name}>")
        self._count_reopened()
        return name

    def _count_reopened(self) -> None:
        """HTML §13.2.4.3: open formatting elements are made anew inside each further block."""
        self._reopened += self._formatting
        if self._reopened > _MAX_REOPENED + len(self._html):
            raise SeedRejected(
                "formatting elements stand open around too many others",
                remedy="Close <b>, <i>, <a> and the like before the paragraph ends",
            )

    def _foster(self) -> None:
        """HTML §13.2.6.1: what does not belong into a table is moved before it, one by one."""
        self._fostered += 1
        if self._fostered > _MAX_FOSTERED:
            raise SeedRejected(
                "a table holds too much that stands in no cell",
                remedy="Put the text of the table into <td> elements",
            )
