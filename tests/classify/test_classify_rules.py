"""The site's own rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from feedsvc.classify import Classifier
from feedsvc.model import TopicSource

Make = Callable[..., Any]


def sorted_by(vocabulary: str, rules: str, article: Any) -> list[tuple[str, str]]:
    classifier = Classifier(vocabulary + rules, source="config/topics.toml")
    return [(score.topic.slug, str(score.source)) for score in classifier.classify(article)]


@pytest.mark.parametrize(
    ("condition", "holds", "fails"),
    [
        ('host = "example.org"', {"url": "https://www.Example.org:8443/a"}, {"url": "https://a.example.org/"}),
        ('host = "*.example.org"', {"url": "https://a.b.example.org/"}, {"url": "https://anexample.org/"}),
        ('host = ["a.example", "B.example."]', {"url": "http://b.example/x"}, {"url": None}),
        ('host = "b\u00fccher.example"', {"url": "https://xn--bcher-kva.example/"}, {"url": "https://bucher.example/"}),
        ("path = '^/sports?/'", {"url": "https://a.example/sport/1"}, {"url": "https://a.example/x/sport/"}),
        ("path = '^/$'", {"url": "https://a.example"}, {"url": "https://a.example/b"}),
        ('author = "Jane Roe"', {"author": "Max Moe and JANE  ROE"}, {"author": "Jane Roebuck"}),
        ('agency = ["AFP", "dpa"]', {"agency": "dpa"}, {"agency": None}),
        ("title = '^obituary:'", {"title": "Obituary: a gardener"}, {"title": "An obituary:"}),
        ("text = '(?:^|\\W)rare word'", {"text": "One Rare Word."}, {"title": "rare word"}),
        ('words = ["bike lane", "tandem"]', {"text": "New Bike-Lanes!"}, {"text": "bike in the lane"}),
        ('words = "tandem"', {"title": "Tandems"}, {"title": "in tandemly order"}),
        ('words = ["a b"]', {"text": "a b"}, {"title": "a", "text": "b"}),
    ],
)  # fmt: skip
def test_condition(
    garden: str, make: Make, condition: str, holds: dict[str, Any], fails: dict[str, Any]
) -> None:
    rule = f'[[rule]]\n{condition}\ntopics = ["tools"]\n'
    assert sorted_by(garden, rule, make(**holds)) == [("tools", "rule")]
    assert sorted_by(garden, rule, make(**fails)) == [("uncategorised", "none")]


def test_all_conditions_must_hold(garden: str, make: Make) -> None:
    rule = '[[rule]]\nauthor = "Jane Roe"\nagency = "AFP"\ntopics = "tools"\n'
    assert sorted_by(garden, rule, make(author="Jane Roe", agency="AFP"))[0][0] == "tools"
    assert sorted_by(garden, rule, make(author="Jane Roe"))[0][0] == "uncategorised"


def test_rules_go_before_keywords_and_add_up(garden: str, make: Make) -> None:
    rules = """
[[rule]]
author = "Jane Roe"
topics = ["tools", "fruit"]
[[rule]]
agency = "AFP"
topics = ["fruit"]
"""
    article = make(title="Oak tree", author="Jane Roe", agency="AFP")
    classifier = Classifier(garden + rules, source="t")
    assert [(s.topic.slug, s.score, s.source) for s in classifier.classify(article)] == [
        ("fruit", 2.0, TopicSource.RULE),
        ("tools", 1.0, TopicSource.RULE),
    ]


def test_a_rule_that_adds_leaves_the_keywords_their_topics(garden: str, make: Make) -> None:
    rule = '[[rule]]\nagency = "AFP"\ntopics = ["tools"]\nadds = true\n'
    assert sorted_by(garden, rule, make(title="Oak tree", agency="AFP")) == [
        ("tools", "rule"),
        ("trees", "keywords"),
    ]
    assert sorted_by(garden, rule, make(agency="AFP")) == [("tools", "rule")]


def test_a_rule_may_name_topics_by_label_code_or_alias(garden: str, make: Make) -> None:
    rule = '[[rule]]\nagency = "AFP"\ntopics = ["Arboretum", "02", "TREES"]\n'
    assert [slug for slug, _ in sorted_by(garden, rule, make(agency="AFP"))] == ["trees", "fruit"]


@pytest.mark.parametrize("url", ["http://[", "mailto:x", "", "http://h/\ud800", "//"])
def test_no_url_stops_a_rule(garden: str, make: Make, url: str) -> None:
    rule = "[[rule]]\nhost = 'a.example'\npath = 'x'\ntopics = ['tools']\n"
    assert sorted_by(garden, rule, make(url=url)) == [("uncategorised", "none")]


def test_patterns_are_linear_in_time(garden: str, make: Make) -> None:
    rule = "[[rule]]\ntext = '(a+)+$'\ntopics = ['tools']\n"
    assert sorted_by(garden, rule, make(text="a" * 19_000 + "!\ud800")) == [
        ("uncategorised", "none")
    ]
