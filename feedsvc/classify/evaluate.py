"""How well sorting does on labelled texts: a CSV file and a map of labels in, figures out."""

from __future__ import annotations

import csv
import io
import sys
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from feedsvc.classify.classifier import Classifier
from feedsvc.errors import ConfigurationError
from feedsvc.model import UNCATEGORISED

_OTHERS: Final = "*"
_COLUMNS = ("label", "slug", "title", "text")
Classes = Mapping[str, str]
"""Slug of a topic -> class of the labelled set; `*` stands for every topic that is not named."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled text; it can be classified as it is."""

    id: str
    label: str
    slug: str
    """Empty where the file has no such column."""
    title: str
    text: str
    line: int
    url: str | None = None
    author: str | None = None
    agency: str | None = None
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How one class did; shares from 0 to 1."""

    name: str
    texts: int
    precision: float
    recall: float
    f1: float
    mistaken_for: tuple[tuple[str, int], ...]
    """Other classes its texts were put into and how many, the most frequent first."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of the best topic of every text; shares from 0 to 1."""

    texts: int
    accuracy: float
    macro_f1: float
    coverage: float
    """Share of the texts that are not uncategorised; an uncategorised one counts as wrong."""
    topics_per_text: float
    among: float
    """Share of the texts whose class is among all topics given."""
    classes: tuple[ClassFigures, ...]
    mapping: str
    """How labels and topics were matched, for a person."""


@dataclass(frozen=True, slots=True)
class KnownMap:
    """A well-known label set and what topics mean in it."""

    name: str
    classes: Classes
    complete: bool
    """True if every label of the set occurs."""


def read_labelled(content: bytes, *, name: str) -> list[Labelled]:
    """Return the texts of a CSV file with columns label or slug, and title or text.

    UTF-8, with or without BOM. Raises ConfigurationError with file, line and remedy.
    """
    lines = csv.reader(io.StringIO(_decoded(content, name), newline=""), strict=True)
    csv.field_size_limit(sys.maxsize)
    texts: list[Labelled] = []
    columns: dict[str, int] | None = None
    try:
        for row in lines:
            if columns is None:
                columns = _columns(row, name)
            elif row:
                texts.append(_labelled(row, columns, name=name, line=lines.line_num))
    except csv.Error as error:
        raise ConfigurationError(
            f"{name}:{max(lines.line_num, 1)}: this is not CSV: {error}. "
            "Part fields by commas and double the quotes inside quoted ones"
        ) from error
    if not texts:
        raise ConfigurationError(
            f"{name}:1: there are no labelled texts. "
            "The first line names the columns (label, title, text), every other one is a text"
        )
    return texts


def read_map(option: str, classifier: Classifier) -> dict[str, str]:
    """Return the classes that `Sports=sport,Business=economy|labour,World=*` declares."""
    classes: dict[str, str] = {}
    for part in filter(str.strip, option.split(",")):
        name, equals, topics = (piece.strip() for piece in part.partition("="))
        if not equals or not name or not topics:
            raise ConfigurationError(
                f"--map: {part.strip()!r} is not LABEL=TOPIC. Write it as Sports=sport,World=*"
            )
        for topic in filter(None, map(str.strip, topics.split("|"))):
            slug = topic if topic == _OTHERS else classifier.resolve(topic).slug
            if slug != _OTHERS and slug not in classifier.topics:
                raise ConfigurationError(
                    f"--map: no topic is called {topic!r}. Known are: {', '.join(classifier.topics)}"
                )
            if classes.setdefault(slug, name) != name:
                raise ConfigurationError(
                    f"--map: {topic!r} stands for both {classes[slug]!r} and {name!r}. "
                    "A topic belongs to one label"
                )
    return classes


def evaluate(
    classifier: Classifier, texts: Sequence[Labelled], *, classes: Classes | None = None
) -> Evaluation:
    """Return how well a classifier sorts labelled texts.

    Without ``classes`` a slug column is taken at its word, then labels that name topics, then a
    known label set (label_maps.toml). Raises ConfigurationError if none of them fits.
    """
    gold, meaning, mapping = _matched(classifier, texts, classes)
    found = [[score.topic.slug for score in classifier.classify(text)] for text in texts]
    named = [list(dict.fromkeys(_class_of(slug, meaning) for slug in slugs)) for slugs in found]
    best = [names[0] for names in named]
    figures = tuple(_figures(gold, best))
    total = len(texts)
    return Evaluation(
        texts=total,
        accuracy=sum(map(str.__eq__, gold, best)) / total,
        macro_f1=sum(one.f1 for one in figures) / len(figures),
        coverage=sum(slugs != [UNCATEGORISED] for slugs in found) / total,
        topics_per_text=sum(map(len, found)) / total,
        among=sum(one in names for one, names in zip(gold, named, strict=True)) / total,
        classes=figures,
        mapping=mapping,
    )


def _matched(
    classifier: Classifier, texts: Sequence[Labelled], classes: Classes | None
) -> tuple[list[str], Classes | None, str]:
    """Return the true class of every text, what topics mean in classes, and that in words."""
    labels = [text.label for text in texts]
    if classes is not None:
        _check_reachable(labels, set(classes.values()))
        return labels, classes, "as --map says"
    if all(text.slug for text in texts):
        return (
            [classifier.resolve(text.slug).slug for text in texts],
            None,
            "exact topics, from the column slug",
        )
    slugs = {label: classifier.resolve(label).slug for label in set(labels)}
    unknown = sorted(label for label, slug in slugs.items() if slug not in classifier.topics)
    known = known_map(slugs)
    if known is not None and (unknown or known.complete):
        return labels, known.classes, f"the known label set {known.name}"
    if not unknown:
        return [slugs[label] for label in labels], None, "labels that name topics"
    raise ConfigurationError(
        f"no topic is called {unknown[0]!r}, which labels line "
        f"{next(text.line for text in texts if text.label == unknown[0])}. "
        "Say what the labels mean, such as --map 'Sports=sport,World=*', or add a column slug"
    )


def known_map(labels: Collection[str]) -> KnownMap | None:
    """Return the known label set that all labels belong to, None if there is none."""
    table = tomllib.loads(
        files("feedsvc.classify").joinpath("label_maps.toml").read_text(encoding="utf-8")
    )
    for entry in table["map"]:
        if set(labels) <= set(entry["classes"]):
            classes = {slug: name for name, slugs in entry["classes"].items() for slug in slugs}
            return KnownMap(entry["name"], classes, len(set(labels)) == len(entry["classes"]))
    return None


def _check_reachable(labels: Collection[str], named: Collection[str]) -> None:
    missing = sorted(set(labels) - set(named))
    if missing:
        raise ConfigurationError(
            f"--map: no topic stands for the label {missing[0]!r}. Add {missing[0]}=TOPIC to it"
        )


def _class_of(slug: str, classes: Classes | None) -> str:
    """Return the class a topic means; `*` is every topic, but uncategorised is none."""
    if classes is None or slug == UNCATEGORISED:
        return slug
    return classes.get(slug) or classes.get(_OTHERS) or slug


def _figures(gold: Sequence[str], best: Sequence[str]) -> Iterator[ClassFigures]:
    pairs = Counter(zip(gold, best, strict=True))
    texts, given = Counter(gold), Counter(best)
    for name in sorted(texts):
        right = pairs[name, name]
        wrong = [(to, count) for (of, to), count in pairs.items() if of == name and to != name]
        yield ClassFigures(
            name=name,
            texts=texts[name],
            precision=right / given[name] if given[name] else 0.0,
            recall=right / texts[name],
            f1=2 * right / (texts[name] + given[name]),
            mistaken_for=tuple(sorted(wrong, key=lambda pair: (-pair[1], pair[0]))),
        )


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{name}:{line}: this is not UTF-8. Save the file as UTF-8"
        ) from error


def _columns(row: Sequence[str], name: str) -> dict[str, int]:
    columns = {title.strip().casefold(): number for number, title in enumerate(row)}
    if not columns.keys() & {"label", "slug"} or not columns.keys() & {"title", "text"}:
        raise ConfigurationError(
            f"{name}:1: the columns are {', '.join(columns) or 'not named'}. "
            "There must be label or slug, and title or text"
        )
    return columns


def _labelled(row: Sequence[str], columns: Mapping[str, int], *, name: str, line: int) -> Labelled:
    if len(row) <= max(columns.get(column, 0) for column in _COLUMNS):
        raise ConfigurationError(
            f"{name}:{line}: this text has {len(row)} fields, the first line names {len(columns)}. "
            "Quote fields that hold commas or line breaks"
        )

    def value(column: str) -> str:
        return row[columns[column]].strip() if column in columns else ""

    label, slug = value("label"), value("slug")
    if not label and not slug:
        raise ConfigurationError(
            f"{name}:{line}: this text has no label. Give it one, or remove it"
        )
    return Labelled(
        id=value("id"),
        label=label or slug,
        slug=slug,
        title=value("title"),
        text=value("text"),
        line=line,
    )
