"""Pictures of articles, where they are and what they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: of a snapshot (``url`` names a record of its WARC) or of an entry (absolute)."""

    url: str
    media_type: str | None = None
    """As sniffed from its bytes; None where we have none."""
    size: int | None = None
    """Bytes; None where we have none."""
    width: int | None = None
    height: int | None = None
