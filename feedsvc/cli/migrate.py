"""The command that moves a site between one machine and a fleet: migrate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from feedsvc.cli.failures import DAMAGED, OK, PARTIAL
from feedsvc.cli.invocation import Invocation, command

if TYPE_CHECKING:
    from feedsvc.cli.display import Block
    from feedsvc.model.moving import MoveReport

app = typer.Typer()


@command(app, "migrate")
def migrate(
    invocation: Invocation,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="The database to move to, empty.")],
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="PLACE",
            help="Where snapshots go: s3://bucket/prefix or a folder.",
            show_default=False,
        ),
    ] = None,
    feeds: Annotated[
        str | None,
        typer.Option(
            "--feeds",
            metavar="PLACE",
            help="Where feeds go: s3://bucket/prefix or a folder.",
            show_default=False,
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Compare the size of snapshots, not their digests.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be moved, and move nothing.")
    ] = False,
) -> int:
    """Move the site to another database and store, from one machine to a fleet or back."""
    from feedsvc import jobs
    from feedsvc.daemon.lock import single_instance
    from feedsvc.jobs.holder import LOCK_FILE
    from feedsvc.settings import find_root

    invocation.start_logging()
    settings = invocation.settings
    if dry_run:
        report = jobs.rehearse_migration(settings, to=to, store=store, feeds=feeds)
        invocation.show(report, lambda: _describe_rehearsal(report))
        return OK
    root = find_root(invocation.root, os.environ)
    with single_instance(root / LOCK_FILE), invocation.progress() as tell:
        report = jobs.migrate(settings, to=to, store=store, feeds=feeds, quick=quick, progress=tell)
    invocation.show(report, lambda: _describe(report))
    if report.differences:
        return DAMAGED
    return PARTIAL if report.problems else OK


def _describe(report: MoveReport) -> Iterator[Block]:
    from feedsvc.cli.display import Line, counted

    whole = "" if report.differences else ", each compared"
    again = " Gone on with a move begun before." if report.resumed else ""
    yield Line(
        f"{counted(report.rows, 'row')} and {counted(report.snapshots, 'snapshot')} are at "
        f"{report.target.database} and {report.target.store}{whole}: {report.copied:,} rows and "
        f"{counted(report.sent, 'snapshot')} ({report.sent_size / 1e6:.1f} MB) moved now, in "
        f"{report.seconds:.1f} s.{again}",
        "yellow" if report.differences else "green",
    )
    if report.feeds:
        yield Line(f"{counted(report.feeds, 'document')} of feeds are at {report.target.feeds}.")
    yield from (Line(one, "yellow") for one in report.problems)
    yield from (Line(one, "red") for one in report.differences)
    if report.differences:
        yield Line("The site is not moved: go on with it where it was.", "red")
        return
    yield from _describe_steps(report)


def _describe_rehearsal(report: MoveReport) -> Iterator[Block]:
    from feedsvc.cli.display import Line, counted

    yield Line(
        f"{counted(report.rows, 'row')} would be copied to {report.target.database}, and "
        f"{counted(report.sent, 'snapshot')} ({report.sent_size / 1e6:.1f} MB) to "
        f"{report.target.store}; what is there already is not sent again.",
        "green",
    )
    yield Line("Nothing was changed.", "dim")


def _describe_steps(report: MoveReport) -> Iterator[Block]:
    """Say what a person has to do now."""
    from feedsvc.cli.display import Line, Table

    fleet = not report.target.database.startswith("sqlite")
    yield Line("Now change these settings, on every machine:" if fleet else "Now change these:")
    yield Table(
        ("setting", "value", "now in"),
        [
            (one.key, one.value if one.key == "fleet.enabled" else f'"{one.value}"', one.where)
            for one in report.steps
        ],
    )
    if "***" in report.target.database:
        yield Line("The password, *** above, goes with the database's address.")
    if report.adopt:
        yield Line("What stays is marked as the fleet's before: run `feedsvc worker --adopt` once.")
    yield Line(
        "Then start `feedsvc worker` on as many machines as you like, and `feedsvc serve` on as many."
        if fleet
        else "Then start `feedsvc run`, and no worker any more."
    )
    if fleet and "://" not in report.target.feeds:
        yield Line(
            f"feeds.dir is {report.target.feeds}: name a folder that all machines share, or s3://…"
        )
    if fleet:
        yield Line("Seeds stay where they are: seeds.paths has to be within reach of all workers.")
    yield Line("Feeds keep their addresses and entries their ids as long as site.base_url stays.")
    yield Line(f"The site at {report.source.database} is as it was; keep it until all is well.")
