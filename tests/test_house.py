"""Laws of the house that no linter holds; lint-imports, ruff and mypy hold the others."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "feedsvc").rglob("*.py"))
PYTHON = [
    *SOURCES,
    *sorted((ROOT / "tests").rglob("*.py")),
    *sorted((ROOT / "benchmarks").rglob("*.py")),
]
LOCKS = [ROOT / "requirements.lock", ROOT / "tests" / "requirements.lock"]

LONGEST = 400

_EXCEPTION = re.compile(r"#\s*(?:type:\s*ignore|noqa|pragma:\s*no cover)")
_REASONED = re.compile(
    r"#\s*(?:type:\s*ignore\[[\w, -]+\]\s+#\s*|(?:noqa:\s*[A-Z0-9, ]+|pragma:\s*no cover)\s*[-–—:#]\s*)\S+\s+\S+"
)
# Put together, so that this file does not name what it looks for.
_INDEX_HOSTS = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "conda." + "anaconda.org",
    "npm" + "js.org",
)
_MACHINE = re.compile(r"(?<![\w.])/(?:home|root|Users|work)/\w")


def tracked() -> list[Path]:
    """Return every text file of the project."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = listed.stdout.splitlines() if listed.returncode == 0 else []
    paths = [ROOT / name for name in names] or [one for one in ROOT.rglob("*") if _is_ours(one)]
    return [one for one in paths if one.is_file() and b"\0" not in one.read_bytes()[:8192]]


def _is_ours(path: Path) -> bool:
    """Tell files of the project from what tools and feedsvc itself write, where git cannot."""
    first, *below = path.relative_to(ROOT).parts
    hidden = [part for part in (first, *below) if part.startswith(".") or part == "__pycache__"]
    return first not in {"data", "feeds"} and set(hidden) <= {".ci"}


def identity(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=identity)
def test_a_source_stays_short_and_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert len(text.splitlines()) <= LONGEST
    assert not text.strip() or ast.get_docstring(ast.parse(text))


def test_every_exception_from_a_rule_gives_its_reason() -> None:
    bare = [
        f"{identity(path)}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if _EXCEPTION.search(line) and not _REASONED.search(line)
    ]

    assert bare == []


@pytest.mark.parametrize("path", LOCKS, ids=identity)
def test_a_lock_pins_every_package_by_hash_and_names_no_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    # A requirement goes on over lines that end in a backslash.
    entries = [
        one
        for one in text.replace("\\\n", " ").splitlines()
        if one.strip() and not one.lstrip().startswith("#")
    ]

    assert entries
    assert [
        one for one in entries if not re.match(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==\S+ ", one)
    ] == []
    assert [one for one in entries if "--hash=sha256:" not in one] == []
    assert not re.search(
        r"https?:|file:|--(?:extra-)?index|--find-links|^\s*-[efi]\s", text, re.MULTILINE
    )


def test_the_lock_of_tests_installs_what_the_lock_of_the_program_does() -> None:
    program, tests = (_pins(path) for path in LOCKS)

    assert {name: tests.get(name) for name in program} == program


def test_locks_hold_every_package_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {_name(one) for one in project["dependencies"]}

    assert asked - set(_pins(LOCKS[0])) == set()


def _pins(path: Path) -> dict[str, str]:
    found = re.findall(
        r"^([A-Za-z0-9._-]+)(?:\[[\w,-]+\])?==([^\s;\\]+)", path.read_text(), re.MULTILINE
    )
    return {_name(name): version for name, version in found}


def _name(requirement: str) -> str:
    bare = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert bare is not None
    return re.sub(r"[-_.]+", "-", bare[0]).lower()


def test_no_file_names_a_package_registry_or_a_folder_of_somebodys_machine() -> None:
    found = [
        f"{identity(path)}: {hit}"
        for path in tracked()
        for text in [path.read_text(encoding="utf-8", errors="replace")]
        for hit in [
            *(host for host in _INDEX_HOSTS if host in text),
            *(one[0] for one in _MACHINE.finditer(text) if path.suffix not in {".warc", ".html"}),
        ]
    ]

    assert found == []


def test_benchmarks_still_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "feeds", "web"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "GET /feeds/all.atom: 304" in done.stdout
