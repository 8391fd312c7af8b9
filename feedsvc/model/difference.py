"""What changed in an article's text between two looks at its original, readable and storable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Mark(StrEnum):
    """What became of a piece of text; the values are how it is stored."""

    KEPT = "="
    REMOVED = "-"
    ADDED = "+"
    FOLDED = "~"
    """Kept text that is not worth repeating."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of one paragraph that was kept, removed or added."""

    mark: Mark
    text: str
    """Plain text with the spaces around it; empty for what is folded."""
    words: int = 0
    """Of what is folded: how many there are."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """Paragraphs that changed, with as much around them as it takes to read them."""

    paragraphs: tuple[tuple[Piece, ...], ...]
    skipped: int = 0
    """Unchanged paragraphs between the hunk before, or the beginning, and this one."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two texts of one article, by words."""

    headline: tuple[str, str] | None = None
    """Before and after; None if it stayed."""
    added: int = 0
    """Words of the text; letters where a script puts no spaces between words."""
    removed: int = 0
    hunks: tuple[Hunk, ...] = ()
    skipped: int = 0
    """Unchanged paragraphs after the last hunk."""
    unshown: int = 0
    """Words added or removed that no hunk shows, because there are too many."""
    rewritten: bool = False
    """So much changed that paragraphs are shown as a whole, removed and added."""

    @property
    def changed(self) -> bool:
        """True if a reader of the article would read something else."""
        return bool(self.headline or self.added or self.removed)

    @property
    def summary(self) -> str:
        """How much changed, in a few words: `headline changed, 2 words added, 1 removed`."""
        parts = ["headline changed"] if self.headline else []
        if self.rewritten:
            parts.append("most of the text rewritten")
        if self.added:
            parts.append(f"{self.added} {'word' if self.added == 1 else 'words'} added")
        if self.removed:
            noun = "" if self.added else " word" if self.removed == 1 else " words"
            parts.append(f"{self.removed}{noun} removed")
        return ", ".join(parts) or "nothing a reader would see"

    def as_json(self) -> dict[str, Any]:
        """Return it as values that JSON knows."""
        return {
            "headline": list(self.headline) if self.headline else None,
            "added": self.added,
            "removed": self.removed,
            "hunks": [
                {
                    "skipped": hunk.skipped,
                    "paragraphs": [list(map(_stored, one)) for one in hunk.paragraphs],
                }
                for hunk in self.hunks
            ],
            "skipped": self.skipped,
            "unshown": self.unshown,
            "rewritten": self.rewritten,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Difference:
        """Return what `as_json` made values of."""
        headline = stored.get("headline")
        return cls(
            headline=(headline[0], headline[1]) if headline else None,
            added=stored["added"],
            removed=stored["removed"],
            hunks=tuple(
                Hunk(
                    tuple(tuple(map(_read, one)) for one in hunk["paragraphs"]),
                    skipped=hunk["skipped"],
                )
                for hunk in stored["hunks"]
            ),
            skipped=stored["skipped"],
            unshown=stored["unshown"],
            rewritten=stored["rewritten"],
        )


def _stored(piece: Piece) -> list[str | int]:
    folded = piece.mark is Mark.FOLDED
    return [piece.mark.value, piece.words if folded else piece.text]


def _read(stored: list[Any]) -> Piece:
    mark = Mark(stored[0])
    return Piece(mark, "", stored[1]) if mark is Mark.FOLDED else Piece(mark, stored[1])
