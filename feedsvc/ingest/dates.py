"""Date lines: the usual forms that can mean only one day."""

# ruff: noqa: RUF001 - other alphabets are meant

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import cache

NOON = (12, 0, 0)
"""A date without a time is published at 12:00 UTC: the same day almost everywhere."""


class DateProblem(ValueError):
    """It is a date, but not one that can be published; ``remedy`` says what to write."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


# Months in the languages whose names cannot be confused with another's; # parts the months.
_MONTHS = """
january jan janvier januar jänner enero ene gennaio gen janeiro januari январь января янв січень січня styczeń stycznia يناير ינואר
# february feb février février fév februar febrero febbraio fevereiro fev februari февраль февраля фев лютий лютого luty lutego فبراير פברואר
# march mar mars märz mär marzo março maart marts март марта марець березень березня marzec marca مارس מרץ
# april apr avril avr abril abr aprile апрель апреля апр квітень квітня kwiecień kwietnia أبريل إبريل אפריל
# may mai mayo maggio mag maio mei maj май мая травень травня maja مايو מאי
# june jun juin juni junio giugno giu junho июнь июня июн червень червня czerwiec czerwca يونيو יוני
# july jul juillet juil juli julio luglio lug julho июль июля июл липень липня lipiec lipca يوليو יולי
# august aug août aout agosto ago augustus augusti август августа авг серпень серпня sierpień sierpnia أغسطس אוגוסט
# september sep sept septembre septiembre settembre set setembro сентябрь сентября сен вересень вересня wrzesień września سبتمبر ספטמבר
# october oct octobre oktober okt octubre ottobre ott outubro out oktobar октябрь октября окт жовтень жовтня październik października أكتوبر אוקטובר
# november nov novembre noviembre novembro ноябрь ноября ноя листопада نوفمبر נובמבר
# december dec décembre déc dezember dez diciembre dic dicembre dezembro декабрь декабря дек грудень грудня grudzień grudnia ديسمبر דצמבר
"""

# RFC 822 §5.1 defines the American ones; the others have one meaning in the news.
_ZONES = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 60, "cet": 60, "cest": 120, "eet": 120, "eest": 180, "msk": 180, "jst": 540,
    "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420,
}  # fmt: skip

_PREFIX = re.compile(
    r"(?:date|published|posted|publication date|first published|veröffentlicht|publié|publicado|опубликовано)"
    r"(?:\s+on)?\s*:?\s+(?=\S)",
    re.IGNORECASE,
)
_UPDATED = re.compile(r"(?:last\s+)?(?:updated|modified)(?:\s+on)?\s*:?\s+(?=\S)", re.IGNORECASE)
_WEEKDAYS = """
mon tue tues wed thu thur thurs fri sat sun monday tuesday wednesday thursday friday saturday sunday
montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag mo di mi do fr sa so
lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes miércoles jueves viernes sábado domingo
lunedì martedì mercoledì giovedì venerdì sabato domenica segunda-feira terça-feira quarta-feira quinta-feira sexta-feira
maandag dinsdag woensdag donderdag vrijdag zaterdag zondag
понедельник вторник среда четверг пятница суббота воскресенье понеділок вівторок середа п'ятниця субота неділя
"""
_WEEKDAY = re.compile(rf"(?:{'|'.join(_WEEKDAYS.split())})(?:\.?,|\.)?\s+", re.IGNORECASE)
_NAME = r"(?P<month>[^\W\d_]{2,12})\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|º|ª|\.)?"
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<year>\d{4})(?P<sep>[-/.])(?P<number>\d{1,2})(?P=sep)(?P<day>\d{1,2})(?!\d)",
        rf"{_NAME}\s+{_DAY},?\s+(?P<year>\d{{4}})(?!\d)",
        rf"{_DAY}(?:\s+|\s*-\s*)(?:of\s+|de\s+|ב)?{_NAME},?(?:\s+|\s*-\s*)(?:de\s+)?(?P<year>\d{{4}}|\d{{2}})(?!\d)(?:\s*(?:г\.?|р\.?|года|року)(?!\w))?",
        rf"(?P<year>\d{{4}})\s+{_NAME}\s+{_DAY}",
        r"(?P<year>\d{4})\s*[年년]\s*(?P<number>\d{1,2})\s*[月월]\s*(?P<day>\d{1,2})\s*[日일]",
        r"(?P<first>\d{1,2})(?P<sep>[-/.])(?P<second>\d{1,2})(?P=sep)(?P<year>\d{4})(?!\d)",
    )
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


def parse_date(value: str) -> datetime | None:
    """Return the moment a date line names, aware and in UTC, or None if it is no date.

    A date alone is 12:00 UTC, a time without a zone is UTC. Raise DateProblem for a date that
    could be two days, or none.
    """
    if len(value) > 100 or not any(character.isdigit() for character in value):
        return None
    text = value.strip().rstrip(".")
    text = _PREFIX.sub("", text, count=1) if _PREFIX.match(text) else text
    text = _BRACKETED_ZONE.sub("", text)
    candidates = [text]
    if weekday := _WEEKDAY.match(text):
        candidates.append(text[weekday.end() :])
    for candidate in candidates:
        for pattern in _DATES:
            if match := pattern.match(candidate):
                found = _complete(match, candidate[match.end() :].strip(" \t"), value)
                if found is not None:
                    return found
    return None


def is_update(value: str) -> bool:
    """Tell whether a line says only when an article was changed."""
    match = _UPDATED.match(value)
    return match is not None and _looks_like_date(value[match.end() :])


def _looks_like_date(value: str) -> bool:
    try:
        return parse_date(value) is not None
    except DateProblem:
        return True


def _complete(match: re.Match[str], rest: str, value: str) -> datetime | None:
    """Read the time after a date; None if something else stands there."""
    parts = match.groupdict()
    if parts.get("month") is not None and _month(parts["month"]) is None:
        return None
    clock, zone = NOON, 0
    if rest:
        time = _TIME.fullmatch(rest) or _time_and_zone(rest)
        if time is None:
            return None
        named = _clock(time, value)
        if named is None:
            return None
        clock = named
        zone = _offset(rest[time.end() :], value)
    if len(parts["year"]) == 2 and not rest:
        return None
    year, month, day = _day(parts, value)
    try:
        local = datetime(year, month, day, *clock, tzinfo=timezone(timedelta(minutes=zone)))
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
    offset = _ZONES.get(match["name"].lower())
    if offset is None:
        raise DateProblem(
            f"the time zone {match['name']!r} in {value!r} is not known, or means several",
            "Write it as hours from UTC, such as +01:00",
        )
    return offset


def _day(parts: dict[str, str], value: str) -> tuple[int, int, int]:
    year, sep = int(parts["year"]), parts.get("sep")
    if len(parts["year"]) == 2:
        # RFC 2822 §4.3.
        year += 2000 if year < 50 else 1900
    if parts.get("first") is not None:
        first, second = int(parts["first"]), int(parts["second"])
        if first <= 12 and second <= 12 and first != second:
            raise DateProblem(
                f"the date {value!r} can be read as two different days",
                f"Write {year:04}-{second:02}-{first:02} (day{sep}month) or {year:04}-{first:02}-{second:02} (month{sep}day)",
            )
        return (year, second, first) if second <= 12 else (year, first, second)
    name = parts.get("month")
    month = int(parts["number"]) if name is None else _month(name)
    return year, month or 0, int(parts["day"])


def _month(name: str) -> int | None:
    return _months().get(name.casefold())


@cache
def _months() -> dict[str, int]:
    return {
        name.casefold(): number
        for number, names in enumerate(_MONTHS.split("#"), start=1)
        for name in names.split()
    }
