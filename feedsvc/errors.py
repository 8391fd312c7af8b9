"""Every error feedsvc raises on purpose, drawn as one tree.

FeedsvcError                what, where, why, and what to do about it; carries an exit code
├── ConfigurationError      a setting, a vocabulary or a permission is wrong           (exit 4)
├── AlreadyRunning          another daemon holds the lock                              (exit 5)
├── DamageFound             stored bytes are not what was recorded                     (exit 6)
├── SchemaMismatch          the database is older or newer than this code              (exit 7)
├── OutOfSpace              the disk is full, or nearly                                (exit 3)
├── NotFound                nothing is stored under that id or key                     (exit 64)
├── Temporary               try again later: something is busy or away                 (exit 75)
│   └── DatabaseAway        and that is the database: it is locked or does not answer
├── SeedRejected            a seed cannot be understood; the others go on
├── SeedBusy                a seed is still being written; look again soon
└── CaptureError            a page was not captured
    ├── CaptureFailed       try again later
    │   ├── HostUnknown     DNS says that there is no such name
    │   └── TurnPassed      the moment in which a request was allowed went by; ask again
    └── CaptureRefused      forbidden by the guard or by robots.txt; slower, never forgotten
        └── Disallowed      robots.txt does not allow it
"""

from __future__ import annotations


class FeedsvcError(Exception):
    """A failure a person can act on."""

    exit_code = 1


class ConfigurationError(FeedsvcError):
    """A setting, a vocabulary or a permission is wrong; the message names file, line and remedy."""

    exit_code = 4


class AlreadyRunning(FeedsvcError):
    """Another daemon holds this site's lock."""

    exit_code = 5


class DamageFound(FeedsvcError):
    """Stored bytes are not what was recorded."""

    exit_code = 6


class SchemaMismatch(FeedsvcError):
    """The database's schema is not the one this code was written for."""

    exit_code = 7


class OutOfSpace(FeedsvcError):
    """The disk is full, or so nearly full that writing stopped."""

    exit_code = 3


class NotFound(FeedsvcError):
    """Nothing is stored under that id or key."""

    exit_code = 64


class Temporary(FeedsvcError):
    """Something is busy or away; the same call may succeed later."""

    exit_code = 75


class DatabaseAway(Temporary):
    """The database is locked or does not answer: nothing can be claimed or recorded now."""


class SeedRejected(FeedsvcError):
    """A seed cannot be understood: where, why and what to do about it.

    ``line`` counts from 1 and is None where no line is to blame.
    """

    def __init__(self, reason: str, *, remedy: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.line = line

    # Worker processes send this back by pickle, which rebuilds exceptions from args alone.
    def __reduce__(self) -> tuple[object, ...]:
        return (_seed_rejected, (self.reason, self.remedy, self.line))


def _seed_rejected(reason: str, remedy: str, line: int | None) -> SeedRejected:
    return SeedRejected(reason, remedy=remedy, line=line)


class SeedBusy(FeedsvcError):
    """A seed changed while it was read: it is still being written, so look again soon."""


class CaptureError(FeedsvcError):
    """A page was not captured."""


class CaptureFailed(CaptureError):
    """A fetch failed in a way that may pass; ``retry_after`` is the server's wish in seconds."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class HostUnknown(CaptureFailed):
    """DNS says that there is no such name: a mistake of its own, or the site is gone."""


class TurnPassed(CaptureFailed):
    """The moment in which a request was allowed went by unused: ask for another one."""


class CaptureRefused(CaptureError):
    """The guard or robots.txt forbids this fetch."""


class Disallowed(CaptureRefused):
    """The site's robots.txt does not allow this fetch."""
