"""What the machines of a fleet leave to this one at a host: places, and windows of time. Pure.

A window is a stretch of time in which nobody else begins a request to the host. It is asked for
ahead and in blocks, so that most requests need no word with the others.
"""

from __future__ import annotations

from dataclasses import dataclass

from feedsvc.model import Turn

BLOCK = 3.0
"""Seconds a window lasts at most, unless one turn takes longer."""
POLL = 0.25
"""Seconds between two questions that were answered with no."""
RESPITE = 0.6
"""Seconds without a question after a place was given up for who waits: they ask meanwhile."""
_SLACK = 0.25
_MOST_SLACK = 2.0
_ROUND_TRIPS = 3
_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for at a host, besides places."""

    turns: int
    """0: the window that is had is long enough, only a place is missing."""
    delay: float
    slack: float
    """Seconds more, in which the last turn may be late."""

    @property
    def span(self) -> float:
        """Seconds that the window lasts. Without a delay it keeps nobody away, but it ends too."""
        return self.turns * self.delay + self.slack if self.delay else BLOCK


@dataclass(slots=True)
class Stay:
    """What this process may do at a host, on its own monotonic clock."""

    opens: float = 0.0
    ends: float = _NEVER
    places: int = 0
    again: float = 0.0
    """Before that it is of no use to ask."""
    asking: bool = False
    wanted: bool = False
    """Somebody else waits for a place."""
    begun: int = 0
    """Requests begun in this window."""
    idle: float = 0.0
    """Since when nothing is done here, where nothing is."""
    slack: float = 0.0

    def allows(self, now: float, delay: float, *, active: int) -> bool:
        """Tell whether a request may begin, and the next one anywhere only ``delay`` later."""
        return active < self.places and self.opens <= now and not self.is_over(now, delay)

    def is_over(self, start: float, delay: float) -> bool:
        """Tell whether the window has no room for a request that begins no sooner than that."""
        return max(start, self.opens) + delay > self.ends

    def free(self, now: float) -> float:
        """Return when something may change by itself."""
        return self.opens if self.opens > now else self.again

    def is_to_ask(self, now: float, start: float, delay: float, *, active: int) -> bool:
        """Tell whether the others are to be asked now, for a request that may begin at ``start``."""
        if self.asking or now < self.again:
            return False
        over = self.is_over(start, delay)
        if self.wanted and self.places:
            return over and not active
        return over or active >= self.places

    @property
    def is_to_give_way(self) -> bool:
        """True if the places go to who waits for them, once `is_to_ask` says so."""
        return self.wanted and self.places > 0

    def ask(self, start: float, delay: float, *, waiting: int) -> Ask:
        """Return what to ask for: turns for as many as wait, more where many were used."""
        if not self.is_over(start, delay):
            return Ask(0, delay, 0.0)
        if not delay:
            return Ask(1, delay, 0.0)
        if self.ends != _NEVER and not self.begun:
            self.slack = min(2 * self.slack, _MOST_SLACK)
        turns = min(max(waiting, 2 * self.begun, 1), max(1, int(BLOCK / delay)))
        return Ask(turns, delay, max(self.slack, min(_SLACK, delay / 4)))

    def note(self, ask: Ask, turn: Turn, *, began: float, now: float) -> None:
        """Take the answer to a question that was put at ``began`` and answered by ``now``.

        It was given some time between: the window opens no sooner and ends no later than either
        would have it.
        """
        self.places = turn.places
        if ask.turns and turn.granted:
            self.opens, self.ends = now + turn.after, began + turn.after + ask.span
            self.begun, self.wanted, self.again = 0, turn.wanted, 0.0
            self.slack = min(max(self.slack, _ROUND_TRIPS * (now - began)), _MOST_SLACK)
        elif ask.turns and turn.places:
            self.again = now + max(turn.after, POLL / 5)
        else:
            self.again = now + POLL

    def leave(self, again: float = 0.0) -> None:
        """Have nothing here any more, and do not ask before ``again``."""
        self.places, self.ends, self.wanted, self.again = 0, _NEVER, False, again
