"""What was made of entries, so that an article in five feeds is composed and written once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

BUDGET = 48 << 20
"""Bytes, about; some 4,000 articles of the usual length."""


class Kept:
    """Remembers values under what they were made from; the least used go first.

    A key holds everything its value depends on, so that nothing in here can be out of date.
    For one thread.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._size = 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable) -> Any:
        """Return what was made of something, None if that is not remembered."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: Any, *, size: int) -> None:
        """Remember a value of about ``size`` bytes under a key that is not there yet."""
        self._values[key] = (value, size)
        self._size += size
        while self._size > self._budget:
            _, (_, freed) = self._values.popitem(last=False)
            self._size -= freed
