"""Dates that feeds can hold and readers believe."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from feedsvc.model import Entry

EMPTY = datetime(2005, 12, 1, tzinfo=UTC)
"""`updated` of a feed without entries, which RFC 4287 §4.1.1 demands all the same: the month of
that RFC. A fixed date, so that the same data gives the same bytes; not the epoch, which
validators find implausible."""

FIRST_YEAR, LAST_YEAR = 1000, 2099
"""An article is dated inside these years: outside, readers misread the date (RFC 5322 §4.3) or
pin the article to the top for ever."""

_MICROSECOND = timedelta(microseconds=1)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def utc(when: datetime) -> datetime:
    """Return a date in UTC; one that has no zone was stored as UTC."""
    if when.tzinfo is None:
        return when.replace(tzinfo=UTC)
    try:
        return when.astimezone(UTC)
    except OverflowError:
        return when.replace(tzinfo=UTC)


def is_plausible(when: datetime) -> bool:
    """Tell whether readers believe a date."""
    return FIRST_YEAR <= utc(when).year <= LAST_YEAR


def believed(*dates: datetime) -> datetime:
    """Return the first plausible date in UTC, else EMPTY."""
    for when in map(utc, dates):
        if FIRST_YEAR <= when.year <= LAST_YEAR:
            return when
    return EMPTY


def day(when: datetime) -> str:
    """Write a date as `31 May 2024`, whatever the locale (strftime's %B follows it)."""
    when = utc(when)
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"


def distinct_updates(entries: Sequence[Entry]) -> dict[str, datetime]:
    """Return the moment of every entry's last change, by id, no two the same.

    Articles often carry a date without a time, and validators warn of two entries with one
    atom:updated. A fraction of a second taken from the id tells them apart: the same in every
    feed, whatever else is in it, unless two fractions collide.
    """
    taken: set[datetime] = set()
    moments: dict[str, datetime] = {}
    for entry in sorted(entries, key=lambda entry: entry.id):
        moment = entry.updated
        if not moment.microsecond:
            moment = moment.replace(
                microsecond=zlib.crc32(entry.id.encode(errors="replace")) % 1_000_000
            )
        while moment in taken:
            moment += _MICROSECOND
        taken.add(moment)
        moments[entry.id] = moment
    return moments
