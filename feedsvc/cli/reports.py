"""Reports of jobs in words. Pure: a report in, lines and tables out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from feedsvc.cli.display import Block, Line, Table, counted, moment
from feedsvc.model import (
    Attempt,
    CaptureReport,
    IngestReport,
    Outcome,
    PublishReport,
    RebuildReport,
    RecheckReport,
    SeedProblem,
    VerifyReport,
)
from feedsvc.settings import format_size

NO_FOLDER = "make it, mount its disk or correct seeds.paths; until then nothing is withdrawn"
MOST = 20
"""Rows of one table; `--json` has them all."""


def describe_ingest(report: IngestReport) -> Iterator[Block]:
    """Say what loading did, what is wrong first."""
    for name in report.absent:
        yield Line(
            f"{name}: the folder is not there, or may not be looked into: {NO_FOLDER}", "red"
        )
    yield from problem_table(report.problems, title="Not loaded", style="red")
    yield from problem_table(report.warnings, title="Loaded, but look at these", style="yellow")
    if report.held:
        yield Line(
            f"{counted(report.held, 'seed')} gone from disk, their articles stay: is a disk missing? "
            "If they were deleted on purpose, run `feedsvc ingest --accept-deletions`.",
            "yellow",
        )
    total = report.new + report.modified + report.unmodified + report.moved + report.returned
    parts = _parts(
        report, "new", "modified", "unmodified", "moved", "withdrawn", "returned", "failed", "busy"
    )
    yield Line(
        f"{counted(total, 'seed')} in {report.seconds:.1f} s: {', '.join(parts) or 'nothing to load'}"
    )


def describe_rehearsal(report: IngestReport, gone: Sequence[str]) -> Iterator[Block]:
    """Say what loading would do."""
    if gone:
        yield Line("Would be withdrawn", "yellow")
        yield from (Line(f"  {name}") for name in gone[:MOST])
        yield from more(gone)
        yield Line()
    yield from describe_ingest(report)
    yield Line("Nothing was changed.", "dim")


def describe_capture(report: CaptureReport, *, stopped: bool = False) -> Iterator[Block]:
    """Say what was archived, what was not and why first."""
    missed = [
        one for one in report.attempts if one.outcome not in {Outcome.VERIFIED, Outcome.PARTIAL}
    ]
    if missed:
        yield Line("Not archived", "red")
        rows = [(one.url, _cause(one), moment(one.next_at)) for one in missed[:MOST]]
        yield Table(("original", "why", "next try"), rows)
        yield from more(missed)
        yield Line()
    if stopped:
        yield Line("Stopped: what was in flight is due again.", "yellow")
    if not report.attempts:
        yield from () if stopped else (Line("Nothing was due."),)
        return
    rate = len(report.attempts) / report.seconds if report.seconds else 0.0
    yield Line(
        f"{report.archived} of {counted(len(report.attempts), 'article')} archived in {report.seconds:.1f} s, "
        f"{format_size(report.size)} received, {rate:.1f} per second"
    )


def describe_recheck(report: RecheckReport, *, stopped: bool = False) -> Iterator[Block]:
    """Say which originals are not as they were, and which could not be looked at."""
    for title, style, outcomes in _FOUND:
        found = [one for one in report.attempts if one.outcome in outcomes]
        if not found:
            continue
        yield Line(title, style)
        rows = [
            (one.url, one.outcome.value, one.cause, moment(one.next_at)) for one in found[:MOST]
        ]
        yield Table(("original", "what", "why", "next look"), rows)
        yield from more(found)
        yield Line()
    if stopped:
        yield Line("Stopped: what was in flight is due again.", "yellow")
    if not report.attempts:
        yield from () if stopped else (Line("Nothing was due."),)
        return
    parts = [f"{report.count(one):,} {one}" for one in Outcome if report.count(one)]
    yield Line(
        f"{counted(len(report.attempts), 'original')} looked at in {report.seconds:.1f} s, "
        f"{format_size(report.size)} received: {', '.join(parts)}"
    )


_FOUND = (
    ("Not found out, tried again", "red", {Outcome.FAILED, Outcome.REFUSED, Outcome.MISMATCH}),
    (
        "Not as they were",
        "yellow",
        {Outcome.CHANGED, Outcome.REDIRECTED, Outcome.BLOCKED, Outcome.MISSING},
    ),
)


def describe_publish(report: PublishReport) -> Iterator[Block]:
    """Say which feeds were written."""
    if report.problems:
        yield Line("Left out of the feeds", "red")
        yield from (Line(f"  {problem}") for problem in report.problems[:MOST])
        yield from more(report.problems)
    parts = _parts(report, "written", "unchanged", "removed")
    parts += [f"{counted(report.resorted, 'article')} sorted again"] if report.resorted else []
    yield Line(
        f"{counted(report.topics, 'topic')} in {report.seconds:.1f} s: {', '.join(parts) or 'nothing to write'}"
    )


def describe_rebuild(report: RebuildReport) -> Iterator[Block]:
    """Say what a rebuild did, in the order it did it."""
    yield from describe_ingest(report.ingest)
    if report.capture is not None:
        yield from describe_capture(report.capture)
    rows = [
        ("articles", f"{report.articles:,}"),
        ("topics", f"{report.topics:,}"),
        ("files written", f"{report.written:,}"),
        ("files unchanged", f"{report.unchanged:,}"),
        ("files removed", f"{report.removed:,}"),
        ("seconds", f"{report.seconds:.2f}"),
    ]
    yield Table((), rows, right=frozenset({1}))


def describe_verify(report: VerifyReport) -> Iterator[Block]:
    """Say what is damaged, and what was looked at."""
    if report.damage:
        yield Line("Damaged", "red")
        rows = [
            (one.what, one.name, one.problem, one.title or one.article_id or "", one.remedy)
            for one in report.damage[:MOST]
        ]
        yield Table(("what", "name", "problem", "article", "what to do"), rows)
        yield from more(report.damage)
        yield Line()
    found = f"{len(report.damage)} damaged" if report.damage else "all as recorded"
    yield Line(
        f"{counted(report.snapshots, 'snapshot')} and {counted(report.feeds, 'feed file')} "
        f"({format_size(report.size)}) in {report.seconds:.1f} s: {found}",
        "" if report.damage else "green",
    )


def problem_table(problems: Sequence[SeedProblem], *, title: str, style: str) -> Iterator[Block]:
    """List seeds that need a person."""
    if not problems:
        return
    yield Line(title, style)
    rows = [(_place(one), one.reason, one.remedy) for one in problems[:MOST]]
    yield Table(("seed", "why", "what to do"), rows)
    yield from more(problems)
    yield Line()


def more(rows: Sequence[object]) -> Iterator[Block]:
    """Say how many rows are not shown."""
    if len(rows) > MOST:
        yield Line(f"… and {len(rows) - MOST:,} more (--json lists them all)", "dim")


def _parts(report: object, *names: str) -> list[str]:
    numbers: Iterable[tuple[str, int]] = ((name, getattr(report, name)) for name in names)
    return [f"{number:,} {name}" for name, number in numbers if number]


def _place(problem: SeedProblem) -> str:
    return problem.seed if problem.line is None else f"{problem.seed}:{problem.line}"


def _cause(attempt: Attempt) -> str:
    return attempt.cause or attempt.outcome.value
