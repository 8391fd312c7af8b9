"""What every job does around its work: time it, record the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from typing import Any

from feedsvc.errors import ConfigurationError, FeedsvcError, OutOfSpace
from feedsvc.logs import logger
from feedsvc.model import Run
from feedsvc.runtime import Runtime
from feedsvc.text import without_tokens

log = logger(__name__)


class Recorder:
    """Takes the report of a run while it is recorded."""

    def __init__(self) -> None:
        self.summary: dict[str, Any] = {}

    def note(self, report: object) -> None:
        """Keep the numbers of a report."""
        self.summary = numbers(report)


@contextmanager
def recorded(runtime: Runtime, job: str) -> Iterator[Recorder]:
    """Record that a job ran, what it did and how it ended."""
    started = runtime.now()
    recorder = Recorder()
    error = ""
    try:
        yield recorder
    except BaseException as failure:
        said = without_tokens(str(failure))
        error = f"{type(failure).__name__}: {said}" if said else type(failure).__name__
        # The cause matters more than that it could not be recorded (a full disk, say).
        with suppress(FeedsvcError):
            _record(runtime, Run(job, started, runtime.now(), False, recorder.summary, error))
        raise
    try:
        _record(runtime, Run(job, started, runtime.now(), True, recorder.summary))
    except (ConfigurationError, OutOfSpace) as failure:
        # What was found out is told all the same, on a site that can only be read, say.
        log.warning("run.unrecorded", job=job, reason=str(failure))


def _record(runtime: Runtime, run: Run) -> None:
    with runtime.database.transaction() as store:
        store.put_run(run)


def numbers(report: object) -> dict[str, Any]:
    """Return the plain numbers of a report, by field."""
    if not is_dataclass(report):
        return {}
    found: Mapping[str, Any] = {one.name: getattr(report, one.name) for one in fields(report)}
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in found.items()
        if isinstance(value, int | float)
    }


def silent(stage: str, done: int, total: int | None, detail: str = "") -> None:
    """Show no progress."""
