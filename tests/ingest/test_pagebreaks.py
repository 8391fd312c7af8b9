"""Sentences that a page break cut in two."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from feedsvc.model import ParsedArticle

Parse = Callable[..., ParsedArticle]

CUT = "The council has asked the ministry again and again what became of the money inside of"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(CUT, "Northport and beyond.", id="preposition-then-a-name"),
        pytest.param(f'"{CUT}', 'Northport," the mayor said.', id="inside-a-quotation"),
        pytest.param(CUT, 'Northport and "beyond."', id="ends-in-a-quotation"),
        pytest.param("The council has asked the ministry again for a clear", "answer.", id="small-letter"),
        pytest.param("The council has asked the ministry again,", "minister Roe said.", id="comma"),
        pytest.param("Мэр сказала журналистам в четверг, что правила пользования маяком в", "Нортпорте не изменились.", id="russian"),
        pytest.param("وقال رئيس البلدية يوم الخميس إن قواعد زيارة المنارة القديمة والجديدة في", "المدينة لم تتغير.", id="arabic"),
        pytest.param("ראש העיר אמרה לעיתונאים ביום חמישי כי הכללים לביקור במגדלור החדש של", "העיירה לא השתנו.", id="hebrew"),
        pytest.param("市長は木曜日に記者団に対して、灯台の見学の規則は変更されていないと述べ、", "町の約束は守られると語った。", id="japanese"),
    ],
)  # fmt: skip
def test_two_halves_of_a_sentence_are_joined(left: str, right: str, parse: Parse) -> None:
    article = parse(f"# T\n\nBy Jane Roe\n\nFirst.\n\n{left}\n\n\n{right}\n\nLast.")
    space = "" if left.endswith("、") else " "
    assert article.text.split("\n\n") == ["First.", f"{left}{space}{right}", "Last."]


def test_word_cut_at_its_hyphen_is_joined_without_a_space(parse: Parse) -> None:
    text = parse("# T\n\nThe council of the town has asked every inter-\n\nnational body.").text
    assert text == "The council of the town has asked every inter-national body."


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param("The council has asked the ministry for an answer.", "minister Roe said.", id="full-stop"),
        pytest.param("The council has asked the ministry for these things:", "an answer.", id="colon"),
        pytest.param('The council said "we have asked the ministry again and"', "Northport heard it.", id="closing-quote"),
        pytest.param("What the tower is for", "The council built it.", id="short-heading"),
        pytest.param("Dear Sir,", "I write to you.", id="greeting"),
        pytest.param("Roses are red,", "violets are blue.", id="verse"),
        pytest.param("The long first line of a poem wanders slowly on and", "the second line of it, like the first one, goes and", id="long-verse"),
        pytest.param("A visitor in the new lighthouse of the town, seen from the sea", "The council built it.", id="caption"),
        pytest.param("The council has asked the ministry for an answer, the mayor said", "Minister Roe came.", id="forgotten-full-stop"),
        pytest.param(f"- {CUT}", "Northport and beyond.", id="list-item"),
        pytest.param(f"## {CUT}", "Northport and beyond.", id="heading"),
        pytest.param(f"> {CUT}", "Northport and beyond.", id="quote"),
        pytest.param(f"    {CUT}", "Northport and beyond.", id="code"),
        pytest.param(f"```\n{CUT}\n```", "Northport and beyond.", id="fence"),
        pytest.param(CUT, "- Northport and beyond.", id="list-below"),
        pytest.param(CUT, "## Northport and beyond.", id="heading-below"),
        pytest.param(CUT, "Northport and beyond", id="open-end-below"),
        pytest.param(CUT + "  ", "Northport and beyond.", id="hard-break"),
        pytest.param(CUT, "![x](https://e.example/i.png)", id="picture-below"),
    ],
)  # fmt: skip
def test_paragraphs_that_are_whole_stay_apart(left: str, right: str, parse: Parse) -> None:
    article = parse(f"# T\n\nBy Jane Roe\n\nFirst.\n\n{left}\n\n{right}\n\nLast.")
    parted = parse(f"# T\n\nBy Jane Roe\n\nFirst.\n\n{left}\n\n<!-- -->\n\n{right}\n\nLast.")
    assert article.text == parted.text
    assert f"{left.strip(' ')} {right}" not in article.html


def test_joining_keeps_line_numbers(parse: Parse) -> None:
    article = parse(f"# T\n\n{CUT}\n\nNorthport.\n\nOriginal url: https://e.example/x")
    assert article.text == f"{CUT} Northport."
    assert article.url == "https://e.example/x"
