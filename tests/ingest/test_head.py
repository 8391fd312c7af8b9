"""Bylines, dates and credits above the text."""

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


def test_date_above_the_title_counts(parse: Parse) -> None:
    article = parse(f"May 31, 2024\n\n# T\n\n{TEXT}")
    assert article.title == "T"
    assert article.published is not None


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        ("May 31, 2024", "2024-05-31T12:00"),
        ("May 31st, 2024", "2024-05-31T12:00"),
        ("31 May 2024", "2024-05-31T12:00"),
        ("31 of May, 2024", "2024-05-31T12:00"),
        ("31-May-2024", "2024-05-31T12:00"),
        ("Friday, May 31, 2024", "2024-05-31T12:00"),
        ("Fri May 31, 2024", "2024-05-31T12:00"),
        ("2024-05-31", "2024-05-31T12:00"),
        ("2024/05/31", "2024-05-31T12:00"),
        ("2024-05-31T14:30:00Z", "2024-05-31T14:30"),
        ("2024-05-31 14:30", "2024-05-31T14:30"),
        ("2024-05-31T14:30:00+02:00", "2024-05-31T12:30"),
        ("2024-05-31T14:30:00.123456-0530", "2024-05-31T20:00"),
        ("Fri, 31 May 2024 14:30:00 +0200", "2024-05-31T12:30"),
        ("Fri, 31 May 24 14:30:00 GMT", "2024-05-31T14:30"),
        ("31 May 2024 14:30 (UTC)", "2024-05-31T14:30"),
        ("May 31, 2024 14:30 UTC", "2024-05-31T14:30"),
        ("May 31st, 2024 at 2:30 p.m. EDT", "2024-05-31T18:30"),
        ("May 31, 2024, 12 a.m.", "2024-05-31T00:00"),
        ("Published: May 31, 2024", "2024-05-31T12:00"),
        ("Posted on 31 May 2024", "2024-05-31T12:00"),
        ("Date: 31/12/2024", "2024-12-31T12:00"),
        ("12/31/2024", "2024-12-31T12:00"),
        ("31.12.2024", "2024-12-31T12:00"),
        ("05/05/2024", "2024-05-05T12:00"),
        ("*May 31, 2024*", "2024-05-31T12:00"),
        ("31. Mai 2024", "2024-05-31T12:00"),
        ("31 de mayo de 2024", "2024-05-31T12:00"),
        ("31 мая 2024 г.", "2024-05-31T12:00"),
        ("2024年5月31日", "2024-05-31T12:00"),
        ("٣١ مايو ٢٠٢٤", "2024-05-31T12:00"),
        ("29 February 2024", "2024-02-29T12:00"),
    ],
)
def test_date_line_is_read(line: str, moment: str, parse: Parse) -> None:
    article = parse(f"# T\n\nBy Jane Roe\n\n{line}\n\n{TEXT}")
    assert article.published is not None
    assert article.published.isoformat(timespec="minutes") == f"{moment}+00:00"
    assert article.text == TEXT


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        pytest.param("03/04/2024", "2024-04-03", id="ambiguous"),
        pytest.param("04-03-2024", "2024-04-03", id="ambiguous-dashes"),
        pytest.param("2024-02-30", "calendar", id="no-such-day"),
        pytest.param("June 31, 2024", "calendar", id="no-such-day-of-june"),
        pytest.param("13/13/2024", "calendar", id="no-such-month"),
        pytest.param("2024-05-31 25:00", "calendar", id="no-such-hour"),
        pytest.param("May 31, 2024 14:30 IST", "+01:00", id="zone-of-many"),
        pytest.param("May 31, 2024 13 p.m.", "14:30", id="no-such-hour-of-twelve"),
        pytest.param("0001-01-01T00:00:00+10:00", "calendar", id="before-the-calendar"),
    ],
)
def test_date_of_two_days_or_none_is_rejected_with_its_line(
    line: str, hint: str, reject: Reject
) -> None:
    rejected = reject(f"# T\n\nBy Jane Roe\n\n{line}\n\n{TEXT}")
    assert rejected.line == 5
    assert hint in rejected.remedy


def test_date_in_the_middle_of_the_text_is_text(parse: Parse) -> None:
    article = parse(f"# T\n\nBy Jane Roe\n\n{TEXT}\n\nMay 31, 2024\n\n03/04/2024\n\n{TEXT}")
    assert article.published is None
    assert "May 31, 2024" in article.text
    assert "03/04/2024" in article.text


def test_line_that_tells_of_a_change_is_neither_date_nor_text(parse: Parse) -> None:
    article = parse(f"# T\n\nMay 31, 2024\n\nUpdated: June 2, 2024\n\n{TEXT}")
    assert article.published is not None
    assert article.published.day == 31
    assert article.text == TEXT


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
    ],
)
def test_credit_below_the_date_is_no_text(line: str, credit: str, parse: Parse) -> None:
    article = parse(f"# T\n\nBy Jane Roe\n\nMay 31, 2024\n\n{line}\n\n{TEXT}")
    assert (article.credit, article.text) == (credit, TEXT)


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
        "Photos: none of them survived the winter.",
        "Image",
    ],
)
def test_short_first_paragraph_is_text(line: str, parse: Parse) -> None:
    article = parse(f"# T\n\nBy Jane Roe\n\nMay 31, 2024\n\n{line}\n\n{TEXT}")
    assert article.credit is None
    assert line.strip("#- ") in article.text


def test_credit_below_a_picture_is_found(parse: Parse) -> None:
    article = parse(f"# T\n\n![a](https://e.example/i.png)\n\nZorro / HNA\n\n{TEXT}")
    assert article.credit == "Zorro / HNA"
    assert "<img" in article.html
    assert article.text == TEXT
