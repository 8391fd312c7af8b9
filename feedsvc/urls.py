"""URLs as identities: what makes two addresses the same article."""

from __future__ import annotations

import ipaddress
import re
import uuid
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes, urlsplit, urlunsplit

import idna

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL = 4096

# Parameters that name a campaign, not a page.
_TRACKING = re.compile(
    r"(utm_\w+|fbclid|gclid|dclid|gbraid|wbraid|msclkid|yclid|twclid|igshid|mc_cid|mc_eid|_hsenc|_hsmi|mkt_tok|ref_src)",
    re.IGNORECASE,
)
_WWW = re.compile(r"www\d*\.")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_DOT = re.compile("%2e", re.IGNORECASE)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029<>\"{}|\\^`\ud800-\udfff]")


class InvalidURL(ValueError):
    """Not an absolute http(s) URL that can be fetched; the message says why."""


def absolute(url: str) -> str:
    """Return an absolute http(s) URL in ASCII, otherwise as given.

    White space, control characters, credentials, other schemes and hosts that cannot be
    written in IDNA raise InvalidURL.
    """
    url = url.strip()
    if len(url) > MAX_URL:
        raise InvalidURL(f"it is longer than {MAX_URL} characters")
    if found := _FORBIDDEN.search(url):
        raise InvalidURL(f"it contains the character {found[0]!r}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidURL(str(error)) from error
    if parts.scheme.lower() not in DEFAULT_PORTS:
        raise InvalidURL("it does not begin with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise InvalidURL("it contains a user name or password")
    host = ascii_host(parts.hostname or "")
    netloc = f"[{host}]" if ":" in host else host
    if port is not None:
        netloc += f":{port}"
    return urlunsplit(
        (
            parts.scheme.lower(),
            netloc,
            _quote(parts.path),
            _quote(parts.query),
            _quote(parts.fragment),
        )
    )


@lru_cache(maxsize=4096)
def ascii_host(host: str) -> str:
    """Return a host name in lower-case ASCII (IDNA 2008, UTS 46); raise InvalidURL."""
    host = host.rstrip(".")
    if not host:
        raise InvalidURL("it names no host")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    if host.isascii():
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", host) or ".." in host:
            raise InvalidURL(f"{host!r} is not a host name")
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise InvalidURL(f"{host!r} is not a host name: {error}") from error


def normalise(url: str) -> str:
    """Return the form under which URLs of one page are equal (RFC 3986 §6.2, and more).

    http and https, the default port, fragments, tracking parameters and needless escapes make
    no difference; the order of the other parameters does. Raises InvalidURL.
    """
    parts = urlsplit(absolute(url))
    host = parts.hostname or ""
    netloc = f"[{host}]" if ":" in host else host
    if parts.port is not None and parts.port not in DEFAULT_PORTS.values():
        netloc += f":{parts.port}"
    query = "&".join(
        pair
        for pair in parts.query.split("&")
        if pair and not _TRACKING.fullmatch(pair.partition("=")[0])
    )
    path = _remove_dots(_unescape(parts.path)) or "/"
    return urlunsplit(("https", netloc, path, _unescape(query), ""))


def surt(url: str) -> str:
    """Return the form under which captures of one page are found: `org,example)/path?a=1&b=2`.

    The Sort-friendly URI Reordering Transform of web archives. Beyond what `normalise` folds, the
    case of letters, a leading `www.`, the order of parameters and a slash at the end make no
    difference. Raises InvalidURL.
    """
    parts = urlsplit(normalise(url).lower())
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    elif not host.replace(".", "").isdigit():
        host = ",".join(reversed(_WWW.sub("", host, count=1).split(".")))
    port = "" if parts.port is None else f":{parts.port}"
    path = parts.path.rstrip("/") or "/"
    query = "&".join(sorted(parts.query.split("&")))
    return f"{host}{port}){path}{'?' if query else ''}{query}"


def article_id(url: str | None, *, seed: str) -> str:
    """Return the UUIDv5 of the normalised original URL, or of the seed's name if there is none."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, normalise(url) if url else f"seed:{seed}"))


def without_dots(url: str) -> str:
    """Return an absolute URL as browsers send it: `.` and `..` resolved, also where escaped."""
    if "/." not in url and "%2e" not in url.lower():
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=_remove_dots(_DOT.sub(".", parts.path))))


def host_of(url: str) -> str:
    """Return the lower-case host of an absolute URL, with its port if that is not the default."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.port is None or parts.port == DEFAULT_PORTS.get(parts.scheme):
        return host
    return f"[{host}]:{parts.port}" if ":" in host else f"{host}:{parts.port}"


def _quote(part: str) -> str:
    return quote(part, safe="%/?#[]@!$&'()*+,;=:~-._")


def _unescape(part: str) -> str:
    """Decode escapes of unreserved characters, write all others in upper case (RFC 3986 §6.2.2)."""

    def one(match: re.Match[str]) -> str:
        octet = unquote_to_bytes(match[0])
        return octet.decode("ascii") if octet[0] in _UNRESERVED else match[0].upper()

    return _ESCAPE.sub(one, part)


def _remove_dots(path: str) -> str:
    """Resolve `.` and `..` segments (RFC 3986 §5.2.4)."""
    if "/." not in path:
        return path
    out: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if len(out) > 1:
                out.pop()
        elif segment != ".":
            out.append(segment)
    if segments[-1] in {".", ".."}:
        out.append("")
    return "/".join(out)
