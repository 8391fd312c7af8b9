"""How a long job tells how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """How a long job tells how far it is; ``total`` is None while nobody knows."""

    def __call__(self, stage: str, done: int, total: int | None, detail: str = "") -> None: ...
