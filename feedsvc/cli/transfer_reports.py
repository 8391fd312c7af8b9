"""Reports of exports, additions, imports and takedowns in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from feedsvc.cli.display import Block, Line, Table, counted, moment
from feedsvc.cli.reports import MOST, more
from feedsvc.model import AddReport, AuditEntry, ExportReport, ForgetReport, ImportReport, Taken
from feedsvc.settings import format_size


def describe_export(report: ExportReport) -> Iterator[Block]:
    """Say what was written, what was left out first."""
    if report.problems:
        yield Line("Not exported", "red")
        yield from (Line(f"  {problem}") for problem in report.problems[:MOST])
        yield from more(report.problems)
    yield Line(
        f"{report.file}: {counted(report.snapshots, 'snapshot')}, "
        f"{counted(report.records, 'record')}, {format_size(report.size)} in {report.seconds:.1f} s",
        "" if report.problems else "green",
    )


def describe_add(report: AddReport, *, stopped: bool = False) -> Iterator[Block]:
    """Say which seeds were written, and why others were not."""
    failed = [one for one in report.additions if one.outcome is Taken.FAILED]
    if failed:
        yield Line("Not added", "red")
        yield Table(("address", "why"), [(one.url, one.cause) for one in failed[:MOST]])
        yield from more(failed)
        yield Line()
    if known := [one for one in report.additions if one.outcome is Taken.DUPLICATE]:
        yield Line("There already", "yellow")
        yield Table(("address", "where"), [(one.url, one.cause) for one in known[:MOST]])
        yield from more(known)
        yield Line()
    for one in [one for one in report.additions if one.outcome is Taken.NEW][:MOST]:
        yield Line(f"--- {one.seed}", "dim")
        yield from (Line(line) for line in one.text.splitlines())
    if added := [one for one in report.additions if one.outcome is Taken.ADDED]:
        rows = [(one.seed, one.title, one.verdict or "capture due") for one in added[:MOST]]
        yield Table(("seed", "title", "snapshot"), rows)
        yield from more(added)
    if stopped:
        yield Line("Stopped: the rest was not looked at.", "yellow")
    counts = [(one.value, report.count(one)) for one in Taken]
    parts = [f"{number:,} {name}" for name, number in counts if number]
    total = counted(len(report.additions), "URL")
    yield Line(f"{total} in {report.seconds:.1f} s: {', '.join(parts) or 'nothing to add'}")


def describe_import(report: ImportReport, *, stopped: bool = False) -> Iterator[Block]:
    """Say what was attached, what could not be taken in first."""
    if report.problems:
        yield Line("Not taken in", "red")
        yield from (Line(f"  {problem}") for problem in report.problems[:MOST])
        yield from more(report.problems)
        yield Line()
    if stopped:
        yield Line("Stopped: run it again for the rest.", "yellow")
    rows = [
        ("attached", f"{report.attached:,}", "captures are snapshots of our articles now"),
        ("known", f"{report.known:,}", "were here already"),
        ("mismatch", f"{report.mismatch:,}", "do not show the article of their address"),
        ("unresolved", f"{report.unresolved:,}", "need a record that is in none of the files"),
        ("damaged", f"{report.damaged:,}", "places could not be read, or have a wrong digest"),
        ("unknown", f"{report.unknown:,}", "pages belong to no article of ours"),
    ]
    yield Table((), rows, right=frozenset({1}))
    yield Line(
        f"{counted(report.files, 'file')}, {counted(report.records, 'record')} "
        f"in {report.seconds:.1f} s"
    )


def describe_forget(report: ForgetReport) -> Iterator[Block]:
    """Say what is gone, or would go, and what is left to a person."""
    verb = "Forgotten" if report.done else "Would be forgotten"
    yield Line(f"{verb}: {report.title}", "green" if report.done else "yellow")
    yield Line(
        f"{counted(report.revisions, 'revision')}, {counted(report.snapshots, 'snapshot')} "
        f"({format_size(report.size)}); {counted(report.rehomed, 'snapshot')} of others rewritten"
    )
    for problem in report.problems:
        yield Line(problem, "red")
    if report.seed_exists:
        yield Line(f"Delete the file {report.seed} yourself; it is not loaded any more.", "yellow")
    if report.done:
        yield Line("Backups of the database still hold it.", "dim")


def describe_audit(entries: Sequence[AuditEntry]) -> Iterator[Block]:
    """List entries of the audit log."""
    if not entries:
        yield Line("Nothing is in the audit log yet.")
        return
    rows = [(moment(one.at), one.who, one.action, one.subject, one.reason) for one in entries]
    yield Table(("when", "who", "what", "article", "why"), rows)
