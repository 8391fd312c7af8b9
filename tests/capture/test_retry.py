"""Laws of Retry-After."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.capture.exchange import Exchange
from feedsvc.capture.retry import LONGEST, retry_after

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


def unavailable(value: str | None) -> Exchange:
    headers = () if value is None else (("retry-AFTER", value),)
    body = BytesIO()
    return Exchange("", "GET", (), 503, "", headers, "http/1.1", None, body, 0, "", NOW, 0.0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("120", 120.0),
        (" 120 ", 120.0),
        ("604801", LONGEST),
        ("9" * 5000, LONGEST),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("\u0661\u0662", None),
        ("Mon, 04 May 2026 12:10:00 GMT", 600.0),
        ("Monday, 04-May-26 12:10:00 GMT", 600.0),
        ("Mon, 04 May 2026 12:10:00 -0000", 600.0),
        ("Mon, 04 May 2026 11:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST),
        ("Mon, 99 May 2026 12:10:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(unavailable(value), NOW) == seconds


@given(st.text(max_size=60))
def test_no_value_raises(value: str) -> None:
    seconds = retry_after(unavailable(value), NOW)
    assert seconds is None or 0 <= seconds <= LONGEST
