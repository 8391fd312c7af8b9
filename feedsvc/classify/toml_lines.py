"""Where things stand in a TOML file: tomllib tells values, a person needs the line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# Longest first: a multi-line string before an empty one, strings before anything inside them.
_PIECE = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|\[\[|\]\]|[\[\]{}=,\n]"
    r"|[^\s\[\]{}=,#\"']+",
    re.DOTALL,
)
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)$")

Place = tuple[str, int]
"""A table's name and, for arrays of tables, its number from 0."""


@dataclass(slots=True)
class LineIndex:
    """The lines, from 1, on which the tables, keys and array elements of a TOML text stand."""

    tables: dict[Place, int] = field(default_factory=dict)
    keys: dict[tuple[Place, str], int] = field(default_factory=dict)
    elements: dict[tuple[Place, str], list[int]] = field(default_factory=dict)

    def line(self, place: Place, key: str | None = None, element: int | None = None) -> int:
        """Return the line of an element, else of its key, else of its table, else 1."""
        if key is not None:
            lines = self.elements.get((place, key), [])
            if element is not None and element < len(lines):
                return lines[element]
            if (place, key) in self.keys:
                return self.keys[place, key]
        if place in self.tables:
            return self.tables[place]
        # Tables may be written inline: `rule = [{…}]`.
        return self.keys.get((("", 0), place[0]), 1)


def index_lines(source: str) -> LineIndex:
    """Return where everything stands in a text that tomllib accepts."""
    index = LineIndex()
    place: Place = ("", 0)
    line = 1
    statement: list[tuple[str, int]] = []
    depth = 0
    for match in _PIECE.finditer(source + "\n"):
        piece = match[0]
        if piece == "\n":
            if depth == 0 and statement:
                place = _enter(statement, index, place)
                statement = []
        elif not piece.startswith("#"):
            statement.append((piece, line))
            depth += _depth(piece)
        line += piece.count("\n")
    return index


def syntax_error(error: Exception, source: str) -> tuple[int, str]:
    """Return the line of a tomllib.TOMLDecodeError and its message without the place."""
    message = str(error)
    if found := _AT_LINE.search(message):
        return int(found[1]), message[: found.start()].strip()
    return source.count("\n") + 1, message.removesuffix("(at end of document)").strip()


def _depth(piece: str) -> int:
    return {"[": 1, "{": 1, "[[": 2, "]": -1, "}": -1, "]]": -2}.get(piece, 0)


def _enter(statement: list[tuple[str, int]], index: LineIndex, place: Place) -> Place:
    """Record one header or one `key = value`; return the table that following keys belong to."""
    first, line = statement[0]
    if first in {"[", "[["}:
        name = statement[1][0].strip("\"'")
        number = sum(1 for known in index.tables if known[0] == name) if first == "[[" else 0
        index.tables[name, number] = line
        return name, number
    key = first.strip("\"'")
    index.keys.setdefault((place, key), line)
    index.elements.setdefault((place, key), _elements(statement))
    return place


def _elements(statement: list[tuple[str, int]]) -> list[int]:
    """Return the lines of the strings and numbers of a flat array."""
    pieces = [pair for pair in statement if pair[0] not in {",", "[", "]", "[[", "]]"}]
    equals = next((at for at, pair in enumerate(pieces) if pair[0] == "="), len(pieces))
    return [line for _, line in pieces[equals + 1 :]]
