"""How long a document of feeds may be kept by caches, and as what it is served."""

from __future__ import annotations

from feedsvc.publish.formats import MEDIA_TYPES
from feedsvc.publish.packing import PACKED_FILES

ARCHIVE_SECONDS = 86400
"""A closed page changes when its successor closes or an article in it is edited: rarely, so a day."""
_AGES = (60, 3600)
_AGE_OF_CRON = 900


def max_age(interval: float | None) -> int:
    """Return for how many seconds a feed may be kept: what lies between two publications.

    Never less than a minute, as readers take it for the polling interval, nor more than an hour.
    ``interval``: None where they come at certain times of day.
    """
    lowest, highest = _AGES
    if interval is None:
        return _AGE_OF_CRON
    return int(min(max(interval, lowest), highest))


def keeping(*, archive: bool, private: bool, max_age: int) -> str:
    """Return the Cache-Control of a document (RFC 9111 §5.2.2)."""
    if private:
        # The reader itself may keep it, or there would be no 304; but it asks each time, so
        # that a share ends when it is revoked, and no proxy ever has a copy.
        return "private, no-cache"
    return f"public, max-age={ARCHIVE_SECONDS if archive else max_age}"


def attributes(name: str, *, archive: bool, private: bool, max_age: int) -> dict[str, str]:
    """Return what an object store is to say of a file: of a document, or of a packed copy."""
    document, _, ending = name.rpartition(".")
    coding = PACKED_FILES.get(ending)
    media_type = MEDIA_TYPES[(document if coding else name).rpartition(".")[2]]
    said = {
        "Content-Type": media_type,
        "Cache-Control": keeping(archive=archive, private=private, max_age=max_age),
    }
    return said | ({"Content-Encoding": coding} if coding else {})
