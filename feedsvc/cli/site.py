"""The commands about a site itself: init, config show, config check."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
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
    demo: Annotated[
        bool, typer.Option("--demo", help="With ten articles about open standards to look at.")
    ] = False,
) -> int:
    """Make a new site: config/, seeds/ with one sample, feeds/. Overwrites nothing."""
    root = (folder or invocation.root or Path()).expanduser()
    made, kept = create_site(root, sample=demo_site() if demo else None)
    value = {"root": root.resolve(), "made": made, "kept": kept}
    invocation.show(value, lambda: _describe_init(root, made, kept))
    return OK


def create_site(
    root: Path, *, sample: Mapping[str, str] | None = None
) -> tuple[list[str], list[str]]:
    """Write the files of a new site; return what was made and what was there already.

    ``sample`` are files by name that go before those of a usual site. Raises ConfigurationError
    if no site can be made there.
    """
    from feedsvc.errors import ConfigurationError

    try:
        return _write_site(root, sample)
    except (FileExistsError, NotADirectoryError, FileNotFoundError) as error:
        # A file where a folder has to be; a file system that takes no folders, such as /proc.
        raise ConfigurationError(
            f"{error.filename or root}: no site can be made there ({error.strerror}); name a "
            "folder, which is made if it is not there"
        ) from error


def demo_site() -> dict[str, str]:
    """Return the articles of the demonstration, and the settings that show them at their best."""
    from importlib.resources import files

    package = files("feedsvc.cli")
    settings = (package / "feedsvc.toml").read_text(encoding="utf-8")
    for plain, shown in _DEMO_SETTINGS:
        settings = settings.replace(plain, shown, 1)
    articles = {
        f"seeds/{one.name}": one.read_text(encoding="utf-8") for one in (package / "demo").iterdir()
    }
    return {"config/feedsvc.toml": settings, **dict(sorted(articles.items()))}


_DEMO_SETTINGS = (
    ('# title = "Our articles"                 ', 'title = "Open standards, one by one"   '),
    (
        '# also = ["changes", "gone"]             ',
        'also = ["authors", "hosts", "changes", "gone"]',
    ),
)


def _write_site(root: Path, sample: Mapping[str, str] | None) -> tuple[list[str], list[str]]:
    from importlib.resources import files

    from feedsvc.classify import default_vocabulary

    package = files("feedsvc.cli")
    contents = {
        "config/feedsvc.toml": (package / "feedsvc.toml").read_text(encoding="utf-8"),
        "config/topics.toml": default_vocabulary(),
    }
    if sample is not None:
        contents |= sample
    elif not (root / "seeds").is_dir() or not any((root / "seeds").iterdir()):
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
    where = "" if root.resolve() == Path.cwd() else f" --root {shlex.quote(str(root))}"
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
                "what is there shows how they are written",
            ),
            (f"  edit {root / 'config/feedsvc.toml'}", "name and public address of the site"),
            (f"  feedsvc{where} status", "is it healthy?"),
            (f"  feedsvc{where} doctor", "is anything set up wrong?"),
        ],
    )


@command(config, "show")
def config_show(
    invocation: Invocation,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only what differs from the default.")
    ] = False,
) -> int:
    """Print every setting's effective value and where it comes from; passwords hidden."""
    from feedsvc.cli.display import Line, Table

    settings = invocation.settings
    effective = {
        key: one
        for key, one in settings.effective().items()
        if not changed or settings.origins[key] != "default"
    }
    value = {
        "root": settings.root,
        "settings": {
            key: {"value": one, "origin": settings.origins[key]} for key, one in effective.items()
        },
    }
    rows = [(key, _as_toml(one), settings.origins[key]) for key, one in effective.items()]
    invocation.show(
        value,
        lambda: [
            Line(f"root {settings.root}"),
            Table(("key", "value", "from"), rows) if rows else Line("Everything is as by default."),
        ],
    )
    return OK


@command(config, "check")
def config_check(invocation: Invocation) -> int:
    """Check settings, topics and saved searches; exit code 4 and one line for each mistake."""
    from feedsvc.classify.searches import doubts
    from feedsvc.cli.display import Line
    from feedsvc.runtime import absent_seeds, read_classifier, read_filing
    from feedsvc.settings import FEEDS_FILE, TOPICS_FILE

    settings = invocation.settings
    classifier = read_classifier(settings.root / TOPICS_FILE)
    searches = read_filing(settings.root / FEEDS_FILE, also=settings.feeds.also).searches
    changed = sum(origin != "default" for origin in settings.origins.values())
    place = settings.origins["seeds.paths"]
    warnings = [
        f"{place}: seeds.paths: there is no folder {name}; make it, or correct the name"
        for name in absent_seeds(settings)
    ]
    warnings += [f"{FEEDS_FILE}: {one}" for one in doubts(searches, classifier)]
    topics = len(classifier.topics)
    value = {
        "ok": True,
        "root": settings.root,
        "changed": changed,
        "topics": topics,
        "searches": len(searches),
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
