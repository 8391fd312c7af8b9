"""Figures on labelled texts."""

from __future__ import annotations

import pytest

from feedsvc.classify import Classifier
from feedsvc.classify.evaluate import Labelled, evaluate, known_map, read_labelled, read_map
from feedsvc.errors import ConfigurationError


def texts(*pairs: tuple[str, str]) -> list[Labelled]:
    return [Labelled("", label, "", title, "", n) for n, (label, title) in enumerate(pairs, 2)]


@pytest.fixture
def small(garden: str) -> Classifier:
    return Classifier(garden, source="t")


def test_figures_are_those_of_the_best_topic(small: Classifier) -> None:
    report = evaluate(
        small,
        texts(("trees", "oak"), ("trees", "pear"), ("fruit", "pear"), ("Fruit", "nothing here")),
    )
    assert report.texts == 4
    assert report.accuracy == 0.5
    assert report.coverage == 0.75
    trees, fruit = report.classes[1], report.classes[0]
    assert (trees.name, trees.precision, trees.recall) == ("trees", 1.0, 0.5)
    assert (fruit.name, fruit.precision, fruit.recall) == ("fruit", 0.5, 0.5)
    assert report.macro_f1 == pytest.approx((2 / 3 + 0.5) / 2)
    assert fruit.mistaken_for == (("uncategorised", 1),)
    assert report.mapping == "labels that name topics"


def test_further_topics_count_as_among(small: Classifier) -> None:
    report = evaluate(small, texts(("tools", "apple and spade")))
    assert (report.accuracy, report.among, report.topics_per_text) == (0.0, 1.0, 2.0)


def test_a_declared_map_goes_before_guesses(small: Classifier) -> None:
    classes = read_map("Plants=trees|Fruit, Rest = *", small)
    assert classes == {"trees": "Plants", "fruit": "Plants", "*": "Rest"}
    report = evaluate(
        small, texts(("Plants", "oak"), ("Rest", "spade"), ("Rest", "x")), classes=classes
    )
    assert report.accuracy == pytest.approx(2 / 3), "uncategorised is never the rest"


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("Sports", "not LABEL=TOPIC"),
        ("Sports=", "not LABEL=TOPIC"),
        ("A=turnips", "no topic is called 'turnips'"),
        ("A=trees,B=arboretum", "stands for both 'A' and 'B'"),
    ],
)
def test_a_bad_map_says_why(small: Classifier, option: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        read_map(option, small)


def test_a_label_without_a_class_is_a_mistake_in_the_map(small: Classifier) -> None:
    with pytest.raises(ConfigurationError, match="Add B=TOPIC"):
        evaluate(small, texts(("A", "oak"), ("B", "pear")), classes={"trees": "A"})


def test_a_slug_column_is_taken_at_its_word(small: Classifier) -> None:
    rows = read_labelled(b"label,title,slug\nX,oak,trees\n", name="f.csv")
    report = evaluate(small, rows)
    assert (report.accuracy, report.mapping) == (1.0, "exact topics, from the column slug")


def test_known_label_sets_have_maps(iptc: Classifier) -> None:
    labels = ["World", "Sports", "Business", "Sci/Tech"]
    found = known_map(labels)
    assert found is not None
    assert found.name == "AG News"
    assert set(found.classes) - {"*"} <= set(iptc.topics)
    headlines = [
        "Troops advance",
        "Coach praises striker",
        "Shares rise",
        "New software for robots",
    ]
    report = evaluate(iptc, texts(*zip(labels, headlines, strict=True)))
    assert (report.accuracy, report.mapping) == (1.0, "the known label set AG News")


def test_own_labels_that_name_topics_go_before_part_of_a_known_set(iptc: Classifier) -> None:
    report = evaluate(
        iptc, texts(("sport", "Coach praises striker"), ("politics", "Troops advance"))
    )
    assert (report.accuracy, report.mapping) == (0.5, "labels that name topics")


def test_labels_that_mean_nothing_ask_for_a_map(iptc: Classifier) -> None:
    with pytest.raises(ConfigurationError, match=r"'Zeugs', which labels line 3\. .*--map"):
        evaluate(iptc, texts(("sport", "x"), ("Zeugs", "y")))


def test_csv_with_bom_long_fields_and_line_breaks_is_read() -> None:
    content = (
        '\ufeffid,Label,text\n1,sport,"two\nlines, ""quoted"""\n\n2,sport,'.encode()
        + b"x" * 400_000
    )
    rows = read_labelled(content, name="f.csv")
    assert [row.line for row in rows] == [3, 5]
    assert rows[0].text == 'two\nlines, "quoted"'
    assert len(rows[1].text) == 400_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "f.csv:1: there are no labelled texts", id="empty"),
        pytest.param(b"label,text\n", "f.csv:1: there are no labelled texts", id="head only"),
        pytest.param(b"a,b\n1,2\n", "f.csv:1: the columns are a, b", id="columns"),
        pytest.param(b"label,text\nx,y\nz\n", "f.csv:3: this text has 1 fields", id="short row"),
        pytest.param(b"label,text\n,y\n", "f.csv:2: this text has no label", id="no label"),
        pytest.param(b'label,text\nx,"y"z"\n', "f.csv:2: this is not CSV", id="quotes"),
        pytest.param(b'label,text\nx,y\n\nx,"y\n', "f.csv:4: this is not CSV", id="open quote"),
        pytest.param(b"label,text\nx,y\nx,\xff\n", "f.csv:3: this is not UTF-8", id="encoding"),
    ],
)
def test_bad_csv_names_file_and_line(content: bytes, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_labelled(content, name="f.csv")
    assert str(caught.value).startswith(message)
