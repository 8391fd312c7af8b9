"""Laws of the command line: its names, its options, and what a misspelt one gets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]

COMMANDS = [
    "init",
    "ingest",
    "capture",
    "publish",
    "rebuild",
    "run",
    "daemon",
    "serve",
    "status",
    "verify",
    "doctor",
    "upgrade",
    "topics",
    "config",
]
MISUSES = {
    (): "Commands:",
    ("statsu",): "Did you mean 'status'?",
    ("ingest", "--froce"): "--force",
    ("ingest", "extra"): "extra",
    ("capture", "--limit", "0"): "--limit",
    ("capture", "--limit", "many"): "--limit",
    ("capture", "--article", "a", "--all"): "exclude each other",
    ("verify", "--sample"): "--sample",
    ("topics", "shwo"): "Did you mean 'show'?",
    ("topics", "set", "article"): "SLUG",
    ("topics", "eval", "nowhere.csv"): "nowhere.csv",
    ("config",): "Commands:",
    ("--root",): "--root",
}


@pytest.mark.parametrize("arguments", MISUSES)
def test_a_misspelt_command_line_exits_64_and_says_why(
    command: Command, arguments: tuple[str, ...]
) -> None:
    answer = command(*arguments)
    assert answer.code == 64
    assert MISUSES[arguments] in answer.err
    assert answer.out == ""


def test_help_names_every_command(command: Command) -> None:
    answer = command("--help")
    assert answer.code == 0
    names = {
        line.split()[0]
        for line in answer.out.partition("Commands:")[2].splitlines()
        if line.strip()
    }
    assert set(COMMANDS) <= names


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_takes_root_and_json(command: Command, name: str) -> None:
    answer = command(name, "--help")
    assert answer.code == 0
    if name != "config":
        assert "--root" in answer.out
        assert "--json" in answer.out


def test_options_may_stand_before_and_after_the_name(command: Command, site: Path) -> None:
    before = command("--root", site, "--json", "config", "show")
    after = command("config", "show", "--json", "--root", site)
    assert before.code == after.code == 0
    assert before.json == after.json
    assert before.json["root"] == str(site)


def test_the_later_root_wins(command: Command, site: Path) -> None:
    assert command("--root", "nowhere", "config", "show", "--json", "--root", site).json[
        "root"
    ] == str(site)


def test_root_comes_from_the_environment(
    command: Command, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDSVC_ROOT", str(site))
    assert command("config", "show", "--json").json["root"] == str(site)


def test_help_and_version_import_nothing_heavy(
    process: Callable[..., subprocess.Popen[str]],
) -> None:
    heavy = "{'rich', 'pydantic', 'structlog', 'sqlalchemy', 'httpx', 'starlette', 'apscheduler', 'lxml', 'jinja2'}"
    code = (
        "import sys; from feedsvc.cli import main\n"
        "assert main(['--help']) == 0 and main(['--version']) == 0\n"
        f"found = {heavy} & set(sys.modules); sys.exit(repr(found) if found else 0)"
    )
    environ = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "feedsvc 0." in done.stdout
