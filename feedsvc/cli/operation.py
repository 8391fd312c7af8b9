"""The commands that keep a site running: run, daemon, serve, status, doctor."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import typer

from feedsvc.cli.failures import CONFIGURATION, OK
from feedsvc.cli.invocation import Invocation, command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from feedsvc.cli.display import Block
    from feedsvc.cli.doctor import Check
    from feedsvc.settings import Settings

app = typer.Typer()

_STYLES = {"ok": "green", "warning": "yellow", "problem": "red"}


@command(app, "run")
def run(invocation: Invocation) -> int:
    """Load, publish, archive and serve: scheduler and web server in one process."""
    return _serve(invocation, working=True, serving=True)


@command(app, "daemon")
def daemon(invocation: Invocation) -> int:
    """Load, publish and archive by schedule, without a web server."""
    return _serve(invocation, working=True, serving=False)


@command(app, "serve")
def serve(invocation: Invocation) -> int:
    """Serve what is published, and nothing else; may run beside a daemon."""
    return _serve(invocation, working=False, serving=True)


def _serve(invocation: Invocation, *, working: bool, serving: bool) -> int:
    from feedsvc.daemon import Service
    from feedsvc.settings import load_settings

    invocation.start_logging(usual=logging.INFO)

    def announce(settings: Settings) -> None:
        if serving and sys.stderr.isatty() and not invocation.quiet:
            address = settings.site.base_url
            typer.echo(f"\nfeedsvc is at {address}/", err=True)
            typer.echo(f"Subscribe in your feed reader: {address}/feeds/all.atom", err=True)
            typer.echo("Ctrl-C ends it.\n", err=True)

    service = Service(
        lambda: load_settings(invocation.root), working=working, serving=serving, announce=announce
    )
    return service.run()


@command(app, "status")
def status(invocation: Invocation) -> int:
    """Say whether all is well: what failed and why, what is stored and due, last runs, disk."""
    from feedsvc import jobs
    from feedsvc.cli.display import plain
    from feedsvc.cli.overview import describe_status, troubles

    with invocation.runtime() as runtime:
        found, now = jobs.status(runtime), runtime.now()
    min_free = invocation.settings.archive.min_free
    wrong = troubles(found, min_free=min_free)
    value = {"healthy": not wrong, "troubles": wrong, **plain(found)}
    invocation.show(value, lambda: describe_status(found, min_free=min_free, now=now))
    return OK


@command(app, "doctor")
def doctor(invocation: Invocation) -> int:
    """Check whether this machine can run this site; exit code 4 if there is a problem."""
    from feedsvc.cli.doctor import Finding, examine

    invocation.start_logging(usual=logging.CRITICAL)
    checks = list(examine(lambda: invocation.settings))
    problems = sum(check.finding is Finding.PROBLEM for check in checks)
    invocation.show({"ok": not problems, "checks": checks}, lambda: _describe(checks, problems))
    return CONFIGURATION if problems else OK


def _describe(checks: Sequence[Check], problems: int) -> Iterator[Block]:
    from feedsvc.cli.display import Line, Table, counted

    yield Table((), [(one.finding.value, one.name, one.detail) for one in checks])
    for one in checks:
        if one.remedy:
            yield Line(f"{one.name}: {one.remedy}", _STYLES[one.finding])
    yield Line(
        counted(problems, "problem") if problems else "no problem", "red" if problems else "green"
    )
