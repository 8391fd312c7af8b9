"""Bylines and credits above the text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from feedsvc.errors import SeedRejected
from feedsvc.model import ParsedArticle

Parse = Callable[..., ParsedArticle]
Reject = Callable[..., SeedRejected]

TEXT = "The first paragraph is long enough to be one."


@pytest.mark.parametrize(
    ("line", "author", "agency"),
    [
        ("By [Jane Roe for HNA](#)", "Jane Roe", "HNA"),
        ("By Jane Roe", "Jane Roe", None),
        ("By Jane Roe for HNA", "Jane Roe", "HNA"),
        ("By Jane Roe, Reuters", "Jane Roe", "Reuters"),
        ("By Jane Roe (AP)", "Jane Roe", "AP"),
        ("By Jane Roe | AP", "Jane Roe", "AP"),
        ("By Jane Roe in Kyiv for The Associated Press", "Jane Roe", "The Associated Press"),
        ("By AFP", "AFP", "AFP"),
        ("By [Jane Roe](https://e.example/j)", "Jane Roe", None),
        ("By [Jane Roe](https://e.example/j) and [John Doe](#)", "Jane Roe and John Doe", None),
        ("By Ann Bo, Cy Dee and Ed Eff", "Ann Bo, Cy Dee and Ed Eff", None),
        ("By Ann Lee, Bo Lee", "Ann Lee, Bo Lee", None),
        ("*By Jane Roe*", "Jane Roe", None),
        ("**By:** Jane Roe", "Jane Roe", None),
        ("By Ludwig van Beethoven", "Ludwig van Beethoven", None),
        ("By John Roe Jr.", "John Roe Jr.", None),
        ("By The feedsvc authors", "The feedsvc authors", None),
        ("By Ольга Иванова", "Ольга Иванова", None),
        ("By 山田太郎", "山田太郎", None),
        ("Author: Jane Roe", "Jane Roe", None),
        ("By Jane", "Jane", None),
        ("By Danny Roe, for HNA", "Danny Roe", "HNA"),
        ("By A for HNA and B for Reuters", "A, B", "HNA, Reuters"),
        (
            "By Ann Bo for HNA, Cy Dee for AP and Ed Eff for HNA",
            "Ann Bo, Cy Dee, Ed Eff",
            "HNA, AP",
        ),
        ("By Ann Bo (HNA) and Cy Dee (AP)", "Ann Bo, Cy Dee", "HNA, AP"),
        ("By Jane Roe for News for Kids", "Jane Roe", "News for Kids"),
        ("Von Hans Müller", "Hans Müller", None),
        ("Von Hans Müller und Ute von der Au", "Hans Müller und Ute von der Au", None),
        ("Ein Kommentar von Hans Müller", "Hans Müller", None),
        ("Par Jean Dupont pour HNA", "Jean Dupont", "HNA"),
        ("Par AFP", "AFP", "AFP"),
        ("Por Juan Pérez y Ana Ruiz", "Juan Pérez y Ana Ruiz", None),
        ("Di Maria Rossi", "Maria Rossi", None),
        ("Door Jan de Wit", "Jan de Wit", None),
        ("Av Kari Nordmann", "Kari Nordmann", None),
        ("Автор: Иван Иванов", "Иван Иванов", None),
        ("Texte : Jean Dupont", "Jean Dupont", None),
        ("Yazan: Ayşe Demir", "Ayşe Demir", None),
        ("作者：张三", "张三", None),
    ],
)
def test_byline_names_author_and_agency(
    line: str, author: str, agency: str | None, parse: Parse
) -> None:
    article = parse(f"# T\n\n{line}\n\n{TEXT}")
    assert (article.author, article.agency, article.text) == (author, agency, TEXT)


@pytest.mark.parametrize(
    "line",
    [
        "By Monday the river had risen above the bridge.",
        "by the numbers",
        "By then it was over",
        "Bystanders cheered",
        "Author and reader met",
        "Von Mäusen und Menschen",
        "Von Anfang an war es kalt",
        "Par exemple",
        "Text: nothing of it survived",
    ],
)
def test_sentence_that_begins_with_by_is_text(line: str, parse: Parse) -> None:
    article = parse(f"# T\n\n{line}\n\n{TEXT}")
    assert article.author is None
    assert line in article.text


def test_line_that_begins_with_by_above_a_date_is_a_byline(parse: Parse) -> None:
    article = parse(f"# T\n\nby the editors of this very small paper\n\nMay 31, 2024\n\n{TEXT}")
    assert article.author == "the editors of this very small paper"
    assert article.text == TEXT


@pytest.mark.parametrize(
    "line", ["By Jane Roe | May 31, 2024", "By Jane Roe, May 31, 2024", "By Jane Roe 31 May 2024"]
)
def test_byline_and_date_may_share_a_line(line: str, parse: Parse) -> None:
    article = parse(f"# T\n\n{line}\n\n{TEXT}")
    assert article.author == "Jane Roe"
    assert article.published is not None
    assert article.published.isoformat() == "2024-05-31T12:00:00+00:00"


def test_standfirst_stays_in_the_text_and_hides_no_byline(parse: Parse) -> None:
    article = parse(f"# T\n\nA standfirst.\n\nBy Jane Roe\n\nMay 31, 2024\n\n{TEXT}")
    assert article.author == "Jane Roe"
    assert article.published is not None
    assert article.text == f"A standfirst.\n\n{TEXT}"


BYLINES = ["Jane Roe", "Jane Roe for AFP", "Jane Roe, Reuters", "Hans Müller und Ute Au", "Reuters"]


@pytest.mark.parametrize("line", BYLINES)
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_names_between_title_and_date_are_a_byline(gap: str, line: str, parse: Parse) -> None:
    article = parse(f"# T{gap}{line}{gap}May 31, 2024\n\n{TEXT}")
    assert article.author is not None
    assert article.author in line
    assert article.published is not None
    assert article.text == TEXT


@pytest.mark.parametrize(
    "line", ["World", "Breaking News", "The Road Ahead", "Kyiv, Ukraine", "Peace now", "Key Points"]
)
def test_line_above_a_date_that_is_no_name_is_text_and_hides_no_date(
    line: str, parse: Parse
) -> None:
    article = parse(f"# T\n\n{line}\n\nMay 31, 2024\n\n{TEXT}")
    assert article.author is None
    assert article.published is not None
    assert article.text == f"{line}\n\n{TEXT}"


@pytest.mark.parametrize("above", ["", "By Jane Roe\n\n", "![a](https://e.example/i.png)\n\n"])
def test_date_alone_may_stand_below_a_standfirst(above: str, parse: Parse) -> None:
    article = parse(f"# T\n\n{above}A one-sentence standfirst.\n\nMay 31, 2024\n\n{TEXT}")
    assert article.published is not None
    assert article.text == f"A one-sentence standfirst.\n\n{TEXT}"


def test_byline_of_names_may_stand_below_a_standfirst(parse: Parse) -> None:
    article = parse(f"# T\n\nA standfirst.\n\nJane Roe\n\n31. Mai 2024\n\n{TEXT}")
    assert article.author == "Jane Roe"
    assert article.published is not None
    assert article.text == f"A standfirst.\n\n{TEXT}"


@pytest.mark.parametrize("date", ["May 31, 2024", "03/04/2024"])
def test_dates_that_part_a_diary_are_text(date: str, parse: Parse) -> None:
    article = parse(f"# T\n\nA voyage.\n\n{date}\n\n{TEXT}\n\nJune 2, 2024\n\n{TEXT}")
    assert article.published is None
    assert date in article.text


@pytest.mark.parametrize("title", ["# T\n", "# T\n\n", "T\n"])
@pytest.mark.parametrize(
    "lines",
    [
        "By Jane Roe\nMay 31, 2024\n",
        "May 31, 2024\nBy Jane Roe\n",
        "Von Jane Roe\n31. Mai 2024\n",
        "Jane Roe\n31. Mai 2024\n",
        "By Jane Roe\nMay 31, 2024\nZorro / HNA\n",
    ],
)
def test_head_needs_no_blank_lines(title: str, lines: str, parse: Parse) -> None:
    article = parse(f"{title}{lines}{TEXT}\nIt goes on.")
    assert (article.title, article.author, article.text) == ("T", "Jane Roe", f"{TEXT} It goes on.")
    assert article.published is not None


@pytest.mark.parametrize(
    "text", ["10 May 2024\nwas a fine day.", "1. May 2024\n2. June 2024", "By Jane Roe\n" * 7]
)
def test_paragraph_that_only_begins_like_a_head_is_text(text: str, parse: Parse) -> None:
    article = parse(f"# T\n\n{text}\n\n{TEXT}")
    assert (article.author, article.published) == (None, None)
    assert article.text.endswith(f"\n\n{TEXT}")


@pytest.mark.parametrize(
    ("line", "credit"),
    [
        ("Zorro / HNA", "Zorro / HNA"),
        ("Jane Roe/Reuters", "Jane Roe/Reuters"),
        ("Photo: Jane Roe", "Jane Roe"),
        ("*Photo by Jane Roe*", "Jane Roe"),
        ("Image credit: NASA", "NASA"),
        ("© Jane Roe", "© Jane Roe"),
        ("Getty Images", "Getty Images"),
        ("AP Photo/Jane Roe", "AP Photo/Jane Roe"),
        ("Harbour.example / HNA", "Harbour.example / HNA"),
        ("Zuma", "Zuma"),
        ("kremlin.ru", "kremlin.ru"),
        ("Moskva News Agency", "Moskva News Agency"),
        ("Harbour Images", "Harbour Images"),
        ("Zorro de la Vega", "Zorro de la Vega"),
    ],
)
def test_credit_below_the_date_is_no_text(line: str, credit: str, parse: Parse) -> None:
    article = parse(f"# T\n\nBy Jane Roe\n\nMay 31, 2024\n\n{line}\n\n{TEXT}")
    assert (article.credit, article.text) == (credit, TEXT)


@pytest.mark.parametrize("line", ["Zuma / TASS", "kremlin.ru", "Moskva News Agency", "Zorro Vega"])
def test_credit_may_stand_between_title_and_byline(line: str, parse: Parse) -> None:
    article = parse(f"# T\n\n{line}\n\nBy Jane Roe\n\nMay 31, 2024\n\n{TEXT}")
    assert (article.credit, article.author, article.text) == (line, "Jane Roe", TEXT)
    assert article.published is not None


@pytest.mark.parametrize(
    ("line", "below"),
    [
        pytest.param("Zorro Vega", "## A heading", id="no-text-below"),
        pytest.param("Zorro Vega", "Too short", id="short-text-below"),
        pytest.param("Zorro Vega", "- a list of things that are longer than a line", id="list-below"),
        pytest.param("Zorro Vega", f"Then Zorro Vega came. {TEXT}", id="told-below"),
        pytest.param("Vega Soup", f"It was a good soup. {TEXT}", id="common-word"),
        pytest.param("Node.example", f"We wrote Node.example in a week. {TEXT}", id="host-told-below"),
        pytest.param("Zorro\nVega", TEXT, id="two-lines"),
    ],
)  # fmt: skip
def test_names_are_a_credit_only_above_text_that_does_not_tell_of_them(
    line: str, below: str, parse: Parse
) -> None:
    article = parse(f"# T\n\nMay 31, 2024\n\n{line}\n\n{below}\n\n{TEXT}")
    assert article.credit is None
    assert article.text.startswith(line.replace("\n", " "))


@pytest.mark.parametrize(
    "line",
    [
        "Yes",
        "Peace now",
        "Win / lose",
        "## Peace / War",
        "Nothing changed.",
        "Kyiv",
        "- Zorro / HNA",
        "Photography was new then",
        "What We Know",
        "The Road Ahead",
        "Key Points",
        "Secret Service",
        "**Zorro Vega**",
        "Peace in Our Time",
        "Node.js",
        "Photos: none of them survived the winter.",
        "Image",
    ],
)
def test_short_first_paragraph_is_text(line: str, parse: Parse) -> None:
    article = parse(f"# T\n\nBy Jane Roe\n\nMay 31, 2024\n\n{line}\n\n{TEXT}")
    assert article.credit is None
    assert line.strip("#-* ") in article.text


def test_credit_below_a_picture_is_found(parse: Parse) -> None:
    article = parse(f"# T\n\n![a](https://e.example/i.png)\n\nZorro / HNA\n\n{TEXT}")
    assert article.credit == "Zorro / HNA"
    assert "<img" in article.html
    assert article.text == TEXT
