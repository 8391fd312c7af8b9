"""What archives say of their captures (RFC 7089): links, times, and addresses of raw bytes. Pure.

Everything here reads what a stranger wrote: it is bounded, linear, and believes no more than it has to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import urljoin

from feedsvc.capture.exchange import Exchange, Headers
from feedsvc.references import resolve
from feedsvc.urls import InvalidURL, surt

MAX_LINKS = 64 << 10
"""Characters of Link headers that are read, all of them together."""
EARLIEST = datetime(1991, 8, 6, tzinfo=UTC)
"""The first page of the web: no capture is older."""
SLACK = timedelta(days=1)
"""How far another machine's clock may be ahead."""
_TARGET = re.compile(r"[\s,]*<([^<>]{1,4096})>")
_PARAMETER = re.compile(
    r"\s*;\s*([A-Za-z0-9!#$&+.^_`|~*-]{1,64})\s*"
    r"(?:=\s*(?:\"((?:[^\"\\]|\\.){0,1024})\"|([^\s;,\"]{1,1024})))?"
)
# `/web/20240530030405id_/https://…` of Wayback machines and pywb, `/snapshots/<id>/mp_/https://…`.
_ARCHIVED = re.compile(
    r"(?P<before>https?://[^?#]{1,1024}?/)(?:(?P<time>\d{14})(?:[a-z]{2}_)?|[a-z]{2}_)/"
    r"(?P<url>https?:/.{1,4096})",
    re.IGNORECASE | re.DOTALL,
)
_SCHEME = re.compile(r"(https?):/+", re.IGNORECASE)
_INSIDE = re.compile(r"(?<=/)(https?:)/(?=[^/])", re.IGNORECASE)
_ORIGINAL = "x-archive-orig-"
# What describes the bytes as they came, whoever sends them.
_OF_THE_BYTES = frozenset({"content-type", "content-encoding", "content-language"})
_NOT_RESTORED = _OF_THE_BYTES | {
    *("connection", "content-length", "keep-alive", "location", "set-cookie", "set-cookie2"),
    *("strict-transport-security", "trailer", "transfer-encoding", "upgrade"),
}


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a Link header (RFC 8288 §3)."""

    url: str
    rels: frozenset[str]
    moment: datetime | None = None
    """Its `datetime`, where that is one (RFC 7089 §2.2.2)."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Where an archive has the captures of one time as they came, without changes of its own."""

    before: str
    time: str

    def address(self, url: str) -> str:
        """Return where the capture of an address is nearest to that time."""
        return f"{self.before}{self.time}id_/{url}"


def http_moment(value: str | None) -> datetime | None:
    """Return the moment of an HTTP date, None if it is none or has no zone."""
    if value is None or len(value) > 64:
        return None
    try:
        moment = parsedate_to_datetime(value.strip())
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def accept_datetime(moment: datetime) -> str:
    """Return a moment as Accept-Datetime writes it (RFC 7089 §2.1.1)."""
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


def memento_datetime(exchange: Exchange, *, now: datetime) -> datetime | None:
    """Return when an answer was captured, None if it is no memento or says what cannot be."""
    moment = http_moment(exchange.header("memento-datetime"))
    return moment if moment is not None and EARLIEST <= moment <= now + SLACK else None


def links(exchange: Exchange) -> Iterator[Link]:
    """Yield the links of an answer's Link headers, as far as they can be read."""
    values = (value for name, value in exchange.headers if name.lower() == "link")
    text = ", ".join(values)[:MAX_LINKS]
    place = 0
    while target := _TARGET.match(text, place):
        place = target.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(text, place):
            place = parameter.end()
            value = parameter[2] if parameter[2] is not None else parameter[3] or ""
            parameters.setdefault(parameter[1].lower(), value)
        url = joined(target[1], base=exchange.url)
        if url is None:
            continue
        rels = frozenset(parameters.get("rel", "").lower().split())
        yield Link(url, rels, http_moment(parameters.get("datetime")))


def joined(reference: str, *, base: str) -> str | None:
    """Return the absolute URL of an archive's reference, None if it has none.

    The URL inside it keeps both its slashes, one of which is lost when references are resolved.
    """
    url = resolve(reference, base=base)
    return _INSIDE.sub(r"\1//", url) if url else None


def nearest(found: Iterator[Link], moment: datetime) -> Link | None:
    """Return the link to the memento nearest to a moment."""
    dated = [(abs(one.moment - moment), one) for one in found if one.moment and _is_memento(one)]
    return min(dated, key=lambda pair: pair[0], default=(None, None))[1]


def is_of(exchange: Exchange, url: str) -> bool:
    """Tell whether an answer is a capture of an address, as far as its links tell."""
    originals = [one.url for one in links(exchange) if "original" in one.rels]
    return not originals or any(same_page(one, url) for one in originals)


def raw_of(address: str, url: str) -> Raw | None:
    """Return where an archive has raw bytes, if the address of a capture tells."""
    found = _ARCHIVED.fullmatch(address)
    if found is None or not same_page(_whole(found["url"]), url):
        return None
    return Raw(found["before"], found["time"] or "")


def restored(exchange: Exchange, *, url: str, moment: datetime) -> Exchange:
    """Return an archive's answer as the answer of the original that it stands for.

    The body is the same object. No request is made up for it, as none went there.
    """
    return replace(
        exchange,
        url=url,
        request_headers=(),
        headers=tuple(_restored_headers(exchange, url)),
        ip=None,
        started=moment,
        seconds=0.0,
        remembered=True,
    )


def same_page(one: str, other: str) -> bool:
    """Tell whether captures of one address are captures of the other."""
    try:
        return surt(one) == surt(other)
    except InvalidURL:
        return False


def _restored_headers(exchange: Exchange, url: str) -> Iterator[tuple[str, str]]:
    own: Headers = exchange.headers
    for name, value in own:
        lower = name.lower()
        if lower in _OF_THE_BYTES:
            yield name, value
        elif lower == "location":
            yield name, _original_of(value, at=exchange.url, url=url)
        elif lower.startswith(_ORIGINAL) and (bare := lower[len(_ORIGINAL) :]):
            if bare not in _NOT_RESTORED:
                yield name[len(_ORIGINAL) :], value
            elif bare == "content-type" and exchange.header(bare) is None:
                yield "Content-Type", value


def _original_of(location: str, *, at: str, url: str) -> str:
    """Return where a captured redirect led, whatever the archive made of that."""
    try:
        found = _ARCHIVED.fullmatch(urljoin(at, location))
        return _whole(found["url"]) if found else urljoin(url, location)
    except ValueError:
        return location


def _whole(url: str) -> str:
    """Return a URL with both slashes: proxies merge them."""
    return _SCHEME.sub(lambda scheme: f"{scheme[1].lower()}://", url, count=1)


def _is_memento(link: Link) -> bool:
    return "memento" in link.rels
