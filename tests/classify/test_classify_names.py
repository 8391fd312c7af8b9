"""What topics may be called and which slug that gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.classify import NOWHERE, Classifier
from feedsvc.classify.names import is_slug, slug_of
from feedsvc.errors import NotFound


@pytest.mark.parametrize(
    "name",
    [
        "conflict-war-peace",
        "Conflict, war and peace",
        "CONFLICT,  WAR AND PEACE ",
        "16000000",
        "medtop:16000000",
        "http://cv.iptc.org/newscodes/mediatopic/16000000",
        "conflict",
        "War",
        "Conflict War Peace",
    ],
)
def test_a_topic_answers_to_all_its_names(iptc: Classifier, name: str) -> None:
    topic = iptc.resolve(name)
    assert topic is iptc.topics["conflict-war-peace"]
    assert (topic.code, topic.scheme) == ("16000000", "http://cv.iptc.org/newscodes/mediatopic/")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Urban Gardening", "urban-gardening"),
        ("  Caf\u00e9 & Bar ", "cafe-and-bar"),
        ("Stra\u00dfe", "strasse"),
        ("\u00d8rsted \u0141\u00f3d\u017a", "orsted-lodz"),
        ("#metoo", "metoo"),
        ("C++", "c-plus-plus"),
        ("C#", "c-sharp"),
        ("all", "all-topic"),
        ("Index", "index-topic"),
        ("Children's books", "childrens-books"),
    ],
)
def test_unknown_name_becomes_a_topic_with_a_readable_slug(
    iptc: Classifier, name: str, slug: str
) -> None:
    topic = iptc.resolve(name)
    assert topic.slug == slug
    assert (topic.label, topic.code, topic.uri) == (name.strip(), None, None)


def test_names_that_ascii_cannot_carry_get_slugs_of_their_own() -> None:
    names = ["\u041d\u0430\u0443\u043a\u0430", "\u5b66\u6821", "\u5b66\u9662", "\u5b66\u6821 AI", "AI", "!!!", "???"]  # fmt: skip
    slugs = [slug_of(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(map(is_slug, slugs))
    assert slugs[3].startswith("ai-")
    assert slug_of("\u041d\u0430\u0443\u043a\u0430") == slug_of(" \u043d\u0430\u0443\u043a\u0430")


@given(st.text(min_size=1))
def test_every_slug_is_a_file_name_and_stays_itself(name: str) -> None:
    slug = slug_of(name)
    assert is_slug(slug)
    assert slug not in {"all", "index"}
    assert slug_of(slug) == slug


def test_uncategorised_can_be_named(iptc: Classifier) -> None:
    assert iptc.resolve("Uncategorised") is NOWHERE
    assert iptc.label("uncategorised") is NOWHERE


def test_a_blank_name_is_refused(iptc: Classifier) -> None:
    with pytest.raises(NotFound, match="needs a name"):
        iptc.resolve("  ")


def test_a_stored_slug_has_a_label(iptc: Classifier) -> None:
    assert iptc.label("sport") is iptc.topics["sport"]
    assert iptc.label("urban-gardening").label == "urban gardening"
