from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.web.conditional import (
    Unsatisfiable,
    chosen_coding,
    http_date,
    names,
    parse_http_date,
    range_still_valid,
    single_range,
    unchanged,
    wants_gzip,
)

MODIFIED = datetime(2024, 5, 31, 12, 0, 0, 900_000, tzinfo=UTC)
DATE = "Fri, 31 May 2024 12:00:00 GMT"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(DATE, id="imf-fixdate"),
        pytest.param("Friday, 31-May-24 12:00:00 GMT", id="rfc-850"),
        pytest.param("Fri May 31 12:00:00 2024", id="asctime"),
    ],
)
def test_all_three_date_forms_are_understood(value: str) -> None:
    assert parse_http_date(value) == MODIFIED.replace(microsecond=0)


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - naive on purpose
def test_a_written_date_is_read_back(moment: datetime) -> None:
    assert parse_http_date(http_date(moment)) == moment.replace(microsecond=0)


@given(st.text())
def test_no_header_value_raises(value: str) -> None:
    parse_http_date(value)
    wants_gzip(value)
    names(value, '"a"')


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ("*", True),
        (' "x", W/"a" ,"y"', True),
        ('"x"', False),
        ('"aa"', False),
        ("a", False),
        ("", False),
    ],
)
def test_if_none_match_is_a_list_compared_weakly(condition: str, told: bool) -> None:
    assert names(condition, '"a"') is told


@pytest.mark.parametrize(
    ("if_none_match", "if_modified_since", "told"),
    [
        pytest.param(None, None, False, id="nothing-asked"),
        pytest.param(None, DATE, True, id="same-second"),
        pytest.param(None, "Fri, 31 May 2024 11:59:59 GMT", False, id="older"),
        pytest.param(None, "Sat, 01 Jun 2024 00:00:00 GMT", True, id="later"),
        pytest.param(None, "yesterday", False, id="no-date"),
        pytest.param('"x"', DATE, False, id="tag-goes-before-date"),
        pytest.param('"a"', "Thu, 01 Jan 1970 00:00:00 GMT", True, id="tag-alone-decides"),
    ],
)
def test_a_tag_goes_before_a_date(
    if_none_match: str | None, if_modified_since: str | None, told: bool
) -> None:
    assert unchanged(if_none_match, if_modified_since, etag='"a"', modified=MODIFIED) is told


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("x-gzip", True),
        ("GZIP", True),
        ("gzip, deflate, br", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip ; q=0.5", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("identity;q=1, gzip;q=0.5", False),
        ("identity;q=0.5, gzip", True),
        ("gzip;q=oops", False),
        ("br", False),
        ("gzip," * 200, False),
    ],
)
def test_quality_decides_the_coding(header: str | None, told: bool) -> None:
    assert wants_gzip(header) is told


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (None, "identity"),
        ("gzip, deflate", "gzip"),
        pytest.param("gzip, deflate, br, zstd", "br", id="all-alike"),
        ("gzip, zstd", "zstd"),
        ("br;q=0.2, gzip;q=0.8, zstd;q=0.5", "gzip"),
        ("br;q=0, *", "zstd"),
        ("*;q=0.1, gzip;q=0.05", "br"),
        ("identity;q=1, *;q=0.5", "identity"),
        ("identity;q=0, gzip;q=0", "identity"),
        ("compress, exi", "identity"),
        ("X-GZIP", "gzip"),
        ("br;q=1.0001", "br"),
        ("br;q=-1", "identity"),
        ("br;q=nan", "identity"),
        ("br; level=3", "br"),
    ],
)
def test_what_a_client_likes_best_is_chosen_and_of_equals_what_is_smallest(
    header: str | None, coding: str
) -> None:
    assert chosen_coding(header, ("br", "zstd", "gzip")) == coding


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("bytes=0-0", (0, 0)),
        ("bytes=2-5", (2, 5)),
        ("bytes=2-", (2, 9)),
        ("bytes=2-99", (2, 9)),
        ("bytes=-3", (7, 9)),
        ("bytes=-99", (0, 9)),
        ("Bytes= 1-2 ", (1, 2)),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=a-b", None),
    ],
)
def test_a_single_range_or_everything(header: str | None, part: tuple[int, int] | None) -> None:
    assert single_range(header, 10) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_a_range_past_the_end_is_refused(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        single_range(header, 10)


@given(st.integers(0, 40), st.integers(0, 40) | st.none(), st.integers(1, 30))
def test_a_range_lies_inside_the_content(first: int, last: int | None, size: int) -> None:
    try:
        part = single_range(f"bytes={first}-{'' if last is None else last}", size)
    except Unsatisfiable:
        assert first >= size
        return
    if part is not None:
        assert (part[0], part[1] < size) == (first, True)
        assert part[0] <= part[1]


@pytest.mark.parametrize(
    ("if_range", "told"),
    [
        (None, True),
        ('"a"', True),
        ('W/"a"', False),
        ('"x"', False),
        (DATE, True),
        (http_date(MODIFIED + timedelta(seconds=1)), False),
        ("soon", False),
    ],
)
def test_if_range_is_compared_strongly(if_range: str | None, told: bool) -> None:
    assert range_still_valid(if_range, etag='"a"', modified=MODIFIED) is told
