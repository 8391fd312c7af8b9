"""How text is cut into words and keywords are found in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.classify.lexicon import Lexicon
from feedsvc.classify.words import fold, singular, stem, words


def found(text: str, *keywords: str) -> list[str]:
    lexicon = Lexicon((keyword, 0, 1.0) for keyword in keywords)
    return [keyword.text for _, keyword in lexicon.find(lexicon.read(text, 600))]


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("storms", "storm"),
        ("parties", "party"),
        ("churches", "church"),
        ("taxes", "tax"),
        ("glasses", "glass"),
        ("process", "process"),
        ("virus", "virus"),
        ("analysis", "analysis"),
        ("gas", "gas"),
        ("ties", "tie"),
    ],
)
def test_plural_becomes_singular(plural: str, one: str) -> None:
    assert singular(plural) == one


@pytest.mark.parametrize(
    ("word", "folded"),
    [
        ("Minister's", "minister"),
        ("minister\u2019s", "minister"),
        ("O'Brien", "obrien"),
        ("U.S.", "u.s."),
        ("$3.5bn", "$#"),
        ("\u20ac12", "$#"),
        ("12.5%", "#%"),
        ("3-1", "#-#"),
        ("3\u20131", "#-#"),
        ("2004", "2004"),
        ("STRASSE", "strasse"),
        ("Stra\u00dfe", "strasse"),
    ],
)
def test_word_folds(word: str, folded: str) -> None:
    assert fold(word) == folded


def test_a_row_of_years_is_not_a_result() -> None:
    assert "#-#" not in map(fold, words("1914-1918, 555-1234 and 2-1-0"))


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        pytest.param("Two storms", "storm", id="plural"),
        pytest.param("STORM!", "storm", id="case"),
        pytest.param("the storm's eye", "storm", id="possessive"),
        pytest.param("they were arrested", "arrest", id="-ed"),
        pytest.param("planning ahead", "plan", id="doubled letter"),
        pytest.param("voting today", "vote", id="silent e"),
        pytest.param("they tried", "try", id="-ied"),
        pytest.param("an e-mail", "e mail", id="hyphen"),
        pytest.param("cease-\nfire", "cease fire", id="line break"),
        pytest.param("Women\u2019s rights", "women's rights", id="apostrophes"),
        pytest.param("it ended 3-1.", "#-#", id="result"),
        pytest.param("it cost $12m", "$#", id="money"),
        pytest.param("\u9078\u6319\u304c\u59cb\u307e\u308b", "\u9078\u6319", id="unparted script"),
        pytest.param("\u0412\u044b\u0431\u043e\u0440\u044b!", "\u0432\u044b\u0431\u043e\u0440\u044b", id="Cyrillic"),
        pytest.param("\u091a\u0941\u0928\u093e\u0935 \u0906\u091c", "\u091a\u0941\u0928\u093e\u0935", id="combining vowels"),
    ],
)  # fmt: skip
def test_keyword_meets_its_other_forms(text: str, keyword: str) -> None:
    assert found(text, keyword) == [keyword]


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        pytest.param("one arm", "=arms", id="another form of an exact keyword"),
        pytest.param("who are they", "WHO", id="small letters for capitals"),
        pytest.param("stormy", "storm", id="part of a word"),
        pytest.param("mail an e", "e mail", id="other order"),
        pytest.param("red", "r", id="a base that is too short"),
    ],
)
def test_keyword_does_not_meet(text: str, keyword: str) -> None:
    assert found(text, keyword) == []


def test_longest_phrase_wins() -> None:
    assert found("The World Cup final", "world", "world cup", "cup", "world cup final") == [
        "world cup final"
    ]


def test_words_after_a_phrase_that_breaks_off_are_found() -> None:
    assert found("world cup fever", "world cup final", "world", "cup") == ["world", "cup"]


def test_a_listed_form_goes_before_a_stemmed_one() -> None:
    assert found("stocks and a stock", "stock", "stocks") == ["stocks", "stock"]


def test_a_listed_form_of_one_topic_leaves_other_topics_theirs() -> None:
    lexicon = Lexicon(
        [("strike", 0, 1.0), ("strikes", 1, 2.0), ("air strike", 0, 3.0), ("air strikes", 1, 1.5)]
    )
    row = lexicon.read("strikes, Strikes! strike; air strike", 600)
    assert [keyword.weights for _, keyword in lexicon.find(row)] == [
        ((0, 1.0), (1, 2.0)),
        ((0, 1.0), (1, 2.0)),
        ((0, 1.0), (1, 2.0)),
        ((0, 3.0), (1, 1.5)),
    ]


def test_capitals_go_before_any_case() -> None:
    assert found("AIDS aids", "AIDS", "aid") == ["AIDS", "aid"]


def test_what_was_seen_before_changes_nothing() -> None:
    lexicon = Lexicon([("storm", 0, 1.0)])
    first = lexicon.find(lexicon.read("A storm, storms", 600))
    for number in range(50_000):
        lexicon.read(f"word{number}", 600)
    assert lexicon.find(lexicon.read("A storm, storms", 600)) == first
    assert len(lexicon._seen) <= 40_000


@given(st.text())
def test_any_text_can_be_cut_folded_and_searched(text: str) -> None:
    for word in words(text):
        assert fold(word)
        assert stem(word)
    assert isinstance(found(text, "storm", "e mail", "#-#"), list)


@given(st.lists(st.sampled_from(["apple", "pie", "tree", "oak", "x"]), max_size=30))
def test_found_keywords_never_overlap(row: list[str]) -> None:
    lexicon = Lexicon(
        (keyword, 0, 1.0) for keyword in ["apple", "apple pie", "pie tree oak", "oak"]
    )
    end = 0
    for position, keyword in lexicon.find(lexicon.read(" ".join(row), 600)):
        assert position >= end
        end = position + len(keyword.text.split())
        assert row[position:end] == keyword.text.split()
