"""Front matter: the YAML or TOML head of a seed, as plain strings with their lines."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from feedsvc.errors import SeedRejected

MAX_SIZE = 64 * 1024
_MAX_DEPTH = 8
_MAX_DOTS = 500

_SYNONYMS = {
    "title": ("title", "headline"),
    "author": ("author", "authors", "by", "byline"),
    "agency": ("agency", "agencies"),
    "date": ("date", "published", "publish_date", "published_at", "publication_date", "pubdate"),
    "url": ("url", "original_url", "originalurl", "source_url", "canonical_url", "link"),
    "topics": ("topics", "topic", "tags", "tag", "categories", "category"),
    "language": ("language", "lang"),
    "summary": ("summary", "description", "excerpt", "abstract"),
    "image": ("image", "cover", "thumbnail"),
    "credit": ("credit", "photo_credit", "image_credit"),
}
_MANY = frozenset({"author", "topics"})
_FIELD = {synonym: field for field, synonyms in _SYNONYMS.items() for synonym in synonyms}


@dataclass(frozen=True, slots=True)
class Value:
    """What front matter gives for one field: at least one string, and the line it stands in."""

    items: tuple[str, ...]
    line: int
    listed: bool
    """Given as a list, so that a comma inside an item parts nothing."""

    @property
    def text(self) -> str:
        """The one string of a field that holds one."""
        return self.items[0]


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The fields of a seed's head by their first name in the seed format."""

    fields: Mapping[str, Value]
    warnings: tuple[str, ...] = ()
    lines: int = 0
    """How many lines of the file it takes, fences and blank lines before it included."""


@dataclass(frozen=True, slots=True)
class _Given:
    """One key as written: value None where it is empty, a tuple where it is a list."""

    key: str
    value: str | tuple[str, ...] | None
    line: int
    plain: bool = True
    """False if it nests deeper than a list of strings."""


def read_front_matter(lines: list[str]) -> FrontMatter:
    """Return the front matter at the head of a seed's lines; raise SeedRejected with the line."""
    start = next((number for number, line in enumerate(lines) if line.strip()), 0)
    fence = lines[start].rstrip() if lines else ""
    if fence not in {"---", "+++"}:
        return FrontMatter({})
    ends = {"---", "..."} if fence == "---" else {"+++"}
    end = next((n for n in range(start + 1, len(lines)) if lines[n].rstrip() in ends), None)
    if end is None:
        raise SeedRejected(
            f"the front matter that begins with {fence} does not end",
            remedy=f"Write {fence} on a line of its own after the last field",
            line=start + 1,
        )
    text = "\n".join(lines[start + 1 : end]) + "\n"
    if len(text) > MAX_SIZE:
        raise SeedRejected(
            f"the front matter is longer than {MAX_SIZE} characters",
            remedy="Keep the fields short and put the text below the front matter",
            line=start + 1,
        )
    read = _yaml if fence == "---" else _toml
    fields, warnings = _fields(read(text, start + 2))
    return FrontMatter(fields, warnings, end + 1)


def _fields(given: Iterator[_Given]) -> tuple[dict[str, Value], tuple[str, ...]]:
    found: dict[str, tuple[int, str, Value]] = {}
    warnings: list[str] = []
    for item in given:
        key = item.key.strip().lower().replace("-", "_").replace(" ", "_")
        field = _FIELD.get(key)
        if field is None:
            warnings.append(_unknown(item, key))
            continue
        value = _value(item, field)
        if value is None:
            continue
        rank = _SYNONYMS[field].index(key)
        if field in found:
            used = min(
                found[field][1], item.key, key=lambda k: rank if k == item.key else found[field][0]
            )
            ignored = found[field][1] if used == item.key else item.key
            warnings.append(f"line {item.line}: {ignored} is ignored because {used} is given too")
            if used != item.key:
                continue
        found[field] = (rank, item.key, value)
    return {field: value for field, (_, _, value) in found.items()}, tuple(warnings)


def _unknown(item: _Given, key: str) -> str:
    near = difflib.get_close_matches(key[:40], _FIELD, n=1, cutoff=0.75)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"line {item.line}: the field {item.key[:80]!r} is not known and is ignored{hint}"


def _value(item: _Given, field: str) -> Value | None:
    if not item.plain:
        raise SeedRejected(
            f"the field {item.key} is neither a string nor a list of strings",
            remedy=f"Write {item.key}: text",
            line=item.line,
        )
    listed = isinstance(item.value, tuple)
    items = item.value if isinstance(item.value, tuple) else (item.value or "",)
    kept = tuple(value for value in items if value.strip())
    if not kept:
        return None
    if len(kept) > 1 and field not in _MANY:
        raise SeedRejected(
            f"the field {item.key} holds {len(kept)} values where one is meant",
            remedy=f"Keep one value for {item.key}",
            line=item.line,
        )
    return Value(kept, item.line, listed)


# --- YAML -----------------------------------------------------------------------------------
# Read from the parser's events instead of being loaded: nothing is constructed, an alias cannot
# multiply, `language: no` stays a string, and every field knows its line.


def _yaml(text: str, first: int) -> Iterator[_Given]:
    import yaml

    try:
        yield from _YamlReader(yaml.parse(text, Loader=_yaml_loader()), first).read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first + mark.line if mark else first
        raise SeedRejected(
            f"the front matter is not YAML: {error.problem or error.context}",
            remedy="Quote values that hold a colon, and indent with spaces",
            line=line,
        ) from error
    except yaml.YAMLError as error:
        raise SeedRejected(
            f"the front matter is not YAML: {error}".splitlines()[0],
            remedy="Write one `field: value` per line",
            line=first,
        ) from error


@cache
def _yaml_loader() -> Any:
    import yaml

    # libyaml where the platform has it, ten times as fast.
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


# YAML 1.2 §10.3: the tags that say no more than a plain value does.
_TAGS = frozenset({"str", "seq", "map", "timestamp", "int", "float", "bool", "null"})


_NULL = "tag:yaml.org,2002:null"


class _YamlReader:
    """Walks the events of one document; ``first`` is the line of the file it begins in."""

    def __init__(self, events: Iterator[Any], first: int) -> None:
        self._events = events
        self._first = first

    def read(self) -> Iterator[_Given]:
        """Yield the pairs of the mapping the document has to be."""
        import yaml

        for event, line in iter(self._step, None):
            if isinstance(event, yaml.MappingStartEvent):
                yield from self._mapping()
                return
            if isinstance(event, yaml.NodeEvent) and not _is_null(event):
                raise _not_a_mapping(line)

    def _step(self) -> tuple[Any, int] | None:
        import yaml

        event = next(self._events, None)
        if event is None:
            return None
        line = self._first + event.start_mark.line
        if isinstance(event, yaml.AliasEvent):
            raise SeedRejected(
                "the front matter uses a YAML alias",
                remedy="Write the value out instead of *name",
                line=line,
            )
        tag = getattr(event, "tag", None)
        if tag is not None and tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
            raise SeedRejected(
                f"the front matter uses the YAML tag {tag[:80]}",
                remedy="Remove the tag: every field is text",
                line=line,
            )
        return event, line

    def _mapping(self) -> Iterator[_Given]:
        import yaml

        seen: set[str] = set()
        for event, line in iter(self._step, None):
            if isinstance(event, yaml.MappingEndEvent):
                return
            if not isinstance(event, yaml.ScalarEvent):
                raise _not_a_mapping(line)
            given = self._value(event.value, line)
            if given.key in seen:
                raise _twice(given)
            seen.add(given.key)
            yield given

    def _value(self, key: str, line: int) -> _Given:
        import yaml

        event, _ = self._step() or (None, 0)
        if isinstance(event, yaml.ScalarEvent):
            return _Given(key, _scalar(event), line)
        if isinstance(event, yaml.SequenceStartEvent):
            items, plain = self._sequence()
            return _Given(key, items, line, plain)
        self._skip(line)
        return _Given(key, None, line, plain=False)

    def _sequence(self) -> tuple[tuple[str, ...], bool]:
        import yaml

        items: list[str] = []
        plain = True
        for event, line in iter(self._step, None):
            if isinstance(event, yaml.SequenceEndEvent):
                break
            if isinstance(event, yaml.ScalarEvent):
                items.append(_scalar(event) or "")
            else:
                plain = False
                self._skip(line)
        return tuple(items), plain

    def _skip(self, line: int) -> None:
        """Pass over the rest of a collection that was entered."""
        import yaml

        depth = 1
        while depth and (step := self._step()):
            depth += isinstance(step[0], yaml.CollectionStartEvent)
            depth -= isinstance(step[0], yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH:
                raise SeedRejected(
                    f"the front matter nests more than {_MAX_DEPTH} levels",
                    remedy="Write one `field: value` per line",
                    line=line,
                )


def _is_null(event: Any) -> bool:
    return getattr(event, "value", None) == ""


def _scalar(event: Any) -> str | None:
    value: str = event.value
    # YAML 1.2 §10.2.1.1: only a plain scalar can mean null, unless a tag says so.
    plain = event.implicit[0]
    if (plain and value in {"", "~", "null", "Null", "NULL"}) or event.tag == _NULL:
        return None
    return value


def _twice(given: _Given) -> SeedRejected:
    return SeedRejected(
        f"the field {given.key[:80]} is given twice",
        remedy="Keep one of the two",
        line=given.line,
    )


def _not_a_mapping(line: int) -> SeedRejected:
    return SeedRejected(
        "the front matter holds no `field: value` pairs",
        remedy="Write one `field: value` per line between the fences, or remove them",
        line=line,
    )


# --- TOML -----------------------------------------------------------------------------------

_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")


def _toml(text: str, first: int) -> Iterator[_Given]:
    lines = text.split("\n")
    for number, written in enumerate(lines, start=first):
        # tomllib takes the square of a dotted key's length.
        if written.count(".") > _MAX_DOTS:
            raise SeedRejected(
                f"a line of the front matter holds more than {_MAX_DOTS} full stops",
                remedy="Keep the fields short and put the text below the front matter",
                line=number,
            )
    try:
        table = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError is one; so is a number of too many digits
        found = _TOML_LINE.search(str(error))
        # At the end of the document the message has no number.
        line = first + (int(found[1]) - 1 if found else text.count("\n") - 1)
        raise SeedRejected(
            f"the front matter is not TOML: {_TOML_LINE.sub('', str(error)).strip()}",
            remedy='Write one `field = "value"` per line, strings in quotes',
            line=line,
        ) from error
    except RecursionError as error:
        raise SeedRejected(
            "the front matter nests too deep",
            remedy='Write one `field = "value"` per line',
            line=first,
        ) from error
    for key, value in table.items():
        yield _toml_entry(key, value, _toml_line(lines, key, first))


def _toml_line(lines: list[str], key: str, first: int) -> int:
    starts = (key, f'"{key}"', f"'{key}'", f"[{key}", f"[[{key}")
    for number, line in enumerate(lines):
        if line.lstrip().startswith(starts):
            return first + number
    return first


def _toml_entry(key: str, value: object, line: int) -> _Given:
    if isinstance(value, list):
        items = [_toml_scalar(item) for item in value]
        plain = None not in items
        return _Given(key, tuple(item for item in items if item is not None), line, plain)
    scalar = _toml_scalar(value)
    return _Given(key, scalar, line, plain=scalar is not None)


def _toml_scalar(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return _number(value)
    return None


def _number(value: float) -> str | None:
    try:
        return str(value)
    except ValueError:  # more digits than sys.set_int_max_str_digits allows
        return None
