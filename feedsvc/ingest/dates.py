"""Date lines: the usual forms that can mean only one day."""

# ruff: noqa: RUF001 - other alphabets are meant

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

from feedsvc.ingest.datewords import ON, PUBLISHED, UPDATED, ZONES, is_weekday, month

NOON = (12, 0, 0)
"""A date without a time is published at 12:00 UTC: the same day almost everywhere."""


class DateProblem(ValueError):
    """It is a date, but not one that can be published; ``remedy`` says what to write."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


def _label(words: str) -> re.Pattern[str]:
    spaced = words.replace(" ", r"\s+")
    return re.compile(rf"(?:{spaced})(?:\s+(?:{ON}))?\s*:?\s+(?=\S)", re.IGNORECASE)


_PUBLISHED = _label(PUBLISHED)
_UPDATED = _label(UPDATED)
_ON = re.compile(rf"(?:{ON})\s+(?=\S)", re.IGNORECASE)
_WORD = re.compile(r"[,.(\s]*(?P<word>[^\W\d_]+(?:['’-][^\W\d_]+)?)\.?\)?,?(?:\s+|$)")
_NAME = r"(?P<month>[^\W\d_]{2,12})\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|º|ª|\.)?"
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<year>\d{4})(?P<sep>[-/]|\.\s?)(?P<number>\d{1,2})(?P=sep)(?P<day>\d{1,2})(?!\d)",
        rf"{_NAME}\s+{_DAY}(?:\s*,\s*|\s+)(?P<year>\d{{4}})(?!\d)",
        rf"{_DAY}(?:\s+|\s*-\s*)(?:of\s+|de\s+|ב)?{_NAME},?(?:\s+|\s*-\s*)(?:del?\s+)?(?P<year>\d{{4}}|\d{{2}})(?!\d)(?:\s*(?:г\.?|р\.?|года|року)(?!\w))?",
        rf"(?P<year>\d{{4}})\.?\s+{_NAME}\s+{_DAY}",
        r"(?P<year>\d{4})\s*[年년]\s*(?P<number>\d{1,2})\s*[月월]\s*(?P<day>\d{1,2})\s*[日일]",
        r"(?P<first>\d{1,2})(?P<sep>[-/.])(?P<second>\d{1,2})(?P=sep)(?P<year>\d{4}|\d{2})(?!\d)",
    )
)
_ISO = _DATES[0]
# XML Schema allows a zone after a date alone. It does not change which day is meant.
_DATE_ZONE = re.compile(r"Z|[+-]\d{2}:\d{2}")
_COMPACT = re.compile(
    r"(?P<year>(?:1[5-9]|20|21)\d{2})(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])"
    r"(?:T(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?)?(?P<rest>(?!\d).*)"
)
# `Fri May 31 10:00:00 UTC 2024`, as C's asctime and the command `date` write it.
_YEAR_LAST = re.compile(
    rf"{_NAME}\s+(?P<day>\d{{1,2}})\s+(?P<time>\d{{1,2}}:\d{{2}}(?::\d{{2}})?)(?P<zone>\s+(?:[A-Z]{{1,5}}|[+-]\d{{4}}))?\s+(?P<year>\d{{4}})"
)
_TIME_FIRST = re.compile(
    r"(?P<time>\d{1,2}[:.h]\d{2}(?::\d{2})?(?:\s*[ap]\.?m\b\.?)?|\d{1,2}\s*[ap]\.?m\b\.?)(?P<zone>\s*(?:uhr|hrs?|\(?[A-Z]{1,5}\)?))?(?:\s*[,|·—–-]\s*|\s+)(?P<date>\S.*)",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"(?:\s*[T,|·—–-]\s*|\s+)?(?:at\s+|um\s+|à\s+)?"
    r"(?P<hour>\d{1,2})(?:[:.h](?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?)?"
    r"(?:\s*(?P<half>[ap])\.?m\b\.?)?(?:\s*(?:uhr|hrs?|hours)(?!\w))?",
    re.IGNORECASE,
)
_ZONE = re.compile(
    r"\s*(?:(?:utc|gmt)?(?P<sign>[+\-\u2212])(?P<hours>\d{1,2}):?(?P<minutes>\d{2})?|\(?(?P<name>[a-z]{1,5})\)?)(?:\s*\([^()]*\))?",
    re.IGNORECASE,
)
_BRACKETED_ZONE = re.compile(r"\[[A-Za-z_/+-]+\]$")
_SUSPICIOUS = re.compile(
    r"(?<![\d/.-])(?:(?:19|20)\d{2}|\d{1,2}(?P<sep>[/.-])\d{1,2}(?P=sep)\d{2,4})(?!\d)"
)


@lru_cache(maxsize=64)  # a head asks several times what its few lines are
def parse_date(value: str) -> datetime | None:
    """Return the moment a date line names, aware and in UTC, or None if it is no date.

    A date alone is 12:00 UTC, a time without a zone is UTC. Raise DateProblem for a date that
    could be two days, or none.
    """
    if len(value) > 100 or not any(character.isdigit() for character in value):
        return None
    for text in _readings(value):
        for pattern in _DATES:
            if match := pattern.match(text):
                rest = text[match.end() :].strip(" \t")
                if pattern is _ISO and _DATE_ZONE.fullmatch(rest):
                    rest = ""
                found = _complete(match, rest, value)
                if found is not None:
                    return found
    return None


def is_update(value: str) -> bool:
    """Tell whether a line says only when an article was changed."""
    match = _UPDATED.match(value)
    return match is not None and is_date(value[match.end() :])


def parse_update(value: str) -> datetime | None:
    """Return the moment that `Updated: …` names; raise DateProblem as `parse_date` does."""
    match = _UPDATED.match(value)
    return parse_date(value[match.end() :]) if match else None


def is_date(value: str) -> bool:
    """Tell whether a line is a date, if only one that cannot be published."""
    try:
        return parse_date(value) is not None
    except DateProblem:
        return True


def holds_date(value: str) -> bool:
    """Tell whether a year or a date in numbers stands somewhere in a line."""
    return _SUSPICIOUS.search(value) is not None


def _readings(value: str) -> Iterator[str]:
    """Yield a line with less and less around the date, then with its parts in their usual order."""
    text = value.strip().rstrip(".")
    if text[:1] in {"(", "["} and text[-1] in {")", "]"}:
        text = text[1:-1].strip()
    if label := _PUBLISHED.match(text):
        text = text[label.end() :]
    text = _BRACKETED_ZONE.sub("", text)
    yield text
    shorter = _without_weekday(text)
    if article := _ON.match(shorter):
        shorter = shorter[article.end() :]
    if shorter != text:
        yield shorter
    if match := _COMPACT.fullmatch(shorter):
        clock = f"T{match['hour']}:{match['minute']}:{match['second'] or '00'}"
        day = f"{match['year']}-{match['month']}-{match['day']}"
        yield f"{day}{clock if match['hour'] else ''}{match['rest']}"
    if match := _YEAR_LAST.fullmatch(shorter):
        zone = match["zone"] or ""
        yield f"{match['month']} {match['day']} {match['year']} {match['time']}{zone}"
    if match := _TIME_FIRST.fullmatch(shorter):
        yield f"{_without_weekday(match['date'])} {match['time']}{match['zone'] or ''}"


def _without_weekday(text: str) -> str:
    match = _WORD.match(text)
    return text[match.end() :] if match and is_weekday(match["word"]) else text


def _complete(match: re.Match[str], rest: str, value: str) -> datetime | None:
    """Read the time after a date; None if something else stands there."""
    parts = match.groupdict()
    if parts.get("month") is not None and month(parts["month"]) is None:
        return None
    clock, zone = NOON, 0
    if rest := _without_weekday(rest):
        time = _TIME.fullmatch(rest) or _time_and_zone(rest)
        if time is None:
            return None
        named = _clock(time, value)
        if named is None:
            return None
        clock = named
        zone = _offset(rest[time.end() :], value)
    if len(parts["year"]) == 2 and not rest and parts.get("month"):
        return None
    day = _day(parts, value)
    if day is None:
        return None
    try:
        local = datetime(*day, *clock, tzinfo=timezone(timedelta(minutes=zone)))
        return local.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise DateProblem(
            f"there is no such date as {value!r} ({error})",
            "Write a date of the calendar, such as 2024-05-31",
        ) from error


def _time_and_zone(rest: str) -> re.Match[str] | None:
    time = _TIME.match(rest)
    if time is None or not _ZONE.fullmatch(rest[time.end() :]):
        return None
    return time


def _clock(time: re.Match[str], value: str) -> tuple[int, int, int] | None:
    half = time["half"]
    if time["minute"] is None and half is None:
        return None
    hour, minute, second = int(time["hour"]), int(time["minute"] or 0), int(time["second"] or 0)
    if half is not None:
        if not 1 <= hour <= 12:
            raise DateProblem(
                f"there is no such time as in {value!r}", "Write a time such as 14:30"
            )
        hour = hour % 12 + (12 if half.lower() == "p" else 0)
    # RFC 3339 §5.6 allows a leap second; datetime does not.
    return hour, minute, min(second, 59) if second <= 60 else second


def _offset(zone: str, value: str) -> int:
    """Return a zone's minutes east of UTC."""
    match = _ZONE.fullmatch(zone) if zone.strip() else None
    if match is None:
        return 0
    if match["sign"]:
        minutes = int(match["hours"]) * 60 + int(match["minutes"] or 0)
        if minutes >= 24 * 60:
            raise DateProblem(f"there is no such time zone as in {value!r}", "Write it as +01:00")
        return minutes if match["sign"] == "+" else -minutes
    offset = ZONES.get(match["name"].lower())
    if offset is None:
        raise DateProblem(
            f"the time zone {match['name']!r} in {value!r} is not known, or means several",
            "Write it as hours from UTC, such as +01:00",
        )
    return offset


def _day(parts: dict[str, str], value: str) -> tuple[int, int, int] | None:
    year = int(parts["year"])
    if parts.get("first") is not None:
        return _numeric_day(parts, value)
    if len(parts["year"]) == 2:
        year += _century(year)
    name = parts.get("month")
    number = int(parts["number"]) if name is None else month(name)
    return year, number or 0, int(parts["day"])


def _century(year: int) -> int:
    """RFC 2822 §4.3."""
    return 2000 if year < 50 else 1900


def _numeric_day(parts: dict[str, str], value: str) -> tuple[int, int, int] | None:
    """Return the day of `14/03/2024`; None for numbers like those of a version."""
    first, second, last = int(parts["first"]), int(parts["second"]), int(parts["year"])
    sep, short = parts["sep"], len(parts["year"]) == 2
    year = last + _century(last) if short else last
    orders = [(year, second, first, f"day{sep}month"), (year, first, second, f"month{sep}day")]
    if short and sep == "-":
        orders.append((first + _century(first), second, last, "year-month-day"))
    found: dict[date, str] = {}
    for *order, name in orders:
        with suppress(ValueError):
            found.setdefault(date(*order), name)
    if len(found) > 1:
        ways = " or ".join(f"{day} ({name})" for day, name in found.items())
        raise DateProblem(
            f"the date {value!r} can be read as {'two' if len(found) == 2 else 'three'} different days",
            f"Write {ways}",
        )
    for day in found:
        return day.year, day.month, day.day
    return None if short else (year, second, first) if second <= 12 else (year, first, second)
