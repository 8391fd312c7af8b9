"""Retry-After: when a server wants to be asked again. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from feedsvc.capture.exchange import Exchange

LONGEST = 7 * 24 * 3600.0


def retry_after(exchange: Exchange, now: datetime) -> float | None:
    """Return the seconds from now that Retry-After asks for (RFC 9110 §10.2.3), at most a week.

    None if there is no such header or it cannot be understood; 0.0 for a date that is past.
    """
    value = (exchange.header("retry-after") or "").strip()
    if value.isascii() and value.isdigit():
        return LONGEST if len(value) > 6 else min(float(value), LONGEST)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:  # RFC 5322's "-0000"; HTTP dates are always UTC
        date = date.replace(tzinfo=UTC)
    return min(max((date - now).total_seconds(), 0.0), LONGEST)
