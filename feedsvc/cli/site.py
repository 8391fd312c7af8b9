"""The commands about a site itself: init, config show, config check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feedsvc.cli.failures import OK
from feedsvc.cli.invocation import Invocation, command

if TYPE_CHECKING:
    from feedsvc.cli.display import Block

app = typer.Typer()
config = typer.Typer(no_args_is_help=True, help="Show the effective settings, or check them.")


@command(app, "init")
def init(
    invocation: Invocation,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]", help="The new site's folder, made if needed.", show_default=False
        ),
    ] = None,
) -> int:
    """Make a new site: config/, seeds/ with one sample, feeds/. Overwrites nothing."""
    root = (folder or invocation.root or Path()).expanduser()
    made, kept = create_site(root)
    value = {"root": root.resolve(), "made": made, "kept": kept}
    invocation.show(value, lambda: _describe_init(root, made, kept))
    return OK


def create_site(root: Path) -> tuple[list[str], list[str]]:
    """Write the files of a new site; return what was made and what was there already.

    Raises ConfigurationError if no site can be made there.
    """
    from feedsvc.errors import ConfigurationError

    try:
        return _write_site(root)
    except (FileExistsError, NotADirectoryError, FileNotFoundError) as error:
        # A file where a folder has to be; a file system that takes no folders, such as /proc.
        raise ConfigurationError(
            f"{error.filename or root}: no site can be made there ({error.strerror}); name a "
            "folder, which is made if it is not there"
        ) from error


def _write_site(root: Path) -> tuple[list[str], list[str]]:
    from importlib.resources import files

    from feedsvc.classify import default_vocabulary

    package = files("feedsvc.cli")
    contents = {
        "config/feedsvc.toml": (package / "feedsvc.toml").read_text(encoding="utf-8"),
        "config/topics.toml": default_vocabulary(),
    }
    if not (root / "seeds").is_dir() or not any((root / "seeds").iterdir()):
        contents["seeds/welcome.md"] = (package / "welcome.md").read_text(encoding="utf-8")
    made, kept = [], []
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
            made.append(name)
        except FileExistsError:
            kept.append(name)
    (root / "feeds").mkdir(exist_ok=True)
    return made, kept


def _describe_init(root: Path, made: list[str], kept: list[str]) -> Iterator[Block]:
    from feedsvc.cli.display import Line, Table

    yield from (Line(f"made {root / name}", "green") for name in made)
    yield from (Line(f"kept {root / name}", "dim") for name in kept)
    where = "" if root.resolve() == Path.cwd() else f" --root {root}"
    yield Line()
    yield Line("Next:")
    yield Table(
        (),
        [
            (
                f"  feedsvc{where} run",
                "publish, archive and serve; it prints a feed to subscribe to",
            ),
            (
                f"  put articles into {root / 'seeds'}",
                "the sample there shows how they are written",
            ),
            (f"  edit {root / 'config/feedsvc.toml'}", "name and public address of the site"),
        ],
    )


@command(config, "show")
def config_show(invocation: Invocation) -> int:
    """Print every setting's effective value and where it comes from; passwords hidden."""
    from feedsvc.cli.display import Line, Table

    settings = invocation.settings
    effective = settings.effective()
    value = {
        "root": settings.root,
        "settings": {
            key: {"value": one, "origin": settings.origins[key]} for key, one in effective.items()
        },
    }
    rows = [(key, _as_toml(one), settings.origins[key]) for key, one in effective.items()]
    invocation.show(
        value,
        lambda: [Line(f"root {settings.root}"), Table(("key", "value", "from"), rows)],
    )
    return OK


@command(config, "check")
def config_check(invocation: Invocation) -> int:
    """Check settings and topics; exit code 4 and one line for each mistake."""
    from feedsvc.cli.display import Line
    from feedsvc.runtime import absent_seeds, read_classifier
    from feedsvc.settings import TOPICS_FILE

    settings = invocation.settings
    topics = len(read_classifier(settings.root / TOPICS_FILE).topics)
    changed = sum(origin != "default" for origin in settings.origins.values())
    place = settings.origins["seeds.paths"]
    warnings = [
        f"{place}: seeds.paths: there is no folder {name}; make it, or correct the name"
        for name in absent_seeds(settings)
    ]
    value = {
        "ok": True,
        "root": settings.root,
        "changed": changed,
        "topics": topics,
        "warnings": warnings,
    }
    invocation.show(
        value,
        lambda: [
            *(Line(f"warning: {one}", "yellow") for one in warnings),
            Line(
                f"no mistakes: {changed} settings differ from the default, {topics} topics", "green"
            ),
        ],
    )
    return OK


def _as_toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
