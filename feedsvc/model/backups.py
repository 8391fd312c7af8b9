"""What a backup holds and what a restore did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What was put into a backup."""

    file: str
    articles: int = 0
    snapshots: int = 0
    """Snapshots whose bytes are in it."""
    files: int = 0
    """Configuration and seeds."""
    size: int = 0
    """Bytes of the backup."""
    seconds: float = 0.0
    problems: tuple[str, ...] = ()
    """What could not be put into it, or is damaged, and why."""


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was taken out of a backup."""

    file: str
    created: str
    """When the backup was made, as it says itself."""
    articles: int = 0
    snapshots: int = 0
    """Snapshots whose bytes were written."""
    present: int = 0
    """Snapshots that were there already, byte for byte."""
    missing: int = 0
    """Snapshots the database knows whose bytes are neither here nor in the backup."""
    written: tuple[str, ...] = ()
    """Files of configuration and seeds that were written."""
    kept: tuple[str, ...] = ()
    """Files that differ from those in the backup and were left as they are."""
    before: str = ""
    """Where the database before is kept, if there was one."""
    done: bool = True
    """False: it was only found out, and nothing was changed."""
    seconds: float = 0.0
