"""The vocabulary that every new site begins with."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from feedsvc.classify import Classifier, default_vocabulary
from feedsvc.classify.vocabulary import read_vocabulary

ROOT = Path(__file__).parents[2]


def test_the_package_and_the_site_hold_the_same_bytes() -> None:
    packaged = ROOT / "feedsvc" / "classify" / "topics.toml"
    assert (ROOT / "config" / "topics.toml").read_bytes() == packaged.read_bytes()
    assert default_vocabulary() == packaged.read_text(encoding="utf-8")


def test_it_attributes_the_subjects_to_their_makers() -> None:
    head = default_vocabulary()[:900]
    assert "International Press Telecommunications Council" in head
    assert "CC BY 4.0" in head


def test_it_holds_the_17_top_level_subjects(iptc: Classifier) -> None:
    codes = [topic.code for topic in iptc.topics.values()]
    assert codes == [f"{number:02}000000" for number in range(1, 18)]
    for topic in iptc.topics.values():
        assert topic.uri == f"http://cv.iptc.org/newscodes/mediatopic/{topic.code}"
        assert topic.scheme == "http://cv.iptc.org/newscodes/mediatopic/"
        assert topic.definition


def test_every_keyword_can_be_found() -> None:
    """A keyword that the search never returns would be dead weight."""
    from feedsvc.classify.lexicon import Lexicon

    vocabulary = read_vocabulary(default_vocabulary(), source="t")
    for subject in vocabulary.subjects:
        lexicon = Lexicon((text, 0, weight) for text, weight in subject.keywords)
        for text, _ in subject.keywords:
            example = {"#-#": "3-1", "$#": "$3", "#%": "3%"}.get(text, text.removeprefix("="))
            found = lexicon.find(lexicon.read(example, 99))
            assert [keyword.text for _, keyword in found] == [text], subject.topic.slug


def test_its_examples_work_once_uncommented(make: Callable[..., Any]) -> None:
    text = default_vocabulary()
    start = text.index("# --- the site's own topics")
    examples = re.sub(r"^# (?=\[\[|\w+ = )", "", text[start:], flags=re.MULTILINE)
    scoring = re.sub(r"^# (?=\[scoring\]|\w+ = [\d.])", "", text[:start], flags=re.MULTILINE)
    assert "\n[scoring]\nsecond = 0.9" in scoring
    assert examples.count("\n[[rule]]") == 3
    classifier = Classifier(scoring + examples, source="config/topics.toml")
    assert "cycling" in classifier.topics
    article = make(title="A tandem in the bike lane", author="Jane Roe", agency="AFP")
    assert classifier.classify(article)[0].topic.label == "Cycling"


@pytest.mark.parametrize(
    ("slug", "title"),
    [
        ("arts-culture-entertainment-media", "Actress wins award for her role in a film about a jazz band"),
        ("crime-law-justice", "Jury finds man guilty of robbery after a week-long trial"),
        ("disaster-accident", "Earthquake leaves villages in rubble as rescuers search for survivors"),
        ("economy-business-finance", "Shares fall as central bank raises interest rates"),
        ("education", "Teachers and pupils return to schools with a new curriculum"),
        ("environment", "Carbon emissions threaten coral reefs and rainforest, conservationists say"),
        ("health", "Hospital patients get a new vaccine against the flu"),
        ("human-interest", "Lost puppy reunited with its owner in heartwarming viral video"),
        ("labour", "Workers go on strike over wages after union talks collapse"),
        ("lifestyle-leisure", "Ten easy recipes and travel tips for your summer vacation"),
        ("politics", "Parliament votes on the prime minister's bill before the election"),
        ("religion", "Bishops meet the pope for prayer in the cathedral"),
        ("science-technology", "Astronomers point a new telescope at a distant galaxy"),
        ("society", "Report finds racial discrimination and poverty among refugees"),
        ("sport", "Late goal gives the home team a 2-1 win in the cup final"),
        ("conflict-war-peace", "Troops and tanks advance as rebels reject ceasefire"),
        ("weather", "Forecasters warn of heavy snow and freezing temperatures"),
    ],
)  # fmt: skip
def test_a_plain_headline_finds_its_topic(
    iptc: Classifier, make: Callable[..., Any], slug: str, title: str
) -> None:
    assert iptc.classify(make(title=title))[0].topic.slug == slug
