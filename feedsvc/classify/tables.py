"""Tables of topics.toml, read with their types checked and every complaint given its line."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from feedsvc.classify.toml_lines import LineIndex, Place, index_lines, syntax_error
from feedsvc.errors import ConfigurationError

_TYPES = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a table",
}


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a TOML file that knows where it stands."""

    values: Mapping[str, object]
    place: Place
    source: str
    lines: Callable[[], LineIndex]
    """Called for complaints only: a file without mistakes is not indexed."""

    def error(
        self, key: str | None, problem: str, remedy: str, *, element: int | None = None
    ) -> ConfigurationError:
        """Return the error that names file, line, problem and remedy."""
        line = self.lines().line(self.place, key, element)
        return ConfigurationError(f"{self.source}:{line}: {problem}. {remedy}")

    def allow(self, known: Collection[str]) -> None:
        """Raise ConfigurationError at the first key that is not known."""
        for key in self.values:
            if key not in known:
                raise self.error(key, f"unknown key {key!r}", did_you_mean(key, known))

    def text(self, key: str) -> str | None:
        """Return a string that is not blank, None if the key is not there."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self._wrong_type(key, value, "text in quotes")
        if not value.strip():
            raise self.error(
                key, f"{key} is empty", f"Give it a value, or remove the line {key} = …"
            )
        return value

    def required(self, key: str) -> str:
        """Return a string that has to be there."""
        value = self.text(key)
        if value is None:
            raise self.error(
                None, f"this [[{self.place[0]}]] has no {key}", f'Add {key} = "…" to it'
            )
        return value

    def texts(self, key: str, *, single: bool = False) -> tuple[str, ...]:
        """Return a list of strings, empty if the key is not there; ``single`` allows one string."""
        value = self.values.get(key)
        if value is None:
            return ()
        if single and isinstance(value, str):
            value = [value]
        if not isinstance(value, list):
            raise self._wrong_type(key, value, "a list of texts in quotes")
        for number, item in enumerate(value):
            if not isinstance(item, str) or not item.strip():
                raise self.error(
                    key,
                    f"{key} holds {_shown(item)}, which is not text",
                    "Every element must be text in quotes",
                    element=number,
                )
        return tuple(value)

    def number(self, key: str, default: float, *, low: float, high: float) -> float:
        """Return a number between two bounds."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong_type(key, value, "a number")
        if not low <= value <= high:
            raise self.error(key, f"{key} is {value}", f"Use a number from {low:g} to {high:g}")
        return value

    def flag(self, key: str) -> bool:
        """Return true or false, false if the key is not there."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self._wrong_type(key, value, "true or false")
        return value

    def tables(self, key: str) -> list[Table]:
        """Return an array of tables, empty if there is none."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong_type(key, value, f"written as [[{key}]]")
        return [
            Table(item, (key, number), self.source, self.lines) for number, item in enumerate(value)
        ]

    def table(self, key: str) -> Table:
        """Return a table, empty if there is none."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self._wrong_type(key, value, f"written as [{key}]")
        return Table(value, (key, 0), self.source, self.lines)

    def _wrong_type(self, key: str, value: object, wanted: str) -> ConfigurationError:
        kind = _TYPES.get(type(value), "a date or time")
        return self.error(key, f"{key} is {kind}", f"It must be {wanted}")


def read_tables(toml: str, *, source: str) -> Table:
    """Return the root table of a TOML text; raise ConfigurationError with file and line."""
    try:
        values = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        line, problem = syntax_error(error, toml)
        raise ConfigurationError(
            f"{source}:{line}: this is not TOML: {problem}. "
            "Look for a missing quote, bracket or comma on this line or the one before"
        ) from error
    except RecursionError as error:
        raise ConfigurationError(
            f"{source}:1: the lists are nested too deeply. Flatten them"
        ) from error
    return Table(values, ("", 0), source, lambda: index_lines(toml))


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return a sentence that names the nearest known words, or all of them."""
    choice: Sequence[str] = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    if choice:
        return f"Did you mean {choice[0]!r}?"
    return f"Known are: {', '.join(sorted(known))}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
