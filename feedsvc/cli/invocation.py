"""What every command shares: the options before and after its name, settings, logs, errors."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from feedsvc.cli.failures import guarded

if TYPE_CHECKING:
    from feedsvc.cli.display import Block
    from feedsvc.model import Progress
    from feedsvc.runtime import Runtime
    from feedsvc.settings import Settings

Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="DIR",
        help="The site's folder (default: FEEDSVC_ROOT, else the current folder).",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        help="Log more; twice: everything, and tracebacks.",
        show_default=False,
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress, and only errors in the log.")
]

_SHARED = {
    "root": (Root, None),
    "as_json": (Json, False),
    "verbose": (Verbose, 0),
    "quiet": (Quiet, False),
}


@dataclass(frozen=True)
class Invocation:
    """One call of a command: what it was told besides its own arguments."""

    root: Path | None = None
    as_json: bool = False
    verbose: int = 0
    quiet: bool = False

    def with_options(self, **given: Any) -> Invocation:
        """Return this call with options given after the command's name; those win."""
        return Invocation(**{name: given[name] or getattr(self, name) for name in _SHARED})

    @cached_property
    def settings(self) -> Settings:
        """The site's settings; ConfigurationError lists every mistake."""
        from feedsvc.settings import load_settings

        return load_settings(self.root)

    def start_logging(self, *, usual: int = logging.ERROR) -> None:
        """Send logs to stderr; one-off commands show their report instead of warnings."""
        from feedsvc.logs import configure

        level = (
            max(logging.DEBUG, min(usual, logging.WARNING) - 10 * self.verbose)
            if self.verbose
            else usual
        )
        configure(logging.ERROR if self.quiet else level)

    def show(self, value: object, blocks: Callable[[], Iterable[Block]]) -> None:
        """Write a report to stdout: ``value`` as JSON if that was asked for, else the blocks."""
        from feedsvc.cli.display import show

        show(value, blocks, as_json=self.as_json)

    def progress(self) -> AbstractContextManager[Progress]:
        """Show how far a job is, on stderr, if that is a terminal and nobody asked for quiet."""
        from feedsvc.cli.display import progress

        return progress(quiet=self.quiet)

    @contextmanager
    def runtime(self) -> Iterator[Runtime]:
        """Open the site for one command."""
        from feedsvc.runtime import open_runtime

        self.start_logging()
        with open_runtime(self.settings) as runtime:
            yield runtime


def command(
    app: typer.Typer, name: str, **options: Any
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Register a function as a command that also takes the shared options.

    The function gets the Invocation first, then its own arguments; it returns the exit code, None
    for 0. Whatever it raises becomes one line on stderr and the exit code of DESIGN.md.
    """

    def register(function: Callable[..., int | None]) -> Callable[..., int | None]:
        def run(context: typer.Context, **given: Any) -> None:
            shared = {key: given.pop(key) for key in _SHARED}
            invocation = (context.obj or Invocation()).with_options(**shared)
            raise typer.Exit(guarded(invocation, lambda: function(invocation, **given)))

        _present_as(run, function)
        app.command(name, help=function.__doc__, **options)(run)
        return function

    return register


def group(
    app: typer.Typer, **options: Any
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Register a function as what a group does when no command of it is named."""

    def register(function: Callable[..., int | None]) -> Callable[..., int | None]:
        def run(context: typer.Context, **given: Any) -> None:
            shared = {key: given.pop(key) for key in _SHARED}
            context.obj = invocation = (context.obj or Invocation()).with_options(**shared)
            if context.invoked_subcommand is None:
                raise typer.Exit(guarded(invocation, lambda: function(invocation, **given)))

        _present_as(run, function)
        app.callback(invoke_without_command=True, help=function.__doc__, **options)(run)
        return function

    return register


def _present_as(run: Callable[..., None], function: Callable[..., int | None]) -> None:
    """Give ``run`` the parameters of ``function`` and the shared ones, for typer to read."""
    hints = get_type_hints(function, include_extras=True)
    own = list(inspect.signature(function).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(
            "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
        ),
        *(parameter.replace(kind=keyword, annotation=hints[parameter.name]) for parameter in own),
        *(
            inspect.Parameter(name, keyword, default=default, annotation=kind)
            for name, (kind, default) in _SHARED.items()
        ),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # a function may be given a signature
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__name__ = function.__name__
