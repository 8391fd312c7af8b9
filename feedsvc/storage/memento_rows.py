"""Which rows of `mementos` a snapshot has. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from feedsvc.model import Verdict
from feedsvc.urls import InvalidURL, surt

_LONGEST = 1000
"""Characters of a key; PostgreSQL takes 2.7 kB at most."""


def memento_key(url: str) -> str | None:
    """Return the key under which captures of an address are found, None for what is no address."""
    try:
        key = surt(url)
    except InvalidURL:
        return None
    if len(key) <= _LONGEST:
        return key
    return f"{key[: _LONGEST - 65]}#{hashlib.sha256(key.encode()).hexdigest()}"


def mementos_of(snapshots: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows for rows of `snapshots`; none for those that do not count."""
    return [
        {"surt": key, "captured": row["captured"], "snapshot_id": row["id"]}
        for row in snapshots
        if row["verdict"] != Verdict.MISMATCH
        for key in dict.fromkeys((memento_key(row["url"]), memento_key(row["final_url"])))
        if key is not None
    ]
