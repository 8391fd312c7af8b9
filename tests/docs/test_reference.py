"""Law of the reference: it is what the code says today, and names every command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer.main

from feedsvc.cli import app
from feedsvc.cli.reference import commands, pages
from feedsvc.cli.shapes import SHAPES, SILENT
from feedsvc.settings import KEYS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    return pages()


def test_the_reference_is_up_to_date(written: dict[str, str]) -> None:
    there = {one.name: one.read_text(encoding="utf-8") for one in REFERENCE.iterdir()}
    stale = sorted(name for name in {*there, *written} if there.get(name) != written.get(name))
    assert stale == [], "`make docs` writes it again"


def test_every_command_has_a_place_and_an_output(written: dict[str, str]) -> None:
    names = {path.removeprefix("feedsvc ") for path, _ in commands(typer.main.get_command(app))}
    assert names == {*SHAPES, *SILENT} - {"forget --undo"}
    for name in names:
        assert f"\n## feedsvc {name}\n" in written["commands.md"]


def test_every_setting_has_its_meaning(written: dict[str, str]) -> None:
    rows = [line for line in written["settings.md"].splitlines() if line.startswith("| `")]
    assert len(rows) == len(KEYS)
    assert [row for row in rows if " |  | " in row] == []


def test_every_reference_inside_the_schema_leads_somewhere(written: dict[str, str]) -> None:
    schema = json.loads(written["output.schema.json"])
    told = written["output.schema.json"].split('"$ref": "#/$defs/')[1:]
    assert {one.partition('"')[0] for one in told} <= set(schema["$defs"])
