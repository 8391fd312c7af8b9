"""topics.toml: the vocabulary, the site's own topics and rules, and the numbers of scoring."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.resources import files

from feedsvc.classify.lexicon import keyword_words, too_long
from feedsvc.classify.names import is_free, is_slug, name_key, slug_of
from feedsvc.classify.rules import Rule, read_rule
from feedsvc.classify.score import Scoring
from feedsvc.classify.tables import Table, read_tables
from feedsvc.errors import ConfigurationError
from feedsvc.model import Topic

CODE_VERSION = 1
"""Counts up whenever the same vocabulary and text would be sorted otherwise."""

_ROOT = ("vocabulary", "scheme", "version", "scoring", "topic", "rule")
_TOPIC = ("qcode", "uri", "slug", "label", "aliases", "definition", "keywords")
_QCODE = re.compile(r"[A-Za-z][\w-]*:([\w.-]+)", re.ASCII)
_WEIGHT = re.compile(r"(.*?)\^([^^]*)", re.DOTALL)
_HEAVIEST = 10.0
_BOUNDS = {
    "second": (0.1, 1.0),
    "most": (1, 17),
    "least": (0.0, 100.0),
    "margin": (0.0, 1.0),
    "title": (0.0, 100.0),
    "lead": (1.0, 100.0),
    "lead_words": (0, 100_000),
    "body_words": (1, 100_000),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A topic of the vocabulary and what speaks for it."""

    topic: Topic
    names: tuple[str, ...]
    """Everything it may be called, as name_key writes it, its slug first."""
    keywords: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Everything topics.toml says, checked."""

    subjects: tuple[Subject, ...]
    rules: tuple[Rule, ...]
    scoring: Scoring
    names: Mapping[str, Topic]
    """Topics by every name they have."""
    version: str
    """SHA-256 of its meaning and of this code's version, hex; comments and layout do not count."""


def default_vocabulary() -> str:
    """Return the topics.toml that a new site begins with."""
    return files("feedsvc.classify").joinpath("topics.toml").read_text(encoding="utf-8")


def vocabulary_text(content: bytes, *, source: str) -> str:
    """Return the text of a topics.toml; raise ConfigurationError with the line that is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{source}:{line}: this is not UTF-8 text (byte {error.start}). Save the file as UTF-8"
        ) from error


def read_vocabulary(toml: str, *, source: str) -> Vocabulary:
    """Return what a topics.toml says; raise ConfigurationError with file, line and remedy."""
    root = read_tables(toml, source=source)
    root.allow(_ROOT)
    head = {key: root.text(key) or "" for key in ("vocabulary", "scheme", "version")}
    subjects: list[Subject] = []
    names: dict[str, Topic] = {}
    for table in root.tables("topic"):
        subject = _subject(table, scheme=head["scheme"])
        _claim(table, subject, names)
        subjects.append(subject)
    rule_tables = root.tables("rule")
    rules = tuple(read_rule(table, names) for table in rule_tables)
    scoring = _scoring(root.table("scoring"))
    if not subjects:
        # Also what an editor leaves for an instant while it saves: nothing is sorted by that.
        raise root.error(
            None, "this file names no topic", "Write a [[topic]] for each, or remove the file to get the built-in ones"
        )  # fmt: skip
    meaning = [
        CODE_VERSION,
        head,
        [[asdict(one.topic), one.names, one.keywords] for one in subjects],
        [dict(table.values) for table in rule_tables],
        asdict(scoring),
    ]
    canonical = json.dumps(meaning, sort_keys=True, default=str).encode()
    return Vocabulary(tuple(subjects), rules, scoring, names, hashlib.sha256(canonical).hexdigest())


def _subject(table: Table, *, scheme: str) -> Subject:
    table.allow(_TOPIC)
    slug, label = table.required("slug"), table.required("label")
    if not is_slug(slug):
        raise table.error(
            "slug", f"{slug!r} cannot be a slug, which names files and web addresses",
            f"Use small letters, digits and single hyphens, such as {slug_of(slug)!r}",
        )  # fmt: skip
    if not is_free(slug):
        raise table.error(
            "slug", f"the slug {slug!r} is reserved", f"Choose another, such as {slug + '-news'!r}"
        )
    qcode, uri, code = table.text("qcode"), table.text("uri"), None
    if qcode is not None:
        found = _QCODE.fullmatch(qcode)
        if found is None:
            raise table.error("qcode", f"{qcode!r} is not a qcode", 'Write it as "medtop:16000000"')
        code = found[1]
        uri = uri or (scheme + code if scheme else None)
    aliases = table.texts("aliases")
    topic = Topic(
        slug=slug, label=label, uri=uri, scheme=scheme if code and scheme else None, code=code,
        definition=table.text("definition") or "",
    )  # fmt: skip
    given = (slug, label, *filter(None, (code, qcode, uri)), *aliases)
    return Subject(topic, tuple(dict.fromkeys(map(name_key, given))), _keywords(table))


def _claim(table: Table, subject: Subject, names: dict[str, Topic]) -> None:
    """Enter every name of a topic; no name may stand for two."""
    for name in subject.names:
        owner = names.setdefault(name, subject.topic)
        if owner is subject.topic:
            continue
        for key in ("slug", "label", "qcode", "uri"):
            value = table.values.get(key)
            if isinstance(value, str) and name_key(value) == name:
                raise table.error(
                    key, f"the {key} {value!r} already names the topic {owner.slug!r}",
                    "Every topic needs its own: change or remove one of the two",
                )  # fmt: skip
        aliases = [name_key(alias) for alias in table.texts("aliases")]
        raise table.error(
            "aliases", f"the alias {name!r} already names the topic {owner.slug!r}",
            "Remove it from one of the two topics",
            element=aliases.index(name) if name in aliases else None,
        )  # fmt: skip


def _keywords(table: Table) -> tuple[tuple[str, float], ...]:
    found: dict[str, float] = {}
    for number, given in enumerate(table.texts("keywords")):
        keyword, weight = _keyword(table, given, number)
        if keyword in found:
            raise table.error(
                "keywords", f"the keyword {keyword!r} stands here twice", "Remove one of them", element=number
            )  # fmt: skip
        found[keyword] = weight
    return tuple(found.items())


def _keyword(table: Table, given: str, number: int) -> tuple[str, float]:
    """Return a keyword and its weight: `term` is 1, `term^2.5` is 2.5, `term^-1` speaks against."""
    split = _WEIGHT.fullmatch(given)
    text, weight = (split[1].strip(), split[2].strip()) if split else (given.strip(), "1")
    try:
        value = float(weight)
    except ValueError:
        value = float("nan")
    if not -_HEAVIEST <= value <= _HEAVIEST:
        raise table.error(
            "keywords", f"the weight in {given!r} is not a number from -10 to 10",
            f"Write it as {text + '^2'!r}, or without ^ for a weight of 1", element=number,
        )  # fmt: skip
    row = keyword_words(text)
    if not row or too_long(text) or (text.startswith("=") and len(row) > 1):
        raise table.error(
            "keywords", f"{given!r} is not a keyword",
            "Use a word, a phrase of up to eight words, or =word for that form alone", element=number,
        )  # fmt: skip
    return text, value


def _scoring(table: Table) -> Scoring:
    defaults = Scoring()
    table.allow([item.name for item in fields(Scoring)])
    values: dict[str, float] = {}
    for name, (low, high) in _BOUNDS.items():
        default = getattr(defaults, name)
        value = table.number(name, default, low=low, high=high)
        if isinstance(default, int) and not isinstance(value, int):
            raise table.error(name, f"{name} is {value}", "It must be a whole number")
        values[name] = value if isinstance(default, int) else float(value)
    return Scoring(**values)  # type: ignore[arg-type]  # whole where the default is
