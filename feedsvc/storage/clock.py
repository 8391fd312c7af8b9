"""The database's clock, the same for every machine of a fleet, however wrong theirs are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import text

from feedsvc.errors import FeedsvcError
from feedsvc.storage.database import Database

ASK_SECONDS = 60.0
_BACK = timedelta(seconds=1)
_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class Clock(Protocol):
    """Whoever tells the time."""

    def __call__(self) -> datetime:
        """Return the present moment, aware."""
        ...


def elapsed() -> float:
    """Return seconds that nobody sets, those in which the machine slept included."""
    return time.monotonic() if _BOOT is None else time.clock_gettime(_BOOT)


class DatabaseClock:
    """The present moment by the database's clock, from any thread, without asking each time.

    What passes between two questions is counted by this machine's monotonic clock, so that it
    does not matter whether somebody sets its wall clock.
    """

    def __init__(
        self, database: Database, *, wall: Clock, ticks: Callable[[], float] = elapsed
    ) -> None:
        """``wall``: this machine's own clock, of which only the error is told.

        Raises Temporary where the database is away.
        """
        self._database = database
        self._wall = wall
        self._ticks = ticks
        self._asking = threading.Lock()
        self._last = datetime.min.replace(tzinfo=UTC)
        self._asked: tuple[datetime, float]
        self.ask()

    def __call__(self) -> datetime:
        """Return the present moment; a small correction never lets it go back."""
        moment, ticks = self._asked
        passed = self._ticks() - ticks
        if passed > ASK_SECONDS:
            self._ask_aside()
        now = moment + timedelta(seconds=passed)
        last = self._last
        if now < last and last - now < _BACK:
            return last
        self._last = now
        return now

    @property
    def skew(self) -> float:
        """Seconds by which this machine's clock is ahead of the database's."""
        return (self._wall() - self()).total_seconds()

    def ask(self) -> None:
        """Compare with the database now. Raises Temporary where it is away."""
        with self._database.reading() as store:
            begun = self._ticks()
            moment = store.connection.scalar(text("SELECT clock_timestamp()"))
            ended = self._ticks()
        if not isinstance(moment, datetime):  # pragma: no cover - PostgreSQL tells the time
            raise TypeError(f"{moment!r} is no moment")
        self._asked = (moment.astimezone(UTC), (begun + ended) / 2)

    def _ask_aside(self) -> None:
        """Compare soon, in a thread: nobody who wants the time waits for a database."""
        if not self._asking.acquire(blocking=False):
            return
        threading.Thread(target=self._ask_once, name="feedsvc-clock", daemon=True).start()

    def _ask_once(self) -> None:
        try:
            self.ask()
        except FeedsvcError:
            # Away: what passes is counted on, and the next question comes soon enough.
            moment, ticks = self._asked
            passed = self._ticks() - ticks
            self._asked = (moment + timedelta(seconds=passed), ticks + passed)
        finally:
            self._asking.release()
