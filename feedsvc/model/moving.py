"""What moving a site to another database and another store did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a site is: addresses as they are written in settings, passwords left out."""

    database: str
    store: str
    feeds: str


@dataclass(frozen=True, slots=True)
class Step:
    """A setting to change."""

    key: str
    value: str
    where: str
    """What says otherwise now: a file and line, a variable of the environment, or `default`."""


@dataclass(frozen=True, slots=True)
class MoveReport:
    """What was moved, and whether it is the same at both ends."""

    source: Place
    target: Place
    rows: int = 0
    """Rows of the site at the target, each compared."""
    copied: int = 0
    """Rows that were copied this time."""
    snapshots: int = 0
    """Snapshots whose bytes are at the target."""
    sent: int = 0
    """Snapshots whose bytes were sent this time."""
    sent_size: int = 0
    """Bytes of those."""
    feeds: int = 0
    """Documents of feeds that are at the target."""
    problems: tuple[str, ...] = ()
    """What was wrong at the source before: a snapshot known to be damaged, a feed file missing."""
    differences: tuple[str, ...] = ()
    """What is not the same at both ends, and damage nobody knew of."""
    steps: tuple[Step, ...] = ()
    """Settings to change now."""
    adopt: bool = False
    """True: a store that stays bears the mark of the fleet before, which has to be made anew."""
    resumed: bool = False
    """True: an earlier move was gone on with."""
    done: bool = True
    """False: it was only found out what would be moved."""
    seconds: float = 0.0
