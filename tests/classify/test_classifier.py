"""The order of authority, the formula, and the reasons given."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.classify import NOWHERE, Classifier, default_vocabulary
from feedsvc.classify.score import Scoring, chosen
from feedsvc.model import TopicSource

Make = Callable[..., Any]


@pytest.fixture
def small(garden: str) -> Classifier:
    return Classifier(garden, source="topics.toml")


def slugs(classifier: Classifier, article: object) -> list[str]:
    return [score.topic.slug for score in classifier.classify(article)]  # type: ignore[arg-type]  # a stand-in with what is looked at


def test_score_is_the_formula(small: Classifier, make: Make) -> None:
    scores = small.classify(make(title="An oak", text="oak " * 3))
    body = (1 + math.log(3)) * 1.5
    assert scores[0].score == pytest.approx((2.0 + body) / math.sqrt(5 + 20), abs=1e-6)


def test_beginning_of_the_body_counts_more(small: Classifier, make: Make) -> None:
    early = small.classify(make(text="oak " + "x " * 200))[0].score
    late = small.classify(make(text="x " * 200 + "oak jam " * 1))[0].score
    assert early == pytest.approx(1.5 * late, rel=1e-2)


def test_words_beyond_the_cut_do_not_count(small: Classifier, make: Make) -> None:
    assert slugs(small, make(text="x " * 600 + "oak")) == ["uncategorised"]


def test_a_phrase_is_not_counted_again_as_words(small: Classifier, make: Make) -> None:
    assert slugs(small, make(title="The apple tree")) == ["trees"]


def test_negative_weight_speaks_against(small: Classifier, make: Make) -> None:
    assert slugs(small, make(title="Pear leaf")) == ["trees"]


def test_topics_that_score_close_come_together_best_first(small: Classifier, make: Make) -> None:
    assert slugs(small, make(title="Apple and spade")) == ["fruit", "tools"]
    assert slugs(small, make(title="Apple, jam and spade")) == ["fruit"]


def test_weak_evidence_is_not_enough(small: Classifier, make: Make) -> None:
    assert small.classify(make(text="x " * 100 + "rust jam")) != ()
    assert chosen([0.06, 0.05], 0.1, Scoring()) == []
    assert chosen([0.06, 0.0], 0.1, Scoring()) == [0]
    assert chosen([-1.0, -2.0], 0.1, Scoring()) == []
    assert chosen([], 0.1, Scoring()) == []


def test_nothing_found_is_uncategorised(small: Classifier, make: Make) -> None:
    (score,) = small.classify(make(title="Lorem", text="ipsum"))
    assert (score.topic, score.score, score.source) == (NOWHERE, 0.0, TopicSource.NONE)


def test_front_matter_goes_before_everything(garden: str, make: Make) -> None:
    rule = '[[rule]]\nauthor = "Jane Roe"\ntopics = ["tools"]\n'
    classifier = Classifier(garden + rule, source="t")
    article = make(title="Oak", author="Jane Roe", topics=("Fruit", "fruit", "Bees", " "))
    assert [(s.topic.slug, s.topic.label, s.source) for s in classifier.classify(article)] == [
        ("fruit", "Fruit", TopicSource.FRONT_MATTER),
        ("bees", "Bees", TopicSource.FRONT_MATTER),
    ]


def test_front_matter_of_blanks_says_nothing(small: Classifier, make: Make) -> None:
    assert slugs(small, make(title="Oak", topics=("", "  "))) == ["trees"]


def test_explanation_sums_to_the_score(iptc: Classifier, make: Make) -> None:
    article = make(
        title="Parliament votes on flood relief",
        text="The prime minister told parliament that flooded towns get help after the storm. " * 9,
    )
    told = iptc.explain(article)
    assert told.chosen == iptc.classify(article)
    assert told.decision == "Keywords decide."
    assert [one.topic for one in told.topics if one.chosen] == [s.topic for s in told.chosen]
    for score, reasons in zip(told.chosen, told.topics, strict=False):
        assert reasons.total == pytest.approx(score.score, abs=1e-5)
        assert reasons.total == pytest.approx(sum(hit.contribution for hit in reasons.hits))
    places = {(hit.text, hit.where): hit.times for hit in told.topics[0].hits}
    assert places["parliament", "title"] == 1
    assert places["parliament", "lead"] == 9


def test_explanation_names_rule_and_front_matter(garden: str, make: Make) -> None:
    rule = '[[rule]]\nauthor = ["Jane Roe", "Max Moe"]\ntopics = ["tools"]\n'
    classifier = Classifier(garden + rule, source="t")
    ruled = classifier.explain(make(title="Oak", author="Max Moe"))
    assert [(one.topic.slug, one.chosen) for one in ruled.topics] == [
        ("tools", True),
        ("trees", False),
    ]
    assert ruled.topics[0].hits[0].text == "author = Jane Roe or Max Moe"
    assert ruled.decision == "The site's own rules decide."
    named = classifier.explain(make(title="Oak", topics=("Fruit",)))
    assert [(one.topic.slug, one.hits[0].where) for one in named.topics] == [
        ("fruit", "front matter"),
        ("trees", "title"),
    ]
    assert classifier.explain(make()).topics == ()


def test_pickled_classifier_sorts_the_same(iptc: Classifier, make: Make) -> None:
    article = make(title="Striker scores twice as champions win 3-1")
    copy = pickle.loads(pickle.dumps(iptc))  # noqa: S301 - our own object
    assert copy.version == iptc.version
    assert copy.classify(article) == iptc.classify(article)


def test_threads_share_a_classifier(iptc: Classifier, make: Make) -> None:
    articles = [make(title=f"Storm {n} and the election of {n * 7} senators") for n in range(200)]
    alone = [Classifier(default_vocabulary(), source="t").classify(articles[0])]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(iptc.classify, articles))
    assert together == [iptc.classify(article) for article in articles]
    assert together[0] == alone[0]


def test_hash_seed_changes_nothing() -> None:
    program = (
        "from feedsvc.classify import *\n"
        "from feedsvc.classify.evaluate import Labelled\n"
        "c = Classifier(default_vocabulary(), source='t')\n"
        "t = Labelled('', '', '', 'Court hears of a bank, a band and a bishop in the snow', 'war strike ' * 9, 1)\n"
        "print(c.version, c.classify(t), c.explain(t))\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("storm " * 170_000, id="words"),
        pytest.param("x" * 1_000_000, id="one word"),
        pytest.param("'" * 1_000_000, id="signs"),
        pytest.param(" " * 1_000_000, id="blanks"),
        pytest.param("\u6226" * 1_000_000, id="unparted"),
        pytest.param("a." * 500_000, id="abbreviation"),
        pytest.param("1," * 500_000, id="number"),
        pytest.param("\ud800\x00\u202e" * 300_000, id="garbage"),
    ],
)
def test_a_megabyte_costs_no_more_than_its_beginning(
    iptc: Classifier, make: Make, text: str
) -> None:
    began = time.process_time()
    iptc.classify(make(title=text, text=text))
    # Reading all of it would take minutes where reading is quadratic; this is no benchmark.
    assert time.process_time() - began < 5


@given(title=st.text(), text=st.text(), topics=st.lists(st.text(), max_size=3))
def test_every_text_has_topics(iptc: Classifier, title: str, text: str, topics: list[str]) -> None:
    from feedsvc.classify.evaluate import Labelled

    article = Labelled("", "", "", title, text, 1, topics=tuple(topics))
    scores = iptc.classify(article)
    assert scores
    assert len({score.topic.slug for score in scores}) == len(scores)
    assert iptc.explain(article).chosen == scores
