"""What a request's headers ask for: conditions, codings and ranges (RFC 9110), as pure functions."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

from feedsvc.publish.packing import IDENTITY

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_RANGE = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE)
_LONGEST_CODING_LIST = 512
_SAME = {"x-gzip": "gzip"}


class Unsatisfiable(ValueError):
    """The range asked for lies outside the content (416)."""


def http_date(moment: datetime) -> str:
    """Return an IMF-fixdate, such as `Fri, 31 May 2024 12:00:00 GMT`."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def parse_http_date(value: str) -> datetime | None:
    """Return the moment of any of the three HTTP date forms (RFC 9110 §5.6.7), None if it is none."""
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def names(condition: str, etag: str) -> bool:
    """Tell whether an If-None-Match condition names ``etag``: weak comparison, `*` names all."""
    if condition == etag or condition.strip() == "*":
        return True
    return etag in _TAG.findall(condition)


def unchanged(
    if_none_match: str | None, if_modified_since: str | None, *, etag: str, modified: datetime
) -> bool:
    """Tell whether 304 is the answer.

    RFC 9110 §13.2.2: If-Modified-Since counts only where there is no If-None-Match, and a date
    that cannot be read counts as absent.
    """
    if if_none_match is not None:
        return names(if_none_match, etag)
    if if_modified_since is None:
        return False
    since = parse_http_date(if_modified_since)
    return since is not None and modified.replace(microsecond=0) <= since


def wants_gzip(accept_encoding: str | None) -> bool:
    """Tell whether gzip is acceptable and not liked less than the identity (RFC 9110 §12.5.3)."""
    return chosen_coding(accept_encoding, ("gzip",)) == "gzip"


def chosen_coding(accept_encoding: str | None, offered: tuple[str, ...]) -> str:
    """Return which of ``offered`` codings a client likes best, else `identity` (RFC 9110 §12.5.3).

    ``offered`` goes from best to worst and decides between equals. A client that accepts nothing
    we have, not even the identity, gets that all the same, as §12.5.3 allows.
    """
    if not accept_encoding or len(accept_encoding) > _LONGEST_CODING_LIST:
        return IDENTITY
    return _best_coding(accept_encoding, offered)


@lru_cache(maxsize=128)  # a handful of clients' lists make nearly all requests
def _best_coding(accept_encoding: str, offered: tuple[str, ...]) -> str:
    likings: dict[str, float] = {}
    for part in accept_encoding.split(","):
        coding, _, parameters = part.partition(";")
        name = coding.strip().lower()
        likings[_SAME.get(name, name)] = _quality(parameters)
    others = likings.get("*", 0.0)
    best, liking = IDENTITY, likings.get(IDENTITY, 0.0)
    for coding in reversed(offered):
        liked = likings.get(coding, others)
        if liked > 0.0 and liked >= liking:
            best, liking = coding, liked
    return best


def _quality(parameters: str) -> float:
    name, _, value = parameters.partition("=")
    if not name.strip():
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0) if name.strip().lower() == "q" else 1.0
    except ValueError:
        return 0.0


def single_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return first and last byte of a single range, or None where the whole content is the answer.

    Several ranges, other units and headers that make no sense are ignored, as RFC 9110 §14.2
    allows; a range that begins past the end raises Unsatisfiable.
    """
    found = _RANGE.fullmatch(header or "")
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        length = min(int(found[2]), size)
        if length == 0:
            raise Unsatisfiable(header)
        return size - length, size - 1
    first = int(found[1])
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    if found[2] and int(found[2]) < first:
        return None
    if first >= size:
        raise Unsatisfiable(header)
    return first, last


def range_still_valid(if_range: str | None, *, etag: str, modified: datetime) -> bool:
    """Tell whether If-Range (RFC 9110 §13.1.5) lets a range be answered: strong comparison."""
    if if_range is None:
        return True
    if if_range.startswith(('"', "W/")):
        return if_range == etag
    return parse_http_date(if_range) == modified.replace(microsecond=0)
