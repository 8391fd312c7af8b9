"""The command of a fleet: worker."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from feedsvc.cli.failures import OK
from feedsvc.cli.invocation import Invocation, command

app = typer.Typer()


@command(app, "worker")
def worker(
    invocation: Invocation,
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            min=1,
            max=256,
            help="Hosts captured at a time (default: fleet.concurrency).",
            show_default=False,
        ),
    ] = None,
    queues: Annotated[
        str,
        typer.Option("--queues", help="What to take tasks from besides control: hosts, feeds."),
    ] = "hosts,feeds",
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="After a move: bind this database to these stores, and end."),
    ] = False,
    dissolve: Annotated[
        bool,
        typer.Option("--dissolve", help="Let one process alone use this database again, and end."),
    ] = False,
) -> int:
    """Do a share of a fleet's work; may run on any number of machines, any number of times."""
    if adopt and dissolve:
        raise typer.BadParameter("--adopt and --dissolve exclude each other")
    from feedsvc.runtime import require_fleet

    invocation.start_logging(usual=logging.INFO)
    # Before anything of the extra is imported.
    require_fleet(invocation.settings)
    if adopt or dissolve:
        return _bind(invocation, adopt=adopt)
    names = [name.strip() for name in queues.split(",") if name.strip()]
    return _worker(invocation, concurrency, names)


def _worker(invocation: Invocation, concurrency: int | None, queues: list[str]) -> int:
    from feedsvc.fleet.worker import FleetWorker

    return FleetWorker(invocation.settings, concurrency=concurrency, queues=queues).run()


def _bind(invocation: Invocation, *, adopt: bool) -> int:
    from feedsvc.jobs.identity import adopt_fleet, dissolve_fleet
    from feedsvc.runtime import open_runtime

    with open_runtime(invocation.settings) as runtime:
        (adopt_fleet if adopt else dissolve_fleet)(runtime)
    return OK
