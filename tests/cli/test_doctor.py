"""Laws of the doctor: each check alone, and a problem is exit code 4."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sqlite3
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from feedsvc.cli import doctor
from feedsvc.cli.finding import Finding

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("version", "finding"),
    [((3, 10), "problem"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "warning")],
)
def test_python(version: tuple[int, int], finding: str) -> None:
    assert doctor.python_version(version).finding == finding


@pytest.mark.parametrize(
    ("version", "finding"),
    [
        ((3, 40, 1), "warning"),
        ((3, 44, 5), "warning"),
        ((3, 44, 6), "ok"),
        ((3, 50, 7), "ok"),
        ((3, 51, 2), "warning"),
        ((3, 51, 3), "ok"),
        ((3, 52, 0), "ok"),
    ],
)
def test_sqlite_is_a_warning_at_most(version: tuple[int, int, int], finding: str) -> None:
    assert doctor.sqlite_version(version).finding == finding


def test_a_clock_in_the_past_is_a_problem() -> None:
    assert doctor.clock(datetime(1970, 1, 2, tzinfo=UTC), None).finding is Finding.PROBLEM
    assert doctor.clock(NOW, NOW.timestamp() + 86400).finding is Finding.WARNING
    assert doctor.clock(NOW, NOW.timestamp() - 86400).finding is Finding.OK


def test_folders(tmp_path: Path) -> None:
    assert doctor.readable_folder("seeds", tmp_path).finding is Finding.OK
    assert doctor.readable_folder("seeds", tmp_path / "no").finding is Finding.WARNING
    assert doctor.writable_folder("data", tmp_path / "later").finding in {
        Finding.OK,
        Finding.WARNING,
    }
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert doctor.readable_folder("seeds", tmp_path / "file").finding is Finding.PROBLEM
    assert doctor.writable_folder("data", tmp_path / "file" / "below").finding is Finding.PROBLEM


def test_a_nearly_full_disk_is_a_problem(tmp_path: Path) -> None:
    assert doctor.disk_space(tmp_path, min_free=1).finding is Finding.OK
    assert doctor.disk_space(tmp_path, min_free=1 << 60).finding is Finding.PROBLEM


def test_a_port_in_use_by_another_program_is_a_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        other.listen(0)
        check = doctor.port("127.0.0.1", number)
    assert check.finding is Finding.PROBLEM
    assert "web.port" in check.remedy
    assert doctor.port("127.0.0.1", number).finding is Finding.OK


def test_the_doctor_looks_at_everything(
    command: Callable[..., Any], site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("FEEDSVC_WEB__PORT", str(port))
    shutil.rmtree(site / "data", ignore_errors=True)
    answer = command("doctor", "--root", site, "--json")
    found = {check["name"]: check["finding"] for check in answer.json["checks"]}
    assert answer.code == 0, answer.out
    assert set(found) == {
        "python", "config", "sqlite", "clock", "seeds", "data", "archive", "feeds", "disk", "port", "topics", "database", "guard", "browser", "owner", "file system", "address", "robots",
    }  # fmt: skip
    assert not (site / "data").exists()


def test_wrong_settings_do_not_hide_the_rest(command: Callable[..., Any], site: Path) -> None:
    (site / "config" / "feedsvc.toml").write_text("[web]\nprot = 1\nport = -1\n")
    answer = command("doctor", "--root", site)
    assert answer.code == 4
    assert "config/feedsvc.toml:2" in answer.out
    assert "config/feedsvc.toml:3" in answer.out
    assert "python" in answer.out


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EROFS, "mount it for writing"),
        (errno.EACCES, "right to write"),
    ],
)
def test_each_cause_has_its_own_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "mkstemp", fail)
    check = doctor.writable_folder("data", tmp_path)
    assert check.finding is Finding.PROBLEM
    assert remedy in check.remedy


@pytest.mark.parametrize(
    ("damage", "remedy"),
    [
        ("UPDATE alembic_version SET version_num = '0001'", "feedsvc upgrade"),
        ("UPDATE alembic_version SET version_num = '9999'", "the feedsvc that wrote it"),
        (None, "restore a backup"),
    ],
    ids=["older", "newer", "damaged"],
)
def test_a_database_that_cannot_be_used_has_a_remedy(
    command: Callable[..., Any], site: Path, damage: str | None, remedy: str
) -> None:
    assert command("ingest", "--root", site).code == 0
    file = site / "data" / "feedsvc.db"
    if damage:
        with sqlite3.connect(file) as connection:
            connection.execute(damage)
        connection.close()
    else:
        file.write_bytes(b"nonsense" * 1000)
    (check,) = (
        one
        for one in command("doctor", "--root", site, "--json").json["checks"]
        if one["name"] == "database"
    )
    assert check["finding"] == "problem"
    assert remedy in check["remedy"]
