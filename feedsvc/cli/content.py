"""The commands that do the work: ingest, capture, recheck, publish, rebuild, verify, upgrade."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from feedsvc.cli.failures import DAMAGED, INTERRUPTED, OK, PARTIAL
from feedsvc.cli.invocation import Invocation, command

if TYPE_CHECKING:
    from types import FrameType

app = typer.Typer()


@command(app, "ingest")
def ingest(
    invocation: Invocation,
    force: Annotated[
        bool, typer.Option("--force", help="Read every seed, not only changed ones.")
    ] = False,
    accept_deletions: Annotated[
        bool,
        typer.Option(
            "--accept-deletions",
            help="Withdraw the articles of all seeds that are gone, however many.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Tell what would be loaded and withdrawn; change nothing."),
    ] = False,
) -> int:
    """Load new and changed seeds."""
    from feedsvc import jobs
    from feedsvc.cli.display import plain
    from feedsvc.cli.reports import describe_ingest, describe_rehearsal

    with invocation.runtime() as runtime, invocation.progress() as tell:
        if dry_run:
            report, gone = jobs.rehearse_ingest(
                runtime, force=force, accept_deletions=accept_deletions, progress=tell
            )
            value = {**plain(report), "done": False, "would_withdraw": gone}
            invocation.show(value, lambda: describe_rehearsal(report, gone))
            return PARTIAL if report.partial else OK
        report = jobs.ingest_seeds(
            runtime, force=force, accept_deletions=accept_deletions, progress=tell
        )
    value = {**plain(report), "done": True}
    invocation.show(value, lambda: describe_ingest(report))
    return PARTIAL if report.partial else OK


@command(app, "capture")
def capture(
    invocation: Invocation,
    article: Annotated[
        str | None,
        typer.Option(
            "--article", metavar="ID", help="This article now, due or not.", show_default=False
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every article now, due or not.")
    ] = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="Those that failed now, due or not.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, metavar="N", help="At most N captures.", show_default=False),
    ] = None,
) -> int:
    """Archive what is due now, and exit."""
    from feedsvc import jobs
    from feedsvc.cli.display import plain
    from feedsvc.cli.reports import describe_capture

    _exclude(article, everything, failed)
    with invocation.runtime() as runtime, invocation.progress() as tell, stopping() as stop:
        report = jobs.capture_due(
            runtime,
            article=article,
            everything=everything,
            failed=failed,
            limit=limit,
            progress=tell,
            stop=stop,
        )
    counts = {"tried": len(report.attempts), "archived": report.archived}
    stopped = stop.is_set()
    value = {**counts, "stopped": stopped, **plain(report)}
    invocation.show(value, lambda: describe_capture(report, stopped=stopped))
    if stopped:
        return INTERRUPTED
    return PARTIAL if report.partial else OK


@command(app, "recheck")
def recheck(
    invocation: Invocation,
    article: Annotated[
        str | None,
        typer.Option(
            "--article", metavar="ID", help="This article's now, due or not.", show_default=False
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every archived original now, due or not.")
    ] = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="Those whose last look failed now, due or not.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, metavar="N", help="At most N looks.", show_default=False),
    ] = None,
) -> int:
    """Look again at archived originals that are due for it, and exit."""
    from feedsvc import jobs
    from feedsvc.cli.display import plain
    from feedsvc.cli.reports import describe_recheck

    _exclude(article, everything, failed)
    with invocation.runtime() as runtime, invocation.progress() as tell, stopping() as stop:
        report = jobs.recheck_due(
            runtime,
            article=article,
            everything=everything,
            failed=failed,
            limit=limit,
            progress=tell,
            stop=stop,
        )
    counts = {"looked": len(report.attempts), "changed": report.changed}
    stopped = stop.is_set()
    value = {**counts, "stopped": stopped, **plain(report)}
    invocation.show(value, lambda: describe_recheck(report, stopped=stopped))
    if stopped:
        return INTERRUPTED
    return PARTIAL if report.partial else OK


def _exclude(article: str | None, everything: bool, failed: bool) -> None:
    if (article is not None) + everything + failed > 1:
        raise typer.BadParameter("--article, --all and --failed exclude each other")


@command(app, "publish")
def publish(invocation: Invocation) -> int:
    """Write the feeds that changed."""
    from feedsvc import jobs
    from feedsvc.cli.reports import describe_publish

    with invocation.runtime() as runtime, invocation.progress() as tell:
        report = jobs.publish_feeds(runtime, progress=tell)
        jobs.index_articles(runtime, progress=tell)
    invocation.show(report, lambda: describe_publish(report))
    return PARTIAL if report.problems else OK


@command(app, "rebuild")
def rebuild(
    invocation: Invocation,
    capture: Annotated[
        bool, typer.Option("--capture", help="Also archive what is due; uses the network.")
    ] = False,
    topic: Annotated[
        str | None,
        typer.Option(
            "--topic",
            metavar="SLUG",
            help="Regenerate this topic's feeds only.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Load seeds, classify again and regenerate every feed; no network unless --capture."""
    from feedsvc import jobs
    from feedsvc.cli.reports import describe_rebuild

    with invocation.runtime() as runtime, invocation.progress() as tell:
        report = jobs.rebuild(runtime, topic=topic, capture=capture, progress=tell)
        jobs.index_articles(runtime, progress=tell)
    invocation.show(report, lambda: describe_rebuild(report))
    missed = report.capture is not None and report.capture.partial
    return PARTIAL if report.ingest.partial or missed else OK


@command(app, "verify")
def verify(
    invocation: Invocation,
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample",
            min=1,
            metavar="N",
            help="Only N snapshots, chosen at random.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Check every snapshot, feed file and the database against what was recorded."""
    from feedsvc import jobs
    from feedsvc.cli.reports import describe_verify

    with invocation.runtime() as runtime, invocation.progress() as tell:
        report = jobs.verify(runtime, sample=sample, progress=tell)
    invocation.show(report, lambda: describe_verify(report))
    return DAMAGED if report.damage else OK


@command(app, "upgrade")
def upgrade(invocation: Invocation) -> int:
    """Back up an older database, where it is SQLite, and bring it to this release's schema."""
    from feedsvc import jobs
    from feedsvc.cli.display import Line

    invocation.start_logging()
    done = jobs.upgrade(invocation.settings)
    invocation.show({"upgrade": done}, lambda: [Line(done)])
    return OK


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set; a second signal ends the command at once."""
    stop = threading.Event()

    def asked(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
