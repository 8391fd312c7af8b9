"""Laws of the documentation: what it says of commands, settings and files is what the code does."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from feedsvc import errors
from feedsvc.classify import Classifier, default_vocabulary
from feedsvc.cli import app, failures
from feedsvc.ingest import SEED_FORMATS, parse_seed
from feedsvc.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SEED_FORMAT = (ROOT / "docs" / "seed-format.md").read_text(encoding="utf-8")
TOPICS = (ROOT / "docs" / "topics.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

_OPTION = re.compile(r"`(--[a-z-]+)")
_COMPLETION = {"--install-completion", "--show-completion"}


def table(text: str, first: str) -> dict[str, list[str]]:
    """Return the rows of the table whose first column is headed so, by their first cell."""
    lines = iter(text.splitlines())
    assert any(line.startswith(f"| {first} |") for line in lines), f"no table {first!r}"
    next(lines)
    rows: dict[str, list[str]] = {}
    for line in lines:
        if not line.startswith("|"):
            break
        key, *cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("| "))]
        assert key not in rows, f"{key} stands twice"
        rows[key] = cells
    return rows


def commands(command: Any, path: str = "feedsvc") -> Iterator[tuple[str, Any]]:
    """Yield every command that can be called, with its place in the tree."""
    below = getattr(command, "commands", {})
    if path != "feedsvc" and (not below or command.invoke_without_command):
        yield path, command
    for name, one in below.items():
        yield from commands(one, f"{path} {name}")


def options(command: Any) -> set[str]:
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    return {name for one in shown for name in one.opts if name.startswith("-")}


def synopsis(path: str, command: Any) -> str:
    arguments = [one.metavar for one in command.params if one.param_type_name == "argument"]
    return " ".join([path, *arguments])


APP = typer.main.get_command(app)
SHARED = options(APP) - {"--version"} - _COMPLETION
COMMANDS = {synopsis(path, one): one for path, one in commands(APP)}


def test_the_table_of_commands_is_that_of_the_program() -> None:
    assert {key.strip("`") for key in table(README, "command")} == set(COMMANDS)


@pytest.mark.parametrize("call", COMMANDS)
def test_a_command_is_shown_with_all_its_options_and_no_others(call: str) -> None:
    shown = set(_OPTION.findall(" ".join(table(README, "command")[f"`{call}`"])))

    assert shown == options(COMMANDS[call]) - SHARED


def test_options_that_every_command_takes_are_named_below_the_table() -> None:
    below = README.split("| command |")[1].split("| exit code |")[0].split("\n\n")[1]

    assert SHARED | {"--help", "-h", "--version"} == set(
        re.findall(r"`(?:feedsvc )?(-[a-z-]+)", below)
    )


def test_the_table_of_exit_codes_is_that_of_the_errors() -> None:
    raised = {
        one.exit_code
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.FeedsvcError)
    }
    returned = {
        value
        for name, value in vars(failures).items()
        if name.isupper() and not name.startswith("_") and type(value) is int
    }

    assert {int(code) for code in table(README, "exit code")} == raised | returned


def test_the_table_of_settings_is_that_of_the_program_with_the_same_defaults() -> None:
    shown = {key.strip("`"): row[0].strip("`") for key, row in table(README, "key").items()}
    defaults = Settings(root=ROOT, origins={}).effective()

    assert shown == {key: json.dumps(value) for key, value in defaults.items()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_to_files_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [one for one in targets if not (page.parent / one).exists()]

    assert missing == []


@pytest.mark.parametrize(("name", "end"), [("run", "feedsvc run"), ("test", ".ci/check")])
def test_readme_gives_one_plain_line_that_installs_what_is_locked(name: str, end: str) -> None:
    found = re.search(rf"<!-- plain-{name} -->\n```sh\n(.*)\n```\n", README)
    assert found is not None
    steps = found[1].split(" && ")

    assert shlex.split(steps[0])[:3] == ["python3", "-m", "venv"]
    assert any("--require-hashes" in one for one in steps)
    assert steps[-1].endswith(end)


def test_readme_stays_short() -> None:
    assert len([line for line in README.splitlines() if not line.startswith("|")]) <= 120


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = re.findall(r"\]\(([^)#:]+)", index.read_text(encoding="utf-8"))
    listed = {(index.parent / one).resolve() for one in linked}

    assert [
        page.name for page in PAGES if "docs" in page.parts and page not in {*listed, index}
    ] == []


# --- examples in the documentation ----------------------------------------------------------


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("example", fenced(README, "markdown") + fenced(SEED_FORMAT, "markdown"))
def test_an_example_of_a_seed_is_loaded_as_it_means(example: str) -> None:
    article = parse_seed("example.md", example.encode())

    assert article.title == "The tide tables of a small harbour"
    assert article.url == "https://example.org/2026/tide-tables"
    assert article.published is not None
    assert article.text.startswith("Every morning for forty years")
    assert article.warnings == ()


def test_examples_with_a_byline_name_author_and_agency() -> None:
    examples = fenced(README, "markdown") + fenced(SEED_FORMAT, "markdown")[:2]
    people = [parse_seed("example.md", one.encode()) for one in examples]

    assert {(one.author, one.agency) for one in people} == {("Ada Brandt", "Coastal News")}


def test_the_seed_format_names_every_suffix() -> None:
    assert set(re.findall(r"`(\.(?:txt|text|md|markdown))`", SEED_FORMAT)) == set(SEED_FORMATS)


@pytest.mark.parametrize(
    "field",
    [
        name
        for key, row in table(SEED_FORMAT, "field").items()
        for name in re.findall(r"`([a-z_]+)`", f"{key} {row[0]}")
    ],
)
def test_every_field_the_seed_format_lists_is_understood(field: str) -> None:
    is_date = field == "date" or field.startswith("pub")
    value = (
        "2026-03-14" if is_date else "en" if field.startswith("lang") else "https://example.org/a"
    )
    seed = f"---\n{field}: {value}\n---\n# Title\n\nText.\n"

    assert parse_seed("example.md", seed.encode()).warnings == ()


RULES = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("example", fenced(TOPICS, "toml") + fenced(RULES, "toml"))
def test_an_example_of_topics_is_accepted(example: str) -> None:
    assert Classifier(f"{default_vocabulary()}\n{example}", source="docs/topics.md").topics
