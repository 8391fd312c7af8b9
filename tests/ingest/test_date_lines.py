"""Dates above the text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from feedsvc.errors import SeedRejected
from feedsvc.model import ParsedArticle

Parse = Callable[..., ParsedArticle]
Reject = Callable[..., SeedRejected]

TEXT = "The first paragraph is long enough to be one."


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
        ("May 31,2024", "2024-05-31T12:00"),
        ("(May 31, 2024)", "2024-05-31T12:00"),
        ("May 31, 2024 | 5 min read", "2024-05-31T12:00"),
        ("31. Mai 2024 · Lesezeit: 5 Minuten", "2024-05-31T12:00"),
        ("Published May 31, 2024. Updated June 2, 2024", "2024-05-31T12:00"),
        ("May 31, 2024 (last updated: June 2, 2024)", "2024-05-31T12:00"),
        ("Fri May 31 10:00:00 2024", "2024-05-31T10:00"),
        ("Fri May 31 10:00:00 CEST 2024", "2024-05-31T08:00"),
        ("10:00, 31 May 2024", "2024-05-31T10:00"),
        ("2:30 p.m. EDT, Friday, May 31, 2024", "2024-05-31T18:30"),
        ("20240531", "2024-05-31T12:00"),
        ("20240531T143000Z", "2024-05-31T14:30"),
        ("2024-05-31Z", "2024-05-31T12:00"),
        ("2024-05-31+02:00", "2024-05-31T12:00"),
        ("31.05.24", "2024-05-31T12:00"),
        ("05/31/24", "2024-05-31T12:00"),
        ("5/5/24", "2024-05-05T12:00"),
        ("31 Mayıs 2024, Cuma", "2024-05-31T12:00"),
        ("pátek 31. května 2024", "2024-05-31T12:00"),
        ("2024. május 31., péntek", "2024-05-31T12:00"),
        ("2024. 05. 31.", "2024-05-31T12:00"),
        ("31. toukokuuta 2024", "2024-05-31T12:00"),
        ("31 mai 2024", "2024-05-31T12:00"),
        ("31 octombrie 2024", "2024-10-31T12:00"),
        ("Παρασκευή 31 Μαΐου 2024", "2024-05-31T12:00"),
        ("Veröffentlicht am Freitag, den 31. Mai 2024, 10:00 Uhr", "2024-05-31T10:00"),
        ("Updated: May 31, 2024", "2024-05-31T12:00"),
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
        pytest.param("3/4/24", "2024-04-03", id="ambiguous-short"),
        pytest.param("03/04/24", "2024-03-04", id="ambiguous-short-zeros"),
        pytest.param("24-05-31", "2024-05-31", id="ambiguous-year"),
        pytest.param("Updated: 03/04/2024", "2024-04-03", id="ambiguous-update"),
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


@pytest.mark.parametrize(
    "line", ["KYIV, May 31, 2024", "Sometime in 2024", "Spring 2024.", "v. 1/2/2024", "10. 2024"]
)
def test_line_like_a_date_is_a_warning_where_no_date_is_found(line: str, parse: Parse) -> None:
    article = parse(f"# T\n\nBy Jane Roe\n\n{line}\n\n{TEXT}")
    assert article.published is None
    assert len(article.warnings) == 1
    assert "line 5 looks like a date and is not understood" in article.warnings[0]
    assert parse(f"---\ndate: 2024-05-31\n---\n# T\n\n{line}\n\n{TEXT}").warnings == ()
    assert parse(f"# T\n\nMay 31, 2024\n\n{line}\n\n{TEXT}").warnings == ()


@pytest.mark.parametrize("line", ["It was the winter of 2024.", "1.2.3", "Room 20245", "12345678"])
def test_other_numbers_are_no_dates(line: str, parse: Parse) -> None:
    article = parse(f"# T\n\n{line}\n\n{TEXT}")
    assert (article.published, article.warnings) == (None, ())
    assert line in article.text


@pytest.mark.parametrize(
    "above", ["# T\n\nMay 31, 2024\n\n", "---\ndate: 2024-05-31\n---\n# T\n\n"]
)
def test_change_of_an_unknown_day_rejects_no_seed_with_a_date(above: str, parse: Parse) -> None:
    article = parse(f"{above}Updated: 03/04/2024\n\n{TEXT}")
    assert article.published is not None
    assert (article.published.day, article.text) == (31, TEXT)


def test_line_that_tells_of_a_change_is_neither_date_nor_text(parse: Parse) -> None:
    article = parse(f"# T\n\nMay 31, 2024\n\nUpdated: June 2, 2024\n\n{TEXT}")
    assert article.published is not None
    assert article.published.day == 31
    assert article.text == TEXT
