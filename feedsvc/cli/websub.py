"""The commands about push (WebSub): who subscribed, and telling what changed without a daemon."""

from __future__ import annotations

from urllib.parse import urlsplit

import typer

from feedsvc.cli.failures import INTERRUPTED, OK, PARTIAL
from feedsvc.cli.invocation import Invocation, command

app = typer.Typer(no_args_is_help=True, help="List subscribers, or tell what changed (WebSub).")


@command(app, "list")
def websub_list(invocation: Invocation) -> int:
    """List who subscribed to which feed at our hub, until when, and what failed."""
    from feedsvc import jobs
    from feedsvc.cli.display import plain
    from feedsvc.cli.push_overview import describe_subscriptions

    with invocation.runtime() as runtime:
        found, now = jobs.list_subscriptions(runtime), runtime.now()
    # Whoever knows a callback can speak in our name: its host is enough to tell whose it is.
    shown = [plain(one) | {"callback": urlsplit(one.callback).hostname} for one in found]
    invocation.show({"subscriptions": shown}, lambda: describe_subscriptions(found, now))
    return OK


@command(app, "push")
def websub_push(invocation: Invocation) -> int:
    """Tell hubs and subscribers what changed, and exit; a running daemon does it by itself."""
    from feedsvc import jobs
    from feedsvc.cli.content import stopping
    from feedsvc.cli.push_overview import describe_push

    with invocation.runtime() as runtime, stopping() as stop:
        report = jobs.push_due(runtime, stop=stop)
    invocation.show(report or {}, lambda: describe_push(report))
    if stop.is_set():
        return INTERRUPTED
    return PARTIAL if report is not None and report.partial else OK
