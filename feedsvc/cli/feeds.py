"""The commands about feeds: list, share, shares, unshare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from feedsvc.cli.failures import OK
from feedsvc.cli.invocation import Invocation, command, group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feedsvc.jobs.shares import SharedFeed

app = typer.Typer()


@group(app)
def feeds(invocation: Invocation) -> int:
    """List the feeds there are, or give one a private address."""
    return _list(invocation)


@command(app, "list")
def feeds_list(invocation: Invocation) -> int:
    """List the feeds there are, with their number of articles and their addresses."""
    return _list(invocation)


def _list(invocation: Invocation) -> int:
    from feedsvc import jobs
    from feedsvc.cli.display import Table

    with invocation.runtime() as runtime:
        found = jobs.list_feeds(runtime)
    rows = [
        (one.slug, one.kind.value, f"{one.articles:,}", f"{one.shares:,}", one.url or "private")
        for one in found
    ]
    heads = ("feed", "kind", "articles", "shares", "address")
    invocation.show({"feeds": found}, lambda: [Table(heads, rows, right=frozenset({2, 3}))])
    return OK


@command(app, "share")
def feeds_share(
    invocation: Invocation,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A feed, as `feedsvc feeds` lists it.")
    ],
) -> int:
    """Publish a feed under a new address that nobody can guess; whoever has it may read it."""
    from feedsvc import jobs

    with invocation.runtime() as runtime:
        _show(invocation, [jobs.share_feed(runtime, name)])
    return OK


@command(app, "shares")
def feeds_shares(invocation: Invocation) -> int:
    """List private addresses of feeds. What this prints is secret."""
    from feedsvc import jobs

    with invocation.runtime() as runtime:
        _show(invocation, jobs.shared_feeds(runtime))
    return OK


@command(app, "unshare")
def feeds_unshare(
    invocation: Invocation,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A private address, or a feed: all it has.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell which would go, and change nothing.")
    ] = False,
) -> int:
    """Take private addresses back: they lead nowhere from then on."""
    from feedsvc import jobs
    from feedsvc.cli.display import Line, counted

    with invocation.runtime() as runtime:
        gone = (jobs.find_shares if dry_run else jobs.unshare_feed)(runtime, name)
    verb = "would be taken back" if dry_run else "taken back"
    value = {
        "unshared": [{"name": one.name, "created": one.created} for one in gone],
        "done": not dry_run,
    }
    invocation.show(value, lambda: [Line(f"{counted(len(gone), 'share')} {verb}")])
    return OK


def _show(invocation: Invocation, shares: Sequence[SharedFeed]) -> None:
    from feedsvc.cli.display import Table, moment

    rows = [(one.name, one.url, moment(one.created)) for one in shares]
    invocation.show({"shares": shares}, lambda: [Table(("feed", "private address", "since"), rows)])
