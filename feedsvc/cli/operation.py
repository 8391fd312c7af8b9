"""The commands that keep a site running: run, daemon, serve, status, doctor."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from feedsvc.cli.failures import CONFIGURATION, OK
from feedsvc.cli.invocation import Invocation, command
from feedsvc.errors import Temporary

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

    from feedsvc.cli.display import Block
    from feedsvc.cli.finding import Check
    from feedsvc.cli.overview import Machine
    from feedsvc.runtime import Runtime
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
def serve(
    invocation: Invocation,
    workers: Annotated[
        int,
        typer.Option("--workers", min=1, max=64, help="Processes that answer; one per core."),
    ] = 1,
    sockets: Annotated[str, typer.Option("--sockets", hidden=True)] = "",
) -> int:
    """Serve what is published, and nothing else; may run beside a daemon."""
    if sockets:
        return _serve_on(invocation, sockets)
    if workers > 1:
        return _serve_with_workers(invocation, workers)
    return _serve(invocation, working=False, serving=True)


def _serve_with_workers(invocation: Invocation, workers: int) -> int:
    from feedsvc.daemon.workers import serve_with_workers
    from feedsvc.web.server import listen

    invocation.start_logging(usual=logging.INFO)
    settings = invocation.settings
    sockets = listen(settings.web.host, settings.web.port)
    options = [*(["--quiet"] if invocation.quiet else []), *["-v"] * invocation.verbose]
    return serve_with_workers(settings.root, sockets, count=workers, options=options)


def _serve_on(invocation: Invocation, numbers: str) -> int:
    """Serve as one of several workers, on sockets of the process that started it."""
    from feedsvc.daemon.workers import end_with_parent, inherited

    try:
        sockets = inherited(numbers)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    end_with_parent()
    return _serve(invocation, working=False, serving=True, sockets=sockets)


def _serve(
    invocation: Invocation,
    *,
    working: bool,
    serving: bool,
    sockets: Sequence[socket.socket] = (),
) -> int:
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
        lambda: load_settings(invocation.root),
        working=working,
        serving=serving,
        announce=announce,
        sockets=sockets,
    )
    return service.run()


@command(app, "status")
def status(
    invocation: Invocation,
    full: Annotated[
        bool, typer.Option("--full", help="All that is wrong and every number, at any length.")
    ] = False,
) -> int:
    """Say on one screen whether all is well: what failed and why, what is stored and due."""
    from feedsvc import jobs
    from feedsvc.cli.display import plain
    from feedsvc.cli.overview import describe_in_full, describe_status, troubles

    with _telling_who_waits(invocation), invocation.runtime() as runtime:
        found, now, machine = jobs.status(runtime), runtime.now(), _machine(runtime)
    min_free = invocation.settings.archive.min_free
    wrong = troubles(found, min_free=min_free, now=now)
    value = {"healthy": not wrong, "troubles": wrong, **plain(machine), **plain(found)}
    describe = describe_in_full if full else describe_status
    invocation.show(value, lambda: describe(found, min_free=min_free, now=now, machine=machine))
    return OK


@contextmanager
def _telling_who_waits(invocation: Invocation) -> Iterator[None]:
    """Say of a fleet whose database is away what its processes do meanwhile."""
    try:
        yield
    except Temporary as error:
        if not invocation.settings.fleet.enabled:
            raise
        raise Temporary(
            f"{error}. Who works is not known while the database is away. Workers wait for it and "
            "go on by themselves; web servers answer with the feeds they have in memory"
        ) from error


def _machine(runtime: Runtime) -> Machine:
    import platform
    import sqlite3

    from feedsvc import __version__
    from feedsvc.cli.overview import Machine
    from feedsvc.jobs.holder import LOCK_FILE, held_by

    base = f"SQLite {sqlite3.sqlite_version}" if runtime.database.is_sqlite else "PostgreSQL"
    return Machine(
        versions=f"feedsvc {__version__}, Python {platform.python_version()}, {base}",
        daemon=held_by(runtime.root / LOCK_FILE),
    )


@command(app, "doctor")
def doctor(invocation: Invocation) -> int:
    """Check whether this machine can run this site; exit code 4 if there is a problem."""
    from feedsvc.cli.doctor import examine
    from feedsvc.cli.finding import Finding

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
