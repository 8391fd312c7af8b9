"""The commands that hand content on and take it in: export, add, import, forget."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from feedsvc.cli.failures import INTERRUPTED, OK, PARTIAL
from feedsvc.cli.invocation import Invocation, command

app = typer.Typer()
export = typer.Typer(
    no_args_is_help=True, help="Hand snapshots on, as WACZ, as WARC or as an index."
)

Target = Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")]
OfArticle = Annotated[
    str | None,
    typer.Option(
        "--article", metavar="ID", help="The snapshots of this article.", show_default=False
    ),
]
OfTopic = Annotated[
    str | None,
    typer.Option(
        "--topic", metavar="SLUG", help="Those of a topic's articles.", show_default=False
    ),
]
Everything = Annotated[bool, typer.Option("--all", help="Every snapshot that counts.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace the file if it is there.")]


@command(app, "add")
def add(
    invocation: Invocation,
    urls: Annotated[
        list[str] | None,
        typer.Argument(metavar="[URL]...", help="Addresses of pages.", show_default=False),
    ] = None,
    lists: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="A list of addresses, bookmarks, OPML, RSS, Atom or JSON Feed; - is stdin.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Fetch and extract, but write nothing.")
    ] = False,
) -> int:
    """Capture pages, and write a seed for each; uses the network."""
    from feedsvc import jobs
    from feedsvc.cli.content import stopping
    from feedsvc.cli.display import plain
    from feedsvc.cli.transfer_reports import describe_add

    wanted = [*(urls or ()), *(url for one in lists or () for url in _read_list(one))]
    if not wanted:
        raise typer.BadParameter("give addresses, or a list of them with --from")
    with invocation.runtime() as runtime, invocation.progress() as tell, stopping() as stop:
        report = jobs.add_urls(runtime, wanted, dry_run=dry_run, progress=tell, stop=stop)
    stopped = stop.is_set()
    invocation.show(
        {"stopped": stopped, **plain(report)}, lambda: describe_add(report, stopped=stopped)
    )
    if stopped:
        return INTERRUPTED
    return PARTIAL if report.partial else OK


def _read_list(name: str) -> list[str]:
    """Return the addresses in a file named on the command line."""
    from feedsvc.errors import SeedRejected
    from feedsvc.ingest.lists import MAX_SIZE, read_list

    try:
        if name == "-":
            content = sys.stdin.buffer.read(MAX_SIZE + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(MAX_SIZE + 1)
        return [one.url for one in read_list(content, name="stdin" if name == "-" else name)]
    except (FileNotFoundError, IsADirectoryError) as error:
        raise typer.BadParameter(f"{name}: {error.strerror}") from error
    except SeedRejected as error:
        raise typer.BadParameter(f"{error}. {error.remedy}") from error


@command(app, "import")
def import_files(
    invocation: Invocation,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="WARC or WACZ files.")],
) -> int:
    """Take captures of our articles out of WARC and WACZ files that others made."""
    from feedsvc import jobs
    from feedsvc.cli.content import stopping
    from feedsvc.cli.display import plain
    from feedsvc.cli.transfer_reports import describe_import

    with invocation.runtime() as runtime, invocation.progress() as tell, stopping() as stop:
        report = jobs.import_archives(runtime, files, progress=tell, stop=stop)
    stopped = stop.is_set()
    invocation.show(
        {"stopped": stopped, **plain(report)}, lambda: describe_import(report, stopped=stopped)
    )
    if stopped:
        return INTERRUPTED
    return PARTIAL if report.partial else OK


@command(app, "forget")
def forget(
    invocation: Invocation,
    article: Annotated[
        str, typer.Argument(metavar="ARTICLE", help="An article's id, seed or URL.")
    ],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit log.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would go, and change nothing.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Let a forgotten article be loaded again.")
    ] = False,
) -> int:
    """Take an article down for good: with its revisions and snapshots, and out of the feeds."""
    from feedsvc import jobs
    from feedsvc.cli.transfer_reports import describe_audit, describe_forget

    who = _who()
    with invocation.runtime() as runtime, invocation.progress() as tell:
        if undo:
            entry = jobs.remember_article(runtime, article, who=who, reason=reason)
            invocation.show(entry, lambda: describe_audit([entry]))
            return OK
        if not yes or dry_run:
            report = jobs.forget_article(runtime, article, who=who, dry_run=True, progress=tell)
            if not dry_run:
                _ask(report.title, report.snapshots)
        if not dry_run:
            report = jobs.forget_article(runtime, article, who=who, reason=reason, progress=tell)
    invocation.show(report, lambda: describe_forget(report))
    return PARTIAL if report.problems else OK


def _ask(title: str, snapshots: int) -> None:
    """Let a person confirm; without one to ask, `--yes` has to be given."""
    from feedsvc.cli.display import counted
    from feedsvc.text import printable

    if not sys.stdin.isatty():
        raise typer.BadParameter("it cannot be taken back: say --yes, or --dry-run to look first")
    typer.confirm(
        f"Forget {printable(title)!r} and its {counted(snapshots, 'snapshot')} for good?",
        abort=True,
        err=True,
    )


def _who() -> str:
    """Return who runs this command, for the audit log."""
    import getpass
    import socket

    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in containers
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


@command(app, "audit")
def audit(invocation: Invocation) -> int:
    """List who forgot what, when and why."""
    from feedsvc import jobs
    from feedsvc.cli.transfer_reports import describe_audit

    with invocation.runtime() as runtime:
        entries = jobs.audit_log(runtime)
    invocation.show({"entries": entries}, lambda: describe_audit(entries))
    return OK


@command(export, "wacz")
def export_wacz(
    invocation: Invocation,
    file: Target,
    article: OfArticle = None,
    topic: OfTopic = None,
    everything: Everything = False,
    replace: Replace = False,
) -> int:
    """Write snapshots with index and pages into one WACZ file, for replayweb.page and others."""
    _choose_one(article, topic, everything)
    return _export(invocation, "wacz", file, article, topic, replace)


@command(export, "warc")
def export_warc(
    invocation: Invocation,
    file: Target,
    article: OfArticle = None,
    topic: OfTopic = None,
    everything: Everything = False,
    replace: Replace = False,
) -> int:
    """Write snapshots into one WARC file, or each into a file of its own if FILE is a folder."""
    _choose_one(article, topic, everything)
    return _export(invocation, "warc", file, article, topic, replace)


@command(export, "cdxj")
def export_cdxj(
    invocation: Invocation,
    file: Target,
    article: OfArticle = None,
    topic: OfTopic = None,
    everything: Everything = False,
    replace: Replace = False,
) -> int:
    """Write a sorted CDXJ index of the snapshots where they lie, for pywb and the like."""
    _choose_one(article, topic, everything)
    return _export(invocation, "cdxj", file, article, topic, replace)


def _choose_one(article: str | None, topic: str | None, everything: bool) -> None:
    if (article is not None) + (topic is not None) + everything != 1:
        raise typer.BadParameter("say what to export: one of --article, --topic and --all")


def _export(
    invocation: Invocation,
    form: str,
    file: Path,
    article: str | None,
    topic: str | None,
    replace: bool,
) -> int:
    from feedsvc import jobs
    from feedsvc.cli.transfer_reports import describe_export

    is_folder = form == "warc" and file.is_dir()
    if file.exists() and not replace and not is_folder:
        raise typer.BadParameter(f"{file} is there already; name another, or say --replace")
    with invocation.runtime() as runtime, invocation.progress() as tell:
        report = jobs.export_archive(
            runtime, form, file, article=article, topic=topic, progress=tell
        )
    invocation.show(report, lambda: describe_export(report))
    return PARTIAL if report.problems else OK
