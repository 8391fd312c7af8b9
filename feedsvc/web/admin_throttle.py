"""Guessing made slow: after a few wrong tokens each further one has to wait longer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

MOST_CLIENTS = 10_000
FORGIVEN_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Delays:
    """So many wrong guesses are free; each one after that doubles the wait, up to the longest."""

    free: int
    first: float
    longest: float

    def after(self, failures: int) -> float:
        """Return the seconds to wait after that many failures."""
        if failures < self.free:
            return 0.0
        return float(min(self.first * 2.0 ** min(failures - self.free, 30), self.longest))


OF_A_CLIENT = Delays(free=3, first=2.0, longest=900.0)
OF_ALL = Delays(free=30, first=1.0, longest=60.0)


@dataclass(slots=True)
class _Account:
    failures: int = 0
    last: float = 0.0
    until: float = 0.0


class Throttle:
    """What wrong guesses cost, per client and in total.

    Whoever was right before is not held up by the guesses of others.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        """``clock`` tells seconds that never go back."""
        self._clock = clock
        self._clients: OrderedDict[str, _Account] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._all = _Account()
        self._lock = threading.Lock()

    def guess(self, client: str, is_right: Callable[[], bool]) -> float | None:
        """Return None if a guess is right, else the seconds before this client may guess again.

        A guess that comes too early is not looked at. One at a time, so that a hundred at once
        count as a hundred.
        """
        now = self._clock()
        with self._lock:
            account = self._clients.get(client) or _Account()
            left = account.until - now
            if client not in self._known:
                left = max(left, self._all.until - now)
            if left > 0:
                return left
            if is_right():
                self._clients.pop(client, None)
                _remember(self._known, client, None)
                return None
            _fail(self._all, OF_ALL, now)
            _fail(account, OF_A_CLIENT, now)
            _remember(self._clients, client, account)
            return max(account.until - now, 0.0)


def _remember(some: OrderedDict[str, T], client: str, value: T) -> None:
    some[client] = value
    some.move_to_end(client)
    if len(some) > MOST_CLIENTS:
        some.popitem(last=False)


def _fail(account: _Account, delays: Delays, now: float) -> None:
    if now - account.last > FORGIVEN_SECONDS:
        account.failures = 0
    account.failures += 1
    account.last = now
    account.until = now + delays.after(account.failures)
