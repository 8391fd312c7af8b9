"""The types of settings: lengths of time, sizes, schedules, lists, addresses."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?\s*(?:ms|[smhdw])\s*)+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|[smhdw])")
_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_BYTES |= {"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
DATABASE = re.compile(r"(sqlite:///|postgresql(\+psycopg)?://).+")
LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def parse_duration(value: object) -> float:
    """Return the seconds of `"90s"`, `"5m"`, `"1h30m"` or a bare number; raise ValueError."""
    if (isinstance(value, int | float) and not isinstance(value, bool)) or (
        isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value.strip())
    ):
        seconds = float(value)
    elif isinstance(value, str) and _DURATION.fullmatch(value.strip()):
        seconds = sum(float(n) * _SECONDS[unit] for n, unit in _DURATION_PART.findall(value))
    else:
        raise ValueError('not a length of time; write for example "90s", "5m", "1h" or "1d"')
    if not 0 <= seconds < float("inf"):
        raise ValueError("a length of time cannot be negative or without end")
    return seconds


def format_duration(seconds: float) -> str:
    """Return seconds as they are written in a settings file, such as `5m`."""
    for unit in ("w", "d", "h", "m", "s"):
        if seconds >= _SECONDS[unit] and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.0f}{unit}"
    return f"{seconds:g}s"


def parse_size(value: object) -> int:
    """Return the bytes of `"8 MiB"`, `"500 kB"` or a bare number; raise ValueError."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or match[2].upper() not in _BYTES:
        raise ValueError('not a size; write for example "500 kB", "8 MiB" or "1 GiB"')
    return int(float(match[1]) * _BYTES[match[2].upper()])


def format_size(size: float) -> str:
    """Return bytes for a person: `8 MiB`, `1.5 GiB`."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size >= _BYTES[unit.upper()]:
            amount = size / _BYTES[unit.upper()]
            return (
                f"{amount:.0f} {unit}"
                if amount >= 10
                else f"{amount:.1f} {unit}".replace(".0 ", " ")
            )
    return f"{size:.0f} B"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job runs: every ``seconds``, or by a five-field ``cron`` line in UTC, or never."""

    text: str
    seconds: float | None = None
    cron: str | None = None

    @property
    def off(self) -> bool:
        """True if the job never runs by itself."""
        return self.seconds is None and self.cron is None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How often something may be done: ``count`` times in ``seconds``, without limit if it is 0."""

    text: str
    count: int = 0
    seconds: float = 0.0

    @property
    def automatic(self) -> bool:
        """True if it depends on where the server listens."""
        return self.text == "auto"

    def __str__(self) -> str:
        return self.text


def parse_rate(value: object) -> RateLimit:
    """Return the rate of `"30/1h"`, `"off"` or `"auto"`; raise ValueError."""
    if isinstance(value, RateLimit):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if text in {"off", "auto"}:
        return RateLimit(text)
    count, _, length = text.partition("/")
    try:
        rate = RateLimit(text, int(count), parse_duration(length))
    except ValueError:
        rate = RateLimit(text)
    if not (1 <= rate.count <= 1_000_000 and 1 <= rate.seconds <= 30 * 86400):
        raise ValueError(
            'not a rate; write for example "30/1h" for thirty times an hour, or "off" or "auto"'
        )
    return rate


def proxy_network(value: str) -> str:
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        raise ValueError(
            'not an address or network; write for example "127.0.0.1" or "10.0.0.0/8"'
        ) from None


# minute, hour, day of month, month, day of week: lowest and highest number, and the names.
_CRON = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    (0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
_CRON_PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([1-9]\d{0,3}))?")


def parse_schedule(value: object) -> Schedule:
    """Return the schedule of `"5m"`, a cron line or `"off"`; raise ValueError."""
    if isinstance(value, Schedule):
        return value
    text = value.strip() if isinstance(value, str) else value
    if text == "off":
        return Schedule("off")
    if isinstance(text, str) and len(text.split()) == 5:
        for part, (low, high, names) in zip(text.lower().split(), _CRON, strict=True):
            _check_cron(part, low=low, high=high, names=names)
        return Schedule(text, cron=text.lower())
    try:
        seconds = parse_duration(text)
    except ValueError:
        raise ValueError(
            'not a schedule; write a length of time such as "5m", five cron fields such as "30 4 * * *" (UTC), or "off"'
        ) from None
    if seconds < 1:
        raise ValueError('a job cannot run more often than every second; "off" switches it off')
    return Schedule(format_duration(seconds), seconds=seconds)


def _check_cron(field: str, *, low: int, high: int, names: tuple[str, ...]) -> None:
    for part in field.split(","):
        match = _CRON_PART.fullmatch(part)
        ends = (
            [low + names.index(end) if end in names else end for end in (match[1], match[2]) if end]
            if match
            else []
        )
        numbers = [int(end) for end in ends if isinstance(end, int) or end.isdecimal()]
        wrong = match is None or len(numbers) < len(ends)
        if (
            wrong
            or not all(low <= number <= high for number in numbers)
            or numbers != sorted(numbers)
        ):
            raise ValueError(f"{part!r} is not a cron field from {low} to {high}")


def split_list(value: object) -> object:
    """Read a list from an environment variable: JSON, or parts with commas between."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"not a JSON list: {error}") from error
    return [part.strip() for part in value.split(",") if part.strip()]


def no_flag(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number is needed here")
    return value


def plain_paths(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return paths without needless slashes and dots: seeds are stored under these names."""
    return tuple(
        store_address(path) if "://" in path else str(PurePosixPath(path)) for path in paths
    )


def store_address(value: str) -> str:
    """Return a folder as it is written, or s3://bucket/prefix; raise ValueError."""
    if "://" not in value:
        return value
    from feedsvc.storage.s3_access import SCHEME, parse_address

    return SCHEME + "/".join(filter(None, parse_address(value)))


def growing(intervals: tuple[float, ...]) -> tuple[float, ...]:
    """Return lengths of time none of which is shorter than the one before; raise ValueError."""
    if list(intervals) != sorted(intervals):
        raise ValueError('each has to be at least as long as the one before: ["1d", "7d", "30d"]')
    return intervals


def site_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not an http(s) address; write for example https://feeds.example.org")
    if parts.query or parts.fragment or parts.username is not None or re.search(r"\s", value):
        raise ValueError("the site's address has no query, fragment, user name or space")
    return value.rstrip("/")


def store_endpoint(value: str) -> str:
    """Return the address at which an object store answers; raise ValueError."""
    if not value:
        return value
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not an http(s) address; write for example https://s3.example.org")
    if parts.username is not None or parts.query or parts.fragment or re.search(r"\s", value):
        raise ValueError(
            "the store's address has no user name, query, fragment or space; credentials belong "
            "into s3.key_id and s3.secret_key_file"
        )
    return value.rstrip("/")


def hub_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not an http(s) address; write for example https://hub.example.org/")
    if parts.fragment or parts.username is not None or re.search(r"[^!-~]", value):
        raise ValueError("a hub's address is ASCII, without fragment, user name and spaces")
    return value


SHORTEST_TOKEN = 16
_TOKEN = re.compile(r"[!-~]*")


def admin_token(value: str) -> str:
    """Return a token that cannot be guessed and fits a header; raise ValueError."""
    if value and (len(value) < SHORTEST_TOKEN or not _TOKEN.fullmatch(value)):
        raise ValueError(
            f"a token has at least {SHORTEST_TOKEN} characters, ASCII without spaces; make one "
            "with `openssl rand -hex 24`"
        )
    return value


def hidden(value: str) -> str:
    """Return what is shown of a secret: whether there is one."""
    return "***" if value else ""


def matches(pattern: re.Pattern[str], message: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(message)
        return value

    return AfterValidator(check)


Duration = Annotated[
    float, BeforeValidator(parse_duration), PlainSerializer(format_duration, when_used="json")
]
Timeout = Annotated[Duration, Field(gt=0)]
Intervals = Annotated[
    tuple[Annotated[Duration, Field(gt=0, le=36500 * 86400)], ...],
    BeforeValidator(split_list),
    AfterValidator(growing),
]
Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(format_size, when_used="json")]
When = Annotated[Schedule, PlainValidator(parse_schedule), PlainSerializer(str, return_type=str)]
Rate = Annotated[RateLimit, PlainValidator(parse_rate), PlainSerializer(str, return_type=str)]
Network = Annotated[str, AfterValidator(proxy_network)]
Strings = Annotated[tuple[str, ...], BeforeValidator(split_list)]
HubAddress = Annotated[str, AfterValidator(hub_address)]
LeaseTime = Annotated[Duration, Field(ge=1, le=365 * 86400)]
Count = Annotated[int, BeforeValidator(no_flag), Field(ge=1)]
TimeGateAddress = Annotated[
    str,
    matches(
        re.compile(r"https?://[^\s/?#@]+/[^\s#]*", re.IGNORECASE),
        "write the address that a page's address follows, such as "
        '"https://archive.example.org/timegate/"',
    ),
]
HostPort = Annotated[
    str, matches(re.compile(r".+:\d{1,5}"), 'write host and port, such as "localhost:8000"')
]
