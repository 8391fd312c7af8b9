"""Laws of what is shown: aligned, harmless, and the same to a program."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.cli.display import Line, Table, counted, plain, plain_lines, progress, show
from feedsvc.model import CaptureReport, IngestReport, Outcome, SeedProblem


def test_columns_are_aligned_whatever_the_script() -> None:
    table = Table(
        ("name", "n"), [("日本", "1"), ("a", "100"), ("e\u0301", "22")], right=frozenset({1})
    )
    assert list(plain_lines([table])) == ["name    n", "日本    1", "a     100", "e\u0301      22"]


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_a_row_is_one_line_that_cannot_move_the_cursor(rows: list[tuple[str, str]]) -> None:
    lines = list(plain_lines([Table((), rows)]))
    assert len(lines) == len(rows)
    assert not any(
        ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for line in lines for character in line
    )


def test_reports_become_json_objects() -> None:
    report = IngestReport(new=1, problems=(SeedProblem("a.md", "why", "what", 3),))
    value = json.loads(json.dumps(plain(report)))
    assert value["new"] == 1
    assert value["problems"] == [{"seed": "a.md", "reason": "why", "remedy": "what", "line": 3}]
    assert plain(datetime(2026, 1, 2, 3, 4, tzinfo=UTC)) == "2026-01-02T03:04:00Z"
    assert plain({Outcome.FAILED: (Path("a"), {1})}) == {"failed": ["a", [1]]}
    assert plain(CaptureReport())["attempts"] == []


def test_numbers_agree_with_their_noun() -> None:
    assert [counted(1, "article"), counted(1200, "entry"), counted(0, "seed")] == [
        "1 article",
        "1,200 entries",
        "0 seeds",
    ]


def test_no_progress_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=False) as tell:
        tell("capture", 1, 2, "https://example.org/")
    assert capsys.readouterr().err == ""


def test_secrets_do_not_reach_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json in (False, True):
        show({"url": "https://me:hush@a/"}, lambda: [Line("https://me:hush@a/")], as_json=as_json)
    assert "hush" not in capsys.readouterr().out


def test_a_terminal_shows_a_title_as_it_is_written() -> None:
    code = (
        "from feedsvc.cli.display import Line, Table, show, progress\n"
        "with progress(quiet=False) as tell: tell('read', 1, 2, '[red]x\\x1b]0;evil\\x07')\n"
        "show({}, lambda: [Line('head', 'red'), Table(('t',), [('[bold]\\x1b[2Jtitle',)])], as_json=False)\n"
    )
    reader, terminal = pty.openpty()
    environ = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "TERM": "xterm",
        "COLUMNS": "80",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=terminal, stderr=terminal, env=environ, check=False
    )
    os.close(terminal)
    seen = b""
    try:
        while chunk := os.read(reader, 4096):
            seen += chunk
    except OSError:  # Linux's way to say that a terminal is closed
        pass
    os.close(reader)
    assert done.returncode == 0, seen
    assert b"[bold]\xef\xbf\xbd[2Jtitle" in seen
    assert b"\x1b[2J" not in seen
    assert b"\x1b]0;" not in seen
    assert b"\x1b[31mhead" in seen
