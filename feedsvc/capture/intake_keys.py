"""Under which keys, and from when, others' records are found. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b

from feedsvc.urls import InvalidURL, surt


def key_of(url: str) -> bytes:
    """Return the key under which an address is found."""
    return surt_key(url) or b""


def surt_key(url: str) -> bytes | None:
    """Return the same; None for what is no address."""
    try:
        return short(surt(url))
    except (InvalidURL, ValueError):
        return None


def short(text: str) -> bytes:
    """Return what stands for a text in an index of millions."""
    return blake2b(text.encode("utf-8", "replace"), digest_size=12).digest() if text else b""


def date_of(text: str | None) -> datetime | None:
    """Return a WARC-Date, with its fraction of a second if it has one (WARC 1.1 §5.4)."""
    whole, _, fraction = (text or "").partition(".")
    digits = "".join(filter(str.isdigit, whole))
    try:
        moment = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    parts = "".join(filter(str.isdigit, fraction))[:6]
    return moment.replace(microsecond=int(parts.ljust(6, "0"))) if parts else moment
