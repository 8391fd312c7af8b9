"""The command line: parse, call one job, show its report.

Nothing heavier than typer is imported before a command runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, cast

import typer

from feedsvc import __version__
from feedsvc.cli import (
    backup,
    content,
    feeds,
    fleet,
    migrate,
    operation,
    search,
    site,
    topics,
    transfer,
    websub,
)
from feedsvc.cli.failures import INTERRUPTED, OK, USAGE, usage
from feedsvc.cli.invocation import Invocation, group
from feedsvc.text import did_you_mean

app = typer.Typer(
    name="feedsvc",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (content, search, transfer, backup, migrate, operation, fleet, site):
    app.registered_commands += part.app.registered_commands
app.add_typer(topics.app, name="topics")
app.add_typer(feeds.app, name="feeds")
app.add_typer(transfer.export, name="export")
app.add_typer(websub.app, name="websub")
app.add_typer(site.config, name="config")

# What typer raises for a misspelt command line; typer before 0.26 takes it from click.
_UsageError = cast("type[Exception]", typer.BadParameter.__bases__[0])


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"feedsvc {__version__}")
        raise typer.Exit


@group(app)
def feedsvc(
    invocation: Invocation,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """A feed publisher whose articles never rot.

    Plain files in, RSS and Atom by topic out, every original archived.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code of DESIGN.md."""
    try:
        code = app(
            args=list(sys.argv[1:] if arguments is None else arguments),
            prog_name="feedsvc",
            standalone_mode=False,
        )
    except typer.Abort:
        return INTERRUPTED
    except _UsageError as error:
        return _misused(error)
    return code if isinstance(code, int) else OK


def _misused(error: Exception) -> int:
    """Say what is wrong with a command line; one that names no command gets the help."""
    message = cast("str", error.format_message())  # type: ignore[attr-defined]  # typer vendors click without types
    context = getattr(error, "ctx", None)
    if message.startswith("Usage:"):
        typer.echo(message, err=True)
        return USAGE
    path = context.command_path if context is not None else "feedsvc"
    if type(error).__name__ == "NoSuchOption":
        option = cast("str", error.option_name)  # type: ignore[attr-defined]  # as above
        known = [name for one in context.command.params for name in one.opts] if context else []
        message = (
            f"There is no option {option}. {did_you_mean(option, known).capitalize()}".rstrip()
        )
    return usage(message, hint=f"`{path} --help` shows how it is used.")
