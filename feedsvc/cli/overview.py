"""`feedsvc status` in words: what is wrong first, on one screen. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from feedsvc.cli.display import Block, Line, Table, counted, moment
from feedsvc.model import CaptureState, Run, SeedRecord, SeedState, Status
from feedsvc.settings import format_size

_ROWS = 8
_WRONG = {SeedState.REJECTED, SeedState.DUPLICATE, SeedState.MISSING}


def troubles(status: Status, *, min_free: int) -> list[str]:
    """Return what a person has to look at, in a few words each; empty if all is well."""
    wrong = sum(count for state, count in status.seeds.items() if state in _WRONG)
    failed_runs = [run.job for run in status.runs if not run.ok]
    found = [f"no folder {name}" for name in status.absent]
    if wrong:
        found.append(f"{counted(wrong, 'seed')} not loaded")
    if status.failures:
        found.append(f"{counted(len(status.failures), 'original')} not archived yet")
    if failed_runs:
        found.append(f"last run failed: {', '.join(failed_runs)}")
    if status.disk_free < min_free:
        found.append(f"only {format_size(status.disk_free)} free on the disk")
    return found


def describe_status(status: Status, *, min_free: int, now: datetime) -> Iterator[Block]:
    """Answer: is it healthy? And if not, what to do."""
    wrong = troubles(status, min_free=min_free)
    yield Line(
        f"Not well: {'; '.join(wrong)}" if wrong else "Healthy",
        "bold red" if wrong else "bold green",
    )
    yield from absent_folders(status.absent)
    yield from _seeds(status)
    yield from _captures(status, now)
    yield from (Line(f"{run.job}: {run.error}", "red") for run in status.runs if not run.ok)
    yield Line()
    yield Table((), list(_numbers(status)))
    if status.topics:
        yield Line()
        yield Table(
            ("topic", "articles"),
            [(one.topic.slug, f"{one.articles:,}") for one in status.topics[:_ROWS]],
            right=frozenset({1}),
        )
        yield from _more(len(status.topics), "feedsvc topics")
    if status.runs:
        yield Line()
        yield Table(("last run", "started", "result"), [_run(run) for run in status.runs])


def absent_folders(names: Sequence[str]) -> Iterator[Block]:
    """Say which folders of seeds are missing, and what to do."""
    for name in names:
        yield Line(
            f"{name}: the folder is not there, or may not be looked into: make it, mount its disk "
            "or correct seeds.paths; until then nothing is withdrawn",
            "red",
        )


def _seeds(status: Status) -> Iterator[Block]:
    problems = sorted(status.problems, key=lambda one: one.state not in _WRONG)
    if not problems:
        return
    yield Line()
    yield Line("Seeds", "red" if problems[0].state in _WRONG else "yellow")
    yield Table(("file", "state", "why", "what to do"), [_seed(one) for one in problems[:_ROWS]])
    yield from _more(len(problems))


def _seed(one: SeedRecord) -> tuple[str, str, str, str]:
    place = one.name if one.line is None else f"{one.name}:{one.line}"
    if one.state is SeedState.LOADED:
        return place, "warning", "; ".join(one.warnings) or one.reason or "", one.remedy or ""
    return place, one.state.value, one.reason or "", one.remedy or ""


def _captures(status: Status, now: datetime) -> Iterator[Block]:
    if not status.failures:
        return
    yield Line()
    yield Line("Originals that are not archived", "red")
    rows = [_failure(one, now) for one in status.failures[:_ROWS]]
    yield Table(("article", "original", "why", "tries", "next try"), rows, right=frozenset({3}))
    yield from _more(len(status.failures))


def _failure(one: CaptureState, now: datetime) -> tuple[str, str, str, str, str]:
    title = one.title if len(one.title) <= 40 else one.title[:39] + "…"
    if one.next_at is None:
        again = "—"
    else:
        again = (
            "now" if one.next_at <= now else f"in {_roughly((one.next_at - now).total_seconds())}"
        )
    return title, one.url, one.cause or one.outcome or "", str(one.attempts), again


def _numbers(status: Status) -> Iterator[tuple[str, str]]:
    extra = f", {status.withdrawn:,} withdrawn" if status.withdrawn else ""
    yield (
        "articles",
        f"{status.articles:,} in {counted(len(status.topics), 'topic')}{extra}, {counted(status.revisions, 'revision')}",
    )
    verdicts = ", ".join(
        f"{number:,} {verdict}" for verdict, number in status.snapshots.items() if number
    )
    yield "archived", f"{status.archived:,} of {status.articles:,} ({verdicts or 'no snapshots'})"
    yield (
        "waiting",
        f"{status.due:,} due, {status.in_flight:,} in flight, {counted(status.dirty, 'feed')} to write",
    )
    yield (
        "seeds",
        ", ".join(f"{number:,} {state}" for state, number in status.seeds.items() if number)
        or "none",
    )
    base = "" if status.database_size is None else f", database {format_size(status.database_size)}"
    yield (
        "disk",
        f"snapshots {format_size(status.archive_size)}{base}, {format_size(status.disk_free)} free",
    )
    yield "schema", status.schema


def _run(run: Run) -> tuple[str, str, str]:
    if not run.ok:
        return run.job, moment(run.started), f"failed: {run.error}"
    if run.ended is None:
        return run.job, moment(run.started), "running"
    done = ", ".join(
        f"{value} {key}" for key, value in run.summary.items() if value and key != "seconds"
    )
    return run.job, moment(run.started), done or "nothing to do"


def _roughly(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _more(rows: int, command: str = "--json") -> Iterator[Block]:
    if rows > _ROWS:
        yield Line(f"… and {rows - _ROWS:,} more ({command} lists them all)", "dim")
