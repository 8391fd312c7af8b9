"""YAML and TOML heads of seeds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from feedsvc.errors import SeedRejected
from feedsvc.model import ParsedArticle

Parse = Callable[..., ParsedArticle]
Reject = Callable[..., SeedRejected]

YAML = """---
title: "Colons: a history"
authors: [Jane Roe, John Doe]
agency: HNA
date: 2024-05-31T14:30:00+02:00
url: https://e.example/x
topics:
  - conflict, war and peace
  - politics
language: en_us
summary: >-
  Folded
  over lines.
image: /i.png
credit: Zorro / HNA
---
Text.
"""

TOML = """+++
title = "Colons: a history"
authors = ["Jane Roe", "John Doe"]
agency = "HNA"
date = 2024-05-31T14:30:00+02:00
url = "https://e.example/x"
topics = ["conflict, war and peace", "politics"]
language = "en_us"
summary = "Folded over lines."
image = "/i.png"
credit = "Zorro / HNA"
+++
Text.
"""


@pytest.mark.parametrize("seed", [pytest.param(YAML, id="yaml"), pytest.param(TOML, id="toml")])
def test_every_field_may_be_given(seed: str, parse: Parse) -> None:
    article = parse(seed)
    assert article.title == "Colons: a history"
    assert (article.author, article.agency, article.credit) == (
        "Jane Roe, John Doe",
        "HNA",
        "Zorro / HNA",
    )
    assert article.published is not None
    assert article.published.isoformat() == "2024-05-31T12:30:00+00:00"
    assert article.url == "https://e.example/x"
    assert article.topics == ("conflict, war and peace", "politics")
    assert (article.language, article.summary) == ("en-US", "Folded over lines.")
    assert article.image == "https://e.example/i.png"
    assert (article.html, article.warnings) == ("<p>Text.</p>", ())


def seed(fields: str) -> str:
    return f"---\ntitle: T\n{fields}\n---\nText.\n"


@pytest.mark.parametrize(
    ("fields", "topics"),
    [
        ("topics: a, b , A", ("a", "b")),
        ("topics: [a, 2024, yes]", ("a", "2024", "yes")),
        ("tags: a, b", ("a", "b")),
        ("categories:\n- a\n- b", ("a", "b")),
        ("Topics: a", ("a",)),
        ("topics:", ()),
        ("topics: []", ()),
    ],
)
def test_topics_may_be_a_list_or_a_string(
    fields: str, topics: tuple[str, ...], parse: Parse
) -> None:
    article = parse(seed(fields))
    assert (article.topics, article.warnings) == (topics, ())


@pytest.mark.parametrize("null", ["", "null", "Null", "NULL", "~", "!!null x"])
def test_null_is_as_good_as_no_field(null: str, parse: Parse) -> None:
    names = ("author", "agency", "date", "url", "topics", "language", "summary", "image", "credit")
    article = parse(seed("\n".join(f"{name}: {null}" for name in names)))
    assert article == parse(seed(""))


@pytest.mark.parametrize("text", ["'null'", '"~"', "!!str null"])
def test_quoted_null_is_text(text: str, parse: Parse) -> None:
    assert parse(seed(f"author: {text}")).author in {"null", "~"}


def test_second_name_of_one_field_is_ignored_with_a_warning(parse: Parse) -> None:
    article = parse(seed("tags: a\ntopics: b"))
    assert article.topics == ("b",)
    assert "tags" in article.warnings[0]
    assert "line 4" in article.warnings[0]


@pytest.mark.parametrize("tag", ["no", "NO", "en", "pt-BR", "zh-Hant-TW"])
def test_language_is_a_string_whatever_yaml_thinks(tag: str, parse: Parse) -> None:
    language = parse(seed(f"language: {tag}")).language
    assert language is not None
    assert language.lower() == tag.lower()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("langauge: en", ["line 3", "langauge", "did you mean language"]),
        ("draft: {a: [b]}", ["line 3", "draft"]),
        ("language: English please", ["line 3", "English"]),
        ("image: i.png", ["line 3", "i.png"]),
        ("image: ftp://e.example/i.png", ["line 3", "ftp"]),
    ],
)
def test_field_that_helps_nobody_is_a_warning(fields: str, words: list[str], parse: Parse) -> None:
    warning = "".join(parse(seed(fields)).warnings)
    assert all(word in warning for word in words)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        pytest.param("---\ntitle: T\n", 1, id="not-closed"),
        pytest.param("\n\n+++\ntitle = 'T'\n", 3, id="not-closed-toml"),
        pytest.param("---\ntitle: T\nauthor: [a\n---\nx", 4, id="yaml-syntax"),
        pytest.param("---\ntitle: T\nsummary: a: b\n---\nx", 3, id="yaml-colon"),
        pytest.param("---\n\ttitle: T\n---\nx", 2, id="yaml-tab"),
        pytest.param("---\njust words\n---\nx", 2, id="yaml-scalar"),
        pytest.param("---\n- a\n- b\n---\nx", 2, id="yaml-list"),
        pytest.param("---\ntitle: T\ntitle: U\n---\nx", 3, id="yaml-twice"),
        pytest.param("---\ntitle: T\ndate: yesterday\n---\nx", 3, id="date-of-no-form"),
        pytest.param("---\ntitle: T\ndate: 03/04/2024\n---\nx", 3, id="date-of-two-days"),
        pytest.param("---\ntitle: T\ndate: 2024-02-30\n---\nx", 3, id="no-such-date"),
        pytest.param("---\ntitle: T\nurl: ftp://e.example\n---\nx", 3, id="url"),
        pytest.param("---\ntitle: [a, b]\n---\nx", 2, id="two-titles"),
        pytest.param("---\ntitle: {a: b}\n---\nx", 2, id="title-is-a-mapping"),
        pytest.param("---\ntitle: T\nauthor:\n- {name: a}\n---\nx", 3, id="author-is-a-mapping"),
        pytest.param("---\ntitle: !!python/object:a T\n---\nx", 2, id="python-tag"),
        pytest.param("---\ntitle: !secret T\n---\nx", 2, id="own-tag"),
        pytest.param("---\na: &a x\ntitle: *a\n---\nx", 3, id="alias"),
        pytest.param("+++\ntitle = 'T'\nauthor = [\n+++\nx", 3, id="toml-syntax"),
        pytest.param("+++\ntitle = 'T'\ntitle = 'U'\n+++\nx", 3, id="toml-twice"),
        pytest.param("+++\ntitle = 'T'\n\ndate = 2024-02-30\n+++\nx", 4, id="toml-no-such-date"),
        pytest.param("+++\ntitle = 'T'\nurl = 'x'\n+++\nx", 3, id="toml-url"),
        pytest.param("+++\ntitle = 'T'\n[author]\nname = 'x'\n+++\nx", 3, id="toml-table"),
        pytest.param("+++\ntitle = 'T'\ndate = 14:30:00\n+++\nx", 3, id="toml-time-alone"),
    ],
)
def test_head_that_cannot_be_read_is_rejected_with_its_line(
    content: str, line: int, reject: Reject
) -> None:
    assert reject(content).line == line


LAUGHS = "a: &a [x]\n" + "".join(f"b{i}: &b{i} [*a, *a, *a, *a]\n" for i in range(30))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"---\n{LAUGHS}---\nx", id="billion-laughs"),
        pytest.param("---\n" + "- " * 30_000 + "\n---\nx", id="nested-lists"),
        pytest.param("---\na: " + "[" * 30_000 + "\n---\nx", id="nested-brackets"),
        pytest.param("---\n" + "? " * 20_000 + "\n---\nx", id="nested-keys"),
        pytest.param("+++\na = " + "[" * 30_000 + "\n+++\nx", id="toml-brackets"),
        pytest.param("+++\n" + ".".join("a" * 20_000) + " = 1\n+++\nx", id="toml-dots"),
        pytest.param("+++\na = " + "9" * 20_000 + "\n+++\nx", id="toml-digits"),
        pytest.param("---\ntitle: " + "T" * 70_000 + "\n---\nx", id="too-long"),
    ],
)
def test_hostile_head_is_rejected(content: str, reject: Reject) -> None:
    reject(content)


def test_line_numbers_go_on_below_the_head(reject: Reject) -> None:
    assert reject("---\ntitle: T\n---\n\n03/04/2024\n\nText.").line == 5
    assert reject("---\ntitle: T\n---\nText.\n\nOriginal url: ftp://x\n").line == 6


def test_head_wins_over_the_text(parse: Parse) -> None:
    article = parse(
        "---\ntitle: A\nauthor: B\ndate: 2020-01-02\n---\n# A\n\nBy C for HNA\n\nMay 31, 2024\n\nText."
    )
    assert (article.title, article.author, article.agency) == ("A", "B", "HNA")
    assert article.published is not None
    assert article.published.year == 2020
    assert article.text == "Text."
