"""The commands that put a site into one file and make it again: backup, restore."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feedsvc.cli.failures import OK, PARTIAL
from feedsvc.cli.invocation import Invocation, command

if TYPE_CHECKING:
    from feedsvc.cli.display import Block
    from feedsvc.model.backups import BackupReport, RestoreReport

app = typer.Typer()


@command(app, "backup")
def backup(
    invocation: Invocation,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, a plain tar.")],
    index_only: Annotated[
        bool,
        typer.Option(
            "--without-snapshots", help="Only what is known of the snapshots, not their bytes."
        ),
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the file if it is there.")
    ] = False,
) -> int:
    """Put the whole site into one file: database, configuration, seeds and snapshots."""
    from feedsvc import jobs

    if file.exists() and not replace:
        raise typer.BadParameter(f"{file} is there already; name another, or say --replace")
    with invocation.runtime() as runtime, invocation.progress() as tell:
        report = jobs.back_up(
            runtime, file, snapshots="index" if index_only else "bytes", progress=tell
        )
    invocation.show(report, lambda: _describe_backup(report))
    return PARTIAL if report.problems else OK


@command(app, "restore")
def restore(
    invocation: Invocation,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `backup` made.")],
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Let what is there make way; it is kept beside."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the backup, tell what would be written.")
    ] = False,
) -> int:
    """Make the site again from a backup, all of which is checked before anything is written."""
    from feedsvc import jobs
    from feedsvc.daemon.lock import single_instance
    from feedsvc.daemon.service import LOCK_FILE
    from feedsvc.settings import find_root

    invocation.start_logging()
    if dry_run:
        with _as_it_is(invocation.root) as root, invocation.progress() as tell:
            report = jobs.rehearse_restore(root, file, replace=replace, progress=tell)
        invocation.show(report, lambda: _describe_rehearsal(report))
        return PARTIAL if report.kept else OK
    if invocation.root is not None:
        invocation.root.expanduser().mkdir(parents=True, exist_ok=True)
    root = find_root(invocation.root, os.environ)
    with single_instance(root / LOCK_FILE), invocation.progress() as tell:
        report = jobs.restore(root, file, replace=replace, progress=tell)
    invocation.show(report, lambda: _describe_restore(report))
    return PARTIAL if report.missing or report.kept else OK


@contextmanager
def _as_it_is(root: Path | None) -> Iterator[Path]:
    """Yield the folder to restore into; an empty one for one that is still to be made."""
    from tempfile import TemporaryDirectory

    from feedsvc.settings import find_root

    if root is None or root.expanduser().exists():
        yield find_root(root, os.environ)
        return
    with TemporaryDirectory() as empty:
        yield Path(empty)


def _minute(moment: str) -> str:
    """Return an ISO 8601 moment in UTC for a person."""
    return f"{moment[:16].replace('T', ' ')} UTC"


def _describe_backup(report: BackupReport) -> Iterator[Block]:
    from feedsvc.cli.display import Line, counted

    yield Line(
        f"{report.file}: {counted(report.articles, 'article')}, "
        f"{counted(report.snapshots, 'snapshot')}, {counted(report.files, 'file')} of configuration "
        f"and seeds, {report.size / 1e6:.1f} MB in {report.seconds:.1f} s",
        "green",
    )
    yield from (Line(problem, "yellow") for problem in report.problems)


def _describe_restore(report: RestoreReport) -> Iterator[Block]:
    from feedsvc.cli.display import Line, counted

    yield Line(
        f"restored what was backed up on {_minute(report.created)}: {counted(report.articles, 'article')}, "
        f"{counted(report.snapshots, 'snapshot')} written, {report.present} there already, "
        f"{counted(len(report.written), 'file')} of configuration and seeds",
        "green",
    )
    if report.before:
        yield Line(f"the database as it was before: {report.before}")
    yield from (Line(f"kept as it is, though it differs: {name}", "yellow") for name in report.kept)
    if report.missing:
        yield Line(
            f"{counted(report.missing, 'snapshot')} without bytes: copy them into archive.store "
            "from where they are, or `feedsvc capture --all` captures again",
            "yellow",
        )
    yield Line("`feedsvc publish` writes the feeds, `feedsvc verify` checks everything.")


def _describe_rehearsal(report: RestoreReport) -> Iterator[Block]:
    from feedsvc.cli.display import Line, counted

    yield Line(
        f"the backup of {_minute(report.created)} is whole: {counted(report.articles, 'article')}; "
        f"{counted(report.snapshots, 'snapshot')} would be written, {report.present} are there",
        "green",
    )
    yield from (Line(f"would be written: {name}") for name in report.written)
    yield from (Line(f"would be kept, though it differs: {name}", "yellow") for name in report.kept)
    yield Line("Nothing was changed.", "dim")
